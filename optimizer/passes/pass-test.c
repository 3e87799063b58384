/* Each pass on a small graph, as a difference of texts; the report; switching off. What passes compute is random-graph-test.c's
 * business. */
#include "pass.h"

#include "../../base/strbuf.h"
#include "../../tests/kit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The body of the graph after the passes (all when only is NULL), constants and types of nodes left out: "%y = Op.1(%x) {…}"
 * lines. */
static void check_pass(const char *only, const char *inputs, const char *body, const char *expected) {
  struct strbuf text = {0}, out = {0}, nodes = {0};
  struct model *model = NULL;
  const struct pass_options options = {.only = only, .verify = true};
  strbuf_printf(&text, "model ir 8\ngraph g(%s) {\n%s\n}\n", inputs, body);
  REQUIRE_OK(graph_parse(strbuf_text(&text), &model));
  REQUIRE_OK(graph_infer(model));
  REQUIRE_OK(passes_run(model, &options, NULL));
  REQUIRE_OK(graph_print(model, &out));
  for (char *line = strtok(strstr(out.data, "{\n") + 2, "\n"); line; line = strtok(NULL, "\n")) {
    while (*line == ' ') line++;
    char *from = strstr(line, " from \""), *type = strchr(line, ':'), *equals = strstr(line, " = ");
    if (!strncmp(line, "const ", 6) || *line == '}') continue;
    if (from) *from = 0;
    if (type && equals && type < equals) strbuf_add_bytes(&nodes, line, (size_t)(type - line)), line = equals;
    strbuf_printf(&nodes, "%s\n", line);
  }
  CHECK_TEXT(strbuf_text(&nodes), expected);
  strbuf_free(&text), strbuf_free(&out), strbuf_free(&nodes);
  model_free(&model);
}

TEST(pass_eliminate_dead, "") {
  check_pass("eliminate-dead", "%x: f32[4]", "%a = Neg.13(%x)\n%b = Neg.13(%a)\n%y = Abs.13(%x)\nreturn %y",
             "%y = Abs.13(%x)\nreturn %y\n");
  check_pass(NULL, "%x: f32[4]", "%a, %m = Dropout.13(%x)\n%y = Softmax.13(%a)\nreturn %y",
             "%y = Softmax.13(%x)\nreturn %y\n"); // an output that nothing uses
}

TEST(pass_remove_noops, "") {
  check_pass("remove-noops", "%x: f32[4,2]",
             "%a = Identity.13(%x)\n%b = Transpose.13(%a) {perm = [0, 1]}\n%c = Cast.13(%b) {to = 1}\n%y = Abs.13(%c)\nreturn %y",
             "%y = Abs.13(%x)\nreturn %y\n");
  check_pass("remove-noops", "%x: f32[4,2]", "%a = Neg.13(%x)\n%y = Identity.13(%a)\nreturn %y",
             "%y = Neg.13(%x)\nreturn %y\n"); // the name stays
  check_pass("remove-noops", "%x: f32[4,2]", "%y = Identity.13(%x)\nreturn %y", "%y = Identity.13(%x)\nreturn %y\n");
}

TEST(pass_fold_constants, "") {
  check_pass(NULL, "%x: f32[3]",
             "const %a: f32[3] = {1, 2, 3}\nconst %b: f32[3] = {1, 1, 1}\n%c = Add.14(%a, %b)\n%y = Concat.13(%x, %c) {axis = "
             "0}\nreturn %y",
             "%y = Concat.13(%x, %c) {axis = 0}\nreturn %y\n");
  check_pass("fold-constants", "%x: f32[3,5]", "%s = Shape.13(%x)\n%y = ConstantOfShape.9(%s)\nreturn %y",
             "%y = Identity.13(%y~2)\nreturn %y\n");
  check_pass("fold-constants", "%x: f32[1,1000]", // four times the bytes, but not more elements
             "const %q: i8[1000,900] = random 5\nconst %s: f32[] = {0.5}\nconst %z: i8[] = {3}\n"
             "%w = DequantizeLinear.13(%q, %s, %z)\n%y = MatMul.13(%x, %w)\nreturn %y",
             "%y = MatMul.13(%x, %w)\nreturn %y\n");
  check_pass("fold-constants", "%x: f32[1,1000]", // a weight repeated stays small in the file
             "const %w: f32[1,1000] = random 5\nconst %n: i64[2] = {1000, 1}\n%e = Expand.13(%w, %n)\n%y = MatMul.13(%x, "
             "%e)\nreturn %y",
             "%e = Expand.13(%w, %n)\n%y = MatMul.13(%x, %e)\nreturn %y\n");
}

