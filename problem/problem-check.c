/* What must hold of every problem, and the merging of dims. See problem_check and problem_coalesce in problem.h. */
#include "problem-kinds.h"

#include <string.h>

#define RULE(condition, ...) FAIL_IF(!(condition), FARM_INVALID, __VA_ARGS__)

static enum farm_status check_fixed_dims(const struct problem *problem) {
  struct dim_spec spec;
  for (int i = 0; problem_dim_spec(problem->kind, i, &spec); i++) {
    const bool presence = problem->kind == PROBLEM_NORM && spec.otherwise == 1; // scale, bias
    const int64_t least = spec.otherwise == 0 || spec.choice || presence ? 0 : 1;
    const int64_t most = spec.flag || spec.choice || presence ? 1 : (INT64_C(1) << PROBLEM_DIM_BITS) - 1;
    RULE(problem->dims[i] >= least && problem->dims[i] <= most, "%s: %.*s is %lld, out of range",
         problem_kind_name(problem->kind), spec.length, spec.name, (long long)problem->dims[i]);
  }
  return FARM_OK;
}

static enum farm_status check_gemm(const struct problem *problem) {
  const int64_t *d = problem->dims;
  RULE(d[GEMM_B] > 1 || (!d[GEMM_A_SHARED] && !d[GEMM_B_SHARED]), "gemm: a batch of 1 shares nothing");
  RULE(!d[GEMM_A_SHARED] || !d[GEMM_B_SHARED], "gemm: both operands shared by the batch");
  RULE(!d[GEMM_B_SHARED] || d[GEMM_TA], "gemm: a batch with one w and a not transposed is written with b folded into m");
  return FARM_OK;
}

static enum farm_status check_window(const struct problem *problem, int first, int last) {
  int64_t h, w;
  for (int i = first; i <= last; i++) RULE(problem->dims[i] <= PROBLEM_WINDOW_MAX, "window, stride, pad or dilation too large");
  problem_output_hw(problem, &h, &w);
  RULE(h > 0 && w > 0, "%s: the output is empty", problem_kind_name(problem->kind));
  return FARM_OK;
}

static enum farm_status check_conv2d(const struct problem *problem) {
  const int64_t *d = problem->dims;
  RULE(d[CONV_C] % d[CONV_G] == 0 && d[CONV_K] % d[CONV_G] == 0, "conv2d: g%lld does not divide c and k", (long long)d[CONV_G]);
  return check_window(problem, CONV_R, CONV_DIL_W);
}

static enum farm_status check_pool2d(const struct problem *problem) {
  RULE(problem->dims[POOL_MODE] == POOL_AVERAGE || !problem->dims[POOL_COUNT_PAD], "pool2d: countpad is for average");
  return check_window(problem, POOL_R, POOL_DIL_W);
}

static enum farm_status check_attention(const struct problem *problem) {
  const int64_t *d = problem->dims;
  const int64_t order = d[ATTENTION_ORDER];
  RULE(order <= 2 || order == 4, "attention: no order%lld", (long long)order);
  RULE(d[ATTENTION_MASK] <= 5, "attention: no mask%lld", (long long)d[ATTENTION_MASK]);
  RULE(d[ATTENTION_HEADS] % d[ATTENTION_KV_HEADS] == 0, "attention: kvheads does not divide heads");
  RULE(order != 2 || (d[ATTENTION_HEADS] == d[ATTENTION_KV_HEADS] && d[ATTENTION_SEQ] == d[ATTENTION_KV] &&
                      d[ATTENTION_D] == d[ATTENTION_DV]),
       "attention: order2 packs q, k and v of the same size");
  return FARM_OK;
}

static enum farm_status check_variable_dims(const struct problem *problem) {
  RULE(problem->dim_count >= 1 && problem->dim_count <= TENSOR_MAX_RANK, "%s: %d dims", problem_kind_name(problem->kind),
       problem->dim_count);
  for (int i = 0; i < problem->dim_count; i++)
    RULE(problem->dims[i] >= 1 && problem->dims[i] >> PROBLEM_DIM_BITS == 0, "%s: dim %d is out of range",
         problem_kind_name(problem->kind), i);
  return FARM_OK;
}

static enum farm_status check_transpose(const struct problem *problem) {
  uint32_t seen = 0;
  TRY(check_variable_dims(problem));
  for (int i = 0; i < problem->dim_count; i++) {
    RULE(problem->perm[i] >= 0 && problem->perm[i] < problem->dim_count, "transpose: perm does not fit the dims");
    seen |= 1u << problem->perm[i];
  }
  RULE(seen + 1 == 1u << problem->dim_count, "transpose: perm is no permutation");
  RULE(problem->operands[0].dtype == problem->operands[1].dtype, "transpose: two types");
  return FARM_OK;
}

static enum farm_status check_map(const struct problem *problem) {
  const uint32_t all = (1u << problem->dim_count) - 1;
  TRY(check_variable_dims(problem));
  RULE(problem->program->operand_count >= 1, "map: no operand");
  RULE((problem->reduced != 0) == (problem->program->reduce != MAP_REDUCE_NONE), "map: r dims and a reduction go together");
  RULE((problem->reduced & ~all) == 0, "map: reduced dims that are not there");
  uint32_t used = 0;
  for (int i = 0; i < problem->input_count; i++) {
    RULE((problem->operands[i].uses & ~all) == 0, "map: operand %d uses dims that are not there", i);
    used |= problem->operands[i].uses;
  }
  for (int i = 0; i < problem->dim_count; i++)
    RULE(problem->dims[i] == 1 || used >> i & 1, "map: no operand varies along dim %d", i);
  return FARM_OK;
}

