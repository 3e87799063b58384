/* See pattern.h. A recursive descent over the text and the graph at once; a failed alternative restores what was bound. */
#include "pattern.h"

#include "../../problem/number-text.h"

#include <string.h>

struct matcher {
  const struct pass_context *context;
  struct match match;
};

static bool match_any(struct matcher *matcher, const char **at, struct value *value);

static size_t word_length(const char *at) {
  return strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
}

static bool bind(struct matcher *matcher, const char *name, size_t length, struct value *value) {
  struct match *match = &matcher->match;
  for (int i = 0; i < match->bound_count; i++)
    if (strlen(match->bound[i].name) == length && !memcmp(match->bound[i].name, name, length))
      return match->bound[i].value == value;
  if (match->bound_count == PATTERN_MAX_NAMES || length >= sizeof match->bound[0].name) return false;
  memcpy(match->bound[match->bound_count].name, name, length);
  match->bound[match->bound_count].name[length] = 0;
  match->bound[match->bound_count++].value = value;
  return true;
}

/* Moves past one argument without matching it. */
static const char *skip(const char *at) {
  for (int depth = 0; *at; at++) {
    if (!depth && (*at == ',' || *at == ')')) break;
    depth += (*at == '(') - (*at == ')');
  }
  return at;
}

static bool note_node(struct matcher *matcher, struct node *node) {
  struct match *match = &matcher->match;
  for (int i = 0; i < match->node_count; i++)
    if (match->nodes[i] == node) return true;
  if (match->node_count == PATTERN_MAX_NODES) return false;
  match->nodes[match->node_count++] = node;
  return true;
}

/* The arguments after '(' against the node's inputs, the first two exchanged when asked to. Leaves *at behind ')'. */
static bool match_arguments(struct matcher *matcher, const char **at, struct node *node, bool exchanged) {
  int count = 0;
  do {
    ++*at; // '(' or ','
    int input = exchanged && count < 2 ? 1 - count : count;
    if (!node_in(node, input) || !match_any(matcher, at, node->inputs[input])) return false;
    count++;
  } while (**at == ',');
  ++*at; // ')'
  for (int i = count; i < node->input_count; i++)
    if (node->inputs[i] && !node->inputs[i]->constant) return false;
  return true;
}

static bool match_operator(struct matcher *matcher, const char **at, size_t length, bool fused, struct value *value) {
  struct node *node = value->producer;
  if (!node || node_out(node) != value || strlen(node->row->name) != length || memcmp(node->row->name, *at, length)) return false;
  if (strcmp(node->row->domain, fused ? "tunefarm" : "")) return false;
  const bool commutes = node_is_onnx(node, "Add") || node_is_onnx(node, "Mul");
  const char *arguments = *at + length;
  for (int exchanged = 0; exchanged <= commutes; exchanged++) {
    struct match before = matcher->match;
    *at = arguments;
    if (match_arguments(matcher, at, node, exchanged)) return note_node(matcher, node);
    matcher->match = before;
  }
  return false;
}

static bool match_any(struct matcher *matcher, const char **at, struct value *value) {
  const char *start = *at;
  double number;
  if (*start == '$') {
    size_t length = word_length(start + 1);
    *at = start + 1 + length;
    return value_scalar(value, &number) && bind(matcher, start + 1, length, value);
  }
  if ((*start >= '0' && *start <= '9') || *start == '-') {
    size_t length = strspn(start, "-.0123456789");
    float constant;
    *at = start + length;
    return number_parse_float(start, length, &constant) && value_is_number(value, (double)constant);
  }
  const bool fused = *start == '#';
  *at += fused;
  size_t length = word_length(*at);
  if ((*at)[length] == '(') return match_operator(matcher, at, length, fused, value);
  if (!bind(matcher, *at, length, value)) return false;
  *at += length;
  if (**at != '=') return true;
  ++*at;
  return match_any(matcher, at, value);
}

/* What inner nodes make is used by nodes of the match alone, all in one graph. */
static bool closed(const struct matcher *matcher, const struct node *root) {
  const struct match *match = &matcher->match;
  for (int i = 0; i < match->node_count; i++) {
    const struct node *node = match->nodes[i];
    if (node->graph != root->graph) return false;
    if (node == root) continue;
    int uses = 0;
    for (int k = 0; k < match->node_count; k++)
      for (int in = 0; in < match->nodes[k]->input_count; in++) uses += match->nodes[k]->inputs[in] == node->outputs[0];
    if (uses != matcher->context->uses.counts[node->outputs[0]->id]) return false;
  }
  return true;
}

bool pattern_match(const struct pass_context *context, const char *pattern, struct node *root, struct match *out) {
  struct matcher matcher = {.context = context};
  struct value *value = node_out(root);
  const char *at = pattern;
  if (!value || !match_any(&matcher, &at, value) || *skip(at) || !closed(&matcher, root)) return false;
  *out = matcher.match;
  return true;
}

struct value *match_value(const struct match *match, const char *name) {
  for (int i = 0; i < match->bound_count; i++)
    if (!strcmp(match->bound[i].name, name)) return match->bound[i].value;
  return NULL;
}

double match_number(const struct match *match, const char *name) {
  double number = 0;
  value_scalar(match_value(match, name), &number);
  return number;
}

struct node *match_node(const struct match *match, const char *name) {
  struct value *value = match_value(match, name);
  return value ? value->producer : NULL;
}
