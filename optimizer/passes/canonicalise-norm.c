/* Layer and RMS normalisations that exporters write out in elementary operators become LayerNormalization and RMSNormalization.
 */
#include "dims.h"
#include "pattern.h"

#include <stdio.h>
#include <string.h>

/* The mean square deviation in four ways, its root in four, joined as division or multiplication. */
#define VARIANCE1 "v=ReduceMean(Pow(d,2))"
#define VARIANCE2 "v=ReduceMean(Mul(d,d))"
#define CENTRED "d=Sub(x,m=ReduceMean(x))"
#define JOINS(d, v)                                                                                                              \
  "Div(" d ",Sqrt(Add(" v ",$eps)))", "Div(" d ",Pow(Add(" v ",$eps),0.5))", "Mul(" d ",Reciprocal(Sqrt(Add(" v ",$eps))))",     \
      "Mul(" d ",Div(1,Sqrt(Add(" v ",$eps))))", "Mul(" d ",Pow(Add(" v ",$eps),-0.5))"

static const char *const layer_cores[] = {JOINS(CENTRED, VARIANCE1), JOINS(CENTRED, VARIANCE2)};
static const char *const rms_cores[] = {JOINS("x", "v=ReduceMean(Pow(x,2))"), JOINS("x", "v=ReduceMean(Mul(x,x))")};
static const char *const layer_affine[] = {"Add(Mul(%,g),b)", "Mul(%,g)", "%"};
static const char *const rms_affine[] = {"Mul(%,g)"};

/* `core` in the place of '%'. */
static bool match_with(const struct pass_context *context, const char *affine, const char *core, struct node *node,
                       struct match *out) {
  char pattern[256];
  const char *hole = strchr(affine, '%');
  int length = snprintf(pattern, sizeof pattern, "%.*s%s%s", (int)(hole - affine), affine, core, hole + 1);
  return length < (int)sizeof pattern && pattern_match(context, pattern, node, out);
}

/* The reductions are over the same last axes and keep them; returns the first axis, -1 otherwise. */
static int first_axis(const struct match *match, const struct value *x) {
  static const char *const names[] = {"v", "m"};
  uint32_t all = 0;
  for (int i = 0; i < 2; i++) {
    const struct node *mean = match_node(match, names[i]);
    int64_t axes[TENSOR_MAX_RANK];
    uint32_t mask;
    if (!mean) continue;
    int count = node_ints(mean, "axes", 1, axes, TENSOR_MAX_RANK);
    if (count < 1 || !attr_int(&mean->attrs, "keepdims", 1) || !axes_mask(axes, count, x->type.rank, &mask) ||
        (all && all != mask))
      return -1;
    all = mask;
  }
  int first = all ? __builtin_ctz(all) : -1;
  return first >= 0 && all == (1u << x->type.rank) - (1u << first) ? first : -1;
}

static int64_t length_from(const struct tensor *type, int first) {
  return tensor_dims_product(type->dims + first, type->rank - first);
}

/* A scale or bias over exactly the normalised axes. A constant may have leading ones, which go. */
static struct value *vector_of(struct node *node, struct value *value, const struct tensor *x, int first) {
  const int rank = x->rank - first, extra = value->type.rank - rank;
  const int64_t length = length_from(x, first);
  if (value->type.dtype != x->dtype || length < 1 || extra < 0 || (extra && !value->constant)) return NULL;
  for (int i = 0; i < value->type.rank; i++)
    if (value->type.dims[i] != (i < extra ? 1 : x->dims[first + i - extra])) return NULL;
  if (!extra) return value;
  struct tensor flat = *value->constant;
  flat.rank = rank;
  memmove(flat.dims, flat.dims + extra, sizeof *flat.dims * (size_t)rank);
  return graph_constant_share(node->graph, value->name, &flat);
}

