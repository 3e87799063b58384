/* `--json[=FILE]`. */
#include "command.h"
#include "standard-output.h"

#include "../base/file.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum farm_status json_report(const struct option_optional *option, struct json_t *root) {
  enum farm_status status = FARM_OK;
  char *text = NULL;
  if (!option->given) goto free_root;
  text = root ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
  if (!text) {
    status = status_set(FARM_NO_MEMORY, "out of memory for the JSON report");
    goto free_root;
  }
  size_t length = strlen(text);
  char *grown = realloc(text, length + 2);
  if (!grown) {
    status = status_set(FARM_NO_MEMORY, "out of memory for the JSON report");
    goto free_root;
  }
  text = grown;
  memcpy(text + length, "\n", 2);
  if (option->value) {
    status = file_write_atomic(option->value, text, length + 1);
  } else {
    fputs(text, stdout);
    status = stdout_flush();
  }
free_root:
  free(text);
  json_decref(root);
  return status;
}
