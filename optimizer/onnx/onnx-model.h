/* An ONNX file as decoded: the messages of onnx.proto as structs, nothing interpreted yet.
 *
 * Field numbers are those of onnx.proto; `present` has a bit for each field that occurred. Texts are NULL when absent. Everything
 * lives in the decoder's arena or in the mapped file. Fields that inference has no use for (doc_string, metadata, training_info,
 * quantization_annotation, device configurations) are skipped.
 */
#ifndef OPTIMIZER_ONNX_ONNX_MODEL_H
#define OPTIMIZER_ONNX_ONNX_MODEL_H

#include "pb-schema.h"

struct onnx_graph;

enum { ONNX_MAX_DEPTH = 100, ONNX_MAX_MESSAGES = 16 << 20, ONNX_MAX_TEXT = 64 << 10 };

struct onnx_entry { // StringStringEntryProto
  uint32_t present;
  const char *key, *value;
};

enum { ONNX_TENSOR_SEGMENT = 1 << 3, ONNX_TENSOR_RAW = 1 << 9 }; // bits of `present`
struct onnx_tensor {
  uint32_t present;
  PB_LIST(int64_t) dims;
  int64_t data_type, location; // location 1: external
  const char *name;
  struct pb_slice raw_data;
  PB_LIST(struct onnx_entry) external;
  PB_LIST(struct pb_slice) source; // the message's own bytes, where the typed fields are read from
};

struct onnx_sparse_tensor {
  uint32_t present;
  struct onnx_tensor *values, *indices;
  PB_LIST(int64_t) dims;
};

enum { ONNX_DIM_VALUE = 1 << 1, ONNX_DIM_PARAM = 1 << 2 };
struct onnx_dim {
  uint32_t present;
  int64_t value;
  const char *param;
};
struct onnx_shape {
  uint32_t present;
  PB_LIST(struct onnx_dim) dims;
};
struct onnx_tensor_type {
  uint32_t present;
  int64_t elem_type;
  struct onnx_shape *shape;
};
struct onnx_type { // only tensors are decoded; `present` tells what else it is: sequence 4, map 5, sparse 8, optional 9
  uint32_t present;
  struct onnx_tensor_type *tensor;
};
struct onnx_value_info {
  uint32_t present;
  const char *name;
  struct onnx_type *type;
};

/* AttributeProto.AttributeType; the number is also that of the type in the file. */
enum onnx_attribute_type {
  ONNX_ATTR_UNDEFINED,
  ONNX_ATTR_FLOAT,
  ONNX_ATTR_INT,
  ONNX_ATTR_STRING,
  ONNX_ATTR_TENSOR,
  ONNX_ATTR_GRAPH,
  ONNX_ATTR_FLOATS,
  ONNX_ATTR_INTS,
  ONNX_ATTR_STRINGS,
  ONNX_ATTR_TENSORS,
  ONNX_ATTR_GRAPHS,
  ONNX_ATTR_SPARSE_TENSOR,
  ONNX_ATTR_SPARSE_TENSORS,
  ONNX_ATTR_TYPE,
  ONNX_ATTR_TYPES
};
struct onnx_attribute {
  uint32_t present;
  const char *name, *ref_name;
  int64_t type, i;
  float f;
  struct pb_slice s;
  struct onnx_tensor *tensor;
  struct onnx_graph *graph;
  struct onnx_sparse_tensor *sparse;
  PB_LIST(float) floats;
  PB_LIST(int64_t) ints;
  PB_LIST(struct pb_slice) strings;
};

struct onnx_node {
  uint32_t present;
  PB_LIST(const char *) inputs;
  PB_LIST(const char *) outputs;
  const char *name, *op_type, *domain, *overload;
  PB_LIST(struct onnx_attribute) attributes;
};

struct onnx_graph {
  uint32_t present;
  const char *name;
  PB_LIST(struct onnx_node) nodes;
  PB_LIST(struct onnx_tensor) initializers;
  PB_LIST(struct onnx_sparse_tensor) sparse_initializers;
  PB_LIST(struct onnx_value_info) inputs;
  PB_LIST(struct onnx_value_info) outputs;
  PB_LIST(struct onnx_value_info) value_infos;
};

struct onnx_opset {
  uint32_t present;
  const char *domain;
  int64_t version;
};
typedef PB_LIST(struct onnx_opset) onnx_opset_list;

struct onnx_function {
  uint32_t present;
  const char *name, *domain, *overload;
  PB_LIST(const char *) inputs;
  PB_LIST(const char *) outputs;
  PB_LIST(const char *) attributes;
  PB_LIST(struct onnx_attribute) attribute_defaults;
  PB_LIST(struct onnx_node) nodes;
  onnx_opset_list opsets;
};

struct onnx_model {
  uint32_t present;
  int64_t ir_version;
  onnx_opset_list opsets;
  struct onnx_graph *graph;
  PB_LIST(struct onnx_function) functions;
  int64_t message_count; // decoded in all: a measure of what the file really holds
};

/* Both are zeroed by the caller; slices and sources stay in `bytes`. */
enum farm_status onnx_model_decode(struct pb_slice bytes, struct arena *arena, struct onnx_model *out_model);
enum farm_status onnx_tensor_decode(struct pb_slice bytes, struct arena *arena, struct onnx_tensor *out_tensor);

#endif
