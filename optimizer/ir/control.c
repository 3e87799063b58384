/* See control.h. */
#include "control.h"

static enum farm_status body_of(const struct node *node, const char *attribute, const struct graph **out_graph) {
  *out_graph = node_graph(node, attribute);
  FAIL_IF(!*out_graph, FARM_INVALID, "the graph \"%s\" is missing", attribute);
  return FARM_OK;
}

enum farm_status if_layout_read(const struct node *node, struct if_layout *out_layout) {
  struct if_layout layout = {0};
  TRY(body_of(node, "then_branch", &layout.then_graph));
  TRY(body_of(node, "else_branch", &layout.else_graph));
  FAIL_IF(layout.then_graph->input_count || layout.else_graph->input_count, FARM_INVALID, "a branch has inputs");
  bool enough = layout.then_graph->output_count >= node->output_count && layout.else_graph->output_count >= node->output_count;
  FAIL_IF(!enough, FARM_INVALID, "a branch has fewer than %d outputs", node->output_count);
  FAIL_IF(node->input_count < 1 || !node->inputs[0], FARM_INVALID, "the condition is missing");
  *out_layout = layout;
  return FARM_OK;
}

enum farm_status loop_layout_read(const struct node *node, struct loop_layout *out_layout) {
  struct loop_layout layout = {.trip = node->input_count > 0 ? node->inputs[0] : NULL,
                               .condition = node->input_count > 1 ? node->inputs[1] : NULL};
  TRY(body_of(node, "body", &layout.body));
  layout.carried_count = node->input_count > 2 ? node->input_count - 2 : 0;
  FAIL_IF(layout.body->input_count != layout.carried_count + 2, FARM_INVALID, "the body has %d inputs, %d are fed",
          layout.body->input_count, layout.carried_count + 2);
  layout.scan_count = layout.body->output_count - 1 - layout.carried_count;
  FAIL_IF(layout.scan_count < 0, FARM_INVALID, "the body has %d outputs, at least %d are needed", layout.body->output_count,
          layout.carried_count + 1);
  FAIL_IF(node->output_count > layout.carried_count + layout.scan_count, FARM_INVALID, "%d outputs of a body that makes %d",
          node->output_count, layout.carried_count + layout.scan_count);
  for (int i = 0; i < layout.carried_count; i++) FAIL_IF(!node->inputs[2 + i], FARM_INVALID, "carried value %d is missing", i);
  *out_layout = layout;
  return FARM_OK;
}

enum farm_status scan_layout_read(const struct node *node, struct scan_layout *out_layout) {
  struct scan_layout layout = {.batched = node->row->since_version == 8};
  TRY(body_of(node, "body", &layout.body));
  layout.first_input = layout.batched ? 1 : 0;
  int64_t scanned = attr_int(&node->attrs, "num_scan_inputs", 0);
  FAIL_IF(scanned < 1 || scanned > SCAN_MOST || scanned > node->input_count - layout.first_input, FARM_INVALID,
          "num_scan_inputs is %lld", (long long)scanned);
  layout.input_count = (int)scanned;
  layout.state_count = node->input_count - layout.first_input - layout.input_count;
  layout.output_count = layout.body->output_count - layout.state_count;
  FAIL_IF(layout.body->input_count != layout.state_count + layout.input_count, FARM_INVALID, "the body has %d inputs, %d are fed",
          layout.body->input_count, layout.state_count + layout.input_count);
  FAIL_IF(layout.output_count < 0 || layout.output_count > SCAN_MOST, FARM_INVALID, "the body has %d outputs for %d states",
          layout.body->output_count, layout.state_count);
  FAIL_IF(node->output_count > layout.body->output_count, FARM_INVALID, "%d outputs of a body that makes %d", node->output_count,
          layout.body->output_count);
  for (int i = layout.first_input; i < node->input_count; i++) FAIL_IF(!node->inputs[i], FARM_INVALID, "input %d is missing", i);
  *out_layout = layout;
  return FARM_OK;
}

static int64_t entry_of(const struct node *node, const char *attribute, int i) {
  int64_t values[SCAN_MOST];
  int count = attr_ints(&node->attrs, attribute, values, SCAN_MOST);
  return i < count ? values[i] : 0;
}

enum farm_status scan_axis(const struct node *node, const struct scan_layout *layout, bool output, int i, int rank,
                           int *out_axis) {
  if (layout->batched) {
    FAIL_IF(rank < 2, FARM_INVALID, "scanned %s %d has rank %d", output ? "output" : "input", i, rank);
    *out_axis = 1;
    return FARM_OK;
  }
  return shape_axis(entry_of(node, output ? "scan_output_axes" : "scan_input_axes", i), rank, out_axis);
}

bool scan_backward(const struct node *node, const struct scan_layout *layout, bool output, int i) {
  if (layout->batched) return !output && entry_of(node, "directions", i) == 1;
  return entry_of(node, output ? "scan_output_directions" : "scan_input_directions", i) == 1;
}
