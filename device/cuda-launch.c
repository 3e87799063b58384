/* Images of kernels and their launches. See cuda-device.h. */
#include "cuda-internal.h"
#include "elf-image.h"

#include "../base/array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
  char *name;
  cuda_function function;
  int most_threads;      // per block; 0: not known
  size_t argument_bytes; // SIZE_MAX: not known
};

struct cuda_image {
  struct cuda_device *device;
  cuda_module module;
  struct entry *entries; // those that were launched
  size_t count, capacity;
};

/* ---- loading ---- */

enum farm_status cuda_image_load(struct cuda_device *device, const void *cubin, size_t bytes, struct cuda_image **out_image) {
  TRY(cuda_enter(device));
  FAIL_IF(!elf_image_within(cubin, bytes), FARM_INVALID, "an image of %zu bytes is no ELF file, or a torn one", bytes);
  struct cuda_image *image = calloc(1, sizeof *image);
  void *copy = malloc(bytes); // aligned, and nobody else's while the driver reads it
  enum farm_status status = FARM_OK;
  if (!image || !copy) {
    status = status_set(FARM_NO_MEMORY, "out of memory for an image of %zu bytes", bytes);
  } else {
    memcpy(copy, cubin, bytes);
    image->device = device;
    status = cuda_check(device, device->api->cuModuleLoadData(&image->module, copy),
                        "loading an image of %zu bytes (a driver for CUDA %d.%d; an image of a later one wants a later driver)", bytes,
                        device->about.driver_version / 1000, device->about.driver_version % 1000 / 10);
  }
  free(copy);
  if (status != FARM_OK) {
    free(image);
    return status;
  }
  *out_image = image;
  return FARM_OK;
}

void cuda_image_unload(struct cuda_image **image) {
  struct cuda_image *unloading = *image;
  *image = NULL;
  if (!unloading) return;
  struct cuda_device *device = unloading->device;
  if (cuda_leave(device)) device->api->cuModuleUnload(unloading->module);
  for (size_t i = 0; i < unloading->count; i++) free(unloading->entries[i].name);
  free(unloading->entries);
  free(unloading);
}

/* ---- entries ---- */

/* What kernel reads, where the driver tells: one argument at 0, and no second one. */
static size_t argument_bytes_of(const struct cuda_api *api, cuda_function function) {
  size_t offset = 0, bytes = 0, ignored;
  if (!api->cuFuncGetParamInfo) return SIZE_MAX;
  cuda_result first = api->cuFuncGetParamInfo(function, 0, &offset, &bytes);
  if (first == CUDA_ERROR_INVALID_VALUE) return 0;
  if (first != CUDA_SUCCESS || offset != 0) return SIZE_MAX;
  if (api->cuFuncGetParamInfo(function, 1, &offset, &ignored) == CUDA_SUCCESS) return SIZE_MAX - 1; // fits no launch
  return bytes;
}

static enum farm_status entry_find(struct cuda_image *image, const char *name, const struct entry **out_entry) {
  const struct cuda_api *api = image->device->api;
  for (size_t i = 0; i < image->count; i++) {
    *out_entry = &image->entries[i];
    if (strcmp(image->entries[i].name, name) == 0) return FARM_OK;
  }
  struct entry entry = {0};
  cuda_result result = api->cuModuleGetFunction(&entry.function, image->module, name);
  FAIL_IF(result == CUDA_ERROR_NOT_FOUND, FARM_TACTIC_REFUSED, "the image has no kernel `%.128s`", name);
  TRY(cuda_check(image->device, result, "finding kernel `%.128s`", name));
  if (api->cuFuncGetAttribute(&entry.most_threads, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, entry.function) != CUDA_SUCCESS)
    entry.most_threads = 0;
  entry.argument_bytes = argument_bytes_of(api, entry.function);
  TRY(array_reserve(&image->entries, &image->capacity, image->count + 1));
  entry.name = strdup(name);
  FAIL_IF(!entry.name, FARM_NO_MEMORY, "out of memory for a kernel's name");
  image->entries[image->count] = entry;
  *out_entry = &image->entries[image->count++];
  return FARM_OK;
}

/* ---- launching ---- */

static enum farm_status launch_check(const struct cuda_launch *launch, const struct entry *entry) {
  const uint32_t *block = launch->block, *grid = launch->grid;
  uint64_t threads = (uint64_t)block[0] * block[1];
  threads = threads > UINT32_MAX ? threads : threads * block[2];
  FAIL_IF(!threads || !grid[0] || !grid[1] || !grid[2], FARM_TACTIC_REFUSED, "%s: an empty launch: grid %ux%ux%u, block %ux%ux%u",
          launch->entry, grid[0], grid[1], grid[2], block[0], block[1], block[2]);
  FAIL_IF(entry->most_threads > 0 && threads > (uint64_t)entry->most_threads, FARM_TACTIC_REFUSED,
          "%s: %llu threads in a block, this device launches it with %d at most", launch->entry, (unsigned long long)threads,
          entry->most_threads);
  FAIL_IF(entry->argument_bytes != SIZE_MAX && entry->argument_bytes != launch->argument_bytes, FARM_TACTIC_REFUSED,
          "%s: %u bytes of arguments, the kernel does not take that many as one struct", launch->entry, launch->argument_bytes);
  return FARM_OK;
}

static enum farm_status launch_put(struct cuda_device *device, struct cuda_image *image, const struct cuda_launch *launch) {
  const struct entry *entry = NULL;
  FAIL_IF(image->device != device, FARM_USAGE, "%s: its image was loaded on another device", launch->entry);
  FAIL_IF(launch->argument_bytes > CUDA_ARGUMENTS_MOST, FARM_TACTIC_REFUSED, "%s: %u bytes of arguments, %d at most",
          launch->entry, launch->argument_bytes, CUDA_ARGUMENTS_MOST);
  TRY(entry_find(image, launch->entry, &entry));
  TRY(launch_check(launch, entry));
  void *arguments[] = {(void *)launch->arguments}; // the driver reads them before it returns
  const uint32_t *grid = launch->grid, *block = launch->block;
  cuda_result result = device->api->cuLaunchKernel(entry->function, grid[0], grid[1], grid[2], block[0], block[1], block[2], 0,
                                                   device->stream, arguments, NULL);
  FAIL_IF(result == CUDA_ERROR_INVALID_VALUE, FARM_TACTIC_REFUSED, "%s: the driver refuses grid %ux%ux%u, block %ux%ux%u",
          launch->entry, grid[0], grid[1], grid[2], block[0], block[1], block[2]);
  return cuda_check(device, result, "launching %.128s", launch->entry);
}

enum farm_status cuda_launch(struct cuda_device *device, struct cuda_image *image, const struct cuda_launch *launch) {
  TRY(cuda_enter(device));
  return cuda_note(device, launch_put(device, image, launch));
}
