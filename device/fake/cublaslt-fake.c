/* A cuBLASLt for the fake driver: products by plain loops, column-major as the library's, put on the stream as host functions. So
 * what a tactic tells the library (transpositions, leading dimensions, strides, epilogues, workspace) is proven without a GPU.
 *
 * Every product that is well-formed has ALGOS algorithms, which give the same numbers and want different amounts of workspace;
 * they fill it, so that one that overlaps something shows. TUNEFARM_LIBCUDA must name the fake driver.
 */
#include "../cublaslt-api.h"

#include "../../problem/dtype.h"

#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define X(name, result, arguments) EXPORT result name arguments;
CUBLASLT_API(X)
#undef X

enum { ALGOS = 3, ALGO_MAGIC = 0x46414b45, VERSION = 990000, WORKSPACE_STEP = 4096, ALIGNED = 16, WORKSPACE_ALIGNED = 256 };
typedef int (*launch_host_fn)(cublaslt_stream, void (*)(void *), void *);

struct cublaslt_desc_opaque {
  cublaslt_compute compute;
  int32_t transpose_a, transpose_b, epilogue;
  uint64_t bias;
};
struct cublaslt_layout_opaque {
  cublaslt_type type;
  int64_t rows, columns, leading, stride;
  int32_t batch;
};
struct cublaslt_preference_opaque {
  uint64_t workspace_most;
};

/* One product on a stream; graphs may run it many times, so it lives as long as its handle. */
struct job {
  struct job *next;
  struct cublaslt_desc_opaque desc;
  struct cublaslt_layout_opaque a, b, c, d;
  const unsigned char *a_data, *b_data, *c_data;
  unsigned char *d_data;
  void *workspace;
  size_t workspace_bytes;
  float alpha, beta;
};
struct cublasLtContext {
  launch_host_fn launch_host;
  struct job *jobs;
};

/* TUNEFARM_FAKE_CUBLASLT_VERSION: another one. */
size_t cublasLtGetVersion(void) {
  const char *other = getenv("TUNEFARM_FAKE_CUBLASLT_VERSION");
  return other ? strtoul(other, NULL, 10) : VERSION;
}

const char *cublasLtGetStatusString(cublaslt_result result) {
  return result == CUBLAS_STATUS_NOT_INITIALIZED ? "CUBLAS_STATUS_NOT_INITIALIZED"
         : result == CUBLAS_STATUS_INVALID_VALUE ? "CUBLAS_STATUS_INVALID_VALUE"
         : result == CUBLAS_STATUS_NOT_SUPPORTED ? "CUBLAS_STATUS_NOT_SUPPORTED"
         : result == CUBLAS_STATUS_ALLOC_FAILED  ? "CUBLAS_STATUS_ALLOC_FAILED"
                                                 : "CUBLAS_STATUS_EXECUTION_FAILED";
}

/* ---- handles and descriptors ---- */

