/* For tests of whole models: a model and an engine built from it at effort 0, run side by side on the same seeded inputs. */
#ifndef CLI_MODEL_CASE_TEST_H
#define CLI_MODEL_CASE_TEST_H

#include "../base/random.h"
#include "../engine/build/build.h"
#include "../include/tunefarm.h"
#include "../optimizer/ir/evaluate.h"
#include "../optimizer/onnx/import.h"
#include "../problem/compare.h"
#include "../synth/synth.h"
#include "../tests/kit/test.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_FN static inline __attribute__((unused))

enum { MODEL_MOST_OPERANDS = 32 };

struct model_case {
  char path[PATH_MAX], engine_path[PATH_MAX];
  struct model *model;
  farm_engine_t *engine;
  farm_context_t *context;
  int input_count, output_count;
  struct tensor inputs[MODEL_MOST_OPERANDS];
};

struct model_options {
  const char *shapes[MODEL_MOST_OPERANDS], *without[4]; // up to the first NULL
  int threads;
};

MODEL_FN void model_build(const char *path, const char *engine_path, const struct model_options *options) {
  struct arena arena = {0};
  struct build_shape shapes[MODEL_MOST_OPERANDS];
  struct build_report report = {0};
  const char *const targets[] = {NULL};
  struct build_options build = {.model_path = path, .output_path = engine_path, .targets = targets, .shapes = shapes};
  build.threads = options->threads ? options->threads : 1;
  build.cache_mode = CACHE_OFF;
  build.passes_off = options->without;
  for (; options->shapes[build.shape_count]; build.shape_count++)
    REQUIRE_OK(build_shape_parse(options->shapes[build.shape_count], &arena, &shapes[build.shape_count]));
  REQUIRE_OK(build_run(&build, &report));
  build_report_free(&report);
  arena_free(&arena);
}

MODEL_FN void context_open(farm_engine_t *engine, int threads, farm_context_t **out) {
  farm_context_options_t options = {.size = sizeof options, .threads = threads};
  REQUIRE(farm_context_create(engine, &options, out) == FARM_OK);
}

MODEL_FN void model_open(const char *path, const struct model_options *options, struct model_case *out) {
  *out = (struct model_case){0};
  snprintf(out->path, sizeof out->path, "%s", path);
  snprintf(out->engine_path, sizeof out->engine_path, "%s/case.engine", test_folder());
  model_build(path, out->engine_path, options);
  REQUIRE_OK(onnx_import(path, &out->model));
  enum farm_status status = farm_engine_load(out->engine_path, NULL, &out->engine);
  CHECK_MESSAGE(status == FARM_OK, "%s: %s", path, farm_last_message());
  REQUIRE(status == FARM_OK);
  context_open(out->engine, 0, &out->context);
  out->input_count = farm_engine_input_count(out->engine);
  out->output_count = farm_engine_output_count(out->engine);
  REQUIRE(out->input_count == out->model->graph->input_count && out->output_count == out->model->graph->output_count);
  REQUIRE(out->input_count <= MODEL_MOST_OPERANDS && out->output_count <= MODEL_MOST_OPERANDS);
}

MODEL_FN void model_close(struct model_case *c) {
  for (int i = 0; i < c->input_count; i++) tensor_free(&c->inputs[i]);
  farm_context_free(c->context);
  farm_engine_free(c->engine);
  model_free(&c->model);
  remove(c->engine_path);
}

/* A synth model in the test's folder. */
MODEL_FN const char *synth_make(const char *name, struct synth_options options) {
  static char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s.onnx", test_folder(), name);
  if (!options.batch) options.batch = 1;
  if (!options.seed) options.seed = 1;
  if (options.dtype == DTYPE_NONE) options.dtype = DTYPE_F32;
  REQUIRE_OK(synth_write(name, &options, path));
  return path;
}

