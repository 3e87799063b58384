/* Floats of 16 bits are storage: no kernel of a CPU computes in them. What such a model computes inside is computed in f32; its
 * inputs and outputs keep their types.
 *
 *   x: f16 ─► Conv ─► Relu ─► y: f16      becomes      x ─► Cast ─► Conv ─► Relu ─► Cast ─► y     with weights in f32
 *
 * A node is promoted when its shape function says that it takes f32 instead and then gives f32 where it gave 16 bits; any other
 * (a cast to f16, control) keeps its types, with casts around it. A cast down that this pass put behind a node is not read by the
 * next promoted one, so nothing is rounded on the way: results lie nearer the exact ones than 16-bit arithmetic would bring them.
 */
#include "rewrite.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_IO = 256 };

struct promotion {
  struct pass_context *context;
  const struct operator_row *cast;
  struct value **wide; // by id of a 16-bit value: the f32 one it was rounded from, or its constant in f32
  int count;
};

static bool is_half(const struct value *value) {
  return value && (value->type.dtype == DTYPE_F16 || value->type.dtype == DTYPE_BF16);
}

static struct value *remembered(const struct promotion *promotion, const struct value *value) {
  return value->id < promotion->count ? promotion->wide[value->id] : NULL;
}

static void remember(struct promotion *promotion, const struct value *value, struct value *wide) {
  if (value->id < promotion->count) promotion->wide[value->id] = wide;
}

/* Does the row take f32 for 16 bits, and give it for them? A cast gains only where its input was wide before. */
static bool promotable(const struct promotion *promotion, const struct node *node, struct arena *arena) {
  struct shape_info ins[MOST_IO] = {0}, outs[MOST_IO] = {0};
  const struct shape_info *inputs[MOST_IO];
  bool any = false;
  if (node->row->flags & (OPERATOR_CONTROL | OPERATOR_RANDOM) || node->input_count > MOST_IO || node->output_count > MOST_IO)
    return false;
  if (node_is_onnx(node, "Cast") && !remembered(promotion, node->inputs[0])) return false;
  for (int i = 0; i < node->input_count; i++) {
    const struct value *value = node->inputs[i];
    inputs[i] = value ? &ins[i] : NULL;
    if (!value) continue;
    if (value->type.dtype == DTYPE_NONE) return false;
    ins[i].type = value->type;
    if (is_half(value)) ins[i].type.dtype = DTYPE_F32, any = true;
  }
  for (int i = 0; i < node->output_count; i++) outs[i].type.rank = -1;
  struct shape_call call = {.row = node->row,
                            .attrs = &node->attrs,
                            .opset = node->opset,
                            .input_count = node->input_count,
                            .inputs = inputs,
                            .output_count = node->output_count,
                            .outputs = outs,
                            .arena = arena};
  if (!any || !node->row->shape || node->row->shape(&call) != FARM_OK) return false;
  for (int i = 0; i < node->output_count; i++) {
    const struct value *value = node->outputs[i];
    if (value && outs[i].type.dtype != (is_half(value) ? DTYPE_F32 : value->type.dtype)) return false;
  }
  return true;
}

static struct value *constant_widen(const struct value *value) {
  struct tensor wide = value->type;
  if (!value->constant->data) return NULL;
  wide.dtype = DTYPE_F32;
  memcpy(wide.dims, value->constant->dims, sizeof wide.dims);
  wide.rank = value->constant->rank;
  if (tensor_alloc(&wide) != FARM_OK) return NULL;
  for (int64_t i = 0, elems = tensor_elems(&wide); i < elems; i++)
    ((float *)wide.data)[i] = (float)dtype_load_f64(value->constant->dtype, value->constant->data, i);
  struct value *made = graph_constant_add(value->graph, value->name, &wide);
  tensor_free(&wide);
  return made;
}

static struct node *cast_add(const struct promotion *promotion, struct graph *graph, struct node *before,
                             const struct node *origin, struct value *from, struct value *to) {
  const struct attr attr = attr_of_int("to", (int64_t)to->type.dtype);
  struct attr *attrs = arena_copy(&promotion->context->model->arena, &attr, sizeof attr);
  if (!attrs) return NULL;
  struct node *cast = graph_node_add(graph, before, promotion->cast, NULL, &from, 1, &to, 1, attrs, 1);
  if (cast) cast->origin = origin->origin;
  return cast;
}

