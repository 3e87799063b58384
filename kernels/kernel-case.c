/* A problem's operands: guarded buffers, filled from the digest of the problem's text, so that every machine makes the same ones.
 */
#include "kernel-case.h"

#include "../base/random.h"
#include "reference-tactic.h"

#include <stdlib.h>
#include <string.h>

enum { PATTERN = 0xff }; // floats, halves and doubles of it are NaN
static const double FULL_CHECK_MACS = 2e9;

/* ---- guard zones ---- */
enum farm_status guarded_make(size_t bytes, struct guarded *out) {
  size_t whole;
  FAIL_IF(__builtin_add_overflow(bytes, 2 * GUARD_BYTES + 64, &whole), FARM_NO_MEMORY, "a buffer of %zu bytes", bytes);
  unsigned char *base = NULL;
  if (posix_memalign((void **)&base, 64, whole) != 0)
    return status_set(FARM_NO_MEMORY, "no memory for an operand of %zu bytes", bytes);
  memset(base, PATTERN, GUARD_BYTES);
  memset(base + GUARD_BYTES, PATTERN, bytes + GUARD_BYTES);
  *out = (struct guarded){base, base + GUARD_BYTES, bytes};
  return FARM_OK;
}

void guarded_free(struct guarded *guarded) {
  free(guarded->base);
  *guarded = (struct guarded){0};
}

static bool zone_intact(const unsigned char *zone) {
  for (int i = 0; i < GUARD_BYTES; i++)
    if (zone[i] != PATTERN) return false;
  return true;
}

bool guarded_intact(const struct guarded *guarded) {
  return !guarded->base || (zone_intact(guarded->base) && zone_intact(guarded->data + guarded->bytes));
}

void guarded_fill(struct guarded *guarded) { memset(guarded->data, PATTERN, guarded->bytes); }

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
void guarded_forbid(const struct guarded *guarded, bool forbid) {
  if (!guarded->base) return;
  const unsigned char *end = guarded->data + guarded->bytes;
  if (forbid) {
    __asan_poison_memory_region(guarded->base, GUARD_BYTES);
    __asan_poison_memory_region(end, GUARD_BYTES);
  } else {
    __asan_unpoison_memory_region(guarded->base, GUARD_BYTES);
    __asan_unpoison_memory_region(end, GUARD_BYTES);
  }
}
#else
void guarded_forbid(const struct guarded *guarded, bool forbid) { (void)guarded, (void)forbid; }
#endif

/* ---- layouts ---- */
bool operand_has_layout(const struct problem *problem, const struct tensor *type, int operand) {
  bool image = problem->kind == PROBLEM_CONV2D || problem->kind == PROBLEM_POOL2D;
  return image && type->rank == 4 && !(problem->kind == PROBLEM_CONV2D && operand == 1);
}

int64_t layout_nhwc_index(const struct tensor *nchw, int64_t index) {
  int64_t c = nchw->dims[1], hw = nchw->dims[2] * nchw->dims[3];
  int64_t pixel = index % hw, channel = index / hw % c, n = index / hw / c;
  return (n * hw + pixel) * c + channel;
}

void layout_to_nhwc(const struct tensor *nchw, const void *from, void *to) {
  size_t size = (size_t)dtype_bits(nchw->dtype) / 8;
  int64_t elems = tensor_elems(nchw);
  for (int64_t i = 0; i < elems; i++)
    memcpy((char *)to + (size_t)layout_nhwc_index(nchw, i) * size, (const char *)from + (size_t)i * size, size);
}

/* ---- contents ---- */
uint64_t kernel_case_seed(const struct problem *problem, int operand) {
  struct digest digest = problem_digest(problem);
  uint64_t seed;
  memcpy(&seed, digest.bytes, sizeof seed);
  return seed + (uint64_t)operand * 0x9e3779b97f4a7c15u;
}

static bool wants_positive(const struct problem *problem) {
  if (problem->kind != PROBLEM_MAP) return false;
  for (int i = 0; i < problem->program->instruction_count; i++) {
    enum map_op op = problem->program->instructions[i].op;
    if (op == MAP_LOG || op == MAP_SQRT || op == MAP_POW || op == MAP_DIV || op == MAP_RECIPROCAL) return true;
  }
  return false;
}

