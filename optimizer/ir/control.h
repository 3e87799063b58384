/* How If, Loop and Scan nodes are laid out: which input feeds which input of the body. Shared by inference and evaluation,
 * and checked here once, so that both may index freely.
 */
#ifndef OPTIMIZER_IR_CONTROL_H
#define OPTIMIZER_IR_CONTROL_H

#include "graph.h"

struct if_layout {
  const struct graph *then_graph, *else_graph; // both have at least the node's outputs
};
enum farm_status if_layout_read(const struct node *node, struct if_layout *out_layout);

struct loop_layout {
  const struct graph *body; // inputs: iteration, condition, carried...; outputs: condition, carried..., scanned...
  int carried_count, scan_count;
  struct value *trip, *condition; // the node's inputs 0 and 1; NULL when omitted
};
enum farm_status loop_layout_read(const struct node *node, struct loop_layout *out_layout);

/*   node inputs   [first_input ...] states, then scanned         body inputs: states, then one element of each scanned
 *   node outputs  states, then scanned outputs                   body outputs the same
 * Opset 8: everything has a leading batch dimension that the body does not see, and input 0 may give a length per batch. */
struct scan_layout {
  const struct graph *body;
  int first_input, state_count, input_count, output_count; // scanned inputs and outputs
  bool batched;
};
enum { SCAN_MOST = 256 };
enum farm_status scan_layout_read(const struct node *node, struct scan_layout *out_layout);
/* Axis (not negative) and direction of scanned input or output i; `rank` is that of the node's input or output. */
enum farm_status scan_axis(const struct node *node, const struct scan_layout *layout, bool output, int i, int rank,
                           int *out_axis);
bool scan_backward(const struct node *node, const struct scan_layout *layout, bool output, int i);

#endif
