/* The public functions: arguments checked, versioned structs copied field by field, statuses passed on. Misuse is FARM_USAGE,
 * never a crash. */
#include "context.h"
#include "gpu.h"
#include "section.h"

#include <stdlib.h>
#include <string.h>

#ifndef TUNEFARM_VERSION
#define TUNEFARM_VERSION "0.1.0"
#endif

/* The caller's struct, cut or filled up with zeros to what this version knows. */
#define TAKE_OPTIONS(given, own)                                                                                                 \
  do {                                                                                                                           \
    if (given) {                                                                                                                 \
      FAIL_IF((given)->size < sizeof(size_t), FARM_USAGE, "options without their size");                                         \
      memcpy(&(own), (given), (given)->size < sizeof(own) ? (given)->size : sizeof(own));                                        \
    }                                                                                                                            \
  } while (0)

/* As much of `own` as the caller's struct has room for; its size stays. */
static enum farm_status give(void *out, const void *own, size_t own_bytes) {
  size_t size;
  FAIL_IF(!out, FARM_USAGE, "nowhere to put the result");
  memcpy(&size, out, sizeof size);
  FAIL_IF(size < sizeof size || size > 1 << 20, FARM_USAGE, "a struct without its size");
  memcpy((char *)out + sizeof size, (const char *)own + sizeof size, (size < own_bytes ? size : own_bytes) - sizeof size);
  return FARM_OK;
}

/* ---- engines ---- */

static enum farm_status engine_finish(struct engine *file, const farm_engine_options_t *options, farm_engine_t **out_engine) {
  struct farm_engine *engine = calloc(1, sizeof *engine);
  enum farm_status status = engine ? FARM_OK : status_set(FARM_NO_MEMORY, "out of memory for an engine");
  if (status == FARM_OK) {
    engine->file = file;
    status = cpu_device_class(&engine->machine);
  }
  if (status == FARM_OK) status = section_choose(engine, options->section, options->device, options->threads);
  if (status == FARM_OK) status = engine_resolve(engine);
  if (status != FARM_OK) {
    if (engine)
      farm_engine_free(engine);
    else
      engine_close(&file);
    return status;
  }
  *out_engine = engine;
  return FARM_OK;
}

enum farm_status farm_engine_load(const char *path, const farm_engine_options_t *options, farm_engine_t **out_engine) {
  farm_engine_options_t own = {0};
  struct engine *file;
  FAIL_IF(!path || !out_engine, FARM_USAGE, "farm_engine_load: NULL");
  TAKE_OPTIONS(options, own);
  TRY(engine_open(path, own.verify != 0, &file));
  enum farm_status status = engine_finish(file, &own, out_engine);
  return status == FARM_OK ? status : status_prefix(status, "%s", path);
}

enum farm_status farm_engine_load_bytes(const void *data, size_t bytes, const farm_engine_options_t *options,
                                        farm_engine_t **out_engine) {
  farm_engine_options_t own = {0};
  struct engine *file;
  FAIL_IF(!data || !out_engine, FARM_USAGE, "farm_engine_load_bytes: NULL");
  FAIL_IF((uintptr_t)data % 64 != 0, FARM_USAGE, "farm_engine_load_bytes: data is not 64-byte aligned");
  TAKE_OPTIONS(options, own);
  TRY(engine_decode(data, bytes, own.verify != 0, &file));
  return engine_finish(file, &own, out_engine);
}

void farm_engine_free(farm_engine_t *engine) {
  if (!engine) return;
  gpu_close(&engine->gpu);
  arena_free(&engine->arena);
  engine_close(&engine->file);
  free(engine);
}

