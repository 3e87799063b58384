/* Operations to problems: the texts they print, equality, constants, coalescing, what becomes an op. */
#include "operation.h"

#include "../tests/kit/test.h"

#include <stdlib.h>
#include <string.h>

static struct arena arena;

#define T(type, ...)                                                                                                             \
  (&(struct tensor){                                                                                                             \
      .dtype = DTYPE_##type, .rank = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), .dims = {__VA_ARGS__}})
#define SCALAR(type) (&(struct tensor){.dtype = DTYPE_##type})
#define LIST(...)                                                                                                                \
  (const struct tensor *[]) { __VA_ARGS__ }
#define INTS(attr_name, ...)                                                                                                     \
  {                                                                                                                              \
    .name = attr_name, .type = ATTR_INTS, .count = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                    \
    .ints = (int64_t[]) {                                                                                                        \
      __VA_ARGS__                                                                                                                \
    }                                                                                                                            \
  }
#define INT(attr_name, value)                                                                                                    \
  { .name = attr_name, .type = ATTR_INT, .count = 1, .i = value }
#define FLOAT(attr_name, value)                                                                                                  \
  { .name = attr_name, .type = ATTR_FLOAT, .count = 1, .f = value }
#define TEXT(attr_name, value)                                                                                                   \
  { .name = attr_name, .type = ATTR_STRING, .count = 1, .s = value, .length = sizeof(value) - 1 }
#define ATTRS(...)                                                                                                               \
  (struct attr[]) { __VA_ARGS__ }

static const struct attr none[] = {INT("", 0)};

/* "[domain.]Name" at an opset; attrs end at the first with an empty name. */
static const char *text_of(const char *domain, const char *name, int opset, const struct attr *attrs,
                           const struct tensor **inputs, uint64_t constants, const struct tensor *output) {
  struct operation operation = {operator_find(domain, name, opset), {attrs, 0}, opset};
  struct problem problem;
  int input_count = 0;
  REQUIRE(operation.row);
  while (attrs[operation.attrs.count].name && attrs[operation.attrs.count].name[0]) operation.attrs.count++;
  while (inputs[input_count]) input_count++;
  enum farm_status status = operation_problem(&operation, inputs, input_count, constants, &output, 1, &arena, &problem);
  if (status != FARM_OK) return arena_printf(&arena, "%s", status_name(status));
  struct problem again;
  const char *text = problem_print(&problem, &arena);
  REQUIRE_OK(problem_parse(text, &arena, &again));
  CHECK_TEXT(problem_print(&again, &arena), text);
  return text;
}
#define ONNX(...) text_of("", __VA_ARGS__)
#define FUSED(name, ...) text_of("tunefarm", name, 1, __VA_ARGS__)
#define END                                                                                                                      \
  { .name = "" }

TEST(operation_products, "") {
  CHECK_TEXT(ONNX("MatMul", 13, none, LIST(T(F32, 8, 4), T(F32, 4, 6), NULL), 2, T(F32, 8, 6)),
             "gemm m8 n6 k4 f32 acc:f32 w:const");
  CHECK_TEXT(ONNX("MatMul", 13, none, LIST(T(F32, 2, 3, 8, 4), T(F32, 4, 6), NULL), 2, T(F32, 2, 3, 8, 6)),
             "gemm m48 n6 k4 f32 acc:f32 w:const");
  CHECK_TEXT(ONNX("MatMul", 13, none, LIST(T(F32, 2, 3, 8, 4), T(F32, 2, 3, 4, 6), NULL), 0, T(F32, 2, 3, 8, 6)),
             "gemm b6 m8 n6 k4 f32 acc:f32");
  CHECK_TEXT(ONNX("MatMul", 13, none, LIST(T(F32, 8, 4), T(F32, 5, 4, 6), NULL), 1, T(F32, 5, 8, 6)),
             "gemm b5 m8 n6 k4 ashared f32 acc:f32 a:const");
  CHECK_TEXT(ONNX("MatMul", 13, none, LIST(T(F32, 4), T(F32, 4, 6), NULL), 0, T(F32, 6)), "gemm m1 n6 k4 f32 acc:f32");
  CHECK_TEXT(ONNX("MatMul", 13, none, LIST(T(F32, 2, 1, 8, 4), T(F32, 1, 3, 4, 6), NULL), 0, T(F32, 2, 3, 8, 6)),
             "op MatMul-13 in:f32[2,1,8,4] in:f32[1,3,4,6] out:f32[2,3,8,6]");
  CHECK_TEXT(ONNX("MatMul", 13, none, LIST(T(I32, 8, 4), T(I32, 4, 6), NULL), 0, T(I32, 8, 6)),
             "op MatMul-13 in:i32[8,4] in:i32[4,6] out:i32[8,6]");
  CHECK_TEXT(ONNX("MatMul", 13, none, LIST(T(F32, 8, 4), T(F32, 5, 6), NULL), 0, T(F32, 8, 6)), "INVALID");
  CHECK_TEXT(ONNX("MatMul", 13, none, LIST(T(F32, 0, 4), T(F32, 4, 6), NULL), 0, T(F32, 0, 6)),
             "op MatMul-13 in:f32[0,4] in:f32[4,6] out:f32[0,6]");
  CHECK_TEXT(ONNX("Relu", 14, none, LIST(T(F32, 2, 0, 4), NULL), 0, T(F32, 2, 0, 4)), "op Relu-14 in:f32[2,0,4] out:f32[2,0,4]");
  CHECK_TEXT(ONNX("Transpose", 13, none, LIST(T(F32, 2, 0, 4), NULL), 0, T(F32, 4, 0, 2)),
             "op Transpose-13 in:f32[2,0,4] out:f32[4,0,2]");
  CHECK_TEXT(ONNX("Gemm", 13, ATTRS(INT("transB", 1), END), LIST(T(F32, 8, 4), T(F32, 6, 4), T(F32, 6), NULL), 6, T(F32, 8, 6)),
             "gemm m8 n6 k4 tb f32 acc:f32 w:const +bias");
  CHECK_TEXT(ONNX("Gemm", 13, ATTRS(FLOAT("alpha", 0.5f), END), LIST(T(F32, 8, 4), T(F32, 4, 6), NULL), 0, T(F32, 8, 6)),
             "gemm m8 n6 k4 f32 acc:f32 +scale");
  CHECK_TEXT(FUSED("Gemm", ATTRS(INT("trans_a", 1), TEXT("epilogue", "bias,clip(0,6),add"), END),
                   LIST(T(F16, 3, 4, 8), T(F16, 4, 6), T(F16, 6), T(F16, 3, 8, 6), NULL), 2, T(F16, 3, 8, 6)),
             "gemm b3 m8 n6 k4 ta bshared f16 acc:f32 w:const +bias +clip +add");
  arena_free(&arena);
}

TEST(operation_convolutions_and_pools, "") {
  CHECK_TEXT(ONNX("Conv", 11, ATTRS(INTS("pads", 1, 1, 1, 1), END),
                  LIST(T(F32, 1, 64, 56, 56), T(F32, 64, 64, 3, 3), T(F32, 64), NULL), 6, T(F32, 1, 64, 56, 56)),
             "conv2d n1 c64 h56 w56 k64 r3 s3 pad1 f32 acc:f32 w:const +bias");
  CHECK_TEXT(ONNX("Conv", 11, ATTRS(TEXT("auto_pad", "SAME_UPPER"), INTS("strides", 2, 2), END),
                  LIST(T(F32, 1, 3, 6, 6), T(F32, 8, 3, 3, 3), NULL), 0, T(F32, 1, 8, 3, 3)),
             "conv2d n1 c3 h6 w6 k8 r3 s3 stride2 padb1 padr1 f32 acc:f32");
  CHECK_TEXT(ONNX("Conv", 11, ATTRS(INTS("pads", 1, 2), INT("group", 2), END), LIST(T(F32, 1, 4, 10), T(F32, 6, 2, 3), NULL), 0,
                  T(F32, 1, 6, 11)),
             "conv2d n1 c4 h1 w10 k6 r1 s3 padl1 padr2 g2 f32 acc:f32");
  const struct attr nhwc[] = {TEXT("layout", "nhwc"), INTS("pads", 1, 1, 1, 1), TEXT("epilogue", "bias,add,relu"), END};
  CHECK_TEXT(FUSED("Conv", nhwc, LIST(T(F32, 1, 56, 48, 64), T(F32, 32, 64, 3, 3), T(F32, 32), T(F32, 1, 56, 48, 32), NULL), 2,
                   T(F32, 1, 56, 48, 32)),
             "conv2d n1 c64 h56 w48 k32 r3 s3 pad1 f32 acc:f32 w:const +bias +add +relu");
  CHECK_TEXT(ONNX("MaxPool", 12, ATTRS(INTS("kernel_shape", 3, 3), INTS("strides", 2, 2), INT("ceil_mode", 1), END),
                  LIST(T(F32, 1, 8, 10, 9), NULL), 0, T(F32, 1, 8, 5, 4)),
             "pool2d max n1 c8 h10 w9 r3 s3 stride2 ceil f32");
  CHECK_TEXT(ONNX("GlobalAveragePool", 13, none, LIST(T(F32, 1, 8, 7, 7), NULL), 0, T(F32, 1, 8, 1, 1)),
             "pool2d average n1 c8 h7 w7 r7 s7 f32");
  CHECK_TEXT(FUSED("Pool", ATTRS(TEXT("mode", "average"), INT("global", 1), TEXT("layout", "nhwc"), END),
                   LIST(T(F32, 1, 7, 6, 8), NULL), 0, T(F32, 1, 1, 1, 8)),
             "pool2d average n1 c8 h7 w6 r7 s6 f32");
  CHECK_TEXT(ONNX("Conv", 11, none, LIST(T(F32, 1, 2, 4, 4, 4), T(F32, 2, 2, 1, 1, 1), NULL), 0, T(F32, 1, 2, 4, 4, 4)),
             "op Conv-11 in:f32[1,2,4,4,4] in:f32[2,2,1,1,1] out:f32[1,2,4,4,4]");
  arena_free(&arena);
}

TEST(operation_rows_of_numbers, "") {
  CHECK_TEXT(ONNX("Softmax", 13, ATTRS(INT("axis", 1), END), LIST(T(F32, 2, 3, 4), NULL), 0, T(F32, 2, 3, 4)),
             "softmax outer2 len3 inner4 f32");
  CHECK_TEXT(ONNX("LogSoftmax", 11, none, LIST(T(F32, 2, 3, 4), NULL), 0, T(F32, 2, 3, 4)), "softmax log outer2 len12 f32");
  CHECK_TEXT(ONNX("LayerNormalization", 17, none, LIST(T(F32, 2, 3, 8), T(F32, 8), T(F32, 8), NULL), 6, T(F32, 2, 3, 8)),
             "norm layer rows6 len8 f32");
  CHECK_TEXT(ONNX("LayerNormalization", 17, none, LIST(T(F32, 2, 3, 8), T(F32, 8), NULL), 2, T(F32, 2, 3, 8)),
             "norm layer rows6 len8 bias0 f32");
  CHECK_TEXT(
      ONNX("Transpose", 13, ATTRS(INTS("perm", 0, 2, 3, 1), END), LIST(T(F32, 1, 64, 56, 56), NULL), 0, T(F32, 1, 56, 56, 64)),
      "transpose d64 d3136 perm10 f32");
  CHECK_TEXT(ONNX("Transpose", 13, none, LIST(T(I64, 2, 3), NULL), 0, T(I64, 3, 2)), "transpose d2 d3 perm10 i64");
  CHECK_TEXT(FUSED("Attention", ATTRS(INT("heads", 4), INT("order", 2), INT("causal", 1), END), LIST(T(F32, 2, 5, 48), NULL), 0,
                   T(F32, 2, 5, 16)),
             "attention b2 heads4 kvheads4 seq5 kv5 d4 dv4 causal order2 f32 acc:f32");
  CHECK_TEXT(FUSED("Attention", ATTRS(INT("heads", 4), INT("kv_heads", 2), INT("mask", 2), END),
                   LIST(T(F32, 2, 4, 5, 8), T(F32, 2, 2, 7, 8), T(F32, 2, 2, 7, 6), T(F32, 2, 1, 1, 7), NULL), 0,
                   T(F32, 2, 4, 5, 6)),
             "attention b2 heads4 kvheads2 seq5 kv7 d8 dv6 mask2 f32 acc:f32");
  arena_free(&arena);
}

TEST(operation_maps, "") {
  CHECK_TEXT(ONNX("Add", 13, none, LIST(T(F32, 2, 3, 4), T(F32, 4), NULL), 2, T(F32, 2, 3, 4)),
             "map d6 d4 in:f32[01] in:f32[.1] out:f32 {%2=add %0 %1;out %2}");
  CHECK_TEXT(ONNX("Add", 13, none, LIST(T(F32, 6, 4), T(F32, 1, 4), NULL), 0, T(F32, 6, 4)),
             "map d6 d4 in:f32[01] in:f32[.1] out:f32 {%2=add %0 %1;out %2}");
  CHECK_TEXT(ONNX("Relu", 13, none, LIST(T(F16, 2, 3, 4), NULL), 0, T(F16, 2, 3, 4)),
             "map d24 in:f16[0] out:f16 {%1=relu %0;out %1}");
  CHECK_TEXT(ONNX("Cast", 13, ATTRS(INT("to", DTYPE_F16), END), LIST(T(F32, 5), NULL), 0, T(F16, 5)),
             "map d5 in:f32[0] out:f16 {out %0}");
  CHECK_TEXT(ONNX("Add", 13, none, LIST(T(I64, 4), T(I64, 4), NULL), 0, T(I64, 4)), "op Add-13 in:i64[4] in:i64[4] out:i64[4]");
  CHECK_TEXT(ONNX("Mul", 13, none, LIST(SCALAR(F32), SCALAR(F32), NULL), 0, SCALAR(F32)),
             "map d1 in:f32[0] in:f32[0] out:f32 {%2=mul %0 %1;out %2}");
  CHECK_TEXT(ONNX("Greater", 13, none, LIST(T(F32, 4), T(F32, 4), NULL), 0, T(BOOL, 4)),
             "op Greater-13 in:f32[4] in:f32[4] out:bool[4]");
  CHECK_TEXT(text_of("com.microsoft", "BiasAdd", 1, none, LIST(T(F32, 2, 64, 320), T(F32, 320), T(F32, 2, 64, 320), NULL), 2,
                     T(F32, 2, 64, 320)),
             "map d128 d320 in:f32[01] in:f32[.1] in:f32[01] out:f32 {%3=add %0 %1;%4=add %2 %3;out %4}");
  const struct attr bias_gelu[] = {TEXT("program", "{%2=add %0 %1;%3=gelu %2;out %3}"), END};
  CHECK_TEXT(FUSED("Map", bias_gelu, LIST(T(F32, 128, 768), T(F32, 768), NULL), 0, T(F32, 128, 768)),
             "map d128 d768 in:f32[01] in:f32[.1] out:f32 {%2=add %0 %1;%3=gelu %2;out %3}");
  const struct attr mean[] = {TEXT("program", "{out mean %0}"), INTS("axes", -1, 2), END};
  CHECK_TEXT(FUSED("Map", mean, LIST(T(F32, 1, 64, 7, 7), NULL), 0, T(F32, 1, 64, 1, 1)),
             "map d64 r49 in:f32[01] out:f32 {out mean %0}");
  const struct attr crooked[] = {TEXT("program", "{%2=add %1 %0;out %2}"), END};
  CHECK_TEXT(FUSED("Map", crooked, LIST(T(F32, 4), T(F32, 4), NULL), 0, T(F32, 4)), "INVALID");
  arena_free(&arena);
}

TEST(operation_texts_of_the_rest, "") {
  CHECK_TEXT(ONNX("Concat", 13, ATTRS(INT("axis", 1), END), LIST(T(F32, 2, 3), T(F32, 2, 4), NULL), 0, T(F32, 2, 7)),
             "op Concat-13 axis=1 in:f32[2,3] in:f32[2,4] out:f32[2,7]");
  CHECK_TEXT(ONNX("Elu", 13, ATTRS(FLOAT("alpha", 0.1f), END), LIST(T(F64, 2), NULL), 0, T(F64, 2)),
             "op Elu-6 alpha=0.1 in:f64[2] out:f64[2]");
  arena_free(&arena);
}

TEST(operation_scalars_carry_parameters, "") {
  const struct attr attrs[] = {TEXT("epilogue", "bias,clip(-1,2.5)")};
  struct operation gemm = {operator_find("tunefarm", "Gemm", 1), {attrs, 1}, 1};
  struct operation_scalars scalars;
  REQUIRE_OK(operation_scalars(&gemm, 3, &scalars));
  CHECK(scalars.epilogue.count == 2 && scalars.epilogue.steps[1].p[0] == -1 && scalars.epilogue.steps[1].p[1] == 2.5f);
  const struct attr alpha[] = {FLOAT("alpha", 0.3f)};
  struct operation leaky = {operator_find("", "LeakyRelu", 16), {alpha, 1}, 16};
  REQUIRE_OK(operation_scalars(&leaky, 1, &scalars));
  CHECK(scalars.params[0] == 0 && scalars.params[1] == 0.3f);
  const struct attr program[] = {TEXT("program", "{%1=mul %0 $0;out %1}"),
                                 {.name = "params", .type = ATTR_FLOATS, .count = 1, .floats = (const float[]){7}}};
  struct operation map = {operator_find("tunefarm", "Map", 1), {program, 2}, 1};
  REQUIRE_OK(operation_scalars(&map, 1, &scalars));
  CHECK(scalars.params[0] == 7);
  const struct attr epsilon[] = {FLOAT("epsilon", 1e-12f)};
  struct operation norm = {operator_find("", "LayerNormalization", 17), {epsilon, 1}, 17};
  REQUIRE_OK(operation_scalars(&norm, 3, &scalars));
  CHECK(scalars.epsilon == 1e-12f);
}
