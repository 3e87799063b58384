/* Do these tensors fit the model's declared inputs? See evaluate.h. */
#include "evaluate.h"

#include <stdlib.h>

static enum farm_status symbol_check(int64_t *values, int64_t symbol, int64_t dim, const char *name) {
  FAIL_IF(values[symbol] >= 0 && values[symbol] != dim, FARM_INVALID, "symbol \"%.100s\" is %lld here and %lld elsewhere", name,
          (long long)dim, (long long)values[symbol]);
  values[symbol] = dim;
  return FARM_OK;
}

static enum farm_status input_check(const struct model *model, const struct tensor *type, const struct tensor *input,
                                    int64_t *symbols) {
  FAIL_IF(input->dtype != type->dtype, FARM_INVALID, "element type %s where %s is declared", dtype_name(input->dtype),
          dtype_name(type->dtype));
  FAIL_IF(input->rank < 0 || input->rank > TENSOR_MAX_RANK || tensor_bytes(input) == SIZE_MAX, FARM_INVALID, "no definite shape");
  FAIL_IF(type->rank >= 0 && input->rank != type->rank, FARM_INVALID, "rank %d where %d is declared", input->rank, type->rank);
  FAIL_IF(!input->data && tensor_bytes(input), FARM_INVALID, "no contents");
  for (int i = 0; i < type->rank; i++) {
    int64_t symbol = DIM_FIRST_SYMBOL - type->dims[i];
    FAIL_IF(type->dims[i] >= 0 && input->dims[i] != type->dims[i], FARM_INVALID, "dimension %d is %lld where %lld is declared", i,
            (long long)input->dims[i], (long long)type->dims[i]);
    if (symbol >= 0 && symbol < model->symbol_count)
      TRY(symbol_check(symbols, symbol, input->dims[i], model->symbols[symbol].name));
  }
  return FARM_OK;
}

enum farm_status graph_inputs_check(const struct model *model, const struct tensor *inputs) {
  int64_t *symbols = malloc((size_t)(model->symbol_count + 1) * sizeof *symbols);
  FAIL_IF(!symbols, FARM_NO_MEMORY, "out of memory");
  for (int i = 0; i < model->symbol_count; i++) symbols[i] = -1;
  enum farm_status status = FARM_OK;
  for (int i = 0; i < model->graph->input_count && status == FARM_OK; i++) {
    status = input_check(model, &model->graph->inputs[i]->type, &inputs[i], symbols);
    if (status != FARM_OK) status = status_prefix(status, "input \"%.200s\"", model->graph->inputs[i]->name);
  }
  free(symbols);
  return status;
}