/* The f32 value that a promoted node reads instead; NULL: out of memory. */
static struct value *widened(struct promotion *promotion, struct node *node, struct value *value) {
  struct value *wide = remembered(promotion, value);
  if (wide) return wide;
  const struct node *producer = value->producer;
  if (node_is_onnx(producer, "Cast") && producer->inputs[0]->type.dtype == DTYPE_F32 && !node_is_onnx(node, "Cast"))
    return producer->inputs[0]; // rounded before by the model itself
  if (value->constant) {
    wide = constant_widen(value);
    if (wide) remember(promotion, value, wide);
    return wide;
  }
  struct tensor type = value->type;
  type.dtype = DTYPE_F32;
  wide = value_new(node->graph, value->name, &type);
  return wide && cast_add(promotion, node->graph, node, node, value, wide) ? wide : NULL;
}

static enum farm_status promote(struct promotion *promotion, struct node *node) {
  for (int i = 0; i < node->input_count; i++) {
    if (!is_half(node->inputs[i])) continue;
    struct value *wide = widened(promotion, node, node->inputs[i]);
    FAIL_IF(!wide, FARM_NO_MEMORY, "out of memory for %s in f32", node->inputs[i]->name);
    node->inputs[i] = wide;
  }
  for (int i = 0; i < node->output_count; i++) {
    struct value *narrow = node->outputs[i];
    if (!is_half(narrow)) continue;
    struct tensor type = narrow->type;
    type.dtype = DTYPE_F32;
    struct value *wide = value_new(node->graph, narrow->name, &type);
    FAIL_IF(!wide, FARM_NO_MEMORY, "out of memory for %s in f32", narrow->name);
    node->outputs[i] = wide;
    wide->producer = node;
    narrow->producer = NULL;
    FAIL_IF(!cast_add(promotion, node->graph, node->next, node, wide, narrow), FARM_NO_MEMORY, "out of memory for a cast");
    remember(promotion, narrow, wide);
  }
  promotion->context->changed = true;
  rewrite_note(promotion->context, node->origin, node->row->name);
  return FARM_OK;
}

static enum farm_status graph_promote(struct promotion *promotion, struct graph *graph) {
  for (struct node *node = graph->first, *next; node; node = next) {
    struct arena arena = {0};
    struct graph *sub;
    next = node->next; // the casts behind a node are not promoted themselves
    for (int at = 0; (sub = node_subgraph(node, &at));) TRY(graph_promote(promotion, sub));
    bool good = promotable(promotion, node, &arena);
    arena_free(&arena);
    if (good) TRY(promote(promotion, node));
  }
  return FARM_OK;
}

/* Casts down that nothing reads any more would keep what they read from being fused. */
static void casts_drop(const struct promotion *promotion, struct graph *graph) {
  for (struct node *node = graph->first, *next; node; node = next) {
    struct graph *sub;
    next = node->next;
    for (int at = 0; (sub = node_subgraph(node, &at));) casts_drop(promotion, sub);
    const struct value *out = node->output_count == 1 ? node->outputs[0] : NULL;
    if (node_is_onnx(node, "Cast") && is_half(out) && remembered(promotion, out) && !promotion->context->uses.counts[out->id])
      graph_node_remove(node);
  }
}

enum farm_status pass_promote_half(struct pass_context *context) {
  struct promotion promotion = {context, operator_exact("", "Cast", 13), NULL, context->model->next_value_id};
  FAIL_IF(!promotion.cast, FARM_FAILURE, "no Cast in the operator table");
  promotion.wide = calloc((size_t)promotion.count + 1, sizeof *promotion.wide);
  FAIL_IF(!promotion.wide, FARM_NO_MEMORY, "out of memory for %d values", promotion.count);
  enum farm_status status = graph_promote(&promotion, context->model->graph);
  if (status == FARM_OK && context->changed) status = rewrite_done(context);
  if (status == FARM_OK && context->changed) {
    casts_drop(&promotion, context->model->graph);
    status = rewrite_done(context);
  }
  free(promotion.wide);
  return status;
}
