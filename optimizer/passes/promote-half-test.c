/* Promotion of 16-bit floats: the graph's types stay, the inside is f32, and what it computes is what it was, within 16-bit
 * rounding. */
#include "pass.h"

#include "../../base/random.h"
#include "../../base/strbuf.h"
#include "../../tests/kit/test.h"
#include "../ir/evaluate.h"

#include <math.h>
#include <string.h>

static struct model *model_of(const char *text) {
  struct model *model = NULL;
  REQUIRE_OK(graph_parse(text, &model));
  REQUIRE_OK(graph_infer(model));
  return model;
}

static int nodes_of(const struct model *model, const char *name, enum dtype first_input) {
  int count = 0;
  for (const struct node *node = model->graph->first; node; node = node->next)
    count += strcmp(node->row->name, name) == 0 && node->inputs[0]->type.dtype == first_input;
  return count;
}

static void evaluate(const struct model *model, struct tensor *out) {
  struct tensor inputs[4] = {0};
  for (int k = 0; k < model->graph->input_count; k++) {
    inputs[k] = model->graph->inputs[k]->type;
    REQUIRE_OK(tensor_alloc(&inputs[k]));
    for (int64_t i = 0; i < tensor_elems(&inputs[k]); i++)
      dtype_store_f64(inputs[k].dtype, inputs[k].data, i, random_normal(5 + (uint64_t)k, (uint64_t)i));
  }
  REQUIRE_OK(graph_evaluate(model, inputs, out));
  for (int k = 0; k < model->graph->input_count; k++) tensor_free(&inputs[k]);
}

static void agree(const char *text, bool whole, double tolerance) {
  const struct pass_options options = {.only = whole ? NULL : "promote-half", .verify = true};
  struct model *before = model_of(text), *after = model_of(text);
  struct tensor expected[4] = {0}, actual[4] = {0};
  REQUIRE_OK(passes_run(after, &options, NULL));
  REQUIRE_OK(passes_run(after, &options, NULL)); // and nothing more the second time
  evaluate(before, expected);
  evaluate(after, actual);
  for (int k = 0; k < before->graph->output_count; k++) {
    REQUIRE(expected[k].dtype == actual[k].dtype && tensor_shape_equal(&expected[k], &actual[k]));
    for (int64_t i = 0; i < tensor_elems(&expected[k]); i++) {
      double e = dtype_load_f64(expected[k].dtype, expected[k].data, i), a = dtype_load_f64(actual[k].dtype, actual[k].data, i);
      CHECK_MESSAGE(fabs(a - e) <= tolerance * (1 + fabs(e)), "output %d, element %lld: %g, not %g", k, (long long)i, a, e);
    }
    tensor_free(&expected[k]);
    tensor_free(&actual[k]);
  }
  model_free(&before);
  model_free(&after);
}

static const char network[] =
    "model ir 8\ngraph g(%x: f16[4,6]) {\n"
    "const %w: f16[6,8] = random 3\nconst %b: f16[8] = random 4\n"
    "%h = Gemm.13(%x, %w, %b)\n%r = Relu.14(%h)\n%s = Softmax.13(%r) {axis = -1}\n%t = Transpose.13(%s)\n"
    "%y = Sqrt.13(%t)\nreturn %y, %r\n}\n";

TEST(promote_half_computes_inside_in_f32, "") {
  struct model *model = model_of(network);
  REQUIRE_OK(passes_run(model, &(struct pass_options){.only = "promote-half", .verify = true}, NULL));
  CHECK(model->graph->inputs[0]->type.dtype == DTYPE_F16);
  CHECK(model->graph->outputs[0]->type.dtype == DTYPE_F16 && model->graph->outputs[1]->type.dtype == DTYPE_F16);
  static const char *const promoted[] = {"Gemm", "Relu", "Softmax", "Transpose", "Sqrt"};
  for (int i = 0; i < 5; i++) CHECK(nodes_of(model, promoted[i], DTYPE_F32) == 1);
  CHECK(nodes_of(model, "Cast", DTYPE_F16) == 1); // the input's; weights are constants
  CHECK(nodes_of(model, "Cast", DTYPE_F32) == 2); // the outputs'; nothing is rounded in between
  model_free(&model);
  agree(network, false, 4e-3);
  agree(network, true, 4e-3);
}

/* What the model casts itself stays what it says. */
TEST(promote_half_keeps_casts, "") {
  const char text[] =
      "model ir 8\ngraph g(%x: f32[40], %z: bf16[40]) {\n%h = Cast.13(%x) {to = 10}\n%w = Cast.13(%h) {to = 1}\n"
      "%d = Sub.14(%x, %w)\n%n = Neg.13(%h)\n%i = Cast.13(%n) {to = 6}\n%q = Cast.13(%z) {to = 1}\nreturn %d, %i, %q, %n\n}\n";
  struct model *model = model_of(text);
  REQUIRE_OK(passes_run(model, &(struct pass_options){.only = "promote-half", .verify = true}, NULL));
  CHECK(nodes_of(model, "Neg", DTYPE_F32) == 1 && nodes_of(model, "Cast", DTYPE_BF16) == 1);
  model_free(&model);
  agree(text, false, 1e-3);
  agree(text, true, 1e-3);
}

/* Captured values and formal inputs of a branch. */
TEST(promote_half_within_subgraphs, "") {
  const char text[] =
      "model ir 8\ngraph g(%x: f16[8]) {\n%e = Exp.13(%x)\n%m = ReduceMax.13(%x) {keepdims = 0}\n%o = Sub.14(%m, %m)\n"
      "%c = Cast.13(%o) {to = 9}\n%y = If.16(%c) {\n"
      "then_branch = graph t() {\n%p = Add.14(%e, %x)\nreturn %p\n},\n"
      "else_branch = graph u() {\n%k = Mul.14(%e, %x)\n%l = Abs.13(%k)\nreturn %l\n}}\nreturn %y\n}\n";
  agree(text, false, 4e-3);
  agree(text, true, 4e-3);
}
