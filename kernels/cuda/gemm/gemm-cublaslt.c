/* gemm by cuBLASLt: offered where the library is found. What its epilogues compute exactly as ours do is left to it: alpha for a leading
 * scale, beta for an added operand, bias, relu, and the tanh form of gelu.
 *
 * Parameter `rank`: which of the library's own suggestions for this product on this device. What a rank stands for depends on the
 * library's version, so the version is part of the source digest that records carry. Problems of f32 are computed in f32, not tf32.
 *
 * Opening the library on a device takes some 100 ms, so the steps of one device share one handle, closed with the last of them.
 */
#include "gemm.h"

#include "../../../base/digest.h"
#include "../../../device/cublaslt.h"
#include "../cuda-cost.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A workspace lies where the plan puts it, at a multiple of 64 bytes or less; what that takes to be aligned is not the library's. */
enum { RANKS = 4, PARAM_RANK = 0, WORKSPACE_BYTES = 8 << 20, WORKSPACE_MOST = WORKSPACE_BYTES - CUBLASLT_WORKSPACE_ALIGNMENT };
static const int16_t rank_values[RANKS] = {0, 1, 2, 3};

/* ---- the library ---- */
static int library_version; // 0: none
static char library_digest[DIGEST_HEX_BYTES];

static void library_look(void) {
  char text[64];
  if (cublaslt_version(&library_version) != FARM_OK) library_version = 0;
  snprintf(text, sizeof text, "cublaslt %d, tactic 2", library_version);
  struct digest digest = digest_of(text, strlen(text));
  digest_to_hex(&digest, library_digest);
}

static int version(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, library_look);
  return library_version;
}

static bool present(void) { return version() != 0; }

static const char *source_digest(void) {
  (void)version();
  return library_digest;
}

/* ---- applicable: which epilogues are the library's ---- */
struct end {
  bool ok, scale, bias, add;
  enum cublaslt_activation activation;
  int bias_operand, add_operand; // inputs
  float alpha;
};

static struct end end_of(const struct problem *problem, const struct epilogue *epilogue) {
  struct end end = {.alpha = 1};
  int operand = 2, i = 0;
  if (i < problem->epilogue.count && epilogue->steps[i].op == EPILOGUE_SCALE) end.scale = true, end.alpha = epilogue->steps[i++].p[0];
  for (; i < problem->epilogue.count; i++) {
    const enum epilogue_op op = epilogue->steps[i].op;
    if (op == EPILOGUE_BIAS && !end.bias) end.bias = true, end.bias_operand = operand++;
    else if (op == EPILOGUE_ADD && !end.add) end.add = true, end.add_operand = operand++;
    else break;
  }
  const bool last = i + 1 == problem->epilogue.count;
  end.ok = i == problem->epilogue.count;
  if (last && epilogue->steps[i].op == EPILOGUE_RELU) end.ok = true, end.activation = CUBLASLT_RELU;
  if (last && epilogue->steps[i].op == EPILOGUE_GELU_TANH) end.ok = true, end.activation = CUBLASLT_GELU_TANH;
  return end;
}

static bool applicable_to(const struct problem *problem, enum dtype type) {
  for (int i = 0; i < problem->input_count + problem->output_count; i++)
    if (problem->operands[i].dtype != type) return false;
  return problem->accumulate == DTYPE_F32 && end_of(problem, &problem->epilogue).ok;
}
static bool f32_applicable(const struct problem *problem) { return applicable_to(problem, DTYPE_F32); }
static bool f16_applicable(const struct problem *problem) { return applicable_to(problem, DTYPE_F16); }
static bool bf16_applicable(const struct problem *problem) { return applicable_to(problem, DTYPE_BF16); }

static size_t workspace(const struct problem *problem, const struct variant *variant, int threads) {
  (void)problem, (void)variant, (void)threads;
  return WORKSPACE_BYTES;
}

/* Twice an own kernel's: a library is chosen by measurement only, so that what is linked without records does not depend on what the
 * linking machine has installed. Later ranks cost a little more. */
static double cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class, int threads) {
  const struct product_shape shape = gemm_product_shape(problem);
  const bool wide = problem->operands[0].dtype == DTYPE_F32;
  const struct product_tile tile = {128, 128, 32, 256, 1, wide ? 96 : 600};
  (void)threads;
  return product_cost(problem, &shape, &tile, device_class) * (2 + 0.02 * variant->params[PARAM_RANK]);
}

/* ---- handles: one per device, while steps of it live ---- */
struct shared_handle {
  struct shared_handle *next;
  struct cuda_device *device;
  struct cublaslt *handle;
  int users;
};
static struct shared_handle *handles;
static pthread_mutex_t handles_lock = PTHREAD_MUTEX_INITIALIZER;

static enum farm_status handle_open(struct cuda_device *device, struct shared_handle **out_handle) {
  struct shared_handle *shared = calloc(1, sizeof *shared);
  FAIL_IF(!shared, FARM_NO_MEMORY, "no memory for a handle of cuBLASLt");
  enum farm_status status = cublaslt_open(device, &shared->handle);
  if (status != FARM_OK) {
    free(shared);
    return status;
  }
  shared->device = device;
  shared->next = handles;
  *out_handle = handles = shared;
  return FARM_OK;
}

