/* Patterns of nodes as text, matched backwards from the last node:
 *
 *   Mul(Mul(x,Add(Erf(Div(x,1.4142135)),1)),0.5)
 *   Div(d=Sub(x,m=ReduceMean(x)),Sqrt(Add(v=ReduceMean(Pow(d,2)),$eps)))
 *
 * Name(a,b)  an ONNX operator (domain ""); Add and Mul match with their arguments exchanged, too. Inputs beyond the pattern's
 * must be constants. tunefarm operators are written with a `#`: #Gemm(x,w). x          any value; the same name is the same value
 * everywhere        $c   a constant of one element 0.5        a constant of one element, as value_is_number says           n=…
 * names the value that the rest describes
 *
 * A match counts when nothing outside uses what its inner nodes make.
 */
#ifndef OPTIMIZER_PASSES_PATTERN_H
#define OPTIMIZER_PASSES_PATTERN_H

#include "rewrite.h"

enum { PATTERN_MAX_NAMES = 12, PATTERN_MAX_NODES = 24 };

struct match {
  struct {
    char name[8];
    struct value *value;
  } bound[PATTERN_MAX_NAMES];
  int bound_count;
  struct node *nodes[PATTERN_MAX_NODES]; // each once, the root last
  int node_count;
};

bool pattern_match(const struct pass_context *context, const char *pattern, struct node *root, struct match *out);
struct value *match_value(const struct match *match, const char *name); // NULL when it is not bound
double match_number(const struct match *match, const char *name);       // of a $constant ("eps" for $eps)
struct node *match_node(const struct match *match, const char *name);   // the producer of a named value

#endif
