/* Contexts, memory and modules of the fake driver's interface. */
#include "fake-driver.h"
#include "fake-image.h"

#include <stdatomic.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STACK_MOST = 64 };
static _Thread_local cuda_context below[STACK_MOST]; // of fake_current, the last of them next
static _Thread_local int below_count;

static cuda_context contexts;
static uint64_t allocations;

/* ---- contexts ---- */

bool fake_context_known(cuda_context context) {
  for (cuda_context c = contexts; c != NULL; c = c->next)
    if (c == context) return true;
  return false;
}

static void current_pop(void) { fake_current = below_count > 0 ? below[--below_count] : NULL; }

cuda_result cuCtxCreate_v2(cuda_context *out_context, unsigned int flags, cuda_ordinal device) {
  cuda_result result = fake_enter(FAKE_INITIALISED);
  if (result == CUDA_SUCCESS && (device < 0 || device >= fake_spec.devices)) result = CUDA_ERROR_INVALID_DEVICE;
  if (result == CUDA_SUCCESS && below_count == STACK_MOST) result = CUDA_ERROR_OUT_OF_MEMORY;
  cuda_context context = result == CUDA_SUCCESS ? calloc(1, sizeof *context) : NULL;
  cuda_stream stream = context == NULL ? NULL : calloc(1, sizeof *stream);
  if (result == CUDA_SUCCESS && stream == NULL) {
    free(context);
    result = CUDA_ERROR_OUT_OF_MEMORY;
  }
  if (result == CUDA_SUCCESS) {
    stream->context = context;
    *context = (struct CUctx_st){.ordinal = device, .streams = stream, .next = contexts};
    if (fake_current != NULL) below[below_count++] = fake_current;
    contexts = *out_context = fake_current = context;
  }
  return fake_leave(result, "cuCtxCreate_v2", "%u %d", flags, device);
}

static void module_free(cuda_module module) {
  for (cuda_function f = module->functions, next; f != NULL; f = next) {
    next = f->next;
    free(f);
  }
  dlclose(module->library);
  free(module);
}

static void made_in_it_free(cuda_context context) {
  for (cuda_event e = context->events, next; e != NULL; e = next) {
    next = e->next;
    free(e);
  }
  for (cuda_module m = context->modules, next; m != NULL; m = next) {
    next = m->next;
    module_free(m);
  }
  for (cuda_graph_exec g = context->graphs, next; g != NULL; g = next) {
    next = g->next;
    fake_list_free(&g->list);
    free(g);
  }
}

/* Waits for what is under way; gives everything back that was made in it. */
cuda_result cuCtxDestroy_v2(cuda_context context) {
  cuda_result result = fake_enter(FAKE_INITIALISED);
  if (result == CUDA_SUCCESS && !fake_context_known(context)) result = CUDA_ERROR_INVALID_CONTEXT;
  if (result == CUDA_SUCCESS) {
    fake_context_wait(context);
    fake_memory_free_all(context);
    for (cuda_stream s = context->streams, next; s != NULL; s = next) {
      next = s->next;
      if (s->capture != NULL) fake_list_free(&s->capture->list);
      free(s->capture);
      fake_list_free(&s->queue);
      free(s);
    }
    made_in_it_free(context);
    for (cuda_context *at = &contexts; *at != NULL; at = &(*at)->next)
      if (*at == context) {
        *at = context->next;
        break;
      }
    if (fake_current == context) current_pop(); // to other threads it stays current, and is of no use there
    free(context);
  }
  return fake_leave(result, "cuCtxDestroy_v2", "%p", (void *)context);
}

cuda_result cuCtxSetCurrent(cuda_context context) {
  cuda_result result = fake_enter(FAKE_INITIALISED);
  if (result == CUDA_SUCCESS && context != NULL && !fake_context_known(context)) result = CUDA_ERROR_INVALID_CONTEXT;
  if (result == CUDA_SUCCESS && context != NULL) fake_current = context;
  if (result == CUDA_SUCCESS && context == NULL) current_pop();
  return fake_leave(result, "cuCtxSetCurrent", "%p", (void *)context);
}

cuda_result cuCtxGetCurrent(cuda_context *out_context) {
  cuda_result result = fake_enter(FAKE_INITIALISED);
  if (result == CUDA_SUCCESS) *out_context = fake_current;
  return fake_leave(result, "cuCtxGetCurrent", " ");
}

cuda_result cuCtxPopCurrent_v2(cuda_context *out_context) {
  cuda_result result = fake_enter(FAKE_INITIALISED);
  if (result == CUDA_SUCCESS && fake_current == NULL) result = CUDA_ERROR_INVALID_CONTEXT;
  if (result == CUDA_SUCCESS) {
    if (out_context != NULL) *out_context = fake_current;
    current_pop();
  }
  return fake_leave(result, "cuCtxPopCurrent_v2", " ");
}

