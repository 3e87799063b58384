/* ONNX file -> IR.
 *
 *   model.onnx ──decode──► messages ──names resolved, functions inlined, constants loaded──► struct model ──► graph_infer
 *
 * What comes out: the main graph's inputs keep their declared types, with a symbol per dim_param and "input:axis" for an unnamed
 * unknown dimension; initializers (with IR >= 4 also those that a graph input would let a caller override) and Constant nodes
 * are constants, in place in the mapped file where aligned; If, Loop and Scan hold their subgraphs; local functions are gone.
 * Types declared for other values are hints (struct value).
 *
 * FARM_INVALID: the file is malformed or wrong (duplicate, undefined or late names, cyclic functions, bad external data, ...).
 * FARM_UNSUPPORTED: it may be right but is not for us; the message names node, operator, domain, opset and [rule: ...]:
 *   ir-version   IR versions 3 to 13             opset        ai.onnx 7 to 26
 *   operator     no row for that operator        type         only tensors as values
 *   element-type no strings                      rank         at most TENSOR_MAX_RANK
 *   attribute    lists of tensors or graphs, types; graphs handed to functions
 *   limit        nodes after inlining, nesting, symbols, attributes, memory
 */
#ifndef OPTIMIZER_ONNX_IMPORT_H
#define OPTIMIZER_ONNX_IMPORT_H

#include "../ir/graph.h"

enum { ONNX_LEAST_IR = 3, ONNX_MOST_IR = 13, ONNX_LEAST_OPSET = 7, ONNX_MOST_OPSET = 26 };
/* Nodes after inlining: at most ONNX_MAX_NODES, and at most 64 per message of the file and ONNX_LEAST_NODE_LIMIT more. */
enum {
  ONNX_MAX_NODES = 1 << 20,
  ONNX_LEAST_NODE_LIMIT = 4096,
  ONNX_MAX_FUNCTION_DEPTH = 32,
  ONNX_MAX_ATTRIBUTES = 1024,
  ONNX_MAX_OPSETS = 256
};

enum farm_status onnx_import(const char *path, struct model **out_model);
/* The bytes are copied. External data is looked for beneath `folder_or_null`, refused without one. */
enum farm_status onnx_import_bytes(const void *bytes, size_t length, const char *folder_or_null, struct model **out_model);

/* Adds names and bytes of the files beside the model that its tensors lie in, in the order of their first use. */
struct digest_state;
void onnx_import_digest_external(const struct model *model, struct digest_state *state);

#endif
