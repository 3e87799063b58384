/* Tests only: small models written as ONNX, built for this CPU and for a GPU in one engine, and run in both sections; the GPU is
 * the fake driver's. */
#ifndef ENGINE_BUILD_GPU_NET_TEST_H
#define ENGINE_BUILD_GPU_NET_TEST_H

#include "../../base/random.h"
#include "../../include/tunefarm.h"
#include "../../optimizer/onnx/onnx-writer.h"
#include "../../tests/kit/test.h"
#include "../format/engine-file.h"
#include "build.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NET_MOST_BINDINGS = 8 };

struct net {
  struct pb_writer writer;
  char model[512], engine[512];
  uint64_t seed;
  const struct build_shape *shapes;
  int shape_count;
  struct link_facts facts;
};

static inline void net_library(const char *variable, const char *name) {
  char path[4096];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 64);
  REQUIRE(length > 0);
  path[length] = 0;
  for (int i = 0; i < 2; i++) *strrchr(path, '/') = 0; // BUILD/test/engine-build
  snprintf(path + strlen(path), 64, "/%s", name);
  if (access(path, R_OK) != 0) SKIP("%s is not built", path);
  setenv(variable, path, 1);
}

/* The fake driver and compiler; `about` as fake-spec.h has it. */
static inline void net_gpu(const char *about) {
  net_library("TUNEFARM_LIBCUDA", "libfakecuda.so");
  net_library("TUNEFARM_LIBNVRTC", "libfakenvrtc.so");
  setenv("TUNEFARM_FAKE_CUDA", about, 1);
}

static inline struct net net_begin(const char *name) {
  struct net net = {.seed = 1};
  snprintf(net.model, sizeof net.model, "%s/%s.onnx", test_folder(), name);
  snprintf(net.engine, sizeof net.engine, "%s/%s.engine", test_folder(), name);
  onnx_model_begin(&net.writer, 8, "test");
  onnx_opset_put(&net.writer, "", 17);
  onnx_graph_begin(&net.writer, "main");
  return net;
}

static inline void net_input(struct net *net, const char *name, const char *dims) {
  onnx_value_put(&net->writer, ONNX_INPUT, name, DTYPE_F32, dims);
}
static inline void net_output(struct net *net, const char *name, const char *dims) {
  onnx_value_put(&net->writer, ONNX_OUTPUT, name, DTYPE_F32, dims);
}
static inline void net_node(struct net *net, const char *op, const char *inputs, const char *outputs) {
  onnx_node_put(&net->writer, op, outputs, inputs, outputs);
}

/* Small normal numbers. */
static inline void net_weight(struct net *net, const char *name, int rank, const int64_t *dims) {
  struct tensor tensor = {.dtype = DTYPE_F32, .rank = rank};
  memcpy(tensor.dims, dims, (size_t)rank * sizeof *dims);
  int64_t elems = tensor_elems(&tensor);
  float *data = test_keep(malloc((size_t)elems * 4 + 4));
  for (int64_t i = 0; i < elems; i++) data[i] = (float)random_normal(net->seed, (uint64_t)i) * 0.3f;
  net->seed++;
  tensor.data = data;
  onnx_initializer_put(&net->writer, name, &tensor);
}
#define NET_WEIGHT(net, name, ...) net_weight(net, name, (int)(sizeof((int64_t[]){__VA_ARGS__}) / 8), (int64_t[]){__VA_ARGS__})

static inline void net_ints(struct net *net, const char *name, int count, const int64_t *values) {
  struct tensor tensor = {.dtype = DTYPE_I64, .rank = count >= 0, .dims = {count}, .data = (void *)(uintptr_t)values};
  onnx_initializer_put(&net->writer, name, &tensor); // count -1: a scalar
}

static inline void net_write(struct net *net) {
  onnx_graph_end(&net->writer);
  onnx_model_end(&net->writer);
  REQUIRE_OK(pb_write_file(&net->writer, net->model));
  pb_writer_free(&net->writer);
}

static inline enum farm_status net_build_as(const struct net *net, const char *path, enum cache_mode mode, const char *lock,
                                            struct build_report *report) {
  static const char *const targets[] = {"cpu", "cuda-sm90", NULL};
  struct build_options options = {.model_path = net->model,
                                  .output_path = path,
                                  .lock_path = lock,
                                  .targets = targets,
                                  .shapes = net->shapes,
                                  .shape_count = net->shape_count,
                                  .threads = 2,
                                  .cache_mode = mode,
                                  .facts = net->facts};
  return build_run(&options, report);
}

/* Ends the model and builds it; returns how many steps are left to the host. */
static inline int net_build(struct net *net) {
  struct build_report report;
  net_write(net);
  REQUIRE_OK(net_build_as(net, net->engine, CACHE_OFF, NULL, &report));
  REQUIRE(report.target_count == 2 && report.targets[1].cuda && !report.targets[0].cuda);
  int host_steps = report.targets[1].host_steps;
  build_report_free(&report);
  return host_steps;
}

/* ---- running ---- */

struct net_run {
  farm_engine_t *engine;
  farm_context_t *context;
  int input_count, output_count;
  void *inputs[NET_MOST_BINDINGS];
};

