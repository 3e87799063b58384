/* What the parts of the parser share (docs/formats/ir-text.md). */
#ifndef OPTIMIZER_IR_PARSE_H
#define OPTIMIZER_IR_PARSE_H

#include "text.h"

enum { PARSE_MOST_ATTRS = 256 };

struct parsing {
  struct scan scan;
  struct model *model;
  int depth; // of graphs
};

enum farm_status parse_type(struct parsing *parsing, struct tensor *out_type);
enum farm_status parse_graph(struct parsing *parsing, struct graph *graph); // from its inputs to its closing brace
/* "{name = value, ...}" or nothing; out_attrs has PARSE_MOST_ATTRS places. */
enum farm_status parse_attrs(struct parsing *parsing, struct graph *graph, struct attr *out_attrs, int *out_count);

#endif