TEST(pass_canonicalise_quantisation, "") {
  const char *const parameters = "const %s: f32[] = {0.5}\nconst %z: u8[] = {3}\nconst %o: u8[] = {4}\n";
  char body[512];
  snprintf(body, sizeof body, "%s%%q = QuantizeLinear.13(%%x, %%s, %%z)\n%%y = DequantizeLinear.13(%%q, %%s, %%z)\nreturn %%y",
           parameters);
  check_pass("canonicalise-quantisation", "%x: f32[2,4]", body,
             "%q = QuantizeLinear.13(%x, %s, %z)\n%quantum~5 = Div.14(%x, %quantum)\n%quantum~6 = IsNaN.13(%quantum~5)\n"
             "%quantum~7 = Where.16(%quantum~6, %quantum~2, %quantum~5)\n%quantum~8 = Round.11(%quantum~7)\n"
             "%quantum~9 = Clip.13(%quantum~8, %quantum~3, %quantum~4)\n%y = Mul.14(%quantum~9, %quantum)\nreturn %y\n");
  snprintf(body, sizeof body, "%s%%q = QuantizeLinear.13(%%x, %%s, %%z)\n%%y = DequantizeLinear.13(%%q, %%s, %%o)\nreturn %%y",
           parameters);
  check_pass("canonicalise-quantisation", "%x: f32[2,4]", body, // another zero point
             "%q = QuantizeLinear.13(%x, %s, %z)\n%y = DequantizeLinear.13(%q, %s, %o)\nreturn %y\n");
}

TEST(pass_common_subexpressions, "") {
  check_pass(
      "common-subexpressions", "%x: f32[3]",
      "const %a: f32[1] = {2}\nconst %b: f32[1] = {2}\n%c = Mul.14(%x, %a)\n%d = Mul.14(%x, %b)\n%y = Add.14(%c, %d)\nreturn %y",
      "%c = Mul.14(%x, %a)\n%y = Add.14(%c, %c)\nreturn %y\n");
}

TEST(pass_fold_batchnorm, "") {
  const char *constants = "const %w: f32[4,3,1,1] = random 1\nconst %s: f32[4] = {1, 2, 3, 4}\nconst %b: f32[4] = {0, 1, 2, "
                          "3}\nconst %m: f32[4] = {0, 0, 1, 1}\n"
                          "const %v: f32[4] = {1, 1, 2, 2}\n";
  char body[1024];
  snprintf(body, sizeof body,
           "%s%%c = Conv.11(%%x, %%w) {pads = [1, 1, 1, 1]}\n%%y = BatchNormalization.9(%%c, %%s, %%b, %%m, %%v)\nreturn %%y",
           constants);
  check_pass("fold-batchnorm", "%x: f32[1,3,8,8]", body, "%y = Conv.11(%x, %w~2, %b~2) {pads = [1, 1, 1, 1]}\nreturn %y\n");
}

TEST(pass_canonicalise, "") {
  check_pass("canonicalise-activation", "%x: f32[2,4]",
             "const %r: f32[] = {1.4142135}\nconst %one: f32[] = {1}\nconst %h: f32[] = {0.5}\n%a = Div.14(%x, %r)\n%e = "
             "Erf.13(%a)\n%f = Add.14(%e, %one)\n"
             "%g = Mul.14(%x, %f)\n%y = Mul.14(%g, %h)\nreturn %y",
             "%y = tunefarm::Map.1(%x) {program = \"{%1=gelu %0;out %1}\"}\nreturn %y\n");
  check_pass("canonicalise-activation", "%x: f32[2,4]", "%a = Sigmoid.13(%x)\n%y = Mul.14(%a, %x)\nreturn %y",
             "%y = tunefarm::Map.1(%x) {program = \"{%1=silu %0;out %1}\"}\nreturn %y\n");
  check_pass("canonicalise-activation", "%x: f32[2,4]", "%a = Sigmoid.13(%x)\n%y = Mul.14(%a, %x)\nreturn %y, %a",
             "%a = Sigmoid.13(%x)\n%y = Mul.14(%a, %x)\nreturn %y, %a\n"); // used elsewhere
  check_pass("canonicalise-norm", "%x: f32[2,5,4]",
             "const %two: f32[] = {2}\nconst %eps: f32[] = {1e-12}\nconst %g: f32[4] = random 1\nconst %b: f32[4] = random 2\n%m "
             "= ReduceMean.13(%x) {axes = [-1]}\n"
             "%d = Sub.14(%x, %m)\n%p = Pow.13(%d, %two)\n%v = ReduceMean.13(%p) {axes = [-1]}\n%a = Add.14(%v, %eps)\n%s = "
             "Sqrt.13(%a)\n%n = Div.14(%d, %s)\n"
             "%z = Mul.14(%n, %g)\n%y = Add.14(%z, %b)\nreturn %y",
             "%y = LayerNormalization.17(%x, %g, %b) {axis = -1, epsilon = 1e-12}\nreturn %y\n");
  check_pass("canonicalise-gemm", "%x: f32[2,4]",
             "const %w: f32[3,4] = random 1\nconst %b: f32[1,3] = random 2\n%y = Gemm.13(%x, %w, %b) {transB = 1, alpha = "
             "0.5}\nreturn %y",
             "%y = tunefarm::Gemm.1(%x, %w, %b~2) {trans_b = 1, epilogue = \"scale(0.5),bias\"}\nreturn %y\n");
  check_pass("canonicalise-conv", "%x: f32[1,3,8,8]", "%y = GlobalAveragePool.1(%x)\nreturn %y",
             "%y = tunefarm::Pool.1(%x) {global = 1, mode = \"average\"}\nreturn %y\n");
}

