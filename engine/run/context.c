/* One execution: memory and threads made once, bindings checked when they are set, shapes prepared when they are new; then a run
 * is a loop over calls. */
#include "context.h"
#include "gpu.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t pool_limit(void) { // three quarters of the machine's memory
  long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  if (pages <= 0 || page <= 0) return (uint64_t)1 << 32;
  return (uint64_t)pages / 4 * 3 * (uint64_t)page;
}

static void input_describe(const struct plan *plan, int i, struct binding *binding) {
  binding->type = plan->input_types[i];
  binding->type.data = NULL;
}

/* A GPU's section says with how many threads it was measured, not what its host steps get. */
static int own_threads(const struct farm_engine *engine) {
  if (!engine->gpu) return engine->section->threads;
  return section_host_steps(engine->section) ? thread_pool_default_threads() : 1;
}

enum farm_status context_create(const struct farm_engine *engine, int threads, bool profile, struct farm_context **out_context) {
  struct farm_context *context = calloc(1, sizeof *context);
  FAIL_IF(!context, FARM_NO_MEMORY, "out of memory for a context");
  size_t values = (size_t)engine->plan->value_count + 1;
  const struct plan_block *block = &engine->plan->blocks[0];
  context->engine = engine;
  context->pool_limit = pool_limit();
  context->buffers = calloc(values, sizeof *context->buffers);
  context->swaps = calloc(values, sizeof *context->swaps);
  context->inputs = calloc((size_t)block->input_count + 1, sizeof *context->inputs);
  context->outputs = calloc((size_t)block->output_count + 1, sizeof *context->outputs);
  context->output_direct = calloc((size_t)block->output_count + 1, 1);
  if (profile) context->times = calloc((size_t)engine->step_count + 1, sizeof *context->times);
  enum farm_status status = FARM_OK;
  if (!context->buffers || !context->swaps || !context->inputs || !context->outputs || !context->output_direct ||
      (profile && !context->times))
    status = status_set(FARM_NO_MEMORY, "out of memory for a context");
  if (status == FARM_OK) status = context_arena_create(context, engine->plan->arena_bytes);
  if (status == FARM_OK) status = thread_pool_create(threads ? threads : own_threads(engine), &context->pool);
  if (status == FARM_OK && engine->gpu) {
    gpu_lock(engine);
    status = gpu_context_create(context);
    gpu_unlock(engine);
  }
  if (status != FARM_OK) {
    context_free(context);
    return status;
  }
  for (int i = 0; i < block->input_count; i++) input_describe(engine->plan, i, &context->inputs[i]);
  context->threads = thread_pool_size(context->pool);
  context->shapes_changed = context->bindings_changed = true;
  *out_context = context;
  return FARM_OK;
}

void context_free(struct farm_context *context) {
  if (!context) return;
  thread_pool_destroy(&context->pool);
  gpu_lock(context->engine);
  for (int i = 0; i < PREPARED_SHAPES; i++) prepared_free(context->prepared[i]);
  gpu_context_free(context);
  gpu_unlock(context->engine);
  for (int v = 0; v < context->engine->plan->value_count; v++) {
    if (context->buffers) free(context->buffers[v].data);
    if (context->swaps) free(context->swaps[v].data);
  }
  free(context->spare.data);
  free(context->buffers);
  free(context->swaps);
  free(context->inputs);
  free(context->outputs);
  free(context->output_direct);
  free(context->times);
  free(context->arena);
  bytes_writer_free(&context->key);
  free(context);
}

/* ---- inputs ---- */

