/* See cublaslt.h. The library is column-major: what it is told is d' = b' a', whose columns are our rows. */
#include "cublaslt.h"

#include "cublaslt-api.h"
#include "cuda-internal.h"
#include "library-search.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNED = 16, MOST_ALGOS = 64 };
_Static_assert(sizeof(cublaslt_library_algo) == CUBLASLT_ALGO_BYTES && sizeof(cublaslt_heuristic) == 96,
               "as the library has them");

/* ---- the library ---- */

static struct cublaslt_api api;

static const struct library_function functions[] = {
#define X(name, result, arguments) LIBRARY_FUNCTION(cublaslt_api, name)
    CUBLASLT_API(X)
#undef X
};

enum farm_status cublaslt_api(const struct cublaslt_api **out_api) {
  static const struct library_table table = {LIBRARY_CUBLASLT, functions, sizeof functions / sizeof *functions, &api, NULL};
  TRY(library_once(&table));
  *out_api = &api;
  return FARM_OK;
}

enum farm_status cublaslt_version(int *out_version) {
  const struct cublaslt_api *library;
  TRY(cublaslt_api(&library));
  *out_version = (int)library->cublasLtGetVersion();
  return FARM_OK;
}

static const struct {
  cublaslt_result result;
  enum farm_status status;
} meanings[] = {
    {CUBLAS_STATUS_NOT_INITIALIZED, FARM_UNSUPPORTED},  {CUBLAS_STATUS_ALLOC_FAILED, FARM_NO_MEMORY},
    {CUBLAS_STATUS_INVALID_VALUE, FARM_TACTIC_REFUSED}, {CUBLAS_STATUS_ARCH_MISMATCH, FARM_TACTIC_REFUSED},
    {CUBLAS_STATUS_NOT_SUPPORTED, FARM_TACTIC_REFUSED},
};

static enum farm_status check(cublaslt_result result, const char *what) {
  if (result == CUBLAS_STATUS_SUCCESS) return FARM_OK;
  enum farm_status status = FARM_FAILURE;
  for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
    if (meanings[i].result == result) status = meanings[i].status;
  const char *text = api.cublasLtGetStatusString(result);
  return status_set(status, "cuBLASLt, %s: %s (%d)", what, text ? text : "unknown error", result);
}

struct cublaslt {
  struct cuda_device *device;
  cublaslt_handle handle;
};

enum farm_status cublaslt_open(struct cuda_device *device, struct cublaslt **out_handle) {
  const struct cublaslt_api *library;
  TRY(cublaslt_api(&library));
  TRY(cuda_enter(device));
  struct cublaslt *handle = calloc(1, sizeof *handle);
  FAIL_IF(!handle, FARM_NO_MEMORY, "out of memory for a library's handle");
  handle->device = device;
  enum farm_status status = check(api.cublasLtCreate(&handle->handle), "opening");
  if (status != FARM_OK) {
    free(handle);
    return status;
  }
  *out_handle = handle;
  return FARM_OK;
}

void cublaslt_close(struct cublaslt **handle) {
  struct cublaslt *closing = *handle;
  *handle = NULL;
  if (!closing) return;
  if (cuda_enter(closing->device) == FARM_OK) api.cublasLtDestroy(closing->handle);
  free(closing);
}

/* ---- what the library is told of a product ---- */

struct descriptors {
  cublaslt_desc desc;
  cublaslt_layout a, b, d; // in our names: the library's first operand is b
};

static void descriptors_free(struct descriptors *of) {
  if (of->desc) api.cublasLtMatmulDescDestroy(of->desc);
  if (of->a) api.cublasLtMatrixLayoutDestroy(of->a);
  if (of->b) api.cublasLtMatrixLayoutDestroy(of->b);
  if (of->d) api.cublasLtMatrixLayoutDestroy(of->d);
  *of = (struct descriptors){0};
}

static cublaslt_type type_of(enum dtype type) {
  return type == DTYPE_F32 ? CUDA_R_32F : type == DTYPE_F16 ? CUDA_R_16F : CUDA_R_16BF;
}

static int32_t epilogue_of(const struct cublaslt_product *product) {
  static const int32_t table[][2] = {
      [CUBLASLT_LINEAR] = {CUBLASLT_EPILOGUE_DEFAULT, CUBLASLT_EPILOGUE_BIAS},
      [CUBLASLT_RELU] = {CUBLASLT_EPILOGUE_RELU, CUBLASLT_EPILOGUE_RELU_BIAS},
      [CUBLASLT_GELU_TANH] = {CUBLASLT_EPILOGUE_GELU, CUBLASLT_EPILOGUE_GELU_BIAS},
  };
  return table[product->activation][product->bias];
}

/* A stored matrix: rows of `row_elems`, `leading` apart. Its columns are what we call rows. */
struct stored {
  int64_t rows, row_elems, leading, stride;
};

static struct stored stored_make(int64_t rows, int64_t row_elems, bool transposed, int64_t leading, int64_t stride) {
  struct stored m = {transposed ? row_elems : rows, transposed ? rows : row_elems, leading, stride};
  if (!m.leading) m.leading = m.row_elems;
  return m;
}

