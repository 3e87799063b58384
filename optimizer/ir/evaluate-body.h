/* Running the body of a Loop or Scan over and over: states handed from one iteration to the next, outputs stacked.
 *
 *   states ──lent──► body inputs ──evaluation_graph──► body outputs ──taken──► states
 *                                                          └──pushed──► stacks [iterations][element]
 */
#ifndef OPTIMIZER_IR_EVALUATE_BODY_H
#define OPTIMIZER_IR_EVALUATE_BODY_H

#include "evaluation.h"

struct stack {           // equal tensors one after the other
  struct tensor element; // type of one; data NULL
  char *data;
  size_t bytes, capacity;
  int64_t count;
};

struct body_run {
  struct evaluation *evaluation;
  const struct graph *body;
  int first_input, first_output, state_count, stack_count; // states are body inputs and outputs from these on; stacks follow
  struct tensor *states;                                   // owned
  struct stack *stacks;
};

enum farm_status body_begin(struct evaluation *evaluation, const struct graph *body, int state_count, int stack_count,
                            struct body_run *out_run); // body_end also after failure
enum farm_status body_step(struct body_run *run);      // once through the body; its other inputs are set
void body_end(struct body_run *run);
/* The node's outputs: states, then stacks. */
enum farm_status body_outputs(struct body_run *run, const struct node *node);
/* Stack i as a tensor [count][element]; without an element, its declared type with 0 for unknown dims. */
enum farm_status body_stack(struct body_run *run, int i, struct tensor *out_tensor);

enum farm_status stack_push(struct evaluation *evaluation, struct stack *stack, const struct tensor *element);
enum farm_status stack_tensor(struct evaluation *evaluation, const struct stack *stack, const struct tensor *declared,
                              struct tensor *out_tensor);
void stack_free(struct evaluation *evaluation, struct stack *stack);
enum farm_status evaluation_copy(struct evaluation *evaluation, const struct tensor *from, struct tensor *out_tensor);

#endif
