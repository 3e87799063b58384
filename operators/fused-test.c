/* Fused operators compute what the ONNX operators they stand for compute: every reference against a chain of other references. */
#include "operator.h"

#include "../base/arena.h"
#include "../base/random.h"
#include "../tests/kit/test.h"

#include <math.h>
#include <string.h>

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
#define RUN(domain, name, opset, list, ...)                                                                                      \
  run(domain, name, opset, (const struct attr[]){__VA_ARGS__},                                                                   \
      (int)(sizeof((const struct attr[]){__VA_ARGS__}) / sizeof(struct attr)), list)
#define LIST(...)                                                                                                                \
  (const struct tensor *[]) { __VA_ARGS__, NULL }
#define RANDOM(seed, ...)                                                                                                        \
  random_tensor(seed, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__})

static const struct tensor *random_tensor(uint64_t seed, int rank, const int64_t *dims) {
  static struct tensor pool[256];
  static int used;
  struct tensor *t = &pool[used++];
  REQUIRE(used < 256);
  *t = (struct tensor){.dtype = DTYPE_F32, .rank = rank};
  memcpy(t->dims, dims, sizeof *dims * (size_t)rank);
  REQUIRE_OK(tensor_alloc(t));
  for (int64_t i = 0; i < tensor_elems(t); i++) ((float *)t->data)[i] = (float)random_normal(seed, (uint64_t)i);
  return t;
}

static const struct tensor *run(const char *domain, const char *name, int opset, const struct attr *items, int count,
                                const struct tensor **inputs) {
  static struct tensor pool[256];
  static int used;
  struct arena arena = {0};
  struct attrs attrs = {items, items[0].name ? count : 0};
  struct shape_info infos[8], output = {.type = {.rank = -1}};
  const struct shape_info *pointers[8];
  int n = 0;
  for (; inputs[n]; n++) {
    infos[n] = (struct shape_info){.type = *inputs[n], .constant = inputs[n]};
    infos[n].type.data = NULL;
    pointers[n] = &infos[n];
  }
  const struct operator_row *row = operator_find(domain, name, opset);
  REQUIRE(row && used < 256);
  struct shape_call shape = {row, &attrs, opset, n, pointers, 1, &output, &arena};
  REQUIRE_OK(row->shape(&shape));
  struct tensor *y = &pool[used++];
  *y = output.type;
  REQUIRE(tensor_elems(y) >= 0);
  REQUIRE_OK(tensor_alloc(y));
  struct reference_call call = {row, &attrs, opset, n, inputs, 1, &y, NULL, NULL};
  REQUIRE_OK(row->reference(&call));
  arena_free(&arena);
  return y;
}

static void check_close(const char *what, const struct tensor *a, const struct tensor *b, double tolerance) {
  CHECK_MESSAGE(tensor_shape_equal(a, b), "%s: shapes differ", what);
  REQUIRE(tensor_elems(a) == tensor_elems(b) && tensor_elems(a) > 0);
  for (int64_t i = 0; i < tensor_elems(a); i++) {
    double x = dtype_load_f64(a->dtype, a->data, i), y = dtype_load_f64(b->dtype, b->data, i);
    if (fabs(x - y) <= tolerance * (1 + fabs(y))) continue;
    test_fail(__FILE__, __LINE__, "%s: element %lld is %g, not %g", what, (long long)i, x, y);
    return;
  }
}

#define TO_NHWC INTS("perm", 0, 2, 3, 1)
#define TO_NCHW INTS("perm", 0, 3, 1, 2)

TEST(fused_gemm_is_matmul_and_steps, "") {
  const struct tensor *a = RANDOM(1, 2, 3, 5, 7), *w = RANDOM(2, 7, 6), *bias = RANDOM(3, 6), *add = RANDOM(4, 2, 3, 5, 6);
  const struct tensor *y = RUN("", "MatMul", 13, LIST(a, w), {0});
  y = RUN("", "Relu", 14, LIST(RUN("", "Add", 14, LIST(RUN("", "Add", 14, LIST(y, bias), {0}), add), {0})), {0});
  check_close("gemm", RUN("tunefarm", "Gemm", 1, LIST(a, w, bias, add), TEXT("epilogue", "bias,add,relu")), y, 1e-6);
  const struct tensor *at = RUN("", "Transpose", 13, LIST(a), INTS("perm", 0, 1, 3, 2)),
                      *wt = RUN("", "Transpose", 13, LIST(w), INTS("perm", 1, 0));
  check_close("gemm ta tb",
              RUN("tunefarm", "Gemm", 1, LIST(at, wt, bias, add), TEXT("epilogue", "bias,add,relu"), INT("trans_a", 1),
                  INT("trans_b", 1)),
              y, 1e-6);
}