static enum farm_status layout_make(const struct cublaslt_product *product, const struct stored *m, cublaslt_layout *out) {
  int32_t batch = (int32_t)product->batch;
  FAIL_IF(m->leading < m->row_elems, FARM_USAGE, "a matrix of rows of %lld has them %lld apart", (long long)m->row_elems,
          (long long)m->leading);
  TRY(check(api.cublasLtMatrixLayoutCreate(out, type_of(product->type), (uint64_t)m->row_elems, (uint64_t)m->rows, m->leading),
            "layout"));
  if (batch == 1) return FARM_OK;
  TRY(check(api.cublasLtMatrixLayoutSetAttribute(*out, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch), "batch"));
  return check(
      api.cublasLtMatrixLayoutSetAttribute(*out, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &m->stride, sizeof m->stride),
      "batch stride");
}

static enum farm_status desc_set(cublaslt_desc desc, cublaslt_desc_attribute attribute, int32_t value, const char *what) {
  return check(api.cublasLtMatmulDescSetAttribute(desc, attribute, &value, sizeof value), what);
}

static enum farm_status bias_set(cublaslt_desc desc, cuda_address bias) {
  return check(api.cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias), "bias");
}

static enum farm_status desc_make(const struct cublaslt_product *product, cublaslt_desc *out) {
  cublaslt_compute compute = product->type == DTYPE_F32 && product->tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  TRY(check(api.cublasLtMatmulDescCreate(out, compute, CUDA_R_32F), "descriptor"));
  TRY(desc_set(*out, CUBLASLT_MATMUL_DESC_TRANSA, product->transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N, "transposition of b"));
  TRY(desc_set(*out, CUBLASLT_MATMUL_DESC_TRANSB, product->transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, "transposition of a"));
  TRY(desc_set(*out, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(product), "epilogue"));
  return product->bias ? bias_set(*out, ALIGNED) : FARM_OK; // no address yet: how it is aligned is what counts
}

static enum farm_status product_check(const struct cublaslt_product *product) {
  FAIL_IF(product->m <= 0 || product->n <= 0 || product->k <= 0 || product->batch <= 0 || product->batch > INT32_MAX, FARM_USAGE,
          "a matrix product of %lld times %lldx%lldx%lld", (long long)product->batch, (long long)product->m,
          (long long)product->n, (long long)product->k);
  FAIL_IF(product->batch > 1 && product->stride_d < product->n, FARM_USAGE, "a batch of products into one matrix");
  FAIL_IF(product->type != DTYPE_F32 && product->type != DTYPE_F16 && product->type != DTYPE_BF16, FARM_TACTIC_REFUSED,
          "cuBLASLt products of %s are not provided for", dtype_name(product->type));
  FAIL_IF((unsigned)product->activation > CUBLASLT_GELU_TANH, FARM_USAGE, "activation %d", (int)product->activation);
  return FARM_OK;
}

static enum farm_status descriptors_make(const struct cublaslt_product *product, struct descriptors *out) {
  struct descriptors made = {0};
  enum farm_status status;
  const struct stored a = stored_make(product->m, product->k, product->transpose_a, product->lda, product->stride_a),
                      b = stored_make(product->k, product->n, product->transpose_b, product->ldb, product->stride_b),
                      d = stored_make(product->m, product->n, false, product->ldd, product->stride_d);
  TRY(product_check(product));
  TRY_OR(desc_make(product, &made.desc), undo);
  TRY_OR(layout_make(product, &a, &made.a), undo);
  TRY_OR(layout_make(product, &b, &made.b), undo);
  TRY_OR(layout_make(product, &d, &made.d), undo);
  *out = made;
  return FARM_OK;
undo:
  descriptors_free(&made);
  return status;
}

/* ---- algorithms ---- */

static enum farm_status preference_fill(cublaslt_preference preference, size_t workspace_most_bytes) {
  static const int32_t alignments[] = {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                                       CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
  uint64_t most = workspace_most_bytes;
  uint32_t aligned = ALIGNED;
  TRY(check(api.cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most, sizeof most),
            "workspace"));
  for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++)
    TRY(check(api.cublasLtMatmulPreferenceSetAttribute(preference, alignments[i], &aligned, sizeof aligned), "alignment"));
  return FARM_OK;
}

static int results_take(const cublaslt_heuristic *results, int count, size_t workspace_most_bytes, struct cublaslt_algo *out) {
  int taken = 0;
  for (int i = 0; i < count; i++) {
    if (results[i].state != CUBLAS_STATUS_SUCCESS || results[i].workspace_bytes > workspace_most_bytes) continue;
    memcpy(out[taken].bytes, &results[i].algo, CUBLASLT_ALGO_BYTES);
    out[taken++].workspace_bytes = results[i].workspace_bytes;
  }
  return taken;
}