/* ---- memory ---- */

cuda_result cuMemAlloc_v2(cuda_address *out_address, size_t bytes) {
  cuda_result result = fake_enter(FAKE_CONTEXT);
  cuda_address address = 0;
  if (result == CUDA_SUCCESS && bytes == 0) result = CUDA_ERROR_INVALID_VALUE;
  if (result == CUDA_SUCCESS) {
    allocations++;
    bool fits = bytes <= fake_spec.memory_bytes && fake_memory_used() <= fake_spec.memory_bytes - bytes;
    if (fits && !fake_strikes(FAULT_OOM, allocations)) address = fake_memory_alloc(fake_current, bytes);
    if (address == 0)
      result = CUDA_ERROR_OUT_OF_MEMORY;
    else
      *out_address = address;
  }
  return fake_leave(result, "cuMemAlloc_v2", "%zu 0x%llx", bytes, (unsigned long long)address);
}

cuda_result cuMemFree_v2(cuda_address address) {
  cuda_result result = fake_enter(FAKE_CONTEXT);
  if (result == CUDA_SUCCESS) result = fake_context_wait(fake_current);
  if (result == CUDA_SUCCESS && address != 0 && !fake_memory_free(fake_current, address)) result = CUDA_ERROR_INVALID_VALUE;
  return fake_leave(result, "cuMemFree_v2", "0x%llx", (unsigned long long)address);
}

cuda_result cuMemHostAlloc(void **out_data, size_t bytes, unsigned int flags) {
  cuda_result result = fake_enter(FAKE_CONTEXT);
  if (result == CUDA_SUCCESS && bytes == 0) result = CUDA_ERROR_INVALID_VALUE;
  void *data = result == CUDA_SUCCESS ? fake_pinned_alloc(bytes) : NULL;
  if (result == CUDA_SUCCESS && data == NULL) result = CUDA_ERROR_OUT_OF_MEMORY;
  if (result == CUDA_SUCCESS) *out_data = data;
  return fake_leave(result, "cuMemHostAlloc", "%zu %u", bytes, flags);
}

cuda_result cuMemFreeHost(void *data) {
  cuda_result result = fake_enter(FAKE_CONTEXT);
  if (result == CUDA_SUCCESS) result = fake_context_wait(fake_current);
  if (result == CUDA_SUCCESS && !fake_pinned_free(data)) result = CUDA_ERROR_INVALID_VALUE;
  return fake_leave(result, "cuMemFreeHost", "%p", data);
}

/* ---- modules ---- */

/* As on devices: code of another generation does not run, code of a newer minor version neither; features of one chip bind to it.
 */
static bool image_fits(const struct fake_image *image) {
  if (image->sm / 10 != (uint32_t)fake_spec.sm / 10 || image->sm > (uint32_t)fake_spec.sm) return false;
  return !image->specific || image->sm == (uint32_t)fake_spec.sm;
}

/* A path that was never used before: a loader takes a name that it knows for what it loaded under it, and numbers of closed files come
 * again. Each digit of a count is "/." or "/".
 */
static void library_path(int file, char *out, size_t bytes) {
  static atomic_uint count;
  unsigned number = atomic_fetch_add(&count, 1);
  size_t length = (size_t)snprintf(out, bytes, "/proc/self/fd");
  for (int bit = 0; bit < 24; bit++) length += (size_t)snprintf(out + length, bytes - length, number >> bit & 1 ? "/." : "/");
  snprintf(out + length, bytes - length, "/%d", file);
}

/* The library in the image, from a file in memory. */
static void *library_open(const char *bytes, uint64_t count) {
  int file = memfd_create("fake-cubin", MFD_CLOEXEC);
  if (file < 0) return NULL;
  for (uint64_t at = 0; at < count;) {
    ssize_t written = write(file, bytes + at, count - at);
    if (written <= 0) {
      close(file);
      return NULL;
    }
    at += (uint64_t)written;
  }
  char path[128];
  library_path(file, path, sizeof path);
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) fake_log("# %s", dlerror());
  close(file);
  return library;
}

/* Is it the fake compiler's, whole, and for this device? Another ELF file is another device's code. */
static cuda_result image_check(const unsigned char *data, size_t *out_bytes) {
  Elf64_Ehdr head;
  struct fake_image image;
  if (memcmp(data, ELFMAG, SELFMAG) != 0) return CUDA_ERROR_INVALID_IMAGE;
  memcpy(&head, data, sizeof head);
  if (head.e_flags != FAKE_IMAGE_FLAGS) return CUDA_ERROR_NO_BINARY_FOR_GPU;
  *out_bytes = head.e_shoff + (size_t)head.e_shnum * head.e_shentsize;
  memcpy(&image, data + *out_bytes, sizeof image);
  if (memcmp(image.magic, FAKE_IMAGE_MAGIC, sizeof image.magic) != 0 || image.abi != SIMT_ABI) return CUDA_ERROR_INVALID_IMAGE;
  if (image.sum != fake_image_sum(data, *out_bytes, &image)) return CUDA_ERROR_INVALID_IMAGE;
  return image_fits(&image) ? CUDA_SUCCESS : CUDA_ERROR_NO_BINARY_FOR_GPU;
}

