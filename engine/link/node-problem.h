/* The problem of a node of the IR, at concrete shapes, as it stands or as it would be channels-last. */
#ifndef ENGINE_LINK_NODE_PROBLEM_H
#define ENGINE_LINK_NODE_PROBLEM_H

#include "layout.h"

/* Concrete types of all values at one point of the input ranges, by value id; data NULL. */
struct link_shapes {
  struct tensor *types;
  int count;
};

enum link_point { LINK_OPTIMAL, LINK_LARGEST };
enum farm_status link_shapes_infer(struct model *model, enum link_point point, struct link_shapes *out);
void link_shapes_free(struct link_shapes *shapes);

/* Does the node do device work at all (a view, host arithmetic and control do not)? */
bool node_is_view(const struct node *node);

/* The problem and its canonical text, in `arena`. channels_last needs a role. FARM_AGAIN when a shape depends on data: no problem
 * can be stated (the runtime takes the default variant then). */
enum farm_status node_problem(const struct node *node, const struct link_shapes *shapes, bool channels_last, struct arena *arena,
                              struct problem *out_problem, const char **out_text);
/* The problem of changing a value's layout, one way or the other. */
enum farm_status layout_change_problem(const struct tensor *nchw_type, bool to_nhwc, struct arena *arena,
                                       struct problem *out_problem, const char **out_text);

#endif