enum farm_status cublaslt_algos(struct cublaslt *handle, const struct cublaslt_product *product, struct cublaslt_algo *out,
                                int most, int *out_count) {
  cublaslt_heuristic results[MOST_ALGOS];
  struct descriptors of = {0};
  cublaslt_preference preference = NULL;
  int count = 0;
  if (most > MOST_ALGOS) most = MOST_ALGOS;
  TRY(cuda_enter(handle->device));
  TRY(descriptors_make(product, &of));
  enum farm_status status = check(api.cublasLtMatmulPreferenceCreate(&preference), "preference");
  if (status == FARM_OK) status = preference_fill(preference, product->workspace_most_bytes);
  if (status == FARM_OK)
    status = check(
        api.cublasLtMatmulAlgoGetHeuristic(handle->handle, of.desc, of.b, of.a, of.d, of.d, preference, most, results, &count),
        "asking for algorithms");
  if (preference) api.cublasLtMatmulPreferenceDestroy(preference);
  descriptors_free(&of);
  TRY(status);
  count = results_take(results, count < most ? count : most, product->workspace_most_bytes, out);
  FAIL_IF(!count, FARM_TACTIC_REFUSED, "cuBLASLt has no algorithm for this product");
  *out_count = count;
  return FARM_OK;
}

/* ---- one product ---- */

struct cublaslt_plan {
  struct cublaslt *handle;
  struct descriptors of;
  cublaslt_library_algo algo;
  size_t workspace_bytes;
  float alpha, beta;
  bool bias;
};

static enum farm_status algo_check(struct cublaslt *handle, const struct descriptors *of, const struct cublaslt_algo *algo,
                                   size_t *out_workspace_bytes) {
  cublaslt_library_algo given;
  cublaslt_heuristic result = {0};
  memcpy(&given, algo->bytes, sizeof given);
  cublaslt_result checked = api.cublasLtMatmulAlgoCheck(handle->handle, of->desc, of->b, of->a, of->d, of->d, &given, &result);
  enum farm_status status = check(checked, "checking an algorithm");
  FAIL_IF(status != FARM_OK, FARM_TACTIC_REFUSED, "%s", status_message());
  FAIL_IF(result.workspace_bytes > algo->workspace_bytes, FARM_TACTIC_REFUSED,
          "cuBLASLt wants %zu bytes of workspace for an algorithm that had %zu", result.workspace_bytes, algo->workspace_bytes);
  *out_workspace_bytes = algo->workspace_bytes;
  return FARM_OK;
}

enum farm_status cublaslt_prepare(struct cublaslt *handle, const struct cublaslt_product *product,
                                  const struct cublaslt_algo *algo, struct cublaslt_plan **out_plan) {
  enum farm_status status;
  TRY(cuda_enter(handle->device));
  struct cublaslt_plan *plan = calloc(1, sizeof *plan);
  FAIL_IF(!plan, FARM_NO_MEMORY, "out of memory for a matrix product");
  *plan = (struct cublaslt_plan){.handle = handle, .alpha = product->alpha, .beta = product->beta, .bias = product->bias};
  memcpy(&plan->algo, algo->bytes, sizeof plan->algo);
  TRY_OR(descriptors_make(product, &plan->of), undo);
  TRY_OR(algo_check(handle, &plan->of, algo, &plan->workspace_bytes), undo);
  *out_plan = plan;
  return FARM_OK;
undo:
  cublaslt_plan_free(&plan);
  return status;
}

void cublaslt_plan_free(struct cublaslt_plan **plan) {
  if (!*plan) return;
  descriptors_free(&(*plan)->of);
  free(*plan);
  *plan = NULL;
}

/* The library's failure may be the device's: what sticks there is found out and told instead. */
static enum farm_status failure_explain(struct cuda_device *device, enum farm_status status) {
  cuda_note(device, status);
  if (device->capturing) return status;
  cuda_result result = device->api->cuStreamQuery(device->stream);
  if (result == CUDA_SUCCESS || result == CUDA_ERROR_NOT_READY) return status;
  return cuda_check(device, result, "a matrix product by cuBLASLt");
}

static const void *at(cuda_address address) { return (const void *)(uintptr_t)address; }

enum farm_status cublaslt_enqueue(struct cublaslt_plan *plan, const struct cublaslt_operands *operands) {
  struct cuda_device *device = plan->handle->device;
  const struct descriptors *of = &plan->of;
  TRY(cuda_enter(device));
  if (plan->bias) TRY(bias_set(of->desc, operands->bias));
  const void *c = plan->beta != 0 ? at(operands->c) : at(operands->d);
  cublaslt_result result = api.cublasLtMatmul(
      plan->handle->handle, of->desc, &plan->alpha, at(operands->b), of->b, at(operands->a), of->a, &plan->beta, c, of->d,
      (void *)at(operands->d), of->d, &plan->algo, (void *)at(operands->workspace), plan->workspace_bytes, device->stream);
  enum farm_status status = check(result, "a matrix product");
  return status == FARM_OK ? FARM_OK : failure_explain(device, status);
}
