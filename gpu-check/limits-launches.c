/* What a launch costs: one with its wait, many in a row, a chain of empty kernels in a graph, and the same chain when each may
 * begin before the one before it has ended (programmatic dependent launch: its attribute is set through cuLaunchKernelEx, which
 * drivers have from 12.0 on and the device layer has no other use for).
 */
#include "limits.h"

#include "../base/clock.h"
#include "../base/order-statistics.h"
#include "../device/cuda-api.h"
#include "../device/library-search.h"

#include <dlfcn.h>
#include <stdio.h>

enum { CHAIN = 200, ROW = 1000, SAMPLES = 200, OVERLAP_LEAST_SM = 90 };

/* As the binary interface has them (CUlaunchConfig, CUlaunchAttribute). */
enum { LAUNCH_PROGRAMMATIC_SERIALIZATION = 6 };
struct launch_attribute {
  int id;
  char pad[4];
  union {
    char bytes[64];
    int allowed;
  } value;
};
struct launch_config {
  unsigned int grid[3], block[3], shared_bytes;
  cuda_stream stream;
  struct launch_attribute *attributes;
  unsigned int attribute_count;
};
_Static_assert(sizeof(struct launch_attribute) == 72 && sizeof(struct launch_config) == 56, "the driver's layout");
typedef cuda_result (*launch_ex_fn)(const struct launch_config *config, cuda_function function, void **arguments, void **extra);

struct chain {
  struct limits *limits;
  struct cuda_launch launch;
  launch_ex_fn launch_ex; // overlapping
  cuda_function function;
};

static enum farm_status plain_put(void *context) {
  struct chain *c = context;
  return cuda_launch(c->limits->device, c->limits->image, &c->launch);
}

static enum farm_status overlapping_put(void *context) {
  struct chain *c = context;
  struct launch_attribute attribute = {.id = LAUNCH_PROGRAMMATIC_SERIALIZATION, .value.allowed = 1};
  struct launch_config config = {.grid = {1, 1, 1},
                                 .block = {c->launch.block[0], 1, 1},
                                 .stream = cuda_device_stream(c->limits->device),
                                 .attributes = &attribute,
                                 .attribute_count = 1};
  void *arguments[] = {c->launch.arguments};
  cuda_result result = c->launch_ex(&config, c->function, arguments, NULL);
  FAIL_IF(result != CUDA_SUCCESS, FARM_UNSUPPORTED, "the driver refuses an overlapping launch (%d)", result);
  return FARM_OK;
}

static enum farm_status chain_measure(struct chain *c, const char *what, enum farm_status (*put)(void *)) {
  struct limits_work work = {put, c, CHAIN};
  struct limits_time time;
  TRY(limits_sample(c->limits, &work, &time));
  return limits_row(c->limits, what, CHAIN, &time, time.us, "us per kernel");
}

/* ---- by the host's clock ---- */

static enum farm_status host_measure(struct chain *c, const char *what, int launches) {
  double samples[SAMPLES];
  size_t count = (size_t)(c->limits->repeats < SAMPLES ? c->limits->repeats : SAMPLES);
  for (size_t i = 0; i < count + 3; i++) { // three warm-ups
    uint64_t begin = clock_now_ns();
    for (int k = 0; k < launches; k++) TRY(plain_put(c));
    TRY(cuda_wait(c->limits->device));
    if (i >= 3) samples[i - 3] = (double)(clock_now_ns() - begin) * 1e-3 / launches;
  }
  samples_sort(samples, count);
  struct limits_time time = {samples_quantile(samples, count, 0.5), samples_quantile(samples, count, 0.25),
                             samples_quantile(samples, count, 0.75), (int)count};
  return limits_row(c->limits, what, launches, &time, time.us, "us per launch");
}

/* ---- overlapping ---- */

static enum farm_status overlap_find(struct chain *c, const char **out_why) {
  void *library = dlopen(library_file(LIBRARY_CUDA), RTLD_LAZY | RTLD_NOLOAD);
  *out_why = "the driver has no cuLaunchKernelEx";
  if (!library) return FARM_UNSUPPORTED;
  *(void **)&c->launch_ex = dlsym(library, "cuLaunchKernelEx");
  dlclose(library); // the device layer keeps it open
  if (!c->launch_ex) return FARM_UNSUPPORTED;
  *out_why = "programmatic dependent launch needs sm 90";
  return cuda_device_about(c->limits->device)->sm >= OVERLAP_LEAST_SM ? FARM_OK : FARM_UNSUPPORTED;
}

static enum farm_status overlap_measure(struct chain *c) {
  const char *what = "empty kernels in a graph, overlapping", *why;
  cuda_module module;
  const struct cuda_api *api;
  if (overlap_find(c, &why) != FARM_OK) return limits_missing(c->limits, what, why);
  TRY(cuda_api(&api));
  cuda_result result = api->cuModuleLoadData(&module, c->limits->cubin.data); // the context is current since the last call
  FAIL_IF(result != CUDA_SUCCESS, FARM_FAILURE, "loading an image once more: %d", result);
  result = api->cuModuleGetFunction(&c->function, module, "limits_overlapping");
  enum farm_status status = result == CUDA_SUCCESS ? chain_measure(c, what, overlapping_put)
                                                   : status_set(FARM_UNSUPPORTED, "no such kernel (%d)", result);
  api->cuModuleUnload(module);
  if (status == FARM_UNSUPPORTED) return limits_missing(c->limits, what, status_message());
  return status;
}

enum farm_status limits_launches(struct limits *limits) {
  struct limits_args args = {.count = 1};
  struct chain c = {.limits = limits, .launch = limits_launch(limits, "limits_nothing", &args)};
  TRY(host_measure(&c, "launch of an empty kernel with its wait", 1));
  TRY(host_measure(&c, "launches of empty kernels in a row", limits->repeats < 20 ? 20 : ROW));
  TRY(chain_measure(&c, "empty kernels in a graph", plain_put));
  return overlap_measure(&c);
}