static void fill_operand(const struct problem *problem, int operand, const struct tensor *type, void *data) {
  uint64_t seed = kernel_case_seed(problem, operand);
  int64_t elems = tensor_elems(type);
  enum dtype_class class = dtype_class(type->dtype);
  double low = wants_positive(problem) ? 0.25 : -1, range = wants_positive(problem) ? 1 : 2;
  for (int64_t i = 0; i < elems; i++) {
    double x = random_uniform(seed, (uint64_t)i);
    if (class == DTYPE_CLASS_FLOAT)
      dtype_store_f64(type->dtype, data, i, low + range * x);
    else if (class == DTYPE_CLASS_BOOL)
      dtype_store_i64(type->dtype, data, i, x < 0.5);
    else
      dtype_store_i64(type->dtype, data, i, (int64_t)(x * 9) - (class == DTYPE_CLASS_INT ? 4 : 0));
  }
}

/* Parameters that a problem's text leaves out, such that every branch of an activation is taken. */
static struct operation_scalars scalars_of(const struct problem *problem) {
  struct operation_scalars scalars = {.epilogue = problem->epilogue, .epsilon = 1e-5f};
  for (int i = 0; i < scalars.epilogue.count; i++) {
    struct epilogue_step *step = &scalars.epilogue.steps[i];
    if (step->p[0] != 0 || step->p[1] != 0) continue;
    if (step->op == EPILOGUE_CLIP) step->p[0] = -0.5f, step->p[1] = 0.75f;
    if (step->op == EPILOGUE_LEAKY_RELU) step->p[0] = 0.125f;
    if (step->op == EPILOGUE_SCALE) step->p[0] = 0.5f;
    if (step->op == EPILOGUE_HARD_SIGMOID) step->p[0] = 0.25f, step->p[1] = 0.5f;
  }
  for (int i = 0; i < OPERATION_MAX_SCALARS; i++) scalars.params[i] = 0.5f + 0.25f * (float)i;
  return scalars;
}

static enum farm_status inputs_make(struct kernel_case *made) {
  for (int i = 0; i < made->problem->input_count; i++) {
    size_t bytes = tensor_bytes(&made->types[i]);
    FAIL_IF(bytes == SIZE_MAX, FARM_INVALID, "operand %d of the problem has no size", i);
    TRY(guarded_make(bytes, &made->inputs[i]));
    made->types[i].data = made->inputs[i].data;
    fill_operand(made->problem, i, &made->types[i], made->types[i].data);
  }
  return FARM_OK;
}

enum farm_status kernel_case_make(const struct problem *problem, struct kernel_case **out_case) {
  struct kernel_case *made = calloc(1, sizeof *made);
  FAIL_IF(!made, FARM_NO_MEMORY, "no memory for a problem's operands");
  made->problem = problem;
  made->operand_count = problem->input_count + problem->output_count;
  made->scalars = scalars_of(problem);
  enum farm_status status;
  TRY_OR(problem_operand_types(problem, made->types), free_case);
  TRY_OR(inputs_make(made), free_case);
  *out_case = made;
  return FARM_OK;
free_case:
  kernel_case_free(&made);
  return status;
}

void kernel_case_free(struct kernel_case **kernel_case) {
  struct kernel_case *made = *kernel_case;
  if (!made) return;
  for (int i = 0; i < made->problem->input_count; i++) guarded_free(&made->inputs[i]);
  for (int i = made->problem->input_count; i < made->operand_count; i++) tensor_free(&made->types[i]);
  kernel_samples_free(&made->samples);
  free(made);
  *kernel_case = NULL;
}

static bool can_sample(const struct problem *problem) { return problem->kind == PROBLEM_GEMM || problem->kind == PROBLEM_CONV2D; }

static enum farm_status expect_all(struct kernel_case *made) {
  int first = made->problem->input_count;
  const struct tensor *inputs[PROBLEM_MAX_OPERANDS];
  struct tensor *outputs[PROBLEM_MAX_OPERANDS];
  for (int i = 0; i < first; i++) inputs[i] = &made->types[i];
  for (int i = first; i < made->operand_count; i++) {
    if (!made->types[i].data) TRY(tensor_alloc(&made->types[i]));
    outputs[i - first] = &made->types[i];
  }
  return reference_problem_run(made->problem, LAYOUT_NCHW, &made->scalars, inputs, outputs);
}

enum farm_status kernel_case_expect(struct kernel_case *kernel_case) {
  if (kernel_case->expected) return FARM_OK;
  kernel_case->sampled = can_sample(kernel_case->problem) && problem_macs(kernel_case->problem) > FULL_CHECK_MACS;
  if (kernel_case->sampled)
    TRY(kernel_samples_make(kernel_case, &kernel_case->samples));
  else
    TRY(expect_all(kernel_case));
  kernel_case->expected = true;
  return FARM_OK;
}
