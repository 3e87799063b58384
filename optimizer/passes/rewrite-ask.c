/* See rewrite.h: questions about nodes and values. */
#include "rewrite.h"

#include <math.h>
#include <string.h>

bool node_is(const struct node *node, const char *domain, const char *name) {
  return node && !strcmp(node->row->name, name) && !strcmp(node->row->domain, domain);
}
bool node_is_onnx(const struct node *node, const char *name) { return node_is(node, "", name); }
bool node_is_fused(const struct node *node, const char *name) { return node_is(node, "tunefarm", name); }

struct value *node_in(const struct node *node, int input) {
  return input < node->input_count ? node->inputs[input] : NULL;
}

struct value *node_out(const struct node *node) {
  for (int i = 1; i < node->output_count; i++)
    if (node->outputs[i]) return NULL;
  return node->output_count > 0 ? node->outputs[0] : NULL;
}

bool value_is_private(const struct pass_context *context, const struct value *value) {
  return value->id < context->uses.value_count && context->uses.single[value->id] != NULL;
}

bool value_is_float(const struct value *value) {
  return value->type.dtype == DTYPE_F32 || value->type.dtype == DTYPE_F16 || value->type.dtype == DTYPE_BF16;
}

bool types_equal(const struct tensor *a, const struct tensor *b) {
  if (a->dtype != b->dtype || a->rank != b->rank || a->rank < 0) return false;
  for (int i = 0; i < a->rank; i++)
    if (a->dims[i] != b->dims[i] || a->dims[i] == DIM_UNKNOWN) return false;
  return true;
}

bool value_scalar(const struct value *value, double *out) {
  if (!value || !value->constant || tensor_elems(value->constant) != 1 || dtype_bits(value->constant->dtype) == 0) return false;
  *out = dtype_load_f64(value->constant->dtype, value->constant->data, 0);
  return true;
}

bool value_is_number(const struct value *value, double number) {
  double own;
  if (!value_scalar(value, &own)) return false;
  const double tolerance = value->constant->dtype == DTYPE_F16 ? 1e-3 : value->constant->dtype == DTYPE_BF16 ? 5e-3 : 1e-4;
  return fabs(own - number) <= tolerance * fabs(number);
}

bool dims_static(const struct tensor *type) { return type->rank >= 0 && tensor_elems(type) >= 0; }

int node_ints(const struct node *node, const char *attr, int input, int64_t *out, int most) {
  int count = attr_ints(&node->attrs, attr, out, most);
  if (count >= 0) return count > most ? -1 : count;
  const struct value *value = node_in(node, input);
  if (!value || !value->constant || !dtype_is_integer(value->constant->dtype)) return -1;
  int64_t elems = tensor_elems(value->constant);
  if (elems < 0 || elems > most) return -1;
  for (int64_t i = 0; i < elems; i++) out[i] = dtype_load_i64(value->constant->dtype, value->constant->data, i);
  return (int)elems;
}

bool axes_mask(const int64_t *axes, int count, int rank, uint32_t *out) {
  *out = 0;
  for (int i = 0; i < count; i++) {
    int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
    if (axis < 0 || axis >= rank) return false;
    *out |= 1u << axis;
  }
  return true;
}

bool transpose_perm(const struct node *node, int64_t out[TENSOR_MAX_RANK]) {
  const int rank = node->inputs[0]->type.rank;
  if (rank < 0) return false;
  int count = attr_ints(&node->attrs, "perm", out, TENSOR_MAX_RANK);
  for (int i = 0; count < 0 && i < rank; i++) out[i] = rank - 1 - i;
  return count < 0 || count == rank;
}

bool perm_is(const struct node *node, int rank, const int64_t *perm) {
  int64_t own[TENSOR_MAX_RANK];
  if (!node_is_onnx(node, "Transpose") || node->inputs[0]->type.rank != rank || !transpose_perm(node, own)) return false;
  return !memcmp(own, perm, sizeof *own * (size_t)rank);
}

static bool bound(const struct node *node, const char *attr, int input, double *out) {
  if (attr_has(&node->attrs, attr)) {
    *out = (double)attr_float(&node->attrs, attr, 0);
    return true;
  }
  return !node_in(node, input) || value_scalar(node_in(node, input), out);
}

bool clip_bounds(const struct node *node, double *out_low, double *out_high) {
  *out_low = -INFINITY, *out_high = INFINITY;
  return node_is_onnx(node, "Clip") && bound(node, "min", 1, out_low) && bound(node, "max", 2, out_high);
}
