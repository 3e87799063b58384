/* What inference shares between its parts: facts about every value, found node by node in topological order.
 *
 *   facts of inputs ──row->shape──► facts of outputs ──small integer arithmetic run for real──► known contents
 *
 * The same walk serves symbols (graph_infer), given sizes (graph_infer_concrete) and the verifier's fresh look; none of them
 * changes the model while it runs.
 */
#ifndef OPTIMIZER_IR_INFER_H
#define OPTIMIZER_IR_INFER_H

#include "graph.h"

struct inference {
  const struct model *model;
  struct arena arena;           // what the facts point to
  struct shape_info *facts;     // by value id
  bool *found;                  // by value id
  int64_t steps_left;           // nodes yet to be looked at: nested loops could else be looked at exponentially often
  const int64_t *symbol_values; // NULL: dims stay symbols
};

enum farm_status inference_begin(const struct model *model, const int64_t *symbol_values, struct inference *out_inference);
enum farm_status inference_run(struct inference *inference); // the whole model
void inference_end(struct inference *inference);

enum farm_status inference_graph(struct inference *inference, const struct graph *graph); // its inputs' facts are set
void inference_set(struct inference *inference, const struct value *value, const struct shape_info *info);
/* Facts of a node's input; NULL when omitted. */
const struct shape_info *inference_input(struct inference *inference, const struct node *node, int input);
/* If, Loop and Scan. outputs as in struct shape_call. */
enum farm_status inference_control(struct inference *inference, const struct node *node, struct shape_info *outputs);
/* When all inputs of a node are known and small, its reference tells the outputs. */
enum farm_status inference_execute(struct inference *inference, const struct node *node, const struct shape_info *const *inputs,
                                   struct shape_info *outputs);
/* What holds of a value that is one or the other. FARM_INVALID when the element types differ. */
enum farm_status info_join(const struct shape_info *a, const struct shape_info *b, struct shape_info *out_info);
bool type_equal(const struct tensor *a, const struct tensor *b); // dtype, rank, dims

#endif
