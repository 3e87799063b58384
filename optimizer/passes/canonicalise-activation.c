/* Activations that exporters write out become one node: a map of one instruction, which fuse-epilogue and fuse-maps take from
 * there. */
#include "dims.h"
#include "pattern.h"

#include <math.h>
#include <stdio.h>

#define ERF "Add(Erf(Div(x,1.4142135)),1)"
#define ERF2 "Add(Erf(Mul(x,0.70710678)),1)"
#define CUBE1 "Add(Tanh(Mul(Add(x,Mul(Pow(x,3),0.044715)),0.7978846)),1)"
#define CUBE2 "Add(Tanh(Mul(Add(x,Mul(Mul(x,Mul(x,x)),0.044715)),0.7978846)),1)"
#define CUBE3 "Add(Tanh(Mul(Mul(x,0.7978846),Add(Mul(Mul(x,x),0.044715),1))),1)"
#define CUBE4 "Add(Tanh(Mul(Mul(x,0.7978846),Add(Mul(Mul(x,0.044715),x),1))),1)"
/* x/2 * e in the three ways to bracket it */
#define HALVES(e) "Mul(Mul(x," e "),0.5)", "Mul(x,Mul(" e ",0.5))", "Mul(Mul(x,0.5)," e ")"

static const struct {
  const char *op, *patterns[13];
} activations[] = {
    {"gelu", {HALVES(ERF), HALVES(ERF2)}},
    {"gelu_tanh", {HALVES(CUBE1), HALVES(CUBE2), HALVES(CUBE3), HALVES(CUBE4)}},
    {"silu", {"Mul(x,Sigmoid(x))"}},
    {"hard_swish",
     {"Mul(x,h=HardSigmoid(x))", "Mul(x,Div(c=Clip(Add(x,3)),6))", "Div(Mul(x,c=Clip(Add(x,3))),6)",
      "Mul(Mul(x,c=Clip(Add(x,3))),0.1666667)", "Mul(x,Mul(c=Clip(Add(x,3)),0.1666667))"}},
};

static bool close_to(double a, double b) { return fabs(a - b) <= 1e-3; }

/* The parts of a hard swish that are no operands: bounds of the clip, slope of the hard sigmoid. */
static bool parameters_fit(const struct match *match) {
  const struct node *clip = match_node(match, "c"), *hard = match_node(match, "h");
  double low, high;
  if (clip && !(clip_bounds(clip, &low, &high) && low == 0 && close_to(high, 6))) return false;
  return !hard || (close_to((double)attr_float(&hard->attrs, "alpha", 0.2f), 1.0 / 6) &&
                   close_to((double)attr_float(&hard->attrs, "beta", 0.5f), 0.5));
}

static enum farm_status rule(struct pass_context *context, struct node *node) {
  struct match match;
  if (!node_out(node) || !value_is_float(node_out(node))) return FARM_OK;
  for (size_t a = 0; a < sizeof activations / sizeof *activations; a++) {
    for (int p = 0; p < 13 && activations[a].patterns[p]; p++) {
      if (!pattern_match(context, activations[a].patterns[p], node, &match) || !parameters_fit(&match)) continue;
      struct value *x = match_value(&match, "x");
      if (!values_alike(context, x, node->outputs[0])) continue; // a constant of higher rank would broadcast
      char program[64];
      snprintf(program, sizeof program, "{%%1=%s %%0;out %%1}", activations[a].op);
      struct rewrite rewrite = {.domain = "tunefarm",
                                .name = "Map",
                                .version = 1,
                                .inputs = {x},
                                .input_count = 1,
                                .outputs = {node->outputs[0]},
                                .output_count = 1};
      rewrite_attr(&rewrite, attr_of_text(context->model, "program", program));
      return rewrite_replace(context, &rewrite, node, match.nodes, match.node_count, NULL);
    }
  }
  return FARM_OK;
}

enum farm_status pass_canonicalise_activation(struct pass_context *context) { return rewrite_each(context, rule); }
