/* See cuda-api.h. */
#include "cuda-api.h"

#include "library-search.h"

#include <unistd.h>

static struct cuda_api api;
static pid_t started; // the process that called cuInit; 0: none

static const struct library_function functions[] = {
#define X(name, arguments) LIBRARY_FUNCTION(cuda_api, name)
    CUDA_API(X)
#undef X
#define X(name, arguments) LIBRARY_OPTIONAL(cuda_api, name)
        CUDA_API_OPTIONAL(X)
#undef X
};

/* A driver that does not start is as good as none: no kernel module, another version of it, no device in this container. */
static enum farm_status begin(void) {
  started = getpid();
  cuda_result result = api.cuInit(0);
  const char *name = NULL, *text = NULL;
  if (result == CUDA_SUCCESS) return FARM_OK;
  if (api.cuGetErrorName(result, &name) != CUDA_SUCCESS || !name) name = "unknown error";
  if (api.cuGetErrorString(result, &text) != CUDA_SUCCESS || !text) text = "no text";
  return status_set(FARM_UNSUPPORTED, "the CUDA driver does not start: %s (%d): %s", name, result, text);
}

enum farm_status cuda_api(const struct cuda_api **out_api) {
  static const struct library_table table = {LIBRARY_CUDA, functions, sizeof functions / sizeof *functions, &api, begin};
  TRY(library_once(&table));
  *out_api = &api;
  return FARM_OK;
}

bool cuda_api_forked(void) { return started && started != getpid(); }
