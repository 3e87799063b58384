/* Plans, legality, workspace and packing of nhwc convolutions over register tiles.
 *
 * Joined rows: with undilated columns and one group, the s * c floats of a window row are neighbours in nhwc, so a window is r
 * positions of depth s * c instead of r * s of depth c. That wants every window to lie inside: where there is padding, x is first
 * copied into a padded image. It is what makes a stem of three channels fast, and saves pointers elsewhere.
 */
#include "igemm-plan.h"

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t parts_of(int64_t count, int64_t size) { return (count + size - 1) / size; }

static bool can_join(const struct conv_shape *shape) { return shape->groups == 1 && shape->dil_w == 1 && shape->s > 1; }

bool igemm_applicable(const struct problem *problem) {
  if (!conv_is_f32(problem)) return false;
  struct conv_shape shape = conv_shape_of(problem);
  return !conv_is_depthwise(&shape);
}

static void plan_chunks(struct igemm_plan *plan, int64_t kc) {
  plan->chunk_positions = plan->positions;
  plan->chunk_depth = plan->depth;
  if (kc == 0 || plan->positions * plan->depth <= kc) return;
  if (plan->positions > 1)
    plan->chunk_positions = kc > plan->depth ? kc / plan->depth : 1;
  else
    plan->chunk_depth = kc;
}

static void plan_bytes(struct igemm_plan *plan) {
  const struct conv_shape *shape = &plan->shape;
  size_t image = (size_t)(plan->padded_h * plan->padded_w * shape->c) * sizeof(float);
  plan->zero_bytes = tile_align((size_t)shape->c * sizeof(float));
  plan->padded_bytes = plan->copied ? tile_align((size_t)shape->n * image) : 0;
  plan->rows_bytes = tile_align((size_t)(plan->mc_tiles * plan->mr * plan->positions) * sizeof(float *));
}

struct igemm_plan igemm_plan_of(const struct problem *problem, const struct variant *variant) {
  const struct tile *tile = variant->tactic->detail;
  struct igemm_plan plan = {.shape = conv_shape_of(problem), .mr = tile->mr, .nr = tile->nr};
  const struct conv_shape *shape = &plan.shape;
  plan.joined = variant->params[IGEMM_PARAM_PD] && can_join(shape);
  plan.copied = plan.joined && conv_is_padded(shape);
  plan.prefetch = variant->params[IGEMM_PARAM_PF] != 0;
  plan.positions = plan.joined ? shape->r : shape->r * shape->s;
  plan.depth = plan.joined ? shape->s * shape->c : shape->group_c;
  plan.padded_h = shape->h + shape->pad_t + shape->pad_b;
  plan.padded_w = shape->w + shape->pad_l + shape->pad_r;
  plan.tiles = parts_of(shape->pixels, plan.mr);
  plan.panels = parts_of(shape->group_k, plan.nr);
  int64_t mc = variant->params[IGEMM_PARAM_MC];
  plan.mc_tiles = least(plan.tiles, mc > plan.mr ? mc / plan.mr : 1);
  plan_chunks(&plan, variant->params[IGEMM_PARAM_KC]);
  plan_bytes(&plan);
  if (!shape->constant_w) plan.weights_bytes = tile_align(igemm_packed_bytes(problem, variant));
  return plan;
}

bool igemm_legal(const struct problem *problem, const struct variant *variant) {
  const int16_t *p = variant->params;
  struct conv_shape shape = conv_shape_of(problem);
  int64_t depth = shape.r * shape.s * shape.group_c;
  if (p[IGEMM_PARAM_KC] && p[IGEMM_PARAM_KC] * 3 / 2 > depth) return false;
  if (p[IGEMM_PARAM_MC] > 96 && shape.pixels <= 96) return false;
  if (p[IGEMM_PARAM_PD] && !can_join(&shape)) return false;
  return !p[IGEMM_PARAM_PF] || shape.constant_w;
}

size_t igemm_workspace(const struct problem *problem, const struct variant *variant, int threads) {
  struct igemm_plan plan = igemm_plan_of(problem, variant);
  return plan.zero_bytes + plan.padded_bytes + plan.weights_bytes + (size_t)(threads < 1 ? 1 : threads) * plan.rows_bytes;
}

size_t igemm_packed_bytes(const struct problem *problem, const struct variant *variant) {
  const struct tile *tile = variant->tactic->detail;
  struct conv_shape shape = conv_shape_of(problem);
  int64_t columns = parts_of(shape.group_k, tile->nr) * tile->nr;
  return (size_t)(shape.groups * columns * shape.r * shape.s * shape.group_c) * sizeof(float);
}

/* One panel: [r][s][c/g][nr] of channels first .. first + nr - 1 of a group; those beyond the group are zero. */
static void pack_panel(const struct conv_shape *shape, int nr, const float *weights, int64_t first, float *out) {
  int64_t taps = shape->r * shape->s;
  for (int64_t tap = 0; tap < taps; tap++)
    for (int64_t c = 0; c < shape->group_c; c++)
      for (int64_t k = first; k < first + nr; k++)
        *out++ = k < shape->group_k ? weights[(k * shape->group_c + c) * taps + tap] : 0;
}

void igemm_pack(const struct problem *problem, const struct variant *variant, const void *weights, void *out_packed) {
  const struct tile *tile = variant->tactic->detail;
  struct conv_shape shape = conv_shape_of(problem);
  const float *w = weights; // [k][c/g][r][s]
  float *out = out_packed;
  int64_t depth = shape.r * shape.s * shape.group_c;
  for (int64_t g = 0; g < shape.groups; g++, w += shape.group_k * depth)
    for (int64_t first = 0; first < shape.group_k; first += tile->nr, out += depth * tile->nr)
      pack_panel(&shape, tile->nr, w, first, out);
}