static inline enum farm_status net_open(const struct net *net, const char *section, bool profile, struct net_run *out) {
  farm_engine_options_t engine = {.size = sizeof engine, .section = section};
  farm_context_options_t context = {.size = sizeof context, .threads = 2, .profile = profile};
  *out = (struct net_run){0};
  TRY(farm_engine_load(net->engine, &engine, &out->engine));
  out->input_count = farm_engine_input_count(out->engine);
  out->output_count = farm_engine_output_count(out->engine);
  return farm_context_create(out->engine, &context, &out->context);
}

static inline void net_close(struct net_run *run) {
  farm_context_free(run->context);
  farm_engine_free(run->engine);
  for (int i = 0; i < NET_MOST_BINDINGS; i++) free(run->inputs[i]);
  *run = (struct net_run){0};
}

static inline enum farm_status net_fill(farm_tensor_t *tensor, uint64_t seed) {
  int64_t elems = 1;
  for (int d = 0; d < tensor->rank; d++)
    if (__builtin_mul_overflow(elems, tensor->dims[d], &elems) || elems > 1 << 22) return FARM_NO_MEMORY;
  tensor->bytes = (size_t)elems * (tensor->dtype == DTYPE_BOOL ? 1 : 4);
  tensor->data = calloc(1, tensor->bytes + 4);
  REQUIRE(tensor->data);
  for (int64_t i = 0; i < elems; i++)
    if (tensor->dtype == DTYPE_BOOL)
      ((uint8_t *)tensor->data)[i] = seed & 1;
    else
      ((float *)tensor->data)[i] = (float)random_normal(seed * 16, (uint64_t)i);
  return FARM_OK;
}

/* All inputs of these numbers; dimensions that may vary are `batch`. */
static inline enum farm_status net_feed(struct net_run *run, uint64_t seed, int64_t batch) {
  for (int i = 0; i < run->input_count; i++) {
    farm_binding_t binding = {.size = sizeof binding};
    TRY(farm_engine_input(run->engine, i, &binding));
    farm_tensor_t tensor = binding.tensor;
    for (int d = 0; d < tensor.rank; d++)
      if (tensor.dims[d] < 0) tensor.dims[d] = batch;
    TRY(net_fill(&tensor, seed + (uint64_t)i));
    void *before = run->inputs[i];
    run->inputs[i] = tensor.data;
    enum farm_status status = farm_context_set_input(run->context, i, &tensor);
    free(before);
    TRY(status);
  }
  return FARM_OK;
}

/* The outputs of both are the same, within 1e-4 of the largest value. */
static inline void net_compare_at(const char *file, int line, struct net_run *run, struct net_run *expected) {
  for (int i = 0; i < run->output_count; i++) {
    farm_tensor_t a = {.size = sizeof a}, b = {.size = sizeof b};
    REQUIRE_OK(farm_context_get_output(run->context, i, &a));
    REQUIRE_OK(farm_context_get_output(expected->context, i, &b));
    if (a.bytes != b.bytes || a.rank != b.rank || a.dtype != b.dtype) {
      test_fail(file, line, "output %d: %zu bytes of rank %d, not %zu of rank %d", i, a.bytes, (int)a.rank, b.bytes, (int)b.rank);
      continue;
    }
    float largest = 1;
    for (size_t k = 0; k < b.bytes / 4; k++) largest = fmaxf(largest, fabsf(((float *)b.data)[k]));
    for (size_t k = 0; k < b.bytes / 4; k++)
      if (!(fabsf(((float *)a.data)[k] - ((float *)b.data)[k]) <= 1e-4f * largest)) {
        test_fail(file, line, "output %d: element %zu is %g, not %g", i, k, ((float *)a.data)[k], ((float *)b.data)[k]);
        break;
      }
  }
}
#define net_compare(run, expected) net_compare_at(__FILE__, __LINE__, run, expected)

/* Both sections, several inputs and batches, twice each: captured graphs are replayed. */
static inline void net_check_at(const char *file, int line, const struct net *net, const int64_t *batches, int count) {
  struct net_run gpu, cpu;
  REQUIRE_OK(net_open(net, "cuda", false, &gpu));
  REQUIRE_OK(net_open(net, "cpu", false, &cpu));
  for (int i = 0; i < count; i++)
    for (uint64_t seed = 1; seed <= 2; seed++) {
      REQUIRE_OK(net_feed(&gpu, seed, batches[i]));
      REQUIRE_OK(net_feed(&cpu, seed, batches[i]));
      REQUIRE_OK(farm_context_run(gpu.context));
      REQUIRE_OK(farm_context_run(cpu.context));
      net_compare_at(file, line, &gpu, &cpu);
      REQUIRE_OK(farm_context_run(gpu.context));
      net_compare_at(file, line, &gpu, &cpu);
    }
  net_close(&gpu);
  net_close(&cpu);
}
#define net_check(net, ...)                                                                                                      \
  net_check_at(__FILE__, __LINE__, net, (int64_t[]){__VA_ARGS__}, (int)(sizeof((int64_t[]){__VA_ARGS__}) / 8))

#endif
