/* Products of cuBLASLt against a plain row-major computation, on whatever device: the fake one, or a real one. */
#ifndef DEVICE_CUBLASLT_CHECK_TEST_H
#define DEVICE_CUBLASLT_CHECK_TEST_H

#include "cublaslt.h"

#include "../base/random.h"
#include "../tests/kit/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct product_case {
  const char *name;
  struct cublaslt_product product; // alpha 0 stands for 1
};

static const struct product_case product_cases[] = {
    {"plain", {.m = 24, .n = 40, .k = 16, .batch = 1, .type = DTYPE_F32}},
    {"one row", {.m = 1, .n = 64, .k = 96, .batch = 1, .type = DTYPE_F32}},
    {"a transposed", {.m = 24, .n = 40, .k = 16, .batch = 1, .transpose_a = true, .type = DTYPE_F32}},
    {"b transposed", {.m = 24, .n = 40, .k = 16, .batch = 1, .transpose_b = true, .type = DTYPE_F32}},
    {"both transposed", {.m = 8, .n = 16, .k = 32, .batch = 1, .transpose_a = true, .transpose_b = true, .type = DTYPE_F32}},
    {"bias", {.m = 24, .n = 40, .k = 16, .batch = 1, .type = DTYPE_F32, .bias = true}},
    {"relu", {.m = 24, .n = 40, .k = 16, .batch = 1, .type = DTYPE_F32, .activation = CUBLASLT_RELU}},
    {"bias gelu f16", {.m = 32, .n = 64, .k = 48, .batch = 1, .type = DTYPE_F16, .bias = true, .activation = CUBLASLT_GELU_TANH}},
    {"bias relu bf16", {.m = 32, .n = 64, .k = 48, .batch = 1, .type = DTYPE_BF16, .bias = true, .activation = CUBLASLT_RELU}},
    {"residual f16", {.m = 32, .n = 64, .k = 48, .batch = 1, .type = DTYPE_F16, .alpha = 0.5f, .beta = 1}},
    {"rows apart", {.m = 8, .n = 16, .k = 24, .batch = 1, .type = DTYPE_F32, .lda = 28, .ldb = 20, .ldd = 36}},
    {"batch", {.m = 8, .n = 16, .k = 24, .batch = 3, .type = DTYPE_F32, .stride_a = 192, .stride_b = 384, .stride_d = 128}},
    {"one b for a batch", {.m = 8, .n = 16, .k = 24, .batch = 3, .type = DTYPE_F16, .stride_a = 200, .stride_d = 128}},
    {"tf32", {.m = 32, .n = 64, .k = 48, .batch = 1, .type = DTYPE_F32, .tf32 = true}},
};

enum { PRODUCT_ELEMS = 8192 };

struct product_data {
  double a[PRODUCT_ELEMS], b[PRODUCT_ELEMS], c[PRODUCT_ELEMS], bias[PRODUCT_ELEMS], d[PRODUCT_ELEMS];
};

static inline double product_end(const struct cublaslt_product *p, double x, double c, double bias) {
  x = (double)p->alpha * x + (double)p->beta * c + (p->bias ? bias : 0);
  if (p->activation == CUBLASLT_RELU) return x > 0 ? x : 0;
  if (p->activation == CUBLASLT_GELU_TANH) return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
  return x;
}

/* data->d[batch][m][n] from a, b, c and bias. */
static inline void product_compute(const struct cublaslt_product *p, struct product_data *data) {
  int64_t lda = p->lda           ? p->lda
                : p->transpose_a ? p->m
                                 : p->k,
          ldb = p->ldb           ? p->ldb
                : p->transpose_b ? p->k
                                 : p->n,
          ldd = p->ldd ? p->ldd : p->n;
  for (int64_t i = 0; i < p->batch * p->m * p->n; i++) {
    int64_t batch = i / (p->m * p->n), row = i / p->n % p->m, column = i % p->n, at = batch * p->stride_d + row * ldd + column;
    const double *a = data->a + batch * p->stride_a, *b = data->b + batch * p->stride_b;
    double sum = 0;
    for (int64_t k = 0; k < p->k; k++)
      sum +=
          (p->transpose_a ? a[k * lda + row] : a[row * lda + k]) * (p->transpose_b ? b[column * ldb + k] : b[k * ldb + column]);
    data->d[at] = product_end(p, sum, data->c[at], data->bias[column]);
  }
}

