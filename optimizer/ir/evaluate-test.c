/* Evaluation: known results of branches, loops and scans, liveness, limits, and inputs that do not fit. */
#include "evaluate.h"

#include "../../tests/kit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct model *inferred(const char *text) {
  struct model *model = NULL;
  REQUIRE_OK(graph_parse(text, &model));
  REQUIRE_OK(graph_infer(model));
  REQUIRE_OK(graph_verify(model));
  return model;
}

static struct tensor f32(int rank, const int64_t *dims, const float *data) {
  struct tensor tensor = {.dtype = DTYPE_F32, .rank = rank, .data = (void *)(uintptr_t)data};
  for (int i = 0; i < rank; i++) tensor.dims[i] = dims[i];
  return tensor;
}
#define F32(count, ...) f32(1, (int64_t[]){count}, (float[]){__VA_ARGS__})

static void floats_check(struct tensor *tensor, const char *type, const float *expected) {
  char text[96];
  CHECK_TEXT(tensor_text(tensor, text, sizeof text), type);
  int64_t elems = tensor_elems(tensor);
  for (int64_t i = 0; i < elems && tensor->dtype == DTYPE_F32; i++)
    CHECK_MESSAGE(((float *)tensor->data)[i] == expected[i], "element %d is %g, not %g", (int)i,
                  (double)((float *)tensor->data)[i], (double)expected[i]);
  tensor_free(tensor);
}
#define FLOATS(tensor, type, ...) floats_check(tensor, type, (float[]){__VA_ARGS__})

/* The second branch hands out a value of the graph around it, twice. */
#define BRANCHES                                                                                                                 \
  "model ir 8 graph g(%x: f32[2], %c: bool[]) {\n  %h = Neg.13(%x)\n"                                                            \
  "  %y, %z = If.16(%c) {then_branch = graph a() { %t = Add.14(%x, %x) %u = Mul.14(%t, %h) return %t, %u },\n"                   \
  "    else_branch = graph b() { return %h, %h }}\n  return %y, %z, %x }"

TEST(evaluate_branches, "") {
  struct model *model = inferred(BRANCHES);
  struct tensor outputs[3], inputs[2] = {F32(2, 1, 2), {.dtype = DTYPE_BOOL, .data = "\1"}};
  REQUIRE_OK(graph_evaluate(model, inputs, outputs));
  FLOATS(&outputs[0], "f32[2]", 2, 4);
  FLOATS(&outputs[1], "f32[2]", -2, -8);
  FLOATS(&outputs[2], "f32[2]", 1, 2);
  inputs[1].data = "\0";
  REQUIRE_OK(graph_evaluate(model, inputs, outputs));
  FLOATS(&outputs[0], "f32[2]", -1, -2);
  FLOATS(&outputs[1], "f32[2]", -1, -2);
  FLOATS(&outputs[2], "f32[2]", 1, 2);
  model_free(&model);
}

/* Doubles the state while it is below the limit, at most n times; the states are stacked. The condition is also handed out. */
#define LOOP                                                                                                                     \
  "model ir 8 graph g(%x: f32[1], %n: i64[], %go: bool[], %limit: f32[1]) {\n  const %ax: i64[1] = {0}\n"                        \
  "  %y, %all = Loop.16(%n, %go, %x) {body = graph body(%i, %c, %state) {\n"                                                     \
  "    %twice = Add.14(%state, %state)\n    %below = Less.13(%twice, %limit)\n    %on = Squeeze.13(%below, %ax)\n"               \
  "    return %on, %twice, %state }}\n  return %y, %all }"

static void loop_check(int64_t n, bool go, float limit, float last, int64_t count) {
  struct model *model = inferred(LOOP);
  static const float states[] = {1, 2, 4, 8, 16, 32};
  struct tensor outputs[2],
      inputs[] = {F32(1, 1), {.dtype = DTYPE_I64, .data = &n}, {.dtype = DTYPE_BOOL, .data = &go}, F32(1, limit)};
  REQUIRE_OK(graph_evaluate(model, inputs, outputs));
  FLOATS(&outputs[0], "f32[1]", last);
  CHECK(outputs[1].rank == 2 && outputs[1].dims[0] == count && outputs[1].dims[1] == 1);
  CHECK(!count || memcmp(outputs[1].data, states, (size_t)count * sizeof *states) == 0);
  tensor_free(&outputs[1]);
  model_free(&model);
}

TEST(evaluate_loops, "") {
  loop_check(3, true, 1000, 8, 3);
  loop_check(100, true, 10, 16, 4); // stopped by the condition
  loop_check(3, false, 1000, 1, 0);
  loop_check(0, true, 1000, 1, 0);
  loop_check(-5, true, 1000, 1, 0);
}

TEST(evaluate_ends_endless_loops_when_told, "timeout:20") {
  struct model *model = inferred(LOOP);
  int64_t n = INT64_MAX;
  bool go = true;
  struct tensor outputs[2],
      inputs[] = {F32(1, 0), {.dtype = DTYPE_I64, .data = &n}, {.dtype = DTYPE_BOOL, .data = &go}, F32(1, 1)};
  struct evaluate_options options = {.most_nodes = 1000};
  CHECK(graph_evaluate_with(model, inputs, outputs, &options) == FARM_TIMED_OUT);
  options = (struct evaluate_options){.most_bytes = 4096};
  CHECK(graph_evaluate_with(model, inputs, outputs, &options) == FARM_NO_MEMORY); // the stack of states
  model_free(&model);
}

