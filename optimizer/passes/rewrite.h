/* What passes are written with: asking about nodes and values, and replacing nodes.
 *
 * A pass walks the nodes (rewrite_each); its rule looks at one node, the last of a pattern, and may replace it and nodes before
 * it, never ones behind it. New nodes produce the values that the old ones did, so names and graph outputs stay.
 */
#ifndef OPTIMIZER_PASSES_REWRITE_H
#define OPTIMIZER_PASSES_REWRITE_H

#include "pass.h"

/* Calls rule for every node of every graph, in order. A rule that rewrote says so through rewrite_done. */
typedef enum farm_status (*rewrite_fn)(struct pass_context *context, struct node *node);
enum farm_status rewrite_each(struct pass_context *context, rewrite_fn rule);

/* ---- asking ---- */
bool node_is(const struct node *node, const char *domain, const char *name); // NULL node: false
bool node_is_onnx(const struct node *node, const char *name);
bool node_is_fused(const struct node *node, const char *name); // domain "tunefarm"
struct value *node_in(const struct node *node, int input);     // NULL when omitted or beyond the count
/* The node's first output, when it is the only used one. */
struct value *node_out(const struct node *node);
/* Used once, by a node of its own graph, and no graph output: fusing its producer into that user loses nothing. */
bool value_is_private(const struct pass_context *context, const struct value *value);
bool value_is_float(const struct value *value);                   // f32, f16, bf16
bool types_equal(const struct tensor *a, const struct tensor *b); // dtype, rank, dims; unknown dims equal nothing
bool value_scalar(const struct value *value, double *out);        // a constant of one element, as a number
bool value_is_number(const struct value *value, double number); // such a constant, equal within 1e-4 of it (f16 1e-3, bf16 5e-3)
bool dims_static(const struct tensor *type);
/* Integer attribute list, or (newer opsets) the constant input `input`; returns the count, -1 when neither is there. */
int node_ints(const struct node *node, const char *attr, int input, int64_t *out, int most);
/* Axes normalised into a bit mask; false when out of range. */
bool axes_mask(const int64_t *axes, int count, int rank, uint32_t *out);
/* perm of a Transpose with its default; false when the rank is unknown. */
bool transpose_perm(const struct node *node, int64_t out[TENSOR_MAX_RANK]);
bool perm_is(const struct node *node, int rank, const int64_t *perm); // node is a Transpose with this perm
/* Bounds of a Clip (attributes or constant inputs), infinities where open; false when they are not constant. */
bool clip_bounds(const struct node *node, double *out_low, double *out_high);

/* ---- making ---- */
struct attr attr_of_int(const char *name, int64_t value);
struct attr attr_of_float(const char *name, float value);
struct attr attr_of_text(struct model *model, const char *name, const char *text); // copied
struct attr attr_of_ints(struct model *model, const char *name, const int64_t *values, int count);
struct attr attr_of_floats(struct model *model, const char *name, const float *values, int count);
struct value *constant_ints(struct graph *graph, const char *name, const int64_t *values, int count); // i64[count]
/* A value like `like` (NULL: unknown type) for a new node to produce. */
struct value *value_new(struct graph *graph, const char *name, const struct tensor *type);

struct rewrite {
  const char *domain, *name;
  int version;
  struct value *inputs[16];
  int input_count;
  struct value *outputs[8];
  int output_count;
  struct attr attrs[24];
  int attr_count;
};
void rewrite_attr(struct rewrite *rewrite, struct attr attr);
void rewrite_attrs_copy(struct rewrite *rewrite, const struct node *from, const char *const *names); // those that are there
/* Adds the new node before `before`, standing for the ONNX nodes of the `count` old ones, which are removed, and reports it.
 * Values that old nodes alone produced and nothing new produces must be unused. */
enum farm_status rewrite_replace(struct pass_context *context, const struct rewrite *rewrite, struct node *before,
                                 struct node *const *old, int count, struct node **out_node);
/* Adds a node that stands for `origin`'s ONNX nodes; not reported. */
enum farm_status rewrite_add(struct pass_context *context, const struct rewrite *rewrite, struct node *before, const char *origin,
                             struct node **out_node);
/* Every use of `from` becomes one of `to`, and node (from's producer) is removed. False when graph outputs forbid it. */
bool rewrite_bypass(struct pass_context *context, struct node *node, struct value *from, struct value *to);
enum farm_status rewrite_done(struct pass_context *context); // counts uses again
void rewrite_note(struct pass_context *context, const char *origins, const char *result);

#endif