TEST(fused_conv_is_conv_in_both_layouts, "") {
  const struct tensor *x = RANDOM(1, 2, 4, 7, 6), *w = RANDOM(2, 6, 2, 3, 3), *bias = RANDOM(3, 6), *add = RANDOM(4, 2, 6, 4, 3);
  const struct tensor *y =
      RUN("", "Conv", 11, LIST(x, w, bias), INTS("strides", 2, 2), INTS("pads", 1, 1, 1, 1), INT("group", 2));
  y = RUN("", "Sigmoid", 13, LIST(RUN("", "Add", 14, LIST(y, add), {0})), {0});
  check_close("nchw",
              RUN("tunefarm", "Conv", 1, LIST(x, w, bias, add), INTS("strides", 2, 2), INTS("pads", 1, 1, 1, 1), INT("group", 2),
                  TEXT("epilogue", "bias,add,sigmoid")),
              y, 1e-6);
  const struct tensor *xl = RUN("", "Transpose", 13, LIST(x), TO_NHWC), *al = RUN("", "Transpose", 13, LIST(add), TO_NHWC);
  const struct tensor *yl = RUN("tunefarm", "Conv", 1, LIST(xl, w, bias, al), INTS("strides", 2, 2), INTS("pads", 1, 1, 1, 1),
                                INT("group", 2), TEXT("epilogue", "bias,add,sigmoid"), TEXT("layout", "nhwc"));
  check_close("nhwc", RUN("", "Transpose", 13, LIST(yl), TO_NCHW), y, 1e-6);
}

TEST(fused_pool_is_pool_in_both_layouts, "") {
  const struct tensor *x = RANDOM(1, 2, 4, 7, 8), *xl = RUN("", "Transpose", 13, LIST(x), TO_NHWC);
#define WINDOW                                                                                                                   \
  INTS("kernel_shape", 3, 2), INTS("strides", 2, 2), INTS("pads", 1, 0, 1, 1), INT("ceil_mode", 1), INT("count_include_pad", 1)
  const struct tensor *average = RUN("", "AveragePool", 19, LIST(x), WINDOW);
  check_close("average", RUN("tunefarm", "Pool", 1, LIST(x), WINDOW, TEXT("mode", "average")), average, 1e-6);
  check_close("average nhwc",
              RUN("", "Transpose", 13,
                  LIST(RUN("tunefarm", "Pool", 1, LIST(xl), WINDOW, TEXT("mode", "average"), TEXT("layout", "nhwc"))), TO_NCHW),
              average, 1e-6);
  const struct tensor *max = RUN("", "MaxPool", 12, LIST(x), INTS("kernel_shape", 3, 3), INTS("dilations", 2, 1));
  check_close("max",
              RUN("tunefarm", "Pool", 1, LIST(x), INTS("kernel_shape", 3, 3), INTS("dilations", 2, 1), TEXT("mode", "max")), max,
              0);
  check_close("global", RUN("tunefarm", "Pool", 1, LIST(x), INT("global", 1), TEXT("mode", "average")),
              RUN("", "GlobalAveragePool", 13, LIST(x), {0}), 1e-6);
}

TEST(fused_map_is_its_chain, "") {
  const struct tensor *x = RANDOM(1, 3, 4, 5), *b = RANDOM(2, 4, 1), *s = RANDOM(3, 1);
  const struct tensor *y = RUN("", "Mul", 14, LIST(RUN("", "Tanh", 13, LIST(RUN("", "Add", 14, LIST(x, b), {0})), {0}), s), {0});
  check_close("map", RUN("tunefarm", "Map", 1, LIST(x, b, s), TEXT("program", "{%3=add %0 %1;%4=tanh %3;%5=mul %2 %4;out %5}")),
              y, 1e-6);
  const struct attr axes[] = {INTS("axes", 0, 2)};
  const struct tensor *sums = RUN("tunefarm", "Map", 1, LIST(y), TEXT("program", "{out sumsq %0}"), axes[0], INT("keepdims", 0));
  REQUIRE(sums->rank == 1 && sums->dims[0] == 4);
  for (int c = 0; c < 4; c++) {
    double sum = 0;
    for (int i = 0; i < 3; i++)
      for (int j = 0; j < 5; j++) sum += pow((double)((const float *)y->data)[(i * 4 + c) * 5 + j], 2);
    CHECK(fabs(sum - (double)((const float *)sums->data)[c]) < 1e-5);
  }
}

