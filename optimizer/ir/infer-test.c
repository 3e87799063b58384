/* Inference: symbols travel, shape arithmetic is seen through, branches and loops are joined, sizes become concrete. */
#include "graph.h"

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

static struct value *named(struct model *model, const char *name) {
  struct value *value = map_get(&model->names, name);
  if (!value) test_fail(__FILE__, __LINE__, "no value %s", name);
  REQUIRE(value != NULL);
  return value;
}

static void type_check(struct model *model, const char *name, const char *expected) {
  char text[96];
  CHECK_TEXT(tensor_text(&named(model, name)->type, text, sizeof text), expected);
}

#define FLATTEN                                                                                                                  \
  "model ir 8 graph g(%x: f32[n,3,4]) {\n"                                                                                       \
  "  const %zero: i64[1] = {0}\n const %rest: i64[1] = {-1}\n"                                                                   \
  "  %s = Shape.13(%x)\n %n = Gather.13(%s, %zero)\n %t = Concat.13(%n, %rest) {axis = 0}\n %y = Reshape.14(%x, %t)\n"           \
  "  return %y }"

TEST(infer_sees_through_shape_arithmetic, "") {
  struct model *model = inferred(FLATTEN);
  type_check(model, "s", "i64[3]");
  type_check(model, "y", "f32[s0,12]");
  const struct value *shape = named(model, "s");
  REQUIRE(shape->known && shape->symbolic);
  CHECK(shape->symbolic[0] && shape->known[0] == DIM_FIRST_SYMBOL && !shape->symbolic[1] && shape->known[1] == 3 &&
        shape->known[2] == 4);
  model_free(&model);
}

TEST(infer_twice_changes_and_costs_nothing, "") {
  struct model *model = inferred(FLATTEN);
  size_t bytes = model->arena.total_bytes;
  const int64_t *known = named(model, "s")->known;
  REQUIRE_OK(graph_infer(model));
  CHECK(model->arena.total_bytes == bytes && named(model, "s")->known == known);
  model_free(&model);
}

TEST(infer_concrete_gives_every_type, "") {
  struct model *model = inferred(FLATTEN);
  struct tensor *types = calloc((size_t)model->next_value_id, sizeof *types);
  char text[96];
  REQUIRE_OK(graph_infer_concrete(model, (int64_t[]){5}, types));
  CHECK_TEXT(tensor_text(&types[named(model, "x")->id], text, sizeof text), "f32[5,3,4]");
  CHECK_TEXT(tensor_text(&types[named(model, "y")->id], text, sizeof text), "f32[5,12]");
  type_check(model, "y", "f32[s0,12]"); // the model keeps its symbols
  free(types);
  model_free(&model);
}

/* A size that goes through floats is known once the symbol has a value: ceil(n * 1.5). */
TEST(infer_concrete_runs_shape_arithmetic_in_floats, "") {
  struct model *model = inferred("model ir 8 graph g(%x: f32[n]) {\n"
                                 "  const %f: f32[] = {1.5}\n const %one: f32[1] = {1}\n"
                                 "  %s = Shape.13(%x)\n %sf = Cast.13(%s) {to = 1}\n %m = Mul.14(%sf, %f)\n %c = Ceil.13(%m)\n"
                                 "  %i = Cast.13(%c) {to = 7}\n %y = Expand.13(%one, %i)\n return %y }");
  struct tensor *types = calloc((size_t)model->next_value_id, sizeof *types);
  char text[96];
  type_check(model, "y", "f32[?]");
  REQUIRE_OK(graph_infer_concrete(model, (int64_t[]){5}, types));
  CHECK_TEXT(tensor_text(&types[named(model, "y")->id], text, sizeof text), "f32[8]");
  free(types);
  model_free(&model);
}

#define BRANCHES(condition, then_op)                                                                                             \
  "model ir 8 graph g(%x: f32[2,3], %z: f32[2,5], %c: bool[]) {\n"                                                               \
  "  const %yes: bool[] = {1}\n"                                                                                                 \
  "  %y = If.16(%" condition ") {then_branch = graph a() { %t = " then_op                                                        \
  " return %t }, else_branch = graph b() { %e = Neg.13(%z) return %e }}\n"                                                       \
  "  return %y }"

