/* What a gemm problem and a variant's parameters come to: strides, tile counts, block sizes, workspace; which parameters make
 * sense.
 *
 * Workspace of one thread:   [ row pointers of an mc block | packed A of an mc x kc block | packed B of an nc block ]
 * The kernel works with any parameters on any applicable problem; `legal` only leaves out those that equal others or are
 * hopeless.
 */
#include "gemm.h"

enum {
  B_BLOCK_BYTES = 512 << 10, // of B packed at run time: half of a usual second-level cache
  A_BLOCK_BYTES = 512 << 10
};

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t parts_of(int64_t count, int64_t size) { return (count + size - 1) / size; }

bool gemm_applicable(const struct problem *problem) {
  if (problem->kind != PROBLEM_GEMM || problem->accumulate != DTYPE_F32) return false;
  for (int i = 0; i < problem->input_count + problem->output_count; i++)
    if (problem->operands[i].dtype != DTYPE_F32) return false;
  return problem->dims[GEMM_K] > 0;
}

static void plan_strides(struct gemm_plan *plan, const int64_t *d) {
  plan->a_batch = d[GEMM_A_SHARED] ? 0 : plan->m * plan->k;
  plan->b_batch = d[GEMM_B_SHARED] ? 0 : plan->k * plan->n;
  plan->a_row = plan->ta ? 1 : plan->k;
  plan->a_column = plan->ta ? plan->m : 1;
  plan->b_row = plan->tb ? 1 : plan->n;
  plan->b_column = plan->tb ? plan->k : 1;
}

static void plan_blocks(struct gemm_plan *plan, const struct variant *variant) {
  int64_t kc = variant->params[GEMM_PARAM_KC], mc = variant->params[GEMM_PARAM_MC];
  plan->tiles = parts_of(plan->m, plan->mr);
  plan->panels = parts_of(plan->n, plan->nr);
  plan->kc = kc && kc < plan->k ? kc : plan->k;
  plan->mc_tiles = least(plan->tiles, mc > plan->mr ? mc / plan->mr : 1);
  if (plan->pack_a) { // a long k must not make the block of A outgrow the cache
    int64_t fit = A_BLOCK_BYTES / ((int64_t)sizeof(float) * plan->mr) / plan->kc;
    plan->mc_tiles = least(plan->mc_tiles, fit > 1 ? fit : 1);
  }
  plan->nc_panels = plan->panels;
  if (!plan->constant_b && plan->pack_b) {
    int64_t fit = B_BLOCK_BYTES / ((int64_t)sizeof(float) * plan->nr) / plan->k;
    plan->nc_panels = least(plan->panels, fit > 1 ? fit : 1);
  }
}

struct gemm_plan gemm_plan_of(const struct problem *problem, const struct variant *variant) {
  const int64_t *d = problem->dims;
  const struct tile *tile = variant->tactic->detail;
  struct gemm_plan plan = {.batch = d[GEMM_B], .m = d[GEMM_M], .n = d[GEMM_N], .k = d[GEMM_K], .mr = tile->mr, .nr = tile->nr};
  plan.ta = d[GEMM_TA] != 0;
  plan.tb = d[GEMM_TB] != 0;
  plan.constant_b = problem->operands[1].constant;
  plan.pack_a = plan.ta || variant->params[GEMM_PARAM_PA];
  plan.pack_b = plan.tb || plan.pack_a || plan.constant_b || variant->params[GEMM_PARAM_PB];
  plan.prefetch = variant->params[GEMM_PARAM_PF] && !plan.pack_a && plan.pack_b;
  plan_strides(&plan, d);
  plan_blocks(&plan, variant);
  size_t panel = (size_t)plan.k * (size_t)plan.nr * sizeof(float);
  plan.rows_bytes = tile_align((size_t)plan.mc_tiles * (size_t)plan.mr * sizeof(float *));
  plan.a_bytes = plan.pack_a ? tile_align((size_t)plan.mc_tiles * (size_t)plan.mr * (size_t)plan.kc * sizeof(float)) : 0;
  if (!plan.constant_b) plan.b_bytes = tile_align(panel * (size_t)(plan.pack_b ? plan.nc_panels : 1));
  return plan;
}

bool gemm_legal(const struct problem *problem, const struct variant *variant) {
  const int64_t *d = problem->dims;
  const int16_t *p = variant->params;
  const struct tile *tile = variant->tactic->detail;
  bool constant_b = problem->operands[1].constant, skinny = d[GEMM_M] <= 4;
  if (tile->mr <= 2 && !skinny) return false;
  if (p[GEMM_PARAM_KC] && p[GEMM_PARAM_KC] * 3 / 2 > d[GEMM_K]) return false;
  if (p[GEMM_PARAM_MC] > 96 && d[GEMM_M] <= 96) return false;
  if (d[GEMM_TA] && !p[GEMM_PARAM_PA]) return false;
  if (p[GEMM_PARAM_PA] && (!p[GEMM_PARAM_PB] || p[GEMM_PARAM_PF] || skinny))
    return p[GEMM_PARAM_PB] && !p[GEMM_PARAM_PF] && d[GEMM_TA];
  if (!p[GEMM_PARAM_PB] && (constant_b || d[GEMM_TB])) return false;
  return !p[GEMM_PARAM_PF] || constant_b;
}

size_t gemm_workspace(const struct problem *problem, const struct variant *variant, int threads) {
  struct gemm_plan plan = gemm_plan_of(problem, variant);
  return (size_t)(threads < 1 ? 1 : threads) * (plan.rows_bytes + plan.a_bytes + plan.b_bytes);
}

size_t gemm_packed_bytes(const struct problem *problem, const struct variant *variant) {
  struct gemm_plan plan = gemm_plan_of(problem, variant);
  int64_t items = plan.b_batch ? plan.batch : 1;
  return (size_t)(items * plan.panels) * (size_t)plan.k * (size_t)plan.nr * sizeof(float);
}

void gemm_pack(const struct problem *problem, const struct variant *variant, const void *weights, void *out_packed) {
  struct gemm_plan plan = gemm_plan_of(problem, variant);
  const float *b = weights; // [batch][k][n], or [n][k] with tb
  float *out = out_packed;  // [batch][n/nr][k][nr]
  int64_t items = plan.b_batch ? plan.batch : 1;
  for (int64_t item = 0; item < items; item++, b += plan.k * plan.n)
    for (int64_t column = 0; column < plan.panels * plan.nr; column += plan.nr)
      for (int64_t k = 0; k < plan.k; k++)
        for (int64_t j = column; j < column + plan.nr; j++) *out++ = j < plan.n ? b[k * plan.b_row + j * plan.b_column] : 0;
}
