/* Any bytes as an ONNX model: imported, printed, read back, verified, run on small zero inputs; or refused. Never a crash, leak
 * or hang. */
#include "import.h"

#include "../../base/strbuf.h"
#include "../ir/evaluate.h"

#include <stdlib.h>

enum { MOST_INPUTS = 16, MOST_ELEMS = 4096, MOST_NODES = 2000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Symbols and unknown dims become 2. */
static bool inputs_make(const struct graph *graph, struct tensor *inputs) {
  for (int i = 0; i < graph->input_count; i++) {
    inputs[i] = graph->inputs[i]->type;
    inputs[i].data = NULL;
    if (inputs[i].rank < 0) inputs[i].rank = 1, inputs[i].dims[0] = 2;
    for (int d = 0; d < inputs[i].rank; d++)
      if (inputs[i].dims[d] < 0) inputs[i].dims[d] = 2;
    int64_t elems = tensor_elems(&inputs[i]);
    if (elems < 0 || elems > MOST_ELEMS || tensor_alloc(&inputs[i]) != FARM_OK) return false;
  }
  return true;
}

static void model_run(const struct model *model) {
  struct tensor inputs[MOST_INPUTS] = {0};
  struct tensor *outputs = calloc((size_t)model->graph->output_count + 1, sizeof *outputs);
  if (outputs && model->graph->input_count <= MOST_INPUTS && inputs_make(model->graph, inputs)) {
    struct evaluate_options options = {.most_bytes = 1 << 20, .most_nodes = MOST_NODES};
    if (graph_evaluate_with(model, inputs, outputs, &options) == FARM_OK)
      for (int i = 0; i < model->graph->output_count; i++) tensor_free(&outputs[i]);
  }
  for (int i = 0; i < MOST_INPUTS; i++) tensor_free(&inputs[i]);
  free(outputs);
}

static void model_print(const struct model *model) {
  struct strbuf text = {0};
  struct model *again = NULL;
  if (graph_print(model, &text) == FARM_OK && graph_parse(strbuf_text(&text), &again) == FARM_OK) model_free(&again);
  strbuf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct model *model = NULL;
  if (onnx_import_bytes(data, size, NULL, &model) != FARM_OK) return 0;
  if (graph_verify(model) != FARM_OK) abort(); // what is imported is right
  model_print(model);
  model_run(model);
  model_free(&model);
  return 0;
}