cublaslt_result cublasLtCreate(cublaslt_handle *out_handle) {
  const char *driver = getenv("TUNEFARM_LIBCUDA");
  void *library = driver == NULL ? NULL : dlopen(driver, RTLD_NOW | RTLD_LOCAL);
  void *symbol = library == NULL ? NULL : dlsym(library, "cuLaunchHostFunc");
  if (symbol == NULL) return CUBLAS_STATUS_NOT_INITIALIZED;
  cublaslt_handle handle = calloc(1, sizeof *handle);
  if (handle == NULL) return CUBLAS_STATUS_ALLOC_FAILED;
  memcpy(&handle->launch_host, &symbol, sizeof symbol);
  *out_handle = handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublaslt_result cublasLtDestroy(cublaslt_handle handle) {
  for (struct job *job = handle->jobs, *next; job != NULL; job = next) {
    next = job->next;
    free(job);
  }
  free(handle);
  return CUBLAS_STATUS_SUCCESS;
}

cublaslt_result cublasLtMatmulDescCreate(cublaslt_desc *out_desc, cublaslt_compute compute, cublaslt_type scale_type) {
  if ((compute != CUBLAS_COMPUTE_32F && compute != CUBLAS_COMPUTE_32F_FAST_TF32) || scale_type != CUDA_R_32F)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  *out_desc = calloc(1, sizeof **out_desc);
  if (*out_desc == NULL) return CUBLAS_STATUS_ALLOC_FAILED;
  **out_desc = (struct cublaslt_desc_opaque){.compute = compute, .epilogue = CUBLASLT_EPILOGUE_DEFAULT};
  return CUBLAS_STATUS_SUCCESS;
}

cublaslt_result cublasLtMatmulDescDestroy(cublaslt_desc desc) {
  free(desc);
  return CUBLAS_STATUS_SUCCESS;
}

static cublaslt_result value_take(void *to, size_t to_bytes, const void *value, size_t bytes) {
  if (to == NULL || bytes != to_bytes) return CUBLAS_STATUS_INVALID_VALUE;
  memcpy(to, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

cublaslt_result cublasLtMatmulDescSetAttribute(cublaslt_desc desc, cublaslt_desc_attribute attribute, const void *value,
                                               size_t bytes) {
  if (attribute == CUBLASLT_MATMUL_DESC_BIAS_POINTER) return value_take(&desc->bias, sizeof desc->bias, value, bytes);
  int32_t *field = attribute == CUBLASLT_MATMUL_DESC_TRANSA     ? &desc->transpose_a
                   : attribute == CUBLASLT_MATMUL_DESC_TRANSB   ? &desc->transpose_b
                   : attribute == CUBLASLT_MATMUL_DESC_EPILOGUE ? &desc->epilogue
                                                                : NULL;
  return value_take(field, sizeof *field, value, bytes);
}

cublaslt_result cublasLtMatrixLayoutCreate(cublaslt_layout *out_layout, cublaslt_type type, uint64_t rows, uint64_t columns,
                                           int64_t leading) {
  *out_layout = calloc(1, sizeof **out_layout);
  if (*out_layout == NULL) return CUBLAS_STATUS_ALLOC_FAILED;
  **out_layout = (struct cublaslt_layout_opaque){
      .type = type, .rows = (int64_t)rows, .columns = (int64_t)columns, .leading = leading, .batch = 1};
  return CUBLAS_STATUS_SUCCESS;
}

cublaslt_result cublasLtMatrixLayoutDestroy(cublaslt_layout layout) {
  free(layout);
  return CUBLAS_STATUS_SUCCESS;
}

cublaslt_result cublasLtMatrixLayoutSetAttribute(cublaslt_layout layout, cublaslt_layout_attribute attribute, const void *value,
                                                 size_t bytes) {
  if (attribute == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT) return value_take(&layout->batch, sizeof layout->batch, value, bytes);
  if (attribute != CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET) return CUBLAS_STATUS_INVALID_VALUE;
  return value_take(&layout->stride, sizeof layout->stride, value, bytes);
}

cublaslt_result cublasLtMatmulPreferenceCreate(cublaslt_preference *out_preference) {
  *out_preference = calloc(1, sizeof **out_preference);
  return *out_preference == NULL ? CUBLAS_STATUS_ALLOC_FAILED : CUBLAS_STATUS_SUCCESS;
}

cublaslt_result cublasLtMatmulPreferenceDestroy(cublaslt_preference preference) {
  free(preference);
  return CUBLAS_STATUS_SUCCESS;
}

cublaslt_result cublasLtMatmulPreferenceSetAttribute(cublaslt_preference preference, cublaslt_preference_attribute attribute,
                                                     const void *value, size_t bytes) {
  uint32_t ignored;
  if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
    return value_take(&preference->workspace_most, sizeof preference->workspace_most, value, bytes);
  return value_take(&ignored, sizeof ignored, value, bytes); // alignments
}

/* ---- what is well-formed ---- */

static enum dtype dtype_of(cublaslt_type type) {
  return type == CUDA_R_32F ? DTYPE_F32 : type == CUDA_R_16F ? DTYPE_F16 : DTYPE_BF16;
}

static bool layout_good(cublaslt_layout layout, cublaslt_type type, int32_t batch) {
  return layout->type == type && layout->rows > 0 && layout->columns > 0 && layout->leading >= layout->rows &&
         layout->batch == batch;
}

static bool shapes_agree(cublaslt_desc desc, cublaslt_layout a, cublaslt_layout b, cublaslt_layout c, cublaslt_layout d) {
  int64_t m = desc->transpose_a ? a->columns : a->rows, ka = desc->transpose_a ? a->rows : a->columns;
  int64_t kb = desc->transpose_b ? b->columns : b->rows, n = desc->transpose_b ? b->rows : b->columns;
  if (!layout_good(a, d->type, d->batch) || !layout_good(b, d->type, d->batch) || !layout_good(c, d->type, d->batch))
    return false;
  return layout_good(d, d->type, d->batch) && ka == kb && d->rows == m && d->columns == n && c->rows == m && c->columns == n;
}

static cublaslt_result algo_describe(const cublaslt_library_algo *algo, cublaslt_heuristic *out) {
  if (algo->data[0] != ALGO_MAGIC || algo->data[1] >= ALGOS) return CUBLAS_STATUS_NOT_SUPPORTED;
  *out = (cublaslt_heuristic){.algo = *algo, .workspace_bytes = algo->data[1] * WORKSPACE_STEP, .waves = 1};
  return CUBLAS_STATUS_SUCCESS;
}

cublaslt_result cublasLtMatmulAlgoGetHeuristic(cublaslt_handle handle, cublaslt_desc desc, cublaslt_layout a, cublaslt_layout b,
                                               cublaslt_layout c, cublaslt_layout d, cublaslt_preference preference, int most,
                                               cublaslt_heuristic out_results[], int *out_count) {
  (void)handle;
  *out_count = 0;
  if (!shapes_agree(desc, a, b, c, d) || most <= 0) return CUBLAS_STATUS_INVALID_VALUE;
  for (uint64_t i = 0; i < ALGOS && *out_count < most; i++) {
    cublaslt_library_algo algo = {{ALGO_MAGIC, i}};
    if (i * WORKSPACE_STEP > preference->workspace_most) continue;
    algo_describe(&algo, &out_results[(*out_count)++]);
  }
  return *out_count ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

cublaslt_result cublasLtMatmulAlgoCheck(cublaslt_handle handle, cublaslt_desc desc, cublaslt_layout a, cublaslt_layout b,
                                        cublaslt_layout c, cublaslt_layout d, const cublaslt_library_algo *algo,
                                        cublaslt_heuristic *out_result) {
  (void)handle;
  return shapes_agree(desc, a, b, c, d) ? algo_describe(algo, out_result) : CUBLAS_STATUS_INVALID_VALUE;
}

/* ---- the product ---- */

static double element(const unsigned char *data, cublaslt_layout layout, int batch, int64_t row, int64_t column,
                      bool transposed) {
  int64_t r = transposed ? column : row, c = transposed ? row : column;
  return dtype_load_f64(dtype_of(layout->type), data, layout->stride * batch + c * layout->leading + r);
}

static double activate(int32_t epilogue, double x) {
  int32_t which = epilogue & ~CUBLASLT_EPILOGUE_BIAS;
  if (which == CUBLASLT_EPILOGUE_RELU) return x > 0 ? x : 0;
  if (which == CUBLASLT_EPILOGUE_GELU) return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
  return x;
}

static void column_compute(struct job *job, int batch, int64_t column) {
  int64_t depth = job->desc.transpose_a ? job->a.rows : job->a.columns;
  for (int64_t row = 0; row < job->d.rows; row++) {
    float sum = 0;
    for (int64_t k = 0; k < depth; k++)
      sum += (float)(element(job->a_data, &job->a, batch, row, k, job->desc.transpose_a) *
                     element(job->b_data, &job->b, batch, k, column, job->desc.transpose_b));
    double x = (double)job->alpha * (double)sum;
    if (job->beta != 0) x += (double)job->beta * element(job->c_data, &job->c, batch, row, column, false);
    if (job->desc.epilogue & CUBLASLT_EPILOGUE_BIAS)
      x += dtype_load_f64(dtype_of(job->d.type), (const void *)(uintptr_t)job->desc.bias, row);
    dtype_store_f64(dtype_of(job->d.type), job->d_data, job->d.stride * batch + column * job->d.leading + row,
                    activate(job->desc.epilogue, x));
  }
}

static void job_run(void *context) {
  struct job *job = context;
  if (job->workspace_bytes) memset(job->workspace, 0xff, job->workspace_bytes);
  for (int batch = 0; batch < job->d.batch; batch++)
    for (int64_t column = 0; column < job->d.columns; column++) column_compute(job, batch, column);
}

static bool aligned(const void *address) { return (uintptr_t)address % ALIGNED == 0 && address != NULL; }

cublaslt_result cublasLtMatmul(cublaslt_handle handle, cublaslt_desc desc, const void *alpha, const void *a,
                               cublaslt_layout a_layout, const void *b, cublaslt_layout b_layout, const void *beta, const void *c,
                               cublaslt_layout c_layout, void *d, cublaslt_layout d_layout, const cublaslt_library_algo *algo,
                               void *workspace, size_t workspace_bytes, cublaslt_stream stream) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  cublaslt_heuristic about;
  cublaslt_result result = cublasLtMatmulAlgoCheck(handle, desc, a_layout, b_layout, c_layout, d_layout, algo, &about);
  if (result != CUBLAS_STATUS_SUCCESS) return result;
  if (!aligned(a) || !aligned(b) || !aligned(c) || !aligned(d)) return CUBLAS_STATUS_INVALID_VALUE;
  if (about.workspace_bytes > workspace_bytes || (workspace != NULL && (uintptr_t)workspace % WORKSPACE_ALIGNED != 0) ||
      (about.workspace_bytes && workspace == NULL))
    return CUBLAS_STATUS_INVALID_VALUE;
  struct job *job = calloc(1, sizeof *job);
  if (job == NULL) return CUBLAS_STATUS_ALLOC_FAILED;
  *job = (struct job){.next = handle->jobs, .desc = *desc, .a = *a_layout, .b = *b_layout, .c = *c_layout, .d = *d_layout};
  job->a_data = a, job->b_data = b, job->c_data = c, job->d_data = d;
  job->workspace = workspace, job->workspace_bytes = about.workspace_bytes;
  memcpy(&job->alpha, alpha, sizeof job->alpha);
  memcpy(&job->beta, beta, sizeof job->beta);
  pthread_mutex_lock(&lock);
  handle->jobs = job;
  pthread_mutex_unlock(&lock);
  return handle->launch_host(stream, job_run, job) == 0 ? CUBLAS_STATUS_SUCCESS : 13; // CUBLAS_STATUS_EXECUTION_FAILED
}