static enum farm_status dims_check(const struct plan *plan, int i, const struct tensor *type) {
  const struct tensor *declared = &plan->input_types[i];
  const char *name = plan->values[plan->blocks[0].inputs[i]].name;
  FAIL_IF(type->dtype != declared->dtype, FARM_USAGE, "input %s: %s where %s is expected", name, dtype_name(type->dtype),
          dtype_name(declared->dtype));
  FAIL_IF(type->rank != declared->rank, FARM_USAGE, "input %s: rank %d where %d is expected", name, type->rank, declared->rank);
  for (int d = 0; d < type->rank; d++) {
    int64_t least = declared->dims[d], most = declared->dims[d];
    if (least <= DIM_FIRST_SYMBOL) {
      const struct plan_symbol *symbol = &plan->symbols[DIM_FIRST_SYMBOL - declared->dims[d]];
      least = symbol->min;
      most = symbol->max;
    } else if (least == DIM_UNKNOWN) {
      least = 0;
      most = INT64_MAX;
    }
    FAIL_IF(type->dims[d] < least || type->dims[d] > most, FARM_USAGE,
            "input %s: dimension %d is %lld, the engine takes %lld to %lld", name, d, (long long)type->dims[d], (long long)least,
            (long long)most);
  }
  return FARM_OK;
}

enum farm_status context_bind_input(struct farm_context *context, int i, const struct tensor *type, size_t bytes) {
  const struct plan *plan = context->engine->plan;
  TRY(dims_check(plan, i, type));
  size_t needed = tensor_bytes(type);
  const char *name = plan->values[plan->blocks[0].inputs[i]].name;
  FAIL_IF(needed == SIZE_MAX, FARM_USAGE, "input %s: its size overflows", name);
  FAIL_IF(bytes < needed, FARM_USAGE, "input %s: %zu bytes where %zu are needed", name, bytes, needed);
  FAIL_IF(needed && !type->data, FARM_USAGE, "input %s: no data", name);
  struct binding *binding = &context->inputs[i];
  if (!binding->set || !tensor_shape_equal(&binding->type, type)) context->shapes_changed = true;
  if (!binding->set || binding->type.data != type->data) context->bindings_changed = true;
  *binding = (struct binding){*type, bytes, true};
  return FARM_OK;
}

enum farm_status context_bind_output(struct farm_context *context, int i, void *data, size_t bytes) {
  struct binding *binding = &context->outputs[i];
  if (binding->type.data != data || binding->bytes != bytes) context->bindings_changed = true;
  binding->type.data = data;
  binding->bytes = bytes;
  binding->set = data != NULL;
  return FARM_OK;
}

/* ---- a run ---- */

/* An address that the element type's loads and stores may use. */
static bool lies_well(const void *data, enum dtype dtype) {
  size_t width = (size_t)dtype_bits(dtype) / 8;
  if (dtype == DTYPE_C64 || dtype == DTYPE_C128) width /= 2;
  return width < 2 || (uintptr_t)data % width == 0;
}

/* An output is written straight into the bound buffer when its value's place is an output, this is its first name, and it lies
 * well. */
static void outputs_direct(struct farm_context *context) {
  const struct plan *plan = context->engine->plan;
  const struct plan_block *block = &plan->blocks[0];
  for (int i = 0; i < block->output_count; i++) {
    uint32_t v = block->outputs[i];
    bool direct = context->outputs[i].set && plan->values[v].place == VALUE_OUTPUT &&
                  lies_well(context->outputs[i].type.data, plan->values[v].type.dtype);
    for (int k = 0; k < i && direct; k++) direct = block->outputs[k] != v;
    context->output_direct[i] = direct;
  }
}

static bool moves_with_bindings(const struct farm_engine *engine, const struct prepared *prepared, uint32_t v, bool views) {
  enum value_place place = engine->plan->values[v].place;
  if (!(prepared->flags[v] & VALUE_TYPE_SETTLED) || engine->is_input[v]) return false;
  if (views) return place == VALUE_VIEW;
  return place == VALUE_OUTPUT || place == VALUE_POOLED || (place == VALUE_HOST && !(prepared->flags[v] & VALUE_DATA_SETTLED));
}

/* Buffers may have moved since these shapes ran last; views come after what they are of. */
static enum farm_status places_refresh(struct farm_context *context) {
  struct prepared *prepared = context->current;
  for (int views = 0; views < 2; views++)
    for (uint32_t v = 0; v < (uint32_t)context->engine->plan->value_count; v++)
      if (moves_with_bindings(context->engine, prepared, v, views)) TRY(value_place(context, prepared, v));
  return FARM_OK;
}