/* Tokens are small, masks leave out a few at the end, types are 0 and 1; other numbers are normal. */
MODEL_FN void input_random(const char *name, struct tensor *tensor, uint64_t seed) {
  int64_t elems = tensor_elems(tensor), last = tensor->rank ? tensor->dims[tensor->rank - 1] : 1;
  for (int64_t i = 0; i < elems; i++) {
    int64_t number = (int64_t)(random_u64(seed, (uint64_t)i) % 997);
    if (strstr(name, "mask"))
      number = i % last < last - last / 5;
    else if (strstr(name, "type"))
      number &= 1;
    if (dtype_is_float(tensor->dtype))
      dtype_store_f64(tensor->dtype, tensor->data, i, random_normal(seed, (uint64_t)i));
    else
      dtype_store_i64(tensor->dtype, tensor->data, i, number);
  }
}

/* Inputs of this shape (their last ranges' optimum when dims is NULL); all inputs that are not fixed get the same dims. */
MODEL_FN void inputs_make(struct model_case *c, const int64_t *dims, int rank, uint64_t seed) {
  for (int i = 0; i < c->input_count; i++) {
    farm_binding_t binding = {.size = sizeof binding};
    REQUIRE(farm_engine_input(c->engine, i, &binding) == FARM_OK);
    tensor_free(&c->inputs[i]);
    c->inputs[i] = (struct tensor){.dtype = (enum dtype)binding.tensor.dtype, .rank = binding.tensor.rank};
    memcpy(c->inputs[i].dims, binding.opt, sizeof c->inputs[i].dims);
    if (dims) memcpy(c->inputs[i].dims, dims, (size_t)rank * sizeof *dims);
    REQUIRE_OK(tensor_alloc(&c->inputs[i]));
    input_random(binding.name, &c->inputs[i], seed + (uint64_t)i);
  }
}

MODEL_FN enum farm_status inputs_bind(farm_context_t *context, const struct tensor *inputs, int count) {
  for (int i = 0; i < count; i++) {
    farm_tensor_t given = {
        .size = sizeof given, .dtype = (int32_t)inputs[i].dtype, .rank = inputs[i].rank, .data = inputs[i].data};
    given.bytes = tensor_bytes(&inputs[i]);
    memcpy(given.dims, inputs[i].dims, sizeof given.dims);
    enum farm_status status = farm_context_set_input(context, i, &given);
    if (status != FARM_OK) return status;
  }
  return FARM_OK;
}

MODEL_FN struct tensor output_of(farm_context_t *context, int index) {
  farm_tensor_t got = {.size = sizeof got};
  REQUIRE(farm_context_get_output(context, index, &got) == FARM_OK);
  struct tensor tensor = {.dtype = (enum dtype)got.dtype, .rank = got.rank, .data = got.data};
  memcpy(tensor.dims, got.dims, sizeof tensor.dims);
  return tensor;
}

MODEL_FN void engine_run_on(farm_context_t *context, const struct tensor *inputs, int count) {
  REQUIRE(inputs_bind(context, inputs, count) == FARM_OK);
  enum farm_status status = farm_context_run(context);
  CHECK_MESSAGE(status == FARM_OK, "%s", farm_last_message());
  REQUIRE(status == FARM_OK);
}

MODEL_FN void outputs_check(farm_context_t *context, const struct tensor *expected, int count, const struct compare_rule *rule,
                            const char *what) {
  for (int i = 0; i < count; i++) {
    struct compare_result result;
    struct tensor actual = output_of(context, i);
    tensor_compare(&actual, &expected[i], rule, &result);
    CHECK_MESSAGE(result.passed, "%s: output %d: %s (%.3g of the largest)", what, i, result.why, result.max_rel_to_max);
  }
}

/* The engine against the references, on inputs made before. */
MODEL_FN void model_check(struct model_case *c, const struct compare_rule *rule, const char *what) {
  struct tensor expected[MODEL_MOST_OPERANDS] = {0};
  REQUIRE_OK(graph_evaluate(c->model, c->inputs, expected));
  engine_run_on(c->context, c->inputs, c->input_count);
  outputs_check(c->context, expected, c->output_count, rule, what);
  for (int i = 0; i < c->output_count; i++) tensor_free(&expected[i]);
}

/* Whole models: errors follow the largest values. */
#define MODEL_RULE ((struct compare_rule){1e-3, 1e-5, true})

#endif
