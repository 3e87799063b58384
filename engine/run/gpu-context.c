/* A context's memory on the device, and the pinned memory between it and the host. Everything is made when it is first needed and
 * stays where it is until the context goes. See gpu.h. */
#include "gpu.h"

#include <stdlib.h>

enum { KERNEL_ALIGNMENT = 16 };

enum farm_status gpu_context_create(struct farm_context *context) {
  const struct plan *plan = context->engine->plan;
  struct cuda_device *device = context->engine->gpu->device;
  struct gpu_context *gpu = context->gpu = calloc(1, sizeof *gpu);
  FAIL_IF(!gpu, FARM_NO_MEMORY, "out of memory for a context");
  size_t values = (size_t)plan->value_count + 1;
  gpu->bindings = calloc(values, sizeof *gpu->bindings);
  gpu->slots = calloc(values, sizeof *gpu->slots);
  FAIL_IF(!gpu->bindings || !gpu->slots, FARM_NO_MEMORY, "out of memory for a context");
  TRY(cuda_device_state(device));
  if (plan->arena_bytes) TRY(cuda_alloc(device, plan->arena_bytes, &gpu->arena));
  gpu->device_bytes = plan->arena_bytes;
  return FARM_OK;
}

void gpu_context_free(struct farm_context *context) {
  struct gpu_context *gpu = context->gpu;
  if (!gpu) return;
  struct cuda_device *device = context->engine->gpu->device;
  for (int v = 0; gpu->bindings && gpu->slots && v < context->engine->plan->value_count; v++) {
    if (gpu->bindings[v]) cuda_free(device, &gpu->bindings[v]);
    if (gpu->slots[v].data) cuda_host_free(device, &gpu->slots[v].data);
  }
  if (gpu->arena) cuda_free(device, &gpu->arena);
  free(gpu->bindings);
  free(gpu->slots);
  free(gpu);
  context->gpu = NULL;
}

size_t gpu_capacity(const struct farm_context *context, uint32_t root) {
  const struct plan_value *value = &context->engine->plan->values[root];
  bool there = value->place == VALUE_ARENA || value->place == VALUE_INPUT || value->place == VALUE_OUTPUT;
  if (value->place == VALUE_CONSTANT) return context->engine->file->weights[value->weight].bytes;
  return there ? value->bytes : 0;
}

enum farm_status gpu_root_address(struct farm_context *context, uint32_t root, cuda_address *out_address) {
  const struct plan_value *value = &context->engine->plan->values[root];
  struct gpu *gpu = context->engine->gpu;
  struct gpu_context *own = context->gpu;
  *out_address = 0;
  if (gpu_capacity(context, root) == 0) return FARM_OK;
  if (value->place == VALUE_CONSTANT) return gpu_weight(gpu, value->weight, out_address);
  if (value->place == VALUE_ARENA) {
    *out_address = own->arena + value->offset;
    return FARM_OK;
  }
  if (!own->bindings[root]) {
    TRY(cuda_alloc(gpu->device, value->bytes, &own->bindings[root]));
    own->device_bytes += value->bytes;
  }
  *out_address = own->bindings[root];
  return FARM_OK;
}

enum farm_status gpu_value_address(struct farm_context *context, const struct prepared *prepared, uint32_t v,
                                   cuda_address *out_address) {
  uint32_t root = context->engine->roots[v];
  uint64_t offset = context->engine->root_offsets[v];
  size_t bytes = tensor_bytes(&prepared->values[v]), capacity = gpu_capacity(context, root);
  cuda_address address;
  *out_address = 0;
  if (bytes == SIZE_MAX || offset > capacity || bytes > capacity - offset) return FARM_OK;
  TRY(gpu_root_address(context, root, &address));
  if (address && (address + offset) % KERNEL_ALIGNMENT == 0) *out_address = address + offset;
  return FARM_OK;
}

enum farm_status gpu_slot_reserve(struct farm_context *context, uint32_t root) {
  struct gpu_slot *slot = &context->gpu->slots[root];
  if (slot->data) return FARM_OK;
  size_t bytes = gpu_capacity(context, root);
  TRY(cuda_host_alloc(context->engine->gpu->device, bytes ? bytes : 1, &slot->data));
  slot->bytes = bytes;
  context->gpu->pinned_bytes += bytes;
  return FARM_OK;
}
