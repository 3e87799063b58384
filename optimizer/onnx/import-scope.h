/* What the parts of the importer share: the import as a whole, and the names visible at a place of it.
 *
 *   main graph scope ◄─parent─ scope of a branch or body ◄─parent─ ...       a function's body starts a chain of its own:
 *                                                                             it sees its formal inputs and nothing else
 */
#ifndef OPTIMIZER_ONNX_IMPORT_SCOPE_H
#define OPTIMIZER_ONNX_IMPORT_SCOPE_H

#include "external-data.h"
#include "import.h"
#include "onnx-model.h"

struct import {
  struct model *model;
  const struct onnx_model *onnx;
  struct external_data *external;
  struct map functions; // "domain name overload" -> struct onnx_function *
  int64_t nodes_left;
  bool *ready; // by value id: defined before the node now imported
  size_t ready_capacity;
};

struct function_call {
  const struct onnx_function *function;
  const struct onnx_attribute **attributes; // resolved, of the calling node
  int attribute_count;
  const struct function_call *outer;
  int depth;
};

struct scope {
  struct import *import;
  struct scope *parent;
  struct graph *graph; // where nodes go
  struct map names;    // -> struct value *, or &scope_omitted
  struct map presets;  // a function's outputs -> the caller's values, until declared
  const onnx_opset_list *opsets;
  const struct function_call *call; // NULL outside functions
  const char *prefix;               // before the names of values and nodes made here; ""
  int depth;                        // of graphs
};

extern struct value scope_omitted; // what the name of a formal input is bound to when the call leaves it out

void scope_free(struct scope *scope);
enum farm_status scope_bind(struct scope *scope, const char *name, struct value *value); // FARM_INVALID when bound already
/* A new value (or the preset one) for a name that is not bound in this very scope. Not ready yet. */
enum farm_status scope_declare(struct scope *scope, const char *name, struct value **out_value);
enum farm_status scope_find(const struct scope *scope, const char *name, struct value **out_value); // ready, or FARM_INVALID
struct value *scope_own(const struct scope *scope, const char *name); // bound in this very scope, ready or not; NULL when not
enum farm_status scope_ready(struct scope *scope, const struct value *value);
/* The opset import that counts for nodes of the domain here; 0 when there is none. */
int scope_opset(const struct scope *scope, const char *domain);
const char *scope_name(struct scope *scope, const char *name); // with the prefix; NULL on lack of memory
const char *domain_plain(const char *domain);                  // "ai.onnx" and NULL are ""
const char *domain_shown(const char *domain);                  // "" is "ai.onnx"

enum farm_status import_graph(struct scope *scope, const struct onnx_graph *onnx);
enum farm_status import_nodes(struct scope *scope, const struct onnx_node *nodes, int count); // declares outputs, adds the nodes
enum farm_status import_functions(struct import *import); // the index of the model's functions
const struct onnx_function *function_find(const struct import *import, const struct onnx_node *node); // NULL: not a local one
enum farm_status import_call(struct scope *scope, const struct onnx_function *function, const struct onnx_node *node);
/* The attributes of a node, references to a function's attributes resolved; what cannot be resolved is left out. */
enum farm_status import_attributes(struct scope *scope, const struct onnx_node *node, struct attr **out_attrs, int *out_count);
/* NULL when the attribute refers to one that the call does not give and that has no default. */
const struct onnx_attribute *attribute_resolve(const struct scope *scope, const struct onnx_attribute *attribute);
enum onnx_attribute_type attribute_type(const struct onnx_attribute *attribute); // also of very old files that do not say
enum farm_status import_constant(struct scope *scope, const struct onnx_node *node, struct value *value);
enum farm_status opset_check(const char *domain, int64_t version);

#endif
