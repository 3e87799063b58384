/* What all contexts of an engine share of a GPU: the device, weights and images on it, and the lock. See gpu.h. */
#include "gpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_S = 120, MOST_PATIENCE_S = 1000000 };

static uint64_t patience_ns(void) {
  const char *text = getenv("TUNEFARM_GPU_PATIENCE");
  double seconds = text ? strtod(text, NULL) : 0;
  if (!(seconds > 0 && seconds <= MOST_PATIENCE_S)) seconds = PATIENCE_S;
  return (uint64_t)(seconds * 1e9);
}

enum farm_status gpu_open(struct farm_engine *engine, const char *uuid) {
  struct gpu *gpu = calloc(1, sizeof *gpu);
  FAIL_IF(!gpu, FARM_NO_MEMORY, "out of memory for a GPU");
  pthread_mutex_init(&gpu->lock, NULL);
  size_t count = (size_t)engine->file->weight_count + 1;
  gpu->file = engine->file;
  gpu->patience_ns = patience_ns();
  gpu->weights = calloc(count, sizeof *gpu->weights);
  gpu->images = calloc(count, sizeof *gpu->images);
  enum farm_status status = gpu->weights && gpu->images ? FARM_OK : status_set(FARM_NO_MEMORY, "out of memory for a GPU");
  if (status == FARM_OK) status = cuda_device_open(uuid, &gpu->device);
  if (status != FARM_OK) {
    gpu_close(&gpu);
    return status;
  }
  const struct cuda_properties *about = cuda_device_about(gpu->device);
  snprintf(gpu->name, sizeof gpu->name, "%s %s", about->uuid, about->name);
  engine->gpu = gpu;
  return FARM_OK;
}

void gpu_close(struct gpu **gpu_at) {
  struct gpu *gpu = *gpu_at;
  if (!gpu) return;
  void *before = gpu->device ? cuda_thread_take(gpu->device) : NULL;
  for (int i = 0; gpu->device && i < gpu->file->weight_count; i++) {
    if (gpu->images[i]) cuda_image_unload(&gpu->images[i]);
    if (gpu->weights[i]) cuda_free(gpu->device, &gpu->weights[i]);
  }
  if (gpu->device) cuda_thread_give(gpu->device, before);
  cuda_device_close(&gpu->device);
  pthread_mutex_destroy(&gpu->lock);
  free(gpu->weights);
  free(gpu->images);
  free(gpu);
  *gpu_at = NULL;
}

void gpu_lock(const struct farm_engine *engine) {
  struct gpu *gpu = engine->gpu;
  if (!gpu) return;
  pthread_mutex_lock(&gpu->lock);
  gpu->before = cuda_thread_take(gpu->device);
}

void gpu_unlock(const struct farm_engine *engine) {
  struct gpu *gpu = engine->gpu;
  if (!gpu) return;
  cuda_thread_give(gpu->device, gpu->before);
  pthread_mutex_unlock(&gpu->lock);
}

enum farm_status gpu_weight(struct gpu *gpu, uint32_t weight, cuda_address *out_address) {
  const struct engine_weight *blob = &gpu->file->weights[weight];
  if (!gpu->weights[weight]) {
    cuda_address address = 0;
    TRY(cuda_alloc(gpu->device, blob->bytes ? blob->bytes : 1, &address));
    enum farm_status status = blob->bytes ? cuda_copy_in(gpu->device, address, blob->data, blob->bytes) : FARM_OK;
    if (status != FARM_OK) {
      cuda_free(gpu->device, &address);
      return status;
    }
    gpu->weights[weight] = address;
    gpu->weight_bytes += blob->bytes;
  }
  *out_address = gpu->weights[weight];
  return FARM_OK;
}

/* A driver is not made for damaged images: what is loaded is what the linker stored. */
enum farm_status gpu_image(struct gpu *gpu, uint32_t weight, struct cuda_image **out_image) {
  const struct engine_weight *blob = &gpu->file->weights[weight];
  if (!gpu->images[weight]) {
    struct digest digest = digest_of(blob->data, blob->bytes);
    FAIL_IF(!digest_equal(&digest, &blob->digest), FARM_INVALID, "weight %u, an image, is damaged", weight);
    TRY(cuda_image_load(gpu->device, blob->data, blob->bytes, &gpu->images[weight]));
    gpu->weight_bytes += blob->bytes;
  }
  *out_image = gpu->images[weight];
  return FARM_OK;
}

enum farm_status gpu_wait(struct gpu *gpu) { return cuda_wait_for(gpu->device, gpu->patience_ns); }
