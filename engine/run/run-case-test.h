/* For tests of engine/run: a hand-made plan becomes a loaded engine; running it with arrays in and arrays out. */
#ifndef ENGINE_RUN_RUN_CASE_TEST_H
#define ENGINE_RUN_RUN_CASE_TEST_H

#include "../format/plan-builder-test.h"
#include "run.h"

struct run_case {
  struct plan_builder *builder;
  uint8_t *bytes;
  farm_engine_t *engine;
  farm_context_t *context;
};

/* One step of an operator as of `opset`, at its own version. */
BUILDER_FN struct plan_step *op(struct plan_builder *b, int block, enum step_kind kind, const char *name, int opset,
                                const uint32_t *inputs, int input_count, const uint32_t *outputs, int output_count) {
  const struct operator_row *row = operator_find("", name, opset);
  REQUIRE(row);
  struct plan_step *step = builder_step(b, block, kind, name, row->since_version, inputs, input_count, outputs, output_count);
  step->opset = opset;
  return step;
}
#define IDS(...) (uint32_t[]){__VA_ARGS__}, (int)(sizeof((uint32_t[]){__VA_ARGS__}) / 4)

BUILDER_FN void axis_attr(struct plan_builder *b, struct plan_step *step, int64_t axis) {
  builder_attr(b, step, (struct attr){.name = "axis", .type = ATTR_INT, .count = 1, .i = axis});
}

BUILDER_FN void case_load(struct run_case *run, int threads, bool profile) {
  size_t length;
  run->bytes = builder_bytes(run->builder, &length);
  REQUIRE_OK(farm_engine_load_bytes(run->bytes, length, NULL, &run->engine));
  farm_context_options_t options = {.size = sizeof options, .threads = threads, .profile = profile};
  REQUIRE_OK(farm_context_create(run->engine, &options, &run->context));
}

BUILDER_FN struct run_case case_of(struct plan_builder *builder) {
  struct run_case run = {.builder = builder};
  case_load(&run, 1, false);
  return run;
}

BUILDER_FN void case_free(struct run_case *run) {
  farm_context_free(run->context);
  farm_engine_free(run->engine);
  free(run->bytes);
  builder_free(run->builder);
}

BUILDER_FN farm_tensor_t tensor_to_farm(struct tensor type, const void *data) {
  farm_tensor_t tensor = {.size = sizeof tensor,
                          .dtype = (int32_t)type.dtype,
                          .rank = type.rank,
                          .data = (void *)(uintptr_t)data,
                          .bytes = tensor_bytes(&type)};
  for (int d = 0; d < type.rank; d++) tensor.dims[d] = type.dims[d];
  return tensor;
}

BUILDER_FN void case_input(struct run_case *run, int index, struct tensor type, const void *data) {
  farm_tensor_t tensor = tensor_to_farm(type, data);
  REQUIRE_OK(farm_context_set_input(run->context, index, &tensor));
}

/* The output has this type and these bytes. */
BUILDER_FN void case_expect_at(const char *file, int line, struct run_case *run, int index, struct tensor type,
                               const void *data) {
  farm_tensor_t got = {.size = sizeof got};
  REQUIRE_OK(farm_context_get_output(run->context, index, &got));
  struct tensor has = {.dtype = (enum dtype)got.dtype, .rank = got.rank};
  for (int d = 0; d < got.rank; d++) has.dims[d] = got.dims[d];
  char actual[128], expected[128];
  test_check_text(file, line, tensor_text(&has, actual, sizeof actual), tensor_text(&type, expected, sizeof expected));
  if (got.bytes == tensor_bytes(&type) && memcmp(got.data, data, got.bytes) != 0)
    test_fail(file, line, "output %d differs", index);
}
#define case_expect(run, index, type, data) case_expect_at(__FILE__, __LINE__, run, index, type, data)

#endif
