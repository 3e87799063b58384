/* The state of a running evaluation, shared by evaluate.c and evaluate-control.c. */
#ifndef OPTIMIZER_IR_EVALUATION_H
#define OPTIMIZER_IR_EVALUATION_H

#include "evaluate.h"

struct slot { // what a value holds now
  struct tensor tensor;
  bool set, owned; // owned: freed with the slot; else lent by whoever set it
};

struct evaluation {
  const struct model *model;
  struct evaluate_options options;
  struct slot *slots;           // by value id
  const struct node **last_use; // by value id: the node of the value's own graph after which it is dead; NULL when unused
  bool *is_output;              // by value id: an output of its own graph, kept until the graph's caller has it
  size_t live_bytes;
  int64_t nodes_run;
};

const struct tensor *evaluation_value(const struct evaluation *evaluation,
                                      const struct value *value); // NULL when it holds nothing
const struct tensor *evaluation_input(const struct evaluation *evaluation, const struct node *node, int input); // NULL: omitted
void evaluation_give(struct evaluation *evaluation, const struct value *value, struct tensor *tensor); // takes over the memory
void evaluation_lend(struct evaluation *evaluation, const struct value *value, const struct tensor *tensor);
void evaluation_release(struct evaluation *evaluation, const struct value *value);
/* tensor_alloc and tensor_free, counted against the limit. */
enum farm_status evaluation_alloc(struct evaluation *evaluation, struct tensor *tensor);
void evaluation_free(struct evaluation *evaluation, struct tensor *tensor);

/* Runs the nodes; inputs are set. Then evaluation_take each output, and the graph's values are gone. */
enum farm_status evaluation_graph(struct evaluation *evaluation, const struct graph *graph);
enum farm_status evaluation_take(struct evaluation *evaluation, const struct graph *graph, int output, struct tensor *out_tensor);
enum farm_status evaluation_control(struct evaluation *evaluation, const struct node *node); // If, Loop, Scan
enum farm_status evaluation_scan(struct evaluation *evaluation, const struct node *node);

#endif