/* Attention from its parts: scores, scale, mask, softmax, product. */
static const struct tensor *attention_parts(const struct tensor *q, const struct tensor *k, const struct tensor *v,
                                            const struct tensor *mask, float scale) {
  const struct tensor *kt = RUN("", "Transpose", 13, LIST(k), INTS("perm", 0, 1, 3, 2)), *s = RANDOM(0, 1);
  ((float *)s->data)[0] = scale;
  const struct tensor *scores = RUN("", "Mul", 14, LIST(RUN("", "MatMul", 13, LIST(q, kt), {0}), s), {0});
  return RUN("", "MatMul", 13, LIST(RUN("", "Softmax", 13, LIST(RUN("", "Add", 14, LIST(scores, mask), {0})), {0}), v), {0});
}

TEST(fused_attention_is_its_parts, "") {
  const struct tensor *q = RANDOM(1, 2, 3, 4, 8), *k = RANDOM(2, 2, 3, 5, 8), *v = RANDOM(3, 2, 3, 5, 6),
                      *mask = RANDOM(4, 2, 1, 4, 5);
  const struct tensor *y = attention_parts(q, k, v, mask, 0.5f);
  check_close("order 0",
              RUN("tunefarm", "Attention", 1, LIST(q, k, v, mask), INT("heads", 3), INT("mask", 5), FLOAT("scale", 0.5f)), y,
              1e-5);
  const struct tensor *kt = RUN("", "Transpose", 13, LIST(k), INTS("perm", 0, 1, 3, 2));
  check_close("order 4",
              RUN("tunefarm", "Attention", 1, LIST(q, kt, v, mask), INT("heads", 3), INT("mask", 5), INT("order", 4),
                  FLOAT("scale", 0.5f)),
              y, 1e-5);
  const struct attr turn = INTS("perm", 0, 2, 1, 3);
  const struct tensor *ql = RUN("", "Transpose", 13, LIST(q), turn), *kl = RUN("", "Transpose", 13, LIST(k), turn),
                      *vl = RUN("", "Transpose", 13, LIST(v), turn);
  const struct tensor *yl = RUN("tunefarm", "Attention", 1, LIST(ql, kl, vl, mask), INT("heads", 3), INT("mask", 5),
                                INT("order", 1), FLOAT("scale", 0.5f));
  check_close("order 1", RUN("", "Transpose", 13, LIST(yl), turn), y, 1e-5);
}

TEST(fused_attention_packed_and_causal, "") {
  const struct tensor *qkv = RANDOM(5, 2, 4, 3, 3, 8), *part[3];
  struct tensor causal = *RANDOM(6, 4, 4);
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++) ((float *)causal.data)[i * 4 + j] = j > i ? -INFINITY : 0;
  for (int p = 0; p < 3; p++) {
    const struct tensor *one = RANDOM(7, 2, 3, 4, 8);
    for (int i = 0; i < 2 * 3 * 4 * 8; i++) {
      int b = i / 96, h = i / 32 % 3, s = i / 8 % 4, d = i % 8;
      ((float *)one->data)[i] = ((const float *)qkv->data)[(((b * 4 + s) * 3 + p) * 3 + h) * 8 + d];
    }
    part[p] = one;
  }
  const struct tensor *y = attention_parts(part[0], part[1], part[2], &causal, 1 / sqrtf(8));
  const struct tensor *packed = RUN("tunefarm", "Attention", 1, LIST(qkv), INT("heads", 3), INT("order", 2), INT("causal", 1));
  check_close("order 2", RUN("", "Transpose", 13, LIST(packed), INTS("perm", 0, 2, 1, 3)), y, 1e-5);
}