static enum farm_status check_operand_sizes(const struct problem *problem) {
  struct tensor types[PROBLEM_MAX_OPERANDS];
  TRY(problem_operand_types(problem, types));
  for (int i = 0; i < problem->input_count + problem->output_count; i++) {
    int64_t elems = tensor_elems(&types[i]);
    RULE(elems >= 0 && elems >> PROBLEM_OPERAND_BITS == 0, "%s: operand %d is too large", problem_kind_name(problem->kind), i);
  }
  int64_t all = problem->kind == PROBLEM_MAP ? tensor_dims_product(problem->dims, problem->dim_count) : 0;
  RULE(all >= 0 && all >> PROBLEM_OPERAND_BITS == 0, "map: too many elements");
  return FARM_OK;
}

enum farm_status problem_check(const struct problem *problem) {
  static enum farm_status (*const checks[PROBLEM_KIND_COUNT])(const struct problem *) = {
      [PROBLEM_GEMM] = check_gemm,           [PROBLEM_CONV2D] = check_conv2d,       [PROBLEM_POOL2D] = check_pool2d,
      [PROBLEM_ATTENTION] = check_attention, [PROBLEM_TRANSPOSE] = check_transpose, [PROBLEM_MAP] = check_map};
  if (problem->kind == PROBLEM_OP) {
    RULE(problem->op_text && *problem->op_text, "op: no operator");
    return FARM_OK;
  }
  TRY(check_fixed_dims(problem));
  if (checks[problem->kind]) TRY(checks[problem->kind](problem));
  RULE(!problem->epilogue.count || problem->kind == PROBLEM_GEMM || problem->kind == PROBLEM_CONV2D, "%s has no epilogue",
       problem_kind_name(problem->kind));
  for (int i = 0; i < problem->input_count + problem->output_count; i++)
    RULE(dtype_bits(problem->operands[i].dtype) > 0, "%s: operand %d has no number type", problem_kind_name(problem->kind), i);
  return check_operand_sizes(problem);
}

/* ---- merging dims ---- */

/* Removes bit `at` of a mask, moving the higher ones down. */
static uint32_t bit_remove(uint32_t mask, int at) {
  uint32_t low = mask & ((1u << at) - 1);
  return low | (mask >> (at + 1) << at);
}

static void map_dim_remove(struct problem *problem, int at) {
  problem->dim_count--;
  memmove(problem->dims + at, problem->dims + at + 1, sizeof *problem->dims * (size_t)(problem->dim_count - at));
  problem->reduced = bit_remove(problem->reduced, at);
  for (int i = 0; i < problem->input_count; i++) problem->operands[i].uses = bit_remove(problem->operands[i].uses, at);
}

static bool map_dims_alike(const struct problem *problem, int a, int b) {
  bool alike = (problem->reduced >> a & 1) == (problem->reduced >> b & 1);
  for (int i = 0; i < problem->input_count && alike; i++)
    alike = (problem->operands[i].uses >> a & 1) == (problem->operands[i].uses >> b & 1);
  return alike && problem->dims[a] <= ((INT64_C(1) << PROBLEM_DIM_BITS) - 1) / problem->dims[b];
}

/* A reduced dim of 1 stays when it is the only reduced one: the reduction (sumsq) still happens. A last dim of 1 is used by all.
 */
static void map_coalesce(struct problem *problem) {
  for (int i = problem->dim_count - 1; i >= 0; i--) {
    bool last_reduced = problem->reduced == 1u << i;
    if (problem->dims[i] == 1 && problem->dim_count > 1 && !last_reduced) map_dim_remove(problem, i);
  }
  for (int i = problem->dim_count - 1; i > 0; i--) {
    if (!map_dims_alike(problem, i - 1, i)) continue;
    problem->dims[i - 1] *= problem->dims[i];
    map_dim_remove(problem, i);
  }
  for (int d = 0; d < problem->dim_count; d++)
    for (int i = 0; i < problem->input_count && problem->dims[d] == 1; i++) problem->operands[i].uses |= 1u << d;
}

static void transpose_dim_remove(struct problem *problem, int in_dim) {
  int kept = 0;
  for (int i = 0; i < problem->dim_count; i++) {
    if (problem->perm[i] == in_dim) continue;
    problem->perm[kept++] = (int8_t)(problem->perm[i] - (problem->perm[i] > in_dim));
  }
  problem->dim_count--;
  memmove(problem->dims + in_dim, problem->dims + in_dim + 1, sizeof *problem->dims * (size_t)(problem->dim_count - in_dim));
}

static void transpose_coalesce(struct problem *problem) {
  for (int d = problem->dim_count - 1; d >= 0; d--)
    if (problem->dims[d] == 1 && problem->dim_count > 1) transpose_dim_remove(problem, d);
  for (int i = problem->dim_count - 1; i > 0; i--) {
    int left = problem->perm[i - 1], right = problem->perm[i];
    if (right != left + 1 || problem->dims[left] > ((INT64_C(1) << PROBLEM_DIM_BITS) - 1) / problem->dims[right]) continue;
    problem->dims[left] *= problem->dims[right];
    transpose_dim_remove(problem, right);
  }
}

void problem_coalesce(struct problem *problem) {
  for (int i = 0; i < problem->dim_count; i++)
    if (problem->dims[i] < 1 && (problem->kind == PROBLEM_MAP || problem->kind == PROBLEM_TRANSPOSE))
      return; // problem_check refuses it
  if (problem->kind == PROBLEM_MAP) map_coalesce(problem);
  if (problem->kind == PROBLEM_TRANSPOSE) transpose_coalesce(problem);
}