/* Inputs are read in place; one whose address does not suit its type is copied for each run. */
static enum farm_status inputs_apply(struct farm_context *context, bool addresses_too) {
  const struct plan_block *block = &context->engine->plan->blocks[0];
  for (int i = 0; i < block->input_count; i++) {
    struct binding *binding = &context->inputs[i];
    uint32_t v = block->inputs[i];
    struct tensor *value = &context->current->values[v];
    bool well = lies_well(binding->type.data, binding->type.dtype);
    if (well && addresses_too) value->data = binding->type.data;
    if (well) continue;
    size_t bytes = tensor_bytes(&binding->type);
    TRY(buffer_reserve(context, &context->buffers[v], bytes, false));
    if (bytes) memcpy(context->buffers[v].data, binding->type.data, bytes);
    value->data = context->buffers[v].data;
  }
  return FARM_OK;
}

static enum farm_status shapes_apply(struct farm_context *context) {
  const struct plan_block *block = &context->engine->plan->blocks[0];
  for (int i = 0; i < block->input_count; i++)
    FAIL_IF(!context->inputs[i].set, FARM_USAGE, "input %s is not set", context->engine->plan->values[block->inputs[i]].name);
  outputs_direct(context);
  if (context->shapes_changed || !context->current) TRY(prepared_find(context));
  TRY(inputs_apply(context, true));
  TRY(places_refresh(context));
  context->shapes_changed = context->bindings_changed = false;
  return FARM_OK;
}

static enum farm_status outputs_deliver(struct farm_context *context) {
  const struct plan_block *block = &context->engine->plan->blocks[0];
  for (int i = 0; i < block->output_count; i++) {
    const struct binding *binding = &context->outputs[i];
    if (!binding->set || context->output_direct[i]) continue;
    const struct tensor *value = &context->current->values[block->outputs[i]];
    size_t bytes = tensor_bytes(value);
    FAIL_IF(bytes > binding->bytes, FARM_USAGE, "output %s: %zu bytes do not fit the bound buffer of %zu",
            context->engine->plan->values[block->outputs[i]].name, bytes, binding->bytes);
    if (bytes) memcpy(binding->type.data, value->data, bytes);
  }
  return FARM_OK;
}

static enum farm_status bound_run(struct farm_context *context) {
  context->has_run = false;
  if (context->shapes_changed || context->bindings_changed) {
    enum farm_status status = shapes_apply(context);
    if (status != FARM_OK) {
      context->shapes_changed = true;
      return status;
    }
  } else {
    TRY(inputs_apply(context, false));
  }
  context->current->last_used = ++context->clock;
  enum farm_status status = context->gpu ? gpu_run(context) : block_run(context, 0);
  if (status == FARM_OK) status = outputs_deliver(context);
  if (status != FARM_OK) { // what was half made is made anew
    context->shapes_changed = true;
    return status;
  }
  context->has_run = true;
  return FARM_OK;
}

enum farm_status context_run(struct farm_context *context) {
  if (!context->gpu) return bound_run(context);
  gpu_lock(context->engine);
  enum farm_status status = cuda_device_state(context->engine->gpu->device);
  if (status == FARM_OK)
    status = bound_run(context);
  else
    context->has_run = false;
  gpu_unlock(context->engine);
  return status;
}

enum farm_status context_output(const struct farm_context *context, int i, struct tensor *out) {
  FAIL_IF(!context->has_run, FARM_USAGE, "outputs are there after a run");
  *out = context->current->values[context->engine->plan->blocks[0].outputs[i]];
  if (context->outputs[i].set) out->data = context->outputs[i].type.data;
  return FARM_OK;
}

uint64_t context_device_memory(const struct farm_context *context) { return context->gpu ? context->gpu->device_bytes : 0; }

uint64_t context_memory(const struct farm_context *context) {
  uint64_t bytes = context->arena_bytes + context->pool_bytes + (context->gpu ? context->gpu->pinned_bytes : 0);
  for (int i = 0; i < PREPARED_SHAPES; i++) {
    const struct prepared *prepared = context->prepared[i];
    if (!prepared) continue;
    bytes += prepared->arena.total_bytes;
    for (int s = 0; s < context->engine->step_count; s++)
      bytes += prepared->states[s].arena.total_bytes + prepared->states[s].key.capacity;
  }
  return bytes;
}
