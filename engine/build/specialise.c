/* See specialise.h. */
#include "specialise.h"

#include "../../base/log.h"

#include <string.h>

static struct value *input_find(const struct model *model, const char *name) {
  for (int i = 0; i < model->graph->input_count; i++)
    if (strcmp(model->graph->inputs[i]->name, name) == 0) return model->graph->inputs[i];
  return NULL;
}

/* `named`: by symbol, whether a shape gave it a range before; 0 is a size like any other. */
static enum farm_status range_set(struct symbol *symbol, bool *named, const struct build_shape *shape, int dim) {
  FAIL_IF(*named && (symbol->min != shape->min[dim] || symbol->opt != shape->opt[dim] || symbol->max != shape->max[dim]),
          FARM_USAGE, "--shape %s: dimension %d is `%s`, which another shape gives another range", shape->input, dim,
          symbol->name);
  symbol->min = shape->min[dim];
  symbol->opt = shape->opt[dim];
  symbol->max = shape->max[dim];
  *named = true;
  return FARM_OK;
}

static enum farm_status shape_apply(struct model *model, bool *named, const struct build_shape *shape) {
  const struct value *input = input_find(model, shape->input);
  FAIL_IF(!input, FARM_USAGE, "--shape %s: the model has no input of that name", shape->input);
  FAIL_IF(input->type.rank != shape->rank, FARM_USAGE, "--shape %s: the input has %d dimensions, not %d", shape->input,
          input->type.rank, shape->rank);
  for (int i = 0; i < shape->rank; i++) {
    int64_t dim = input->type.dims[i];
    if (dim <= DIM_FIRST_SYMBOL) {
      TRY(range_set(&model->symbols[DIM_FIRST_SYMBOL - dim], &named[DIM_FIRST_SYMBOL - dim], shape, i));
      continue;
    }
    FAIL_IF(dim != shape->min[i] || dim != shape->max[i], FARM_USAGE,
            "--shape %s: dimension %d is %lld in the model and cannot vary", shape->input, i, (long long)dim);
  }
  return FARM_OK;
}

static void symbols_replace(struct model *model) {
  for (int v = 0; v < model->graph->input_count; v++) {
    struct tensor *type = &model->graph->inputs[v]->type;
    for (int i = 0; i < type->rank; i++) {
      if (type->dims[i] > DIM_FIRST_SYMBOL) continue;
      const struct symbol *symbol = &model->symbols[DIM_FIRST_SYMBOL - type->dims[i]];
      if (symbol->min == symbol->max) type->dims[i] = symbol->opt;
    }
  }
}

enum farm_status model_specialise(struct model *model, const struct build_shape *shapes, int count) {
  bool named[MODEL_MAX_SYMBOLS] = {0};
  for (int i = 0; i < count; i++) TRY(shape_apply(model, named, &shapes[i]));
  for (int i = 0; i < model->symbol_count; i++) {
    struct symbol *symbol = &model->symbols[i];
    if (named[i]) continue;
    log_warning("dimension `%s` has no --shape: taken as 1", symbol->name);
    symbol->min = symbol->opt = symbol->max = 1;
  }
  symbols_replace(model);
  return graph_infer(model);
}
