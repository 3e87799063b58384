/* Where values lie: in the arena, in the caller's buffers, or in the context's growing pool (one buffer per value that needs
 * one). */
#include "run.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64, HUGE_PAGE = 2 << 20 };

static uint8_t *aligned_new(size_t bytes) {
  size_t alignment = bytes >= HUGE_PAGE ? HUGE_PAGE : ALIGNMENT;
  if (bytes > SIZE_MAX - alignment) return NULL;
  size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  uint8_t *data = aligned_alloc(alignment, rounded ? rounded : alignment);
  if (data && alignment == HUGE_PAGE) madvise(data, rounded, MADV_HUGEPAGE); // advice only
  return data;
}

enum farm_status context_arena_create(struct farm_context *context, size_t bytes) {
  context->arena = aligned_new(bytes);
  FAIL_IF(!context->arena, FARM_NO_MEMORY, "out of memory for an arena of %zu bytes", bytes);
  context->arena_bytes = bytes;
  return FARM_OK;
}

enum farm_status buffer_reserve(struct farm_context *context, struct run_buffer *buffer, size_t bytes, bool keep) {
  if (buffer->data && bytes <= buffer->capacity) return FARM_OK;
  size_t capacity = buffer->capacity > SIZE_MAX / 2 || bytes >= buffer->capacity * 2 ? bytes : buffer->capacity * 2;
  if (capacity < ALIGNMENT) capacity = ALIGNMENT;
  uint64_t others = context->pool_bytes - buffer->capacity;
  if (others + capacity > context->pool_limit) capacity = bytes > ALIGNMENT ? bytes : ALIGNMENT;
  FAIL_IF(capacity > context->pool_limit || others > context->pool_limit - capacity, FARM_NO_MEMORY,
          "%zu more bytes would pass the context's limit of %llu", bytes, (unsigned long long)context->pool_limit);
  uint8_t *data = aligned_new(capacity);
  FAIL_IF(!data, FARM_NO_MEMORY, "out of memory for %zu bytes", bytes);
  if (keep && buffer->data) memcpy(data, buffer->data, buffer->capacity);
  free(buffer->data);
  *buffer = (struct run_buffer){data, capacity};
  context->pool_bytes = others + capacity;
  return FARM_OK;
}

void buffer_free(struct farm_context *context, struct run_buffer *buffer) {
  free(buffer->data);
  context->pool_bytes -= buffer->capacity;
  *buffer = (struct run_buffer){0};
}

/* ---- places ---- */

/* The bound buffer of an output value; NULL: it lies in the context's own. */
static const struct binding *output_binding(const struct farm_context *context, uint32_t v) {
  const struct plan_block *block = context->engine->blocks[0].plan;
  for (int i = 0; i < block->output_count; i++)
    if (block->outputs[i] == v) return context->output_direct[i] ? &context->outputs[i] : NULL;
  return NULL;
}

static enum farm_status output_reserve(struct farm_context *context, uint32_t v, size_t bytes, bool keep, uint8_t **out_data) {
  const struct plan_value *value = &context->engine->plan->values[v];
  const struct binding *bound = output_binding(context, v);
  if (bound) {
    FAIL_IF(bytes > bound->bytes, FARM_USAGE, "output %s: %zu bytes do not fit the bound buffer of %zu", value->name, bytes,
            bound->bytes);
    *out_data = bound->type.data;
    return FARM_OK;
  }
  TRY(buffer_reserve(context, &context->buffers[v], bytes > value->bytes ? bytes : value->bytes, keep));
  *out_data = context->buffers[v].data;
  return FARM_OK;
}