static cuda_result module_make(const void *data, cuda_module *out) {
  size_t bytes;
  cuda_result result = image_check(data, &bytes);
  if (result != CUDA_SUCCESS) return result;
  cuda_module module = calloc(1, sizeof *module);
  if (module == NULL) return CUDA_ERROR_OUT_OF_MEMORY;
  module->context = fake_current;
  module->library = library_open(data, bytes);
  simt_bind_fn bind;
  void *symbol = module->library == NULL ? NULL : dlsym(module->library, "farm_simt_bind");
  memcpy(&bind, &symbol, sizeof bind);
  module->now = symbol == NULL ? NULL : bind(simt_services());
  if (module->now == NULL) {
    if (module->library != NULL) dlclose(module->library);
    free(module);
    return CUDA_ERROR_INVALID_IMAGE;
  }
  module->next = fake_current->modules;
  *out = fake_current->modules = module;
  return CUDA_SUCCESS;
}

cuda_result cuModuleLoadData(cuda_module *out_module, const void *image) {
  cuda_result result = fake_enter(FAKE_CONTEXT);
  if (result == CUDA_SUCCESS && image == NULL) result = CUDA_ERROR_INVALID_VALUE;
  if (result == CUDA_SUCCESS) result = module_make(image, out_module);
  return fake_leave(result, "cuModuleLoadData", " ");
}

cuda_result cuModuleUnload(cuda_module module) {
  cuda_result result = fake_enter(FAKE_CONTEXT);
  if (result == CUDA_SUCCESS && module == NULL) result = CUDA_ERROR_INVALID_HANDLE;
  if (result == CUDA_SUCCESS) result = fake_context_wait(fake_current);
  if (result == CUDA_SUCCESS) {
    for (cuda_module *at = &module->context->modules; *at != NULL; at = &(*at)->next)
      if (*at == module) {
        *at = module->next;
        break;
      }
    module_free(module);
  }
  return fake_leave(result, "cuModuleUnload", "%p", (void *)module);
}

static cuda_result function_find(cuda_module module, const char *name, cuda_function *out) {
  for (cuda_function f = module->functions; f != NULL; f = f->next)
    if (strcmp(f->entry->name, name) == 0) {
      *out = f;
      return CUDA_SUCCESS;
    }
  const struct simt_entry *entry = strcmp(name, "farm_simt_bind") == 0 ? NULL : dlsym(module->library, name);
  if (entry == NULL) return CUDA_ERROR_NOT_FOUND;
  cuda_function function = calloc(1, sizeof *function);
  if (function == NULL) return CUDA_ERROR_OUT_OF_MEMORY;
  *function = (struct CUfunc_st){module->functions, module, entry};
  *out = module->functions = function;
  return CUDA_SUCCESS;
}

cuda_result cuModuleGetFunction(cuda_function *out_function, cuda_module module, const char *name) {
  cuda_result result = fake_enter(FAKE_CONTEXT);
  if (result == CUDA_SUCCESS && (module == NULL || name == NULL)) result = CUDA_ERROR_INVALID_HANDLE;
  if (result == CUDA_SUCCESS) result = function_find(module, name, out_function);
  return fake_leave(result, "cuModuleGetFunction", "%s", name == NULL ? "?" : name);
}

/* 0: threads per block at most; 4: registers, of which there is no notion here; 6: version of the code. */
cuda_result cuFuncGetAttribute(int *out_value, int attribute, cuda_function function) {
  cuda_result result = fake_enter(FAKE_CONTEXT);
  if (result == CUDA_SUCCESS && function == NULL) result = CUDA_ERROR_INVALID_HANDLE;
  if (result == CUDA_SUCCESS) switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
      *out_value = (int)function->entry->threads_most;
      break;
    case 6:
      *out_value = fake_spec.sm;
      break;
    default:
      result = CUDA_ERROR_INVALID_VALUE;
    }
  return fake_leave(result, "cuFuncGetAttribute", "%d", attribute);
}

cuda_result cuFuncGetParamInfo(cuda_function function, size_t index, size_t *out_offset, size_t *out_bytes) {
  cuda_result result = fake_enter(FAKE_CONTEXT);
  if (result == CUDA_SUCCESS && (function == NULL || index != 0)) result = CUDA_ERROR_INVALID_VALUE;
  if (result == CUDA_SUCCESS) {
    *out_offset = 0;
    if (out_bytes != NULL) *out_bytes = function->entry->argument_bytes;
  }
  return fake_leave(result, "cuFuncGetParamInfo", "%zu", index);
}