enum farm_status farm_engine_info(const farm_engine_t *engine, farm_engine_info_t *out_info) {
  FAIL_IF(!engine, FARM_USAGE, "farm_engine_info: NULL");
  farm_engine_info_t info = {
      .model = engine->file->model_name,
      .build = engine->file->build,
      .device_class = engine->section->device_class,
      .threads = engine->section->threads,
      .section = engine->section_index,
      .section_count = engine->file->section_count,
      .measured = engine->section->measured,
      .arena_bytes = engine->plan->arena_bytes,
      .lower_bound_bytes = engine->plan->lower_bound_bytes,
      .other_class = engine->other_class,
      .other_threads = engine->other_threads,
      .device = engine->gpu ? engine->gpu->name : "cpu",
      .host_steps = section_host_steps(engine->section),
      .fallback_steps = engine->lost_count,
  };
  for (int i = 0; i < engine->file->weight_count; i++) info.weight_bytes += engine->file->weights[i].bytes;
  if (engine->gpu) {
    gpu_lock(engine);
    info.device_weight_bytes = engine->gpu->weight_bytes;
    gpu_unlock(engine);
  }
  digest_to_hex(&engine->file->digest, info.digest);
  return give(out_info, &info, sizeof info);
}

/* ---- bindings ---- */

int32_t farm_engine_input_count(const farm_engine_t *engine) { return engine ? engine->plan->blocks[0].input_count : 0; }
int32_t farm_engine_output_count(const farm_engine_t *engine) { return engine ? engine->plan->blocks[0].output_count : 0; }

static void range_fill(const struct plan *plan, const struct tensor *type, farm_binding_t *binding) {
  for (int d = 0; d < type->rank; d++) {
    int64_t dim = type->dims[d];
    binding->tensor.dims[d] = dim < 0 ? -1 : dim;
    binding->min[d] = dim < 0 ? 0 : dim;
    binding->opt[d] = binding->max[d] = dim < 0 ? -1 : dim;
    if (dim > DIM_FIRST_SYMBOL) continue;
    const struct plan_symbol *symbol = &plan->symbols[DIM_FIRST_SYMBOL - dim];
    binding->min[d] = symbol->min;
    binding->opt[d] = symbol->opt;
    binding->max[d] = symbol->max;
  }
}

static enum farm_status binding_give(const farm_engine_t *engine, bool input, int32_t index, farm_binding_t *out_binding) {
  FAIL_IF(!engine, FARM_USAGE, "no engine");
  const struct plan *plan = engine->plan;
  int count = input ? plan->blocks[0].input_count : plan->blocks[0].output_count;
  FAIL_IF(index < 0 || index >= count, FARM_USAGE, "no %s %d: the engine has %d", input ? "input" : "output", index, count);
  const struct tensor *type = input ? &plan->input_types[index] : &plan->output_types[index];
  uint32_t v = input ? plan->blocks[0].inputs[index] : plan->blocks[0].outputs[index];
  farm_binding_t binding = {.name = plan->values[v].name,
                            .tensor = {.size = sizeof binding.tensor, .dtype = (int32_t)type->dtype, .rank = type->rank}};
  size_t bytes = tensor_bytes(type);
  binding.tensor.bytes = bytes == SIZE_MAX ? 0 : bytes;
  range_fill(plan, type, &binding);
  return give(out_binding, &binding, sizeof binding);
}

enum farm_status farm_engine_input(const farm_engine_t *engine, int32_t index, farm_binding_t *out_binding) {
  return binding_give(engine, true, index, out_binding);
}

enum farm_status farm_engine_output(const farm_engine_t *engine, int32_t index, farm_binding_t *out_binding) {
  return binding_give(engine, false, index, out_binding);
}

/* ---- contexts ---- */

enum farm_status farm_context_create(const farm_engine_t *engine, const farm_context_options_t *options,
                                     farm_context_t **out_context) {
  farm_context_options_t own = {0};
  FAIL_IF(!engine || !out_context, FARM_USAGE, "farm_context_create: NULL");
  TAKE_OPTIONS(options, own);
  FAIL_IF(own.threads < 0, FARM_USAGE, "%d threads", own.threads);
  return context_create(engine, own.threads, own.profile != 0, out_context);
}

void farm_context_free(farm_context_t *context) { context_free(context); }

