/* A Transpose of the last two dims before a fused gemm becomes trans_a or trans_b. */
#include "rewrite.h"

#include <string.h>

static bool swaps_last_two(const struct node *node) {
  int64_t perm[TENSOR_MAX_RANK];
  if (!node_is_onnx(node, "Transpose") || !transpose_perm(node, perm)) return false;
  const int rank = node->inputs[0]->type.rank;
  for (int i = 0; i < rank - 2; i++)
    if (perm[i] != i) return false;
  return rank >= 2 && perm[rank - 1] == rank - 2;
}

static enum farm_status rule(struct pass_context *context, struct node *node) {
  static const char *const flags[] = {"trans_a", "trans_b"};
  if (!node_is_fused(node, "Gemm")) return FARM_OK;
  for (int i = 0; i < 2; i++) {
    struct node *before = node->inputs[i]->producer;
    if (!before || before->graph != node->graph || !swaps_last_two(before)) continue;
    struct attr flag = attr_of_int(flags[i], !attr_int(&node->attrs, flags[i], 0));
    TRY(node_attr_set(node, &flag));
    node->inputs[i] = before->inputs[0];
    rewrite_note(context, before->origin, "Gemm");
    TRY(rewrite_done(context));
  }
  return FARM_OK;
}

enum farm_status pass_absorb_transposes(struct pass_context *context) { return rewrite_each(context, rule); }