TEST(pass_views_and_transposes, "") {
  check_pass(NULL, "%x: f32[2,3,4]",
             "const %s: i64[2] = {6, 4}\nconst %t: i64[3] = {2, 3, 4}\n%a = Reshape.13(%x, %s)\n%b = Reshape.13(%a, %t)\n%y = "
             "Softmax.13(%b)\nreturn %y",
             "%y = Softmax.13(%x)\nreturn %y\n");
  check_pass(NULL, "%x: f32[2,3,4]",
             "%a = Transpose.13(%x) {perm = [0, 2, 1]}\n%b = Transpose.13(%a) {perm = [0, 2, 1]}\n%y = Softmax.13(%b)\nreturn %y",
             "%y = Softmax.13(%x)\nreturn %y\n");
  check_pass(NULL, "%x: f32[2,3,4], %k: f32[2,5,4]",
             "%t = Transpose.13(%k) {perm = [0, 2, 1]}\n%y = MatMul.13(%x, %t)\nreturn %y",
             "%y = tunefarm::Gemm.1(%x, %k) {trans_b = 1}\nreturn %y\n");
}

TEST(pass_fuse_epilogue, "") {
  check_pass(NULL, "%x: f32[1,4,8,8], %r: f32[1,4,8,8]",
             "const %w: f32[4,4,3,3] = random 1\nconst %b: f32[4] = random 2\nconst %z: f32[] = {0}\nconst %six: f32[] = {6}\n%c "
             "= Conv.11(%x, %w, %b) {pads = [1, 1, 1, 1]}\n"
             "%a = Add.14(%r, %c)\n%y = Clip.13(%a, %z, %six)\nreturn %y",
             "%y = tunefarm::Conv.1(%x, %w, %b, %r) {pads = [1, 1, 1, 1], epilogue = \"bias,add,clip(0,6)\"}\nreturn %y\n");
  check_pass(NULL, "%x: f32[2,5,8]",
             "const %w: f32[8,4] = random 1\nconst %b: f32[4] = random 2\n%c = MatMul.13(%x, %w)\n%a = Add.14(%b, %c)\n%y = "
             "Relu.14(%a)\nreturn %y, %a",
             "%a = tunefarm::Gemm.1(%x, %w, %b) {epilogue = \"bias\"}\n%y = tunefarm::Map.1(%a) {program = \"{%1=relu %0;out "
             "%1}\"}\nreturn %y, %a\n");
}