enum farm_status farm_context_set_input(farm_context_t *context, int32_t index, const farm_tensor_t *tensor) {
  FAIL_IF(!context || !tensor, FARM_USAGE, "farm_context_set_input: NULL");
  int count = context->engine->plan->blocks[0].input_count;
  FAIL_IF(index < 0 || index >= count, FARM_USAGE, "no input %d: the engine has %d", index, count);
  FAIL_IF(tensor->size < sizeof *tensor, FARM_USAGE, "a tensor without its size");
  FAIL_IF(tensor->rank < 0 || tensor->rank > TENSOR_MAX_RANK, FARM_USAGE, "input %d: rank %d", index, tensor->rank);
  FAIL_IF(!dtype_known(tensor->dtype), FARM_USAGE, "input %d: element type %d", index, tensor->dtype);
  struct tensor type = {.dtype = (enum dtype)tensor->dtype, .rank = tensor->rank, .data = tensor->data};
  for (int d = 0; d < type.rank; d++) type.dims[d] = tensor->dims[d];
  return context_bind_input(context, index, &type, tensor->bytes);
}

enum farm_status farm_context_set_output(farm_context_t *context, int32_t index, const farm_tensor_t *tensor) {
  FAIL_IF(!context, FARM_USAGE, "farm_context_set_output: NULL");
  int count = context->engine->plan->blocks[0].output_count;
  FAIL_IF(index < 0 || index >= count, FARM_USAGE, "no output %d: the engine has %d", index, count);
  if (!tensor) return context_bind_output(context, index, NULL, 0);
  FAIL_IF(tensor->size < sizeof *tensor, FARM_USAGE, "a tensor without its size");
  FAIL_IF(!tensor->data, FARM_USAGE, "output %d: no data", index);
  return context_bind_output(context, index, tensor->data, tensor->bytes);
}

enum farm_status farm_context_run(farm_context_t *context) {
  FAIL_IF(!context, FARM_USAGE, "farm_context_run: NULL");
  return context_run(context);
}

enum farm_status farm_context_get_output(farm_context_t *context, int32_t index, farm_tensor_t *out_tensor) {
  FAIL_IF(!context, FARM_USAGE, "farm_context_get_output: NULL");
  int count = context->engine->plan->blocks[0].output_count;
  FAIL_IF(index < 0 || index >= count, FARM_USAGE, "no output %d: the engine has %d", index, count);
  struct tensor output;
  TRY(context_output(context, index, &output));
  farm_tensor_t tensor = {
      .dtype = (int32_t)output.dtype, .rank = output.rank, .data = output.data, .bytes = tensor_bytes(&output)};
  for (int d = 0; d < output.rank; d++) tensor.dims[d] = output.dims[d];
  return give(out_tensor, &tensor, sizeof tensor);
}

/* ---- profile ---- */

int32_t farm_context_step_count(const farm_context_t *context) { return context ? context->engine->step_count : 0; }

static const struct run_step *step_find(const struct farm_engine *engine, int index) {
  int block = 0;
  while (index >= engine->blocks[block].plan->step_count) index -= engine->blocks[block++].plan->step_count;
  return &engine->blocks[block].steps[index];
}

enum farm_status farm_context_profile(const farm_context_t *context, int32_t step, farm_step_profile_t *out_profile) {
  FAIL_IF(!context, FARM_USAGE, "farm_context_profile: NULL");
  FAIL_IF(!context->times, FARM_USAGE, "the context was made without a profile");
  FAIL_IF(step < 0 || step >= context->engine->step_count, FARM_USAGE, "no step %d", step);
  const struct run_step *of = step_find(context->engine, step);
  const struct plan_step *plan = of->plan;
  bool by_fallback = of->library_lost || (context->current && context->current->states[of->index].by_fallback);
  farm_step_profile_t profile = {.name = plan->name,
                                 .origin = plan->origin,
                                 .variant = by_fallback ? plan->fallback : plan->variant,
                                 .problem = plan->problem,
                                 .calls = context->times[step].calls,
                                 .total_ns = (double)context->times[step].ns,
                                 .device_calls = context->times[step].device_calls};
  return give(out_profile, &profile, sizeof profile);
}

uint64_t farm_context_memory(const farm_context_t *context) { return context ? context_memory(context) : 0; }

uint64_t farm_context_device_memory(const farm_context_t *context) { return context ? context_device_memory(context) : 0; }

const char *farm_last_message(void) { return status_message(); }
const char *farm_version(void) { return TUNEFARM_VERSION; }