static enum farm_status handle_take(struct cuda_device *device, struct shared_handle **out_handle) {
  pthread_mutex_lock(&handles_lock);
  struct shared_handle *shared = handles;
  while (shared && shared->device != device) shared = shared->next;
  enum farm_status status = shared ? FARM_OK : handle_open(device, &shared);
  if (status == FARM_OK) {
    shared->users++;
    *out_handle = shared;
  }
  pthread_mutex_unlock(&handles_lock);
  return status;
}

static void handle_give(struct shared_handle *shared) {
  pthread_mutex_lock(&handles_lock);
  if (--shared->users == 0) {
    struct shared_handle **at = &handles;
    while (*at != shared) at = &(*at)->next;
    *at = shared->next;
    cublaslt_close(&shared->handle);
    free(shared);
  }
  pthread_mutex_unlock(&handles_lock);
}

/* ---- prepare, enqueue, release ---- */
struct step {
  struct shared_handle *shared;
  struct cublaslt_plan *plan;
  struct cublaslt_operands operands;
};

static struct cublaslt_product product_of(const struct problem *problem, const struct end *end) {
  const int64_t *d = problem->dims;
  struct cublaslt_product product = {.m = d[GEMM_M], .n = d[GEMM_N], .k = d[GEMM_K], .batch = d[GEMM_B],
                                     .transpose_a = d[GEMM_TA] != 0, .transpose_b = d[GEMM_TB] != 0,
                                     .type = problem->operands[0].dtype, .activation = end->activation, .bias = end->bias,
                                     .alpha = end->alpha, .beta = end->add ? 1.0f : 0.0f, .workspace_most_bytes = WORKSPACE_MOST};
  product.stride_a = d[GEMM_A_SHARED] ? 0 : d[GEMM_M] * d[GEMM_K];
  product.stride_b = d[GEMM_B_SHARED] ? 0 : d[GEMM_K] * d[GEMM_N];
  product.stride_d = d[GEMM_M] * d[GEMM_N];
  return product;
}

static enum farm_status plan_make(const struct cuda_call *call, const struct cublaslt_product *product, struct step *step) {
  struct cublaslt_algo algos[RANKS];
  int count, rank = call->variant->params[PARAM_RANK];
  TRY(cublaslt_algos(step->shared->handle, product, algos, RANKS, &count));
  FAIL_IF(rank >= count, FARM_TACTIC_REFUSED, "cuBLASLt has %d algorithms for this product, none of rank %d", count, rank);
  return cublaslt_prepare(step->shared->handle, product, &algos[rank], &step->plan);
}

static cuda_address aligned_up(cuda_address workspace) {
  return (workspace + CUBLASLT_WORKSPACE_ALIGNMENT - 1) / CUBLASLT_WORKSPACE_ALIGNMENT * CUBLASLT_WORKSPACE_ALIGNMENT;
}

static void release(void *state) {
  struct step *step = state;
  cublaslt_plan_free(&step->plan);
  handle_give(step->shared);
  free(step);
}

static enum farm_status prepare(struct cuda_device *device, const struct cuda_call *call, void **out_state) {
  const struct end end = end_of(call->problem, &call->scalars->epilogue);
  const struct cublaslt_product product = product_of(call->problem, &end);
  struct step *step = calloc(1, sizeof *step);
  FAIL_IF(!step, FARM_NO_MEMORY, "no memory for a step of cuBLASLt");
  enum farm_status status = handle_take(device, &step->shared);
  if (status != FARM_OK) {
    free(step);
    return status;
  }
  step->operands = (struct cublaslt_operands){.a = call->inputs[0], .b = call->inputs[1], .d = call->outputs[0],
                                              .workspace = aligned_up(call->workspace)};
  if (end.add) step->operands.c = call->inputs[end.add_operand];
  if (end.bias) step->operands.bias = call->inputs[end.bias_operand];
  status = plan_make(call, &product, step);
  if (status != FARM_OK) release(step);
  else *out_state = step;
  return status;
}

static enum farm_status enqueue(struct cuda_device *device, const struct cuda_call *call, void *state) {
  const struct step *step = state;
  (void)device, (void)call;
  return cublaslt_enqueue(step->plan, &step->operands);
}

static const struct cuda_tactic cublaslt = {.least_sm = 75, .prepare = prepare, .enqueue = enqueue, .release = release};
static const struct cuda_tactic cublaslt_bf16 = {.least_sm = 80, .prepare = prepare, .enqueue = enqueue, .release = release};

#define GEMM_CUBLASLT(type, detail_value)                                                                                        \
  const struct tactic gemm_##type##__cublaslt__cuda = {                                                                          \
      .id = "gemm_" #type "__cublaslt__cuda",                                                                                    \
      .kind = PROBLEM_GEMM,                                                                                                      \
      .device = DEVICE_CUDA,                                                                                                     \
      .layout = LAYOUT_ANY,                                                                                                      \
      .source = "cuda-gemm",                                                                                                     \
      .source_digest = source_digest,                                                                                            \
      .packed_operand = -1,                                                                                                      \
      .detail = &detail_value,                                                                                                   \
      .params = {{"rank", rank_values, RANKS}},                                                                                  \
      .applicable = type##_applicable,                                                                                           \
      .present = present,                                                                                                        \
      .workspace = workspace,                                                                                                    \
      .cost = cost,                                                                                                              \
  };
GEMM_CUBLASLT(f16, cublaslt)
GEMM_CUBLASLT(bf16, cublaslt_bf16)
GEMM_CUBLASLT(f32, cublaslt)
