/* See carried.h.
 *
 * Carrying: an out that lies in its own buffer swaps buffers with the in. Any other (an outer value, a view, another's in) is
 * first copied aside, all of them before the first in changes. */
#include "carried.h"

#include <string.h>

static void buffers_swap(struct run_buffer *a, struct run_buffer *b) {
  struct run_buffer old = *a;
  *a = *b;
  *b = old;
}

static bool lies_anywhere(const struct farm_context *context, uint32_t v) {
  enum value_place place = context->engine->plan->values[v].place;
  return place == VALUE_POOLED || place == VALUE_HOST;
}

static bool may_swap(const struct farm_context *context, const uint32_t *ins, const uint32_t *outs, int count, int i) {
  if (!lies_anywhere(context, ins[i]) || !value_owns_data(context, context->current, outs[i])) return false;
  for (int k = 0; k < count; k++)
    if ((k != i && outs[k] == outs[i]) || ins[k] == outs[i]) return false;
  return true;
}

static enum farm_status copy_aside(struct farm_context *context, uint32_t in, struct tensor *value) {
  size_t bytes = tensor_bytes(value);
  FAIL_IF(bytes == SIZE_MAX, FARM_INVALID, "a carried value has no size");
  TRY(buffer_reserve(context, &context->swaps[in], bytes, false));
  if (bytes) memcpy(context->swaps[in].data, value->data, bytes);
  value->data = context->swaps[in].data;
  return FARM_OK;
}

enum farm_status carried_move(struct farm_context *context, struct step_state *state, const uint32_t *ins, const uint32_t *outs,
                              int count) {
  struct prepared *prepared = context->current;
  struct tensor *moved = state->output_types;
  for (int i = 0; i < count; i++) {
    moved[i] = prepared->values[outs[i]];
    if (!may_swap(context, ins, outs, count, i)) TRY(copy_aside(context, ins[i], &moved[i]));
  }
  for (int i = 0; i < count; i++) {
    bool aside = moved[i].data == context->swaps[ins[i]].data;
    if (lies_anywhere(context, ins[i]))
      buffers_swap(&context->buffers[ins[i]], aside ? &context->swaps[ins[i]] : &context->buffers[outs[i]]);
    TRY(value_alias(context, prepared, ins[i], &moved[i])); // copies where the place is fixed
  }
  return FARM_OK;
}

/* ---- collecting ---- */

enum farm_status collect_type_set(struct farm_context *context, uint32_t v, const struct tensor *item, int axis, int64_t count) {
  const struct plan_value *value = &context->engine->plan->values[v];
  struct tensor *tensor = &context->current->values[v];
  FAIL_IF(item->rank + 1 > TENSOR_MAX_RANK, FARM_UNSUPPORTED, "%s: rank %d", value->name, item->rank + 1);
  FAIL_IF(value->type.dtype != DTYPE_NONE && value->type.dtype != item->dtype, FARM_INVALID, "%s: %s where %s is planned",
          value->name, dtype_name(item->dtype), dtype_name(value->type.dtype));
  struct tensor type = {.dtype = item->dtype, .rank = item->rank + 1};
  for (int d = 0, from = 0; d < type.rank; d++) type.dims[d] = d == axis ? count : item->dims[from++];
  type.data = tensor->data;
  *tensor = type;
  return FARM_OK;
}

static bool fills_bytes(const struct tensor *item) {
  int64_t bits;
  return !__builtin_mul_overflow(tensor_elems(item), (int64_t)dtype_bits(item->dtype), &bits) && bits % 8 == 0;
}

enum farm_status collect_append(struct farm_context *context, uint32_t v, int64_t iteration, const struct tensor *item,
                                struct tensor *shape) {
  const char *name = context->engine->plan->values[v].name;
  size_t bytes = tensor_bytes(item), total;
  uint8_t *data;
  if (iteration == 0) *shape = *item;
  FAIL_IF(shape->dtype != item->dtype || !tensor_shape_equal(shape, item), FARM_INVALID, "%s: iterations give different shapes",
          name);
  FAIL_IF(!fills_bytes(item), FARM_UNSUPPORTED, "%s: items of %s that do not fill bytes", name, dtype_name(item->dtype));
  FAIL_IF(bytes == SIZE_MAX || __builtin_mul_overflow(bytes, (size_t)iteration + 1, &total), FARM_NO_MEMORY, "%s: too large",
          name);
  TRY(value_reserve(context, context->current, v, total, true, &data));
  if (bytes) memcpy(data + bytes * (size_t)iteration, item->data, bytes);
  context->current->values[v].data = data;
  return FARM_OK;
}

struct tensor collect_planned(const struct farm_context *context, uint32_t planned) {
  struct tensor type = context->engine->plan->values[planned].type;
  type.data = NULL;
  if (type.rank < 0) type.rank = 0;
  for (int d = 0; d < type.rank; d++)
    if (type.dims[d] < 0) type.dims[d] = 0;
  return type;
}

enum farm_status collect_finish(struct farm_context *context, uint32_t v, int64_t count, uint32_t planned,
                                const struct tensor *shape) {
  struct tensor item = count ? *shape : collect_planned(context, planned);
  if (item.dtype == DTYPE_NONE) item.dtype = context->engine->plan->values[v].type.dtype;
  TRY(collect_type_set(context, v, &item, 0, count));
  return count ? FARM_OK : value_place(context, context->current, v);
}
