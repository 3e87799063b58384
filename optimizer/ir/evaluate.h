/* The executable meaning of the IR: the whole graph, node by node, with the operators' references.
 *
 *   inputs ──► facts of each node's inputs ──row->shape──► outputs described ──row->reference──► outputs ──► freed after their
 * last use
 *
 * Slow and right: passes and engines are compared with it. One thread, portable scalar code, the same bits on every machine.
 * Shapes come from the inputs' real dims and contents, never from the model's stored types.
 */
#ifndef OPTIMIZER_IR_EVALUATE_H
#define OPTIMIZER_IR_EVALUATE_H

#include "graph.h"

/* Called for every value that a node of the main graph or a subgraph makes; the tensor is only lent. */
typedef void (*evaluate_watch_fn)(void *context, const struct value *value, const struct tensor *tensor);

struct evaluate_options {
  size_t most_bytes;  // of all live tensors; 0: EVALUATE_MOST_BYTES
  int64_t most_nodes; // executed, iterations counted; 0: no limit
  evaluate_watch_fn watch;
  void *context;
};
#define EVALUATE_MOST_BYTES ((size_t)16 << 30)

/* inputs[i] feeds graph->inputs[i]; outputs[i] is made by tensor_alloc for graph->outputs[i] (free with tensor_free), all or
 * none. The model must pass graph_verify. FARM_INVALID: inputs do not fit the declared types, or a node cannot be right with
 * these shapes; FARM_NO_MEMORY also when most_bytes, FARM_TIMED_OUT when most_nodes are passed. */
enum farm_status graph_evaluate(const struct model *model, const struct tensor *inputs, struct tensor *outputs);
enum farm_status graph_evaluate_with(const struct model *model, const struct tensor *inputs, struct tensor *outputs,
                                     const struct evaluate_options *options);
/* Just the check of inputs: element types, ranks, fixed dims, and that each symbol has one value. */
enum farm_status graph_inputs_check(const struct model *model, const struct tensor *inputs);

#endif