/* Bytes at `offset` of a view's root. What lies in the pool is as large as its present type. */
static enum farm_status root_reserve(struct farm_context *context, struct prepared *prepared, uint32_t root, uint64_t offset,
                                     size_t bytes, uint8_t **out_data) {
  const struct plan_value *value = &context->engine->plan->values[root];
  const struct tensor *type = &prepared->values[root];
  uint64_t end;
  FAIL_IF(__builtin_add_overflow(offset, bytes, &end), FARM_INVALID, "%s: a view past its end", value->name);
  if (value->place == VALUE_ARENA) {
    FAIL_IF(end > value->bytes, FARM_INVALID, "%s: a view past its end", value->name);
    *out_data = context->arena + value->offset;
  } else if (value->place == VALUE_OUTPUT) {
    const uint8_t *before = context->buffers[root].data;
    TRY(output_reserve(context, root, end, true, out_data));
    if (before && context->buffers[root].data != before) prepared_views_refresh(context, prepared, root);
  } else {
    size_t has = tensor_bytes(type);
    FAIL_IF(has == SIZE_MAX || end > has, FARM_INVALID, "%s: a view past its end", value->name);
    *out_data = type->data;
  }
  return FARM_OK;
}

enum farm_status value_reserve(struct farm_context *context, struct prepared *prepared, uint32_t v, size_t bytes, bool keep,
                               uint8_t **out_data) {
  const struct farm_engine *engine = context->engine;
  const struct plan_value *value = &engine->plan->values[v];
  if (value->place == VALUE_ARENA) {
    FAIL_IF(bytes > value->bytes, FARM_INVALID, "%s: %zu bytes outgrow their place of %llu", value->name, bytes,
            (unsigned long long)value->bytes);
    *out_data = context->arena + value->offset;
  } else if (value->place == VALUE_VIEW) {
    uint8_t *root = NULL;
    TRY(root_reserve(context, prepared, engine->roots[v], engine->root_offsets[v], bytes, &root));
    *out_data = root ? root + engine->root_offsets[v] : NULL;
  } else if (value->place == VALUE_OUTPUT) {
    TRY(output_reserve(context, v, bytes, keep, out_data));
  } else if (value->place == VALUE_POOLED || value->place == VALUE_HOST) {
    TRY(buffer_reserve(context, &context->buffers[v], bytes, keep));
    *out_data = context->buffers[v].data;
  } else {
    return status_set(FARM_INVALID, "%s: written, but a constant or an input", value->name);
  }
  return FARM_OK;
}

enum farm_status value_place(struct farm_context *context, struct prepared *prepared, uint32_t v) {
  struct tensor *tensor = &prepared->values[v];
  size_t bytes = tensor_bytes(tensor);
  uint8_t *data;
  FAIL_IF(bytes == SIZE_MAX, FARM_INVALID, "%s: a size that is none", context->engine->plan->values[v].name);
  TRY(value_reserve(context, prepared, v, bytes, false, &data));
  tensor->data = data;
  return FARM_OK;
}

static enum farm_status type_take(struct farm_context *context, struct prepared *prepared, uint32_t v,
                                  const struct tensor *from) {
  const struct plan_value *value = &context->engine->plan->values[v];
  FAIL_IF(value->type.dtype != DTYPE_NONE && value->type.dtype != from->dtype, FARM_INVALID, "%s: %s where %s is planned",
          value->name, dtype_name(from->dtype), dtype_name(value->type.dtype));
  prepared->values[v] = *from;
  return FARM_OK;
}

enum farm_status value_copy(struct farm_context *context, struct prepared *prepared, uint32_t v, const struct tensor *from) {
  struct tensor source = *from; // `from` may be the value itself
  TRY(type_take(context, prepared, v, &source));
  TRY(value_place(context, prepared, v));
  size_t bytes = tensor_bytes(&source);
  if (bytes && prepared->values[v].data != source.data) memmove(prepared->values[v].data, source.data, bytes);
  return FARM_OK;
}

bool value_owns_data(const struct farm_context *context, const struct prepared *prepared, uint32_t v) {
  enum value_place place = context->engine->plan->values[v].place;
  return (place == VALUE_POOLED || place == VALUE_HOST) && context->buffers[v].data &&
         prepared->values[v].data == context->buffers[v].data;
}

enum farm_status value_alias(struct farm_context *context, struct prepared *prepared, uint32_t v, const struct tensor *from) {
  enum value_place place = context->engine->plan->values[v].place;
  if (place != VALUE_POOLED && place != VALUE_HOST) return value_copy(context, prepared, v, from);
  struct tensor source = *from;
  return type_take(context, prepared, v, &source);
}
