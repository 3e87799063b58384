/* Making and changing graphs, uses, and what the verifier catches. */
#include "graph.h"

#include "../../base/strbuf.h"
#include "../../tests/kit/test.h"

#include <stdio.h>
#include <string.h>

/* x -> h -> {y, used in both branches of an If} */
static const char *const text = "model ir 8\n"
                                "graph main(%x: f32[2], %c: bool[]) {\n"
                                "  const %k: f32[2] = {1, 2}\n"
                                "  %h: f32[2] = Add.14(%x, %k)\n"
                                "  %y: f32[2] = Relu.14(%h)\n"
                                "  %z: f32[2] = If.16(%c) {then_branch = graph a() {\n"
                                "    %t: f32[2] = Neg.13(%h)\n"
                                "    return %t\n"
                                "  }, else_branch = graph b() {\n"
                                "    return %h\n"
                                "  }}\n"
                                "  return %y, %z\n"
                                "}\n";

static struct model *parsed(void) {
  struct model *model = NULL;
  REQUIRE_OK(graph_parse(text, &model));
  return model;
}

static struct value *named(struct model *model, const char *name) {
  struct value *value = map_get(&model->names, name);
  REQUIRE(value != NULL);
  return value;
}

TEST(graph_uses_count_subgraphs_and_outputs, "") {
  struct model *model = parsed();
  struct uses uses;
  REQUIRE_OK(uses_build(model, &uses));
  CHECK(uses.counts[named(model, "h")->id] == 3 && !uses.single[named(model, "h")->id]);
  CHECK(uses.counts[named(model, "x")->id] == 1 && uses.single[named(model, "x")->id] == model->graph->first);
  CHECK(uses.counts[named(model, "y")->id] == 1 && !uses.single[named(model, "y")->id]); // an output, no node
  CHECK(value_use_count(model, named(model, "h")) == 3);
  CHECK(value_is_graph_output(named(model, "y")) && !value_is_graph_output(named(model, "h")));
  uses_free(&uses);
  model_free(&model);
}

TEST(graph_value_replace_reaches_subgraphs, "") {
  struct model *model = parsed();
  value_replace(named(model, "h"), named(model, "x"));
  CHECK(value_use_count(model, named(model, "h")) == 0);
  CHECK(value_use_count(model, named(model, "x")) == 4);
  graph_node_remove(model->graph->first);
  CHECK(named(model, "h")->producer == NULL);
  REQUIRE_OK(graph_infer(model));
  REQUIRE_OK(graph_verify(model));
  struct strbuf out = {0};
  REQUIRE_OK(graph_print(model, &out));
  CHECK(!strstr(strbuf_text(&out), "%h") && !strstr(strbuf_text(&out), "%k")); // unused constants are not printed
  strbuf_free(&out);
  model_free(&model);
}

TEST(graph_names_are_made_unique, "") {
  struct model *model = NULL;
  REQUIRE_OK(model_create("", &model));
  for (int i = 1; i < 2000; i++) {
    char expected[16];
    snprintf(expected, sizeof expected, i == 1 ? "a" : "a~%d", i);
    struct value *value = graph_value_add(model->graph, "a", NULL);
    REQUIRE(value != NULL);
    CHECK_TEXT(value->name, expected);
    CHECK(value->id == i - 1 && value->type.rank == -1);
  }
  CHECK_TEXT(graph_value_add(model->graph, NULL, NULL)->name, "v~2");
  model_free(&model);
}

TEST(graph_attributes_are_replaced_and_added, "") {
  struct model *model = parsed();
  struct node *node = model->graph->first;
  char name[] = "axis";
  REQUIRE_OK(node_attr_set(node, &(struct attr){.name = name, .type = ATTR_INT, .count = 1, .i = 1}));
  name[0] = 'x'; // the name was copied
  REQUIRE_OK(node_attr_set(node, &(struct attr){.name = "axis", .type = ATTR_INT, .count = 1, .i = 2}));
  int64_t ints[] = {3, 4};
  REQUIRE_OK(node_attr_set(node, &(struct attr){.name = "pads", .type = ATTR_INTS, .count = 2, .ints = ints}));
  ints[0] = 0;
  CHECK(node->attrs.count == 2 && attr_int(&node->attrs, "axis", 0) == 2);
  CHECK(attr_ints(&node->attrs, "pads", ints, 2) == 2 && ints[0] == 3);
  model_free(&model);
}

static void broken(void (*breaking)(struct model *model), const char *message) {
  struct model *model = parsed();
  REQUIRE_OK(graph_verify(model));
  breaking(model);
  enum farm_status status = graph_verify(model);
  CHECK_MESSAGE(status == FARM_VERIFY_FAILED, "%s: %s", message, status_name(status));
  CHECK_MESSAGE(strstr(status_message(), message) != NULL, "\"%s\" lacks \"%s\"", status_message(), message);
  model_free(&model);
}

static void type_broken(struct model *model) { named(model, "h")->type.dims[0] = 3; }
static void inner_type_broken(struct model *model) { named(model, "t")->type.dtype = DTYPE_F16; }
static void producer_broken(struct model *model) { named(model, "h")->producer = NULL; }
static void link_broken(struct model *model) { model->graph->first->next->previous = NULL; }
static void end_broken(struct model *model) { model->graph->last = model->graph->first; }
static void holder_broken(struct model *model) { named(model, "t")->graph->holder = NULL; }
static void arity_broken(struct model *model) { model->graph->first->input_count = 1; }
static void input_broken(struct model *model) { model->graph->first->inputs[0] = NULL; }
static void scope_broken(struct model *model) { model->graph->outputs[0] = named(model, "t"); }
static void name_broken(struct model *model) { named(model, "h")->name = "x"; }
static void inputs_broken(struct model *model) {
  graph_inputs_set(model->graph, (struct value *[]){named(model, "x"), named(model, "x"), named(model, "c")}, 3);
}
static void twice_broken(struct model *model) {
  struct node *node = named(model, "y")->producer;
  node->outputs[0] = named(model, "h");
  named(model, "h")->producer = node;
}
static void order_broken(struct model *model) {
  struct node *node = model->graph->first;
  struct value *inputs[] = {node->inputs[0], node->inputs[1]}, *outputs[] = {node->outputs[0]};
  const struct operator_row *row = node->row;
  graph_node_remove(node);
  graph_node_add(model->graph, NULL, row, "late", inputs, 2, outputs, 1, NULL, 0);
}

TEST(verify_catches_what_is_broken, "") {
  broken(type_broken, "\"h\" is said to be f32[3], but is f32[2]");
  broken(inner_type_broken, "\"t\" is said to be f16[2]");
  broken(producer_broken, "another producer");
  broken(link_broken, "linked wrongly");
  broken(end_broken, "does not end at its last node");
  broken(holder_broken, "does not know where it is");
  broken(arity_broken, "at least 2 are needed");
  broken(input_broken, "input 0 is needed");
  broken(scope_broken, "used outside its graph");
  broken(name_broken, "not the one of that name");
  broken(inputs_broken, "\"x\" is assigned twice");
  broken(twice_broken, "another producer");
  broken(order_broken, "used before it is defined");
}