TEST(pass_fuse_maps, "") {
  check_pass(NULL, "%x: f32[2,3,4], %b: f32[4]",
             "const %h: f32[] = {0.5}\nconst %ax: i64[1] = {-1}\n%a = Add.14(%b, %x)\n%t = Tanh.13(%a)\n%m = Mul.14(%t, %h)\n%y "
             "= ReduceSum.13(%m, %ax) {keepdims = 0}\nreturn %y",
             "%y = tunefarm::Map.1(%x, %b) {program = \"{%2=add %0 %1;%3=tanh %2;%4=mul %3 $0;out sum %4}\", params = [0.5], "
             "axes = [-1], keepdims = 0}\nreturn %y\n");
  /* a value used twice is computed once; a smaller one is not spread */
  check_pass(NULL, "%x: f32[2,3], %b: f32[3]", "%e = Exp.13(%b)\n%y = Mul.14(%x, %e)\nreturn %y",
             "%e = tunefarm::Map.1(%b) {program = \"{%1=exp %0;out %1}\"}\n%y = tunefarm::Map.1(%x, %e) {program = \"{%2=mul %0 "
             "%1;out %2}\"}\nreturn %y\n");
  check_pass(NULL, "%x: i64[2,3]", "const %one: i64[] = {1}\n%y = Add.14(%x, %one)\nreturn %y",
             "%y = Add.14(%x, %one)\nreturn %y\n");
  check_pass(NULL, "%x: f32[2,3], %z: f32[2,3]", "%c = Less.13(%x, %z)\n%y = Where.9(%c, %x, %z)\nreturn %y",
             "%y = tunefarm::Map.1(%x, %z) {program = \"{%2=less %0 %1;%3=where %2 %0 %1;out %3}\"}\nreturn %y\n");
}

static const char bert_layer[] =
    "const %wq: f32[8,8] = random 1\nconst %wk: f32[8,8] = random 2\nconst %wv: f32[8,8] = random 3\nconst %bq: f32[8] = random "
    "4\nconst %bk: f32[8] = random 5\n"
    "const %bv: f32[8] = random 6\nconst %split: i64[4] = {0, 0, 2, 4}\nconst %join: i64[3] = {0, 0, 8}\nconst %root: f32[] = "
    "{2}\n"
    "%q0 = MatMul.13(%x, %wq)\n%q1 = Add.14(%bq, %q0)\n%q2 = Reshape.13(%q1, %split)\n%q = Transpose.13(%q2) {perm = [0, 2, 1, "
    "3]}\n"
    "%k0 = MatMul.13(%x, %wk)\n%k1 = Add.14(%bk, %k0)\n%k2 = Reshape.13(%k1, %split)\n%k = Transpose.13(%k2) {perm = [0, 2, 3, "
    "1]}\n"
    "%v0 = MatMul.13(%x, %wv)\n%v1 = Add.14(%bv, %v0)\n%v2 = Reshape.13(%v1, %split)\n%v = Transpose.13(%v2) {perm = [0, 2, 1, "
    "3]}\n"
    "%s0 = MatMul.13(%q, %k)\n%s1 = Div.14(%s0, %root)\n%s2 = Add.14(%s1, %mask)\n%p = Softmax.13(%s2)\n%c0 = MatMul.13(%p, %v)\n"
    "%c1 = Transpose.13(%c0) {perm = [0, 2, 1, 3]}\n%y = Reshape.13(%c1, %join)\nreturn %y";

TEST(pass_attention_of_bert, "") {
  check_pass(NULL, "%x: f32[batch,seq,8], %mask: f32[batch,1,1,seq]", bert_layer,
             "%v~3 = tunefarm::Gemm.1(%x, %wq~2, %bq~2) {epilogue = \"bias\"}\n"
             "%y = tunefarm::Attention.1(%v~3, %mask) {heads = 2, mask = 2, scale = 0.5, order = 2}\nreturn %y\n");
}

TEST(pass_names_can_be_switched_off, "") {
  struct model *model = NULL;
  const char *const unknown[] = {"fuse-everything", NULL}, *const off[] = {"fuse-maps", "canonicalise-activation", NULL};
  struct pass_report report = {0};
  REQUIRE_OK(graph_parse(
      "model ir 8\ngraph g(%x: f32[2]) {\n  %a = Sigmoid.13(%x) name \"s\"\n  %b = Mul.14(%a, %x) name \"m\"\n  return %b\n}\n",
      &model));
  REQUIRE_OK(graph_infer(model));
  CHECK(passes_run(model, &(struct pass_options){.off = unknown}, NULL) == FARM_USAGE);
  REQUIRE_OK(passes_run(model, &(struct pass_options){.off = off, .verify = true}, &report));
  CHECK(report.count == 0);
  REQUIRE_OK(passes_run(model, &(struct pass_options){.verify = true}, &report));
  REQUIRE(report.count >= 1);
  CHECK_TEXT(report.events[0].pass, "canonicalise-activation");
  CHECK_TEXT(report.events[0].origins, "s,m");
  CHECK_TEXT(report.events[0].result, "Map");
  pass_report_free(&report);
  model_free(&model);
}