TEST(evaluate_scans_forward_and_backward, "") {
  struct model *model = inferred(
      "model ir 8 graph g(%sum: f32[1], %x: f32[1,3]) {\n"
      "  %last, %all, %back = Scan.16(%sum, %x) {num_scan_inputs = 1, scan_input_axes = [1], scan_input_directions = [1],\n"
      "    scan_output_axes = [0, 1], scan_output_directions = [0, 1],\n"
      "    body = graph body(%s, %e) { %t = Add.14(%s, %e) return %t, %t, %e }}\n"
      "  return %last, %all, %back }");
  struct tensor outputs[3], inputs[] = {F32(1, 10), f32(2, (int64_t[]){1, 3}, (float[]){1, 2, 3})};
  REQUIRE_OK(graph_evaluate(model, inputs, outputs));
  FLOATS(&outputs[0], "f32[1]", 16);
  FLOATS(&outputs[1], "f32[3,1]", 13, 15, 16);
  FLOATS(&outputs[2], "f32[1,3]", 1, 2, 3); // read backward, written backward
  model_free(&model);
}

/* Opset 8: two entries of a batch, the second of them shorter; what it lacks is zero. */
TEST(evaluate_scans_by_batch, "") {
  struct model *model = inferred("model ir 3 graph g(%len: i64[2], %sum: f32[2,1], %x: f32[2,3,1]) {\n"
                                 "  %last, %all = Scan.8(%len, %sum, %x) {num_scan_inputs = 1,\n"
                                 "    body = graph body(%s, %e) { %t = Add.7(%s, %e) %o = Identity.1(%t) return %t, %o }}\n"
                                 "  return %last, %all }");
  struct tensor outputs[2], inputs[] = {{.dtype = DTYPE_I64, .rank = 1, .dims = {2}, .data = (int64_t[]){3, 2}},
                                        f32(2, (int64_t[]){2, 1}, (float[]){0, 10}),
                                        f32(3, (int64_t[]){2, 3, 1}, (float[]){1, 2, 3, 4, 5, 6})};
  REQUIRE_OK(graph_evaluate(model, inputs, outputs));
  FLOATS(&outputs[0], "f32[2,1]", 6, 19);
  FLOATS(&outputs[1], "f32[2,3,1]", 1, 3, 6, 14, 19, 0);
  inputs[0].data = (int64_t[]){3, 4};
  CHECK(graph_evaluate(model, inputs, outputs) == FARM_INVALID);
  model_free(&model);
}

/* 64 values of 1 MiB one after the other fit into 3 MiB, but not into 1: each is freed after its last use. */
TEST(evaluate_frees_after_the_last_use, "") {
  static char text[8192];
  struct evaluate_options options = {.most_bytes = 3 << 20};
  strcpy(text, "model ir 8 graph g(%v0: f32[n]) {\n");
  for (int i = 0; i < 64; i++) sprintf(text + strlen(text), "  %%v%d = Relu.14(%%v%d)\n", i + 1, i);
  strcat(text, "  return %v64 }");
  struct model *model = inferred(text);
  struct tensor input = {.dtype = DTYPE_F32, .rank = 1, .dims = {1 << 18}}, output;
  REQUIRE_OK(tensor_alloc(&input));
  REQUIRE_OK(graph_evaluate_with(model, &input, &output, &options));
  tensor_free(&output);
  options.most_bytes = 1 << 20;
  CHECK(graph_evaluate_with(model, &input, &output, &options) == FARM_NO_MEMORY);
  tensor_free(&input);
  model_free(&model);
}

TEST(evaluate_shapes_that_data_decide, "") {
  struct model *model = inferred("model ir 8 graph g(%x: f32[4]) { %i = NonZero.13(%x) %y = Cast.13(%i) {to = 1} return %y }");
  struct tensor output, input = F32(4, 0, 5, 0, 7);
  REQUIRE_OK(graph_evaluate(model, &input, &output));
  FLOATS(&output, "f32[1,2]", 1, 3);
  model_free(&model);
}

static void watch(void *context, const struct value *value, const struct tensor *tensor) {
  strcat(context, value->name);
  if (tensor_elems(tensor) != 2) strcat(context, "?");
}

TEST(evaluate_lets_every_value_be_watched, "") {
  struct model *model = inferred(BRANCHES);
  char names[64] = "";
  struct evaluate_options options = {.watch = watch, .context = names};
  struct tensor outputs[3], inputs[2] = {F32(2, 1, 2), {.dtype = DTYPE_BOOL, .data = "\1"}};
  REQUIRE_OK(graph_evaluate_with(model, inputs, outputs, &options));
  CHECK_TEXT(names, "htuyz");
  for (int i = 0; i < 3; i++) tensor_free(&outputs[i]);
  model_free(&model);
}

TEST(evaluate_refuses_inputs_that_do_not_fit, "") {
  struct model *model = inferred("model ir 8 graph g(%x: f32[n,2], %z: f32[n]) { %y = Relu.14(%x) return %y, %z }");
  static const float zeros[16];
  struct tensor outputs[2], good[] = {f32(2, (int64_t[]){3, 2}, zeros), f32(1, (int64_t[]){3}, zeros)};
  REQUIRE_OK(graph_inputs_check(model, good));
  struct tensor bad[7][2];
  for (int i = 0; i < 7; i++) memcpy(bad[i], good, sizeof good);
  bad[0][0].dtype = DTYPE_F16;
  bad[1][0].rank = 1;
  bad[2][0].dims[1] = 3;
  bad[3][1].dims[0] = 4; // the symbol has two values
  bad[4][0].data = NULL;
  bad[5][0].dims[0] = -1;
  bad[6][0].rank = 100;
  for (int i = 0; i < 7; i++) {
    CHECK_MESSAGE(graph_evaluate(model, bad[i], outputs) == FARM_INVALID, "case %d", i);
    CHECK(strstr(status_message(), "input \"") != NULL);
  }
  model_free(&model);
}