static struct value *ones(struct node *node, const struct tensor *x, int first) {
  struct tensor tensor = {.dtype = x->dtype, .rank = x->rank - first};
  memcpy(tensor.dims, x->dims + first, sizeof *tensor.dims * (size_t)tensor.rank);
  if (tensor_elems(&tensor) < 1 || tensor_alloc(&tensor) != FARM_OK) return NULL;
  for (int64_t i = 0; i < tensor_elems(&tensor); i++) dtype_store_f64(tensor.dtype, tensor.data, i, 1);
  struct value *value = graph_constant_add(node->graph, NULL, &tensor);
  tensor_free(&tensor);
  return value;
}

static enum farm_status replace(struct pass_context *context, struct node *node, const struct match *match, bool rms,
                                bool *out_done) {
  struct value *x = match_value(match, "x"), *g = match_value(match, "g"), *b = match_value(match, "b");
  const int first = x->type.rank < 1 ? -1 : first_axis(match, x);
  *out_done = false;
  if (first < 0 || !values_alike(context, x, node->outputs[0]) || !value_is_float(x)) return FARM_OK;
  struct value *scale = g ? vector_of(node, g, &x->type, first) : ones(node, &x->type, first);
  struct value *bias = b ? vector_of(node, b, &x->type, first) : NULL;
  if (!scale || (b && !bias)) return FARM_OK;
  struct rewrite rewrite = {.domain = "",
                            .name = rms ? "RMSNormalization" : "LayerNormalization",
                            .version = rms ? 23 : 17,
                            .inputs = {x, scale, bias},
                            .input_count = bias ? 3 : 2,
                            .outputs = {node->outputs[0]},
                            .output_count = 1};
  rewrite_attr(&rewrite, attr_of_int("axis", first - x->type.rank));
  rewrite_attr(&rewrite, attr_of_float("epsilon", (float)match_number(match, "eps")));
  *out_done = true;
  return rewrite_replace(context, &rewrite, node, match->nodes, match->node_count, NULL);
}

static enum farm_status try_all(struct pass_context *context, struct node *node, const char *const *affine, int affine_count,
                                const char *const *cores, int core_count, bool rms, bool *done) {
  struct match match;
  for (int a = 0; a < affine_count && !*done; a++)
    for (int c = 0; c < core_count && !*done; c++)
      if (match_with(context, affine[a], cores[c], node, &match)) TRY(replace(context, node, &match, rms, done));
  return FARM_OK;
}

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))

/* The bare core waits while a scale follows it: then the last node of the whole is the one to match. */
static bool is_end(const struct pass_context *context, const struct node *node) {
  const struct value *out = node_out(node);
  if (!out || !(node_is_onnx(node, "Add") || node_is_onnx(node, "Mul") || node_is_onnx(node, "Div"))) return false;
  const struct node *user = value_is_private(context, out) ? context->uses.single[out->id] : NULL;
  if (!user || node_is_onnx(node, "Add")) return true;
  return !node_is_onnx(user, "Mul") && !(node_is_onnx(node, "Mul") && node_is_onnx(user, "Add"));
}

static enum farm_status rule(struct pass_context *context, struct node *node) {
  bool done = false;
  if (!is_end(context, node)) return FARM_OK;
  TRY(try_all(context, node, layer_affine, COUNT(layer_affine), layer_cores, COUNT(layer_cores), false, &done));
  if (!done) TRY(try_all(context, node, rms_affine, COUNT(rms_affine), rms_cores, COUNT(rms_cores), true, &done));
  return FARM_OK;
}

/* Then what is_end held back and nothing larger took. */
static enum farm_status rule_late(struct pass_context *context, struct node *node) {
  bool done = false;
  if (!node_is_onnx(node, "Div") && !node_is_onnx(node, "Mul")) return FARM_OK;
  TRY(try_all(context, node, layer_affine + 1, COUNT(layer_affine) - 1, layer_cores, COUNT(layer_cores), false, &done));
  if (!done) TRY(try_all(context, node, rms_affine, COUNT(rms_affine), rms_cores, COUNT(rms_cores), true, &done));
  return FARM_OK;
}

enum farm_status pass_canonicalise_norm(struct pass_context *context) {
  TRY(rewrite_each(context, rule));
  return rewrite_each(context, rule_late);
}
