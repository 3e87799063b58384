/* Physical layouts as a choice: which nodes can work channels-last, what that makes of them, and the rewriting once it is
 * decided.
 *
 * After layout_apply the IR is explicit again: a value produced channels-last is a value of its own with permuted dims, its node
 * says layout="nhwc" (or has its axes remapped), and Transpose nodes stand where the two meet. Nothing downstream knows of
 * layouts but the tactics that a `layout` attribute restricts.
 */
#ifndef ENGINE_LINK_LAYOUT_H
#define ENGINE_LINK_LAYOUT_H

#include "../../kernels/tactic.h"
#include "../../optimizer/ir/graph.h"

/* What a node could be under channels-last. */
enum layout_role {
  LAYOUT_RIGID,       // only as it is
  LAYOUT_SPATIAL,     // conv, pool: `layout` attribute
  LAYOUT_ELEMENTWISE, // maps: operands permuted, axes of a reduction remapped
  LAYOUT_AXIS,        // concat, split: `axis` attribute remapped
};

enum layout_role layout_role(const struct node *node);
/* Does input `index` of a node with a role take its operand channels-last (rank 4, not a weight or a vector)? */
bool layout_moves_input(const struct node *node, enum layout_role role, int index);
/* The layout that tactics of this node must have, as its attributes stand now. */
enum tactic_layout layout_of_node(const struct node *node);

/* The layout as a lock file pins it, once layouts are explicit: "nhwc" for a node that was moved, else "nchw" or "any". */
const char *layout_pinned(const struct node *node);
/* The name that layout_apply gives a value's channels-last twin, made in `arena`: "NAME@nhwc", or "NAME@nhwc~2" and so on when
 * the model has values of such names. The same before the rewriting and at any point of it until the twin exists, whatever else
 * moves. NULL on lack of memory. */
const char *layout_twin_name(const struct value *value, struct arena *arena);

/* nchw dims and type -> nhwc; ranks below 4 are left-padded with ones first. */
struct tensor layout_permuted(const struct tensor *type);
/* The operation channels-last; attributes are made in `arena`. */
enum farm_status layout_operation(const struct node *node, enum layout_role role, struct arena *arena, struct operation *out);
/* Is the change of layout of this value no movement at all (one channel, or one pixel)? */
bool layout_change_is_free(const struct tensor *type);

/* Rewrites the main graph: node i in order is channels-last where labels[i] is 1 (only nodes with a role may be). */
enum farm_status layout_apply(struct model *model, const uint8_t *labels);

#endif
