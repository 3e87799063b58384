/* If and Loop run by running their graphs. See evaluation.h and control.h. */
#include "control.h"
#include "evaluate-body.h"

#include <string.h>

static enum farm_status scalar_read(const struct tensor *tensor, const char *what, int64_t *out_value) {
  FAIL_IF(!tensor || tensor_elems(tensor) != 1, FARM_INVALID, "the %s is no single element", what);
  *out_value = dtype_load_i64(tensor->dtype, tensor->data, 0);
  return FARM_OK;
}

static enum farm_status evaluate_if(struct evaluation *evaluation, const struct node *node) {
  struct if_layout layout = {0};
  int64_t condition = 0;
  TRY(if_layout_read(node, &layout));
  TRY(scalar_read(evaluation_input(evaluation, node, 0), "condition", &condition));
  const struct graph *branch = condition ? layout.then_graph : layout.else_graph;
  TRY(evaluation_graph(evaluation, branch));
  for (int i = 0; i < branch->output_count; i++) {
    struct tensor tensor = {0};
    TRY(evaluation_take(evaluation, branch, i, &tensor));
    if (i < node->output_count && node->outputs[i])
      evaluation_give(evaluation, node->outputs[i], &tensor);
    else
      evaluation_free(evaluation, &tensor);
  }
  return FARM_OK;
}

/* ---- Loop ---- */

static enum farm_status loop_iterate(struct body_run *run, int64_t most, int64_t condition) {
  int64_t iteration = 0;
  uint8_t flag = condition != 0;
  struct tensor number = {.dtype = DTYPE_I64, .data = &iteration}, truth = {.dtype = DTYPE_BOOL, .data = &flag};
  for (; iteration < most && flag; iteration++) {
    evaluation_lend(run->evaluation, run->body->inputs[0], &number);
    evaluation_lend(run->evaluation, run->body->inputs[1], &truth);
    TRY(body_step(run));
    struct tensor decided = {0};
    TRY(evaluation_take(run->evaluation, run->body, 0, &decided));
    int64_t value = 0;
    enum farm_status status = scalar_read(&decided, "condition", &value);
    evaluation_free(run->evaluation, &decided);
    if (status != FARM_OK) return status;
    flag = value != 0;
  }
  return FARM_OK;
}

static enum farm_status loop_run(struct body_run *run, const struct node *node, const struct loop_layout *layout) {
  int64_t most = INT64_MAX, condition = 1;
  if (layout->trip) TRY(scalar_read(evaluation_input(run->evaluation, node, 0), "trip count", &most));
  if (layout->condition) TRY(scalar_read(evaluation_input(run->evaluation, node, 1), "condition", &condition));
  for (int i = 0; i < run->state_count; i++) {
    const struct tensor *initial = evaluation_input(run->evaluation, node, 2 + i);
    FAIL_IF(!initial, FARM_INVALID, "carried value %d is missing", i);
    TRY(evaluation_copy(run->evaluation, initial, &run->states[i]));
  }
  TRY(loop_iterate(run, most, condition));
  return body_outputs(run, node);
}

static enum farm_status evaluate_loop(struct evaluation *evaluation, const struct node *node) {
  struct loop_layout layout = {0};
  struct body_run run;
  TRY(loop_layout_read(node, &layout));
  enum farm_status status = body_begin(evaluation, layout.body, layout.carried_count, layout.scan_count, &run);
  run.first_input = 2;
  run.first_output = 1;
  if (status == FARM_OK) status = loop_run(&run, node, &layout);
  body_end(&run);
  return status;
}

enum farm_status evaluation_control(struct evaluation *evaluation, const struct node *node) {
  static const struct {
    const char *name;
    enum farm_status (*evaluate)(struct evaluation *, const struct node *);
  } controls[] = {{"If", evaluate_if}, {"Loop", evaluate_loop}, {"Scan", evaluation_scan}};
  for (size_t i = 0; i < sizeof controls / sizeof *controls; i++)
    if (strcmp(controls[i].name, node->row->name) == 0) return controls[i].evaluate(evaluation, node);
  return status_set(FARM_UNSUPPORTED, "control operator %s is not known [rule: operator]", node->row->name);
}
