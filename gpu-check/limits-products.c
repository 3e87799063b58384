/* Matrix products through cuBLASLt: square ones, the fastest of the library's own suggestions, on random operands of size 1/2
 * to 1. */
#include "limits.h"

#include "../device/cublaslt.h"

#include <stdio.h>

enum { ALGOS = 8 };
static const size_t WORKSPACE_BYTES = (size_t)64 << 20;

static const struct kind {
  const char *what;
  enum dtype type;
  bool tf32;
  int element_bytes;
  uint32_t keep, force; // random bits to elements in ±[1/2, 1)
} kinds[] = {
    {"matrix product f16", DTYPE_F16, false, 2, 0x83ff83ffu, 0x38003800u},
    {"matrix product bf16", DTYPE_BF16, false, 2, 0x807f807fu, 0x3f003f00u},
    {"matrix product f32 rounded to tf32", DTYPE_F32, true, 4, 0x807fffffu, 0x3f000000u},
    {"matrix product f32", DTYPE_F32, false, 4, 0x807fffffu, 0x3f000000u},
};
enum { SIZES = 3 };
static const int64_t shares[SIZES] = {8, 2, 1}; // of the largest

struct product {
  struct limits *limits;
  struct cublaslt *library;
  struct cublaslt_plan *plan;
  struct cublaslt_operands operands;
};

static enum farm_status product_put(void *context) {
  struct product *p = context;
  return cublaslt_enqueue(p->plan, &p->operands);
}

static enum farm_status algo_time(struct product *p, const struct cublaslt_product *what, const struct cublaslt_algo *algo,
                                  struct limits_time *out) {
  struct limits_work work = {product_put, p, what->n >= 4096 ? 2 : 10};
  TRY(cublaslt_prepare(p->library, what, algo, &p->plan));
  enum farm_status status = limits_sample(p->limits, &work, out);
  cublaslt_plan_free(&p->plan);
  return status;
}

static enum farm_status size_measure(struct product *p, const struct kind *kind, int64_t n) {
  const struct cublaslt_product what = {.m = n,
                                        .n = n,
                                        .k = n,
                                        .batch = 1,
                                        .type = kind->type,
                                        .tf32 = kind->tf32,
                                        .alpha = 1,
                                        .workspace_most_bytes = WORKSPACE_BYTES};
  struct cublaslt_algo algos[ALGOS];
  struct limits_time time, best = {0};
  int count = 0;
  TRY(cublaslt_algos(p->library, &what, algos, ALGOS, &count));
  for (int i = 0; i < count && (i == 0 || limits_has_time(p->limits)); i++) {
    enum farm_status status = algo_time(p, &what, &algos[i], &time);
    if (status == FARM_TACTIC_REFUSED) continue;
    TRY(status);
    if (!best.n || time.us < best.us) best = time;
  }
  if (!best.n) return limits_missing(p->limits, kind->what, "the library took none of its own suggestions");
  return limits_row(p->limits, kind->what, n, &best, best.us > 0 ? 2.0 * (double)n * (double)n * (double)n / best.us * 1e-6 : 0,
                    "TFLOP/s");
}

static enum farm_status kind_measure(struct product *p, const struct kind *kind, int64_t largest) {
  int64_t bytes = largest * largest * kind->element_bytes;
  TRY(limits_fill(p->limits, p->operands.a, bytes, kind->keep, kind->force));
  TRY(limits_fill(p->limits, p->operands.b, bytes, kind->keep, kind->force));
  for (int i = 0; i < SIZES; i++) {
    if (!limits_has_time(p->limits)) return limits_missing(p->limits, kind->what, "the time was over");
    enum farm_status status = size_measure(p, kind, largest / shares[i]);
    if (status == FARM_TACTIC_REFUSED || status == FARM_UNSUPPORTED)
      return limits_missing(p->limits, kind->what, status_message());
    TRY(status);
  }
  return FARM_OK;
}

static enum farm_status products_measure(struct product *p) {
  struct cuda_device *device = p->limits->device;
  int64_t largest = p->limits->largest_product;
  size_t bytes = (size_t)(largest * largest) * sizeof(float);
  TRY(cuda_alloc(device, bytes, &p->operands.a));
  TRY(cuda_alloc(device, bytes, &p->operands.b));
  TRY(cuda_alloc(device, bytes, &p->operands.d));
  TRY(cuda_alloc(device, WORKSPACE_BYTES, &p->operands.workspace));
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) TRY(kind_measure(p, &kinds[i], largest));
  return FARM_OK;
}

enum farm_status limits_products(struct limits *limits) {
  struct product p = {.limits = limits};
  if (cublaslt_open(limits->device, &p.library) != FARM_OK) return limits_missing(limits, "matrix products", status_message());
  enum farm_status status = products_measure(&p);
  cuda_free(limits->device, &p.operands.workspace);
  cuda_free(limits->device, &p.operands.d);
  cuda_free(limits->device, &p.operands.b);
  cuda_free(limits->device, &p.operands.a);
  cublaslt_close(&p.library);
  return status;
}
