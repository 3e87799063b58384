/* Expand and Tile (the input repeated), DepthToSpace and SpaceToDepth (its elements in another order): their text says it all. */
#include "move.h"

#include <string.h>

static bool view_begin(const struct op_operands *operands, struct move_view *out) {
  const struct tensor *y = &operands->outputs[0];
  *out = (struct move_view){.element = move_element(y), .elems = tensor_elems(y)};
  return operands->output_count == 1;
}

static void view_dim(struct move_view *view, int64_t dim, int64_t stride) {
  view->dims[view->rank] = dim;
  view->strides[view->rank++] = stride;
}

/* ---- Expand ---- */
static bool expand_view(const struct problem *problem, const struct cuda_call *call, struct move_view *out) {
  struct op_operands operands;
  int64_t strides[TENSOR_MAX_RANK];
  (void)call;
  if (!move_operands(problem, "Expand", &operands) || !view_begin(&operands, out) || operands.input_count != 2) return false;
  const struct tensor *x = &operands.inputs[0], *y = &operands.outputs[0];
  const int leading = y->rank - x->rank;
  if (leading < 0) return false;
  move_strides(x, strides);
  for (int d = 0; d < y->rank; d++) {
    const int64_t has = d < leading ? 1 : x->dims[d - leading];
    if (has != 1 && has != y->dims[d]) return false;
    view_dim(out, y->dims[d], has == 1 ? 0 : strides[d - leading]);
  }
  return true;
}

/* ---- Tile: each dim is two, of repetitions and of elements ---- */
static bool tile_view(const struct problem *problem, const struct cuda_call *call, struct move_view *out) {
  struct op_operands operands;
  int64_t strides[TENSOR_MAX_RANK];
  (void)call;
  if (!move_operands(problem, "Tile", &operands) || !view_begin(&operands, out) || operands.input_count != 2) return false;
  const struct tensor *x = &operands.inputs[0], *y = &operands.outputs[0];
  if (x->rank != y->rank) return false;
  move_strides(x, strides);
  for (int d = 0; d < y->rank; d++) {
    if (x->dims[d] == 0 ? y->dims[d] != 0 : y->dims[d] % x->dims[d] != 0) return false;
    view_dim(out, x->dims[d] ? y->dims[d] / x->dims[d] : 0, 0);
    view_dim(out, x->dims[d], strides[d]);
  }
  return true;
}

/* ---- DepthToSpace, SpaceToDepth: [n][c][h][w] ---- */

/* The block size, where x and y are of rank 4 and y is what `by` says of x: channels times, height and width over b. */
static bool blocks_read(const struct problem *problem, const char *name, struct op_operands *out, int64_t *out_block) {
  if (!move_operands(problem, name, out) || out->input_count != 1 || out->inputs[0].rank != 4 || out->outputs[0].rank != 4)
    return false;
  return op_text_int(problem, "blocksize", 0, out_block) && *out_block >= 1 && *out_block <= 32768;
}

/* deep: [n][c b b][h][w], wide: [n][c][h b][w b] */
static bool blocks_fit(const struct tensor *deep, const struct tensor *wide, int64_t b) {
  const int64_t channels = deep->dims[1] / (b * b);
  return deep->dims[0] == wide->dims[0] && deep->dims[1] % (b * b) == 0 && wide->dims[1] == channels &&
         wide->dims[2] == deep->dims[2] * b && wide->dims[3] == deep->dims[3] * b;
}

static bool depth_to_space_view(const struct problem *problem, const struct cuda_call *call, struct move_view *out) {
  struct op_operands operands;
  int64_t b, strides[TENSOR_MAX_RANK];
  size_t length;
  (void)call;
  if (!blocks_read(problem, "DepthToSpace", &operands, &b) || !view_begin(&operands, out)) return false;
  const struct tensor *x = &operands.inputs[0], *y = &operands.outputs[0];
  if (!blocks_fit(x, y, b)) return false;
  const char *mode = op_text_attr(problem, "mode", &length);
  const bool crd = mode && length == 5 && memcmp(mode, "\"CRD\"", 5) == 0;
  if (mode && !crd && (length != 5 || memcmp(mode, "\"DCR\"", 5) != 0)) return false;
  move_strides(x, strides);
  const int64_t c = strides[1], block = crd ? c : c * y->dims[1]; // from one place in a block to the next
  view_dim(out, y->dims[0], strides[0]);
  view_dim(out, y->dims[1], crd ? c * b * b : c);
  view_dim(out, x->dims[2], strides[2]);
  view_dim(out, b, block * b);
  view_dim(out, x->dims[3], strides[3]);
  view_dim(out, b, block);
  return true;
}

static bool space_to_depth_view(const struct problem *problem, const struct cuda_call *call, struct move_view *out) {
  struct op_operands operands;
  int64_t b, strides[TENSOR_MAX_RANK];
  (void)call;
  if (!blocks_read(problem, "SpaceToDepth", &operands, &b) || !view_begin(&operands, out)) return false;
  const struct tensor *x = &operands.inputs[0], *y = &operands.outputs[0];
  if (!blocks_fit(y, x, b)) return false;
  move_strides(x, strides);
  view_dim(out, x->dims[0], strides[0]);
  view_dim(out, b, strides[2]);
  view_dim(out, b, strides[3]);
  view_dim(out, x->dims[1], strides[1]);
  view_dim(out, y->dims[2], strides[2] * b);
  view_dim(out, y->dims[3], strides[3] * b);
  return true;
}

/* ---- rows ---- */
MOVE_BOX_TACTIC(op_expand__copy__sm75, expand_view);
MOVE_BOX_TACTIC(op_tile__copy__sm75, tile_view);
MOVE_BOX_TACTIC(op_depth_to_space__copy__sm75, depth_to_space_view);
MOVE_BOX_TACTIC(op_space_to_depth__copy__sm75, space_to_depth_view);
