/* The IR: a graph of operator nodes over single-assignment values, in topological order.
 *
 *   value ◄─producer─ node ◄─inputs─ value       a subgraph (If, Loop, Scan) hangs on an attribute of its node and sees the
 *     └──uses (counted on demand)──► node        values of the graphs around it, by pointer
 *
 * Everything lives in one arena per model; nothing is freed alone. Removing a node unlinks it. Passes keep nodes in
 * topological order; graph_verify proves it together with types, arity and single assignment.
 */
#ifndef OPTIMIZER_IR_GRAPH_H
#define OPTIMIZER_IR_GRAPH_H

#include "../../base/arena.h"
#include "../../base/map.h"
#include "../../operators/operator.h"

struct node;
struct graph;

struct value {
  const char *name;   // unique in its model; what the ONNX file says, or made up by a pass
  int id;             // unique in its model, dense, in order of creation
  struct tensor type; // dtype NONE / rank -1 when unknown; dims may be symbols; data is always NULL here
  /* A constant: points at the contents (in the model's arena or its mapped files). NULL otherwise. */
  const struct tensor *constant;
  struct node *producer; // NULL for inputs and constants
  struct graph *graph;   // where it is defined
  const char *stand_in;  // a constant read from a text without its contents: what the text had instead ("#4f…", "random 7")
  /* What the file declared (NULL: nothing). Only a hint: used for a dtype or rank that inference leaves open, never for dims. */
  const struct tensor *hint;
  /* Known contents of small integer values, from shape inference (see struct shape_info). */
  const int64_t *known;
  const bool *symbolic;
};

struct node {
  const struct operator_row *row;
  const char *name;   // the ONNX node's name, or one made from its output
  const char *origin; // names of the ONNX nodes it stands for, comma separated, in graph order (for inspect)
  struct attrs attrs; // ATTR_GRAPH attributes hold a struct graph *
  int opset;          // the model's import of the row's domain; the row's since_version for a node that a pass makes
  int input_count, output_count;
  struct value **inputs;        // NULL entry: omitted
  struct value **outputs;       // NULL entry: unused
  struct node *previous, *next; // topological order within the graph
  struct graph *graph;
  bool channels_last; // moved there by the linker (engine/link/layout.h); not part of the text form
};

struct graph {
  const char *name;
  struct model *model;
  struct graph *parent; // the graph around a subgraph; NULL for the main graph
  struct node *holder;  // the node whose attribute a subgraph is
  struct node *first, *last;
  int input_count, output_count;
  struct value **inputs; // without constants
  struct value **outputs;
};

struct symbol {          // a symbolic input dimension; the dim code is DIM_FIRST_SYMBOL - index
  const char *name;      // "batch", or "input:0" for an unnamed one
  int64_t min, opt, max; // 0 until the user gives a range
};

struct model {
  struct arena arena;
  struct graph *graph;
  const char *path;
  int ir_version;
  int next_value_id;
  int symbol_count, symbol_capacity;
  struct symbol *symbols;
  struct map names;      // value name -> struct value *, main graph and subgraphs
  struct map next_names; // base of a made-up name -> the last number given to it
  void *files;           // maps of the model and its external data: owned by the importer, closed by model_free
  void (*files_close)(void *files);
};

enum { GRAPH_MAX_DEPTH = 32, MODEL_MAX_SYMBOLS = 4096 }; // subgraphs within subgraphs

enum farm_status model_create(const char *path, struct model **out_model); // empty, with an empty main graph
void model_free(struct model **model);

/* Creation. Names are copied; a NULL or taken name gets a fresh one ("name~2"). Never NULL but on lack of memory. */
struct graph *graph_create(struct model *model, struct graph *parent, const char *name);
struct value *graph_value_add(struct graph *graph, const char *name, const struct tensor *type);
struct value *graph_constant_add(struct graph *graph, const char *name, const struct tensor *constant); // contents copied
/* Makes a value that has no producer (any more) a constant; contents are shared as below. */
enum farm_status value_constant_set(struct value *value, const struct tensor *constant);
/* The same with contents that outlive the model's use (its arena, its mapped files). */
struct value *graph_constant_share(struct graph *graph, const char *name, const struct tensor *constant);
/* Insert before `before` (NULL: at the end). Inputs/outputs arrays are copied; outputs' producer is set. attrs copied shallowly
 * (strings and arrays must live in the model's arena or be static). */
