/* Values of the plan: types at the optimal shapes, bytes at the largest ones, kinds of place. */
#include "emit.h"

#include "../../base/array.h"

#include <string.h>

struct tensor emit_type(const struct value *value, const struct link_shapes *shapes) {
  struct tensor type = value->constant                                               ? *value->constant
                       : value->id < shapes->count && shapes->types[value->id].dtype ? shapes->types[value->id]
                                                                                     : value->type;
  type.data = NULL;
  return type;
}

static bool is_fixed(const struct value *value) { return value->constant || tensor_elems(&value->type) >= 0; }

uint32_t emit_index(const struct emitter *emitter, const struct value *value) {
  return value ? emitter->index_of[value->id] : PLAN_NO_INDEX;
}

enum farm_status emit_value(struct emitter *emitter, const struct value *value, enum value_place place, uint32_t *out_index) {
  struct plan *plan = emitter->plan;
  TRY(array_reserve(&plan->values, &emitter->value_capacity, (size_t)plan->value_count + 1));
  TRY(array_reserve(&emitter->model_types, &emitter->model_type_capacity, (size_t)plan->value_count + 1));
  emitter->model_types[plan->value_count] = value->constant ? *value->constant : value->type;
  struct tensor largest = emit_type(value, &emitter->largest);
  size_t bytes = tensor_bytes(&largest);
  if (bytes == SIZE_MAX && (place == VALUE_ARENA || place == VALUE_VIEW)) place = VALUE_POOLED;
  bool sized =
      place == VALUE_ARENA || place == VALUE_VIEW || place == VALUE_INPUT || place == VALUE_OUTPUT || place == VALUE_CONSTANT;
  const char *name = arena_string(emitter->arena, value->name, strlen(value->name));
  FAIL_IF(!name, FARM_NO_MEMORY, "out of memory for a value");
  plan->values[plan->value_count] = (struct plan_value){
      .name = name,
      .type = emit_type(value, &emitter->optimal),
      .fixed = is_fixed(value),
      .place = place,
      .bytes = sized && bytes != SIZE_MAX ? bytes : 0,
      .of = PLAN_NO_INDEX,
      .weight = PLAN_NO_INDEX,
  };
  *out_index = (uint32_t)plan->value_count++;
  if (emitter->index_of[value->id] == PLAN_NO_INDEX) emitter->index_of[value->id] = *out_index;
  return FARM_OK;
}

enum farm_status emit_constant_data(struct emitter *emitter, uint32_t index, const struct value *value) {
  struct plan_value *plan_value = &emitter->plan->values[index];
  if (plan_value->weight != PLAN_NO_INDEX) return FARM_OK;
  size_t bytes = tensor_bytes(value->constant);
  FAIL_IF(bytes == SIZE_MAX, FARM_UNSUPPORTED, "%s: a constant of type %s cannot be stored", value->name,
          dtype_name(value->constant->dtype));
  TRY(weights_add(emitter->weights, bytes ? value->constant->data : "", bytes, &plan_value->weight));
  plan_value->place = VALUE_CONSTANT;
  plan_value->bytes = bytes;
  return FARM_OK;
}

enum farm_status emit_input_operand(struct emitter *emitter, const struct value *value, uint32_t *out_index) {
  *out_index = PLAN_NO_INDEX;
  if (!value) return FARM_OK;
  *out_index = emit_index(emitter, value);
  if (*out_index != PLAN_NO_INDEX) return FARM_OK;
  FAIL_IF(!value->constant, FARM_FAILURE, "%s: read before it is made", value->name);
  return emit_value(emitter, value, VALUE_NONE, out_index); // becomes CONSTANT when a step reads it row-major
}

/* Shape arithmetic stays on the host: Shape and Size, and small integers that come from host values and constants alone. */
bool emit_is_host(const struct emitter *emitter, const struct node *node) {
  enum { MOST_HOST_ELEMS = 4096, MOST_CONSTANT_ELEMS = 4096 };
  if (node->row->domain[0] != 0 || (node->row->flags & OPERATOR_CONTROL)) return false;
  bool reads_host = strcmp(node->row->name, "Shape") == 0 || strcmp(node->row->name, "Size") == 0;
  for (int i = 0; !reads_host && i < node->input_count; i++) {
    const struct value *value = node->inputs[i];
    uint32_t index = emit_index(emitter, value);
    if (value && !value->constant && (index == PLAN_NO_INDEX || emitter->plan->values[index].place != VALUE_HOST)) return false;
  }
  for (int i = 0; !reads_host && i < node->input_count; i++) {
    const struct value *value = node->inputs[i];
    if (value && value->constant && tensor_elems(value->constant) > MOST_CONSTANT_ELEMS) return false;
    if (value && !value->constant) reads_host = true;
  }
  for (int i = 0; i < node->output_count; i++) {
    if (!node->outputs[i]) continue;
    struct tensor type = emit_type(node->outputs[i], &emitter->largest);
    int64_t elems = tensor_elems(&type);
    if (!(dtype_is_integer(type.dtype) || type.dtype == DTYPE_BOOL) || elems < 0 || elems > MOST_HOST_ELEMS) return false;
  }
  return reads_host;
}
