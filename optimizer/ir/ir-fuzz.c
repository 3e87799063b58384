/* Any bytes as IR text: refused, or read; then printing is a fixed point, and inference and verification hold up. */
#include "graph.h"

#include "../../base/strbuf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print_twice(const struct model *model) {
  struct strbuf first = {0}, second = {0};
  struct model *again = NULL;
  if (graph_print(model, &first) != FARM_OK) abort();
  if (graph_parse(strbuf_text(&first), &again) != FARM_OK || graph_print(again, &second) != FARM_OK) abort();
  if (strcmp(strbuf_text(&first), strbuf_text(&second)) != 0) abort();
  model_free(&again);
  strbuf_free(&first);
  strbuf_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct model *model = NULL;
  char *text = malloc(size + 1);
  if (!text) return 0;
  memcpy(text, data, size);
  text[size] = 0;
  if (graph_parse(text, &model) == FARM_OK) {
    print_twice(model);
    if (graph_infer(model) == FARM_OK) (void)!graph_verify(model);
    model_free(&model);
  }
  free(text);
  return 0;
}