struct node *graph_node_add(struct graph *graph, struct node *before, const struct operator_row *row, const char *name,
                            struct value *const *inputs, int input_count, struct value *const *outputs, int output_count,
                            const struct attr *attrs, int attr_count);
int model_symbol(struct model *model,
                 const char *name); // its index, added when new; -1 on lack of memory or beyond MODEL_MAX_SYMBOLS
const char *model_unique_name(struct model *model, const char *wanted);     // wanted, or "wanted~2"; NULL on lack of memory
void graph_node_remove(struct node *node);                                  // its outputs keep existing, without a producer
enum farm_status node_attr_set(struct node *node, const struct attr *attr); // replaces or adds; arrays and strings copied
enum farm_status graph_outputs_set(struct graph *graph, struct value *const *outputs, int count);
enum farm_status graph_inputs_set(struct graph *graph, struct value *const *inputs, int count);

/* Subgraphs of a node, in order of its attributes: for (int at = 0; (sub = node_subgraph(node, &at));) */
struct graph *node_subgraph(const struct node *node, int *at);
struct graph *node_graph(const struct node *node, const char *attribute); // NULL when absent
/* The node of `graph` that holds `node` in a subgraph, at any depth, or `node` itself; NULL when there is none. */
struct node *node_within(struct node *node, const struct graph *graph);
bool graph_encloses(const struct graph *outer, const struct graph *inner); // the same one, or around it

/* Uses: inputs of nodes (also in subgraphs) and graph outputs. Linear in the model's size; passes that need it often build
 * a struct uses once. */
struct uses {
  int *counts;          // by value id: uses by nodes plus by graph outputs
  struct node **single; // by value id: the one using node when counts == 1 and the use is a node of the same graph, else NULL
  int value_count;
};
enum farm_status uses_build(const struct model *model, struct uses *out_uses);
void uses_free(struct uses *uses);
int value_use_count(const struct model *model, const struct value *value);
bool value_is_graph_output(const struct value *value);
/* Every use of `from` (nodes, subgraphs, graph outputs) becomes one of `to`. */
void value_replace(struct value *from, struct value *to);

/* Shape inference over all nodes: fills types and known contents, symbols included. FARM_INVALID names the node. */
enum farm_status graph_infer(struct model *model);
/* Concrete inference: dims of the inputs given (by symbol values); fills the concrete type of every value (out_types_by_id has
 * next_value_id entries), running host integer operators for real. Dims that depend on data stay DIM_UNKNOWN. */
enum farm_status graph_infer_concrete(const struct model *model, const int64_t *symbol_values, struct tensor *out_types_by_id);

/* Counts against the row, and that what must be there is there. Contrib operators have optional inputs before required ones, and
 * exporters leave out Resize's roi, a Loop its count, a Scan of opset 8 its lengths: what runs those looks for itself. */
enum farm_status node_arity_check(const struct operator_row *row, struct value *const *inputs, int input_count, int output_count);
/* The executable specification: links, order, arity, single assignment, names, and types as a fresh inference finds them.
 * FARM_VERIFY_FAILED names what does not hold. */
enum farm_status graph_verify(const struct model *model);

/* Text form; print(parse(text)) == text. Grammar in docs/formats/ir-text.md. Constants up to 16 elements are printed with their
 * contents, larger ones as their digest (parse makes them seeded random data of the type and prints them as it read them). */
struct strbuf;
enum farm_status graph_print(const struct model *model, struct strbuf *out);
enum farm_status graph_parse(const char *text, struct model **out_model);

#endif
