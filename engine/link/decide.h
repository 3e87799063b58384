/* The decision for the whole graph: which nodes work channels-last.
 *
 * Cost = sum over nodes of the time of their best variant in the chosen layout + sum over values of the layout changes that the
 * choice makes necessary (each change of a value is paid once, however many nodes read it). With two layouts this is a submodular
 * function of binary labels, so a minimum cut gives its exact minimum (Picard 1976; mincut.h): no node-by-node choice can be
 * better.
 */
#ifndef ENGINE_LINK_DECIDE_H
#define ENGINE_LINK_DECIDE_H

#include "choose.h"
#include "node-problem.h"

/* out_labels: one per node of the main graph in order, 1 = channels-last; must have room for all. *out_ns: the minimum (0 without
 * flexible nodes). */
enum farm_status link_decide_layouts(struct model *model, const struct link_shapes *shapes, const struct link_target *target,
                                     uint8_t *out_labels, double *out_ns);

/* Calls fn for every problem whose record could matter to the decision or to the final plan: of each node as it is and
 * channels-last, and of each layout change. The same problem may come more than once. */
typedef enum farm_status (*link_problem_fn)(void *context, const struct problem *problem, const char *text,
                                            const struct node *node);
enum farm_status link_problems(struct model *model, const struct link_shapes *shapes, link_problem_fn fn, void *context);

#endif