/* Random numbers that the type holds, and their packed form on the device. */
static inline cuda_address product_operand(struct cuda_device *device, enum dtype type, uint64_t seed, double *out) {
  unsigned char *packed = test_keep(calloc(PRODUCT_ELEMS, 4));
  cuda_address address = 0;
  for (int i = 0; i < PRODUCT_ELEMS; i++) {
    dtype_store_f64(type, packed, i, random_uniform(seed, (uint64_t)i) * 2 - 1);
    out[i] = dtype_load_f64(type, packed, i);
  }
  REQUIRE_OK(cuda_alloc(device, (size_t)PRODUCT_ELEMS * 4, &address));
  REQUIRE_OK(cuda_copy_in(device, address, packed, (size_t)PRODUCT_ELEMS * 4));
  REQUIRE_OK(cuda_wait(device));
  return address;
}

/* Elements between rows and batches keep what was there: 9. */
static inline void product_compare(const char *name, const struct cublaslt_product *p, const struct product_data *data,
                                   const void *got) {
  double unit = p->type == DTYPE_F16 ? 0x1p-11 : p->type == DTYPE_BF16 ? 0x1p-8 : p->tf32 ? 0x1p-10 : 0x1p-23, worst = 0;
  for (int64_t i = 0; i < PRODUCT_ELEMS; i++) {
    double difference = fabs(dtype_load_f64(p->type, got, i) - data->d[i]);
    if (!(difference <= worst)) worst = difference;
  }
  CHECK_MESSAGE(worst <= unit * (4 + (double)p->k), "%s: off by %g", name, worst);
}

static inline void product_check(struct cuda_device *device, struct cublaslt *handle, const struct product_case *row) {
  struct cublaslt_product product = row->product;
  struct product_data *data = test_keep(malloc(sizeof *data));
  struct cublaslt_algo algos[8];
  struct cublaslt_plan *plan = NULL;
  unsigned char *got = test_keep(malloc((size_t)PRODUCT_ELEMS * 4));
  double nines[PRODUCT_ELEMS];
  int count = 0;
  if (product.alpha == 0) product.alpha = 1;
  product.workspace_most_bytes = 1 << 20;
  struct cublaslt_operands operands = {.a = product_operand(device, product.type, 1, data->a),
                                       .b = product_operand(device, product.type, 2, data->b),
                                       .c = product_operand(device, product.type, 3, data->c),
                                       .bias = product_operand(device, product.type, 4, data->bias),
                                       .d = product_operand(device, product.type, 5, nines)};
  REQUIRE_OK(cuda_alloc(device, product.workspace_most_bytes, &operands.workspace));
  for (int i = 0; i < PRODUCT_ELEMS; i++) dtype_store_f64(product.type, got, i, data->d[i] = 9);
  product_compute(&product, data);
  REQUIRE_OK(cublaslt_algos(handle, &product, algos, 8, &count));
  CHECK_MESSAGE(count >= 1 && count <= 8, "%s: %d algorithms", row->name, count);
  for (int i = 0; i < count; i++) {
    struct cuda_graph *graph = NULL;
    unsigned char *out = test_keep(malloc((size_t)PRODUCT_ELEMS * 4));
    REQUIRE_OK(cublaslt_prepare(handle, &product, &algos[i], &plan));
    REQUIRE_OK(cuda_copy_in(device, operands.d, got, (size_t)PRODUCT_ELEMS * 4));
    REQUIRE_OK(cuda_capture_begin(device));
    REQUIRE_OK(cublaslt_enqueue(plan, &operands));
    REQUIRE_OK(cuda_capture_end(device, &graph));
    for (int k = 0; k < 2; k++) REQUIRE_OK(cuda_graph_launch(device, graph));
    REQUIRE_OK(cuda_copy_out(device, out, operands.d, (size_t)PRODUCT_ELEMS * 4));
    REQUIRE_OK(cuda_wait(device));
    product_compare(row->name, &product, data, out);
    cuda_graph_free(&graph);
    cublaslt_plan_free(&plan);
  }
  cuda_address *const all[] = {&operands.a, &operands.b, &operands.c, &operands.d, &operands.bias, &operands.workspace};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cuda_free(device, all[i]);
}

static inline void products_check(struct cuda_device *device) {
  struct cublaslt *handle = NULL;
  enum farm_status status = cublaslt_open(device, &handle);
  if (status == FARM_UNSUPPORTED) SKIP("%s", status_message());
  REQUIRE_OK(status);
  for (size_t i = 0; i < sizeof product_cases / sizeof *product_cases; i++) product_check(device, handle, &product_cases[i]);
  cublaslt_close(&handle);
}

#endif