TEST(infer_joins_branches, "") {
  struct model *model = inferred(BRANCHES("c", "Neg.13(%x)"));
  type_check(model, "y", "f32[2,?]");
  model_free(&model);
  model = inferred(BRANCHES("c", "Flatten.13(%x) {axis = 0}"));
  type_check(model, "y", "f32[?,?]");
  model_free(&model);
  model = inferred(BRANCHES("c", "Identity.16(%z)"));
  type_check(model, "y", "f32[2,5]");
  model_free(&model);
}

TEST(infer_takes_the_branch_that_is_known, "") {
  struct model *model = inferred(BRANCHES("yes", "Neg.13(%x)"));
  type_check(model, "y", "f32[2,3]");
  model_free(&model);
}

#define LOOP(trip, next)                                                                                                         \
  "model ir 8 graph g(%x: f32[1,3], %n: i64[]) {\n"                                                                              \
  "  const %four: i64[] = {4}\n"                                                                                                 \
  "  %y, %all = Loop.16(%" trip ", _, %x) {body = graph body(%i, %go, %state) {\n"                                               \
  "    %again = Identity.16(%go)\n %next = " next "\n return %again, %next, %state }}\n"                                         \
  "  return %y, %all }"

TEST(infer_loops_until_types_agree, "") {
  struct model *model = inferred(LOOP("n", "Add.14(%state, %x)"));
  type_check(model, "y", "f32[1,3]");
  type_check(model, "all", "f32[?,1,3]");
  model_free(&model);
  model = inferred(LOOP("four", "Concat.13(%state, %x) {axis = 0}")); // grows
  type_check(model, "y", "f32[?,3]");
  type_check(model, "state", "f32[?,3]");
  type_check(model, "all", "f32[4,?,3]");
  model_free(&model);
}

TEST(infer_scans, "") {
  struct model *model =
      inferred("model ir 8 graph g(%sum: f32[2], %x: f32[b,7,2]) {\n"
               "  %last, %all = Scan.16(%sum, %x) {num_scan_inputs = 1, scan_input_axes = [1], scan_output_axes = [-1],\n"
               "    body = graph body(%s, %e) { %t = Add.14(%s, %e) return %s, %t }}\n"
               "  return %last, %all }");
  type_check(model, "e", "f32[s0,2]");
  type_check(model, "last", "f32[2]");
  type_check(model, "all", "f32[s0,2,7]");
  model_free(&model);
}

/* Each loop hands eight states round, of which one has another size: eight looks at its body, which holds the next loop. */
static void rotating_loops(char *text, int depth) {
  strcpy(text, "model ir 8 graph g(%a: f32[2], %b: f32[1], %n: i64[]) {\n");
  for (int i = 0; i < depth; i++) {
    sprintf(text + strlen(text),
            "%%y%d, _, _, _, _, _, _, _ = Loop.16(%%n, _, %%a, %%b, %%b, %%b, %%b, %%b, %%b, %%b) {body = graph b(%%i%d, %%c%d",
            i, i, i);
    for (int k = 0; k < 8; k++) sprintf(text + strlen(text), ", %%s%d_%d", i, k);
    strcat(text, ") {\n");
  }
  for (int i = depth - 1; i >= 0; i--) {
    sprintf(text + strlen(text), "return %%c%d", i);
    for (int k = 0; k < 8; k++) sprintf(text + strlen(text), ", %%s%d_%d", i, (k + 7) % 8);
    strcat(text, " }}\n");
  }
  strcat(text, "return %y0 }");
}

TEST(infer_of_nested_loops_ends, "timeout:20") {
  char text[8192];
  struct model *model = inferred((rotating_loops(text, 2), text));
  type_check(model, "y0", "f32[?]");
  model_free(&model);
  rotating_loops(text, 12); // 8^12 looks at the innermost body
  REQUIRE_OK(graph_parse(text, &model));
  CHECK(graph_infer(model) == FARM_UNSUPPORTED);
  CHECK(strstr(status_message(), "[rule: limit]") != NULL);
  model_free(&model);
}

TEST(infer_errors_name_the_node, "") {
  struct model *model = NULL;
  REQUIRE_OK(
      graph_parse("model ir 8 graph g(%x: f32[3], %z: f32[4]) { %y = Add.14(%x, %z) name \"the sum\" return %y }", &model));
  CHECK(graph_infer(model) == FARM_INVALID);
  CHECK(strstr(status_message(), "node \"the sum\" (Add)") != NULL);
  model_free(&model);
}
