/* See report.h. */
#include "report.h"
#include "standard-output.h"

#include "../base/strbuf.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *report_text(const char *text) {
  json_t *made = json_string(text ? text : "");
  if (made || !text) return made;
  char *ascii = strdup(text);
  if (!ascii) return NULL;
  for (char *at = ascii; *at; at++)
    if ((unsigned char)*at >= 0x80) *at = '?';
  made = json_string(ascii);
  free(ascii);
  return made;
}

json_t *report_real(double value) { return isfinite(value) ? json_real(value) : json_null(); }

const char *report_get(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : "";
}

double report_number(const json_t *object, const char *key) { return json_number_value(json_object_get(object, key)); }

void report_line(const char *format, ...) {
  char *text = NULL;
  va_list arguments;
  va_start(arguments, format);
  int length = vasprintf(&text, format, arguments);
  va_end(arguments);
  if (length < 0) return;
  for (char *at = text; *at; at++)
    if ((unsigned char)*at < 0x20 || *at == 0x7f) *at = '?';
  puts(text);
  free(text);
}

const char *report_bytes(double bytes, char out[REPORT_BYTES_TEXT]) {
  static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  for (; bytes >= 1024 && unit < 4; unit++) bytes /= 1024;
  snprintf(out, REPORT_BYTES_TEXT, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
  return out;
}

enum farm_status report_give(const struct option_optional *json, json_t *root, void (*show)(const json_t *root)) {
  FAIL_IF(!root, FARM_NO_MEMORY, "out of memory for a report");
  if (json->given && !json->value) return json_report(json, root);
  enum farm_status filed = json_report(json, json_incref(root)); // the file first: flushing stdout may be the end
  show(root);
  json_decref(root);
  return filed == FARM_OK ? stdout_flush() : filed;
}
