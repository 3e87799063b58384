/* The tables that tell pb_decode where each field of onnx.proto goes. See onnx-model.h. */
#include "onnx-model.h"

#define ONE(number, kind, type, member)                                                                                          \
  { number, kind, false, offsetof(struct type, member), #member, NULL }
#define MANY(number, kind, type, member)                                                                                         \
  { number, kind, true, offsetof(struct type, member), #member, NULL }
#define SUB(number, type, member, sub)                                                                                           \
  { number, PB_MESSAGE, false, offsetof(struct type, member), #member, &sub##_schema }
#define SUBS(number, type, member, sub)                                                                                          \
  { number, PB_MESSAGE, true, offsetof(struct type, member), #member, &sub##_schema }
#define SCHEMA_OF(type, text, source)                                                                                            \
  static const struct pb_schema type##_schema = {text, sizeof(struct type), type##_rules,                                        \
                                                 sizeof type##_rules / sizeof *type##_rules, source};
#define SCHEMA(type, text) SCHEMA_OF(type, text, 0)

static const struct pb_rule onnx_entry_rules[] = {
    ONE(1, PB_TEXT, onnx_entry, key),
    ONE(2, PB_TEXT, onnx_entry, value),
};
SCHEMA(onnx_entry, "StringStringEntryProto")

static const struct pb_rule onnx_tensor_rules[] = {
    MANY(1, PB_I64, onnx_tensor, dims),      ONE(2, PB_I64, onnx_tensor, data_type),      ONE(8, PB_TEXT, onnx_tensor, name),
    ONE(9, PB_SLICE, onnx_tensor, raw_data), SUBS(13, onnx_tensor, external, onnx_entry), ONE(14, PB_I64, onnx_tensor, location),
};
SCHEMA_OF(onnx_tensor, "TensorProto", offsetof(struct onnx_tensor, source))

static const struct pb_rule onnx_sparse_tensor_rules[] = {
    SUB(1, onnx_sparse_tensor, values, onnx_tensor),
    SUB(2, onnx_sparse_tensor, indices, onnx_tensor),
    MANY(3, PB_I64, onnx_sparse_tensor, dims),
};
SCHEMA(onnx_sparse_tensor, "SparseTensorProto")

static const struct pb_rule onnx_dim_rules[] = {
    ONE(1, PB_I64, onnx_dim, value),
    ONE(2, PB_TEXT, onnx_dim, param),
};
SCHEMA(onnx_dim, "Dimension")

static const struct pb_rule onnx_shape_rules[] = {SUBS(1, onnx_shape, dims, onnx_dim)};
SCHEMA(onnx_shape, "TensorShapeProto")

static const struct pb_rule onnx_tensor_type_rules[] = {
    ONE(1, PB_I64, onnx_tensor_type, elem_type),
    SUB(2, onnx_tensor_type, shape, onnx_shape),
};
SCHEMA(onnx_tensor_type, "TypeProto.Tensor")

static const struct pb_rule onnx_type_rules[] = {SUB(1, onnx_type, tensor, onnx_tensor_type)};
SCHEMA(onnx_type, "TypeProto")

static const struct pb_rule onnx_value_info_rules[] = {
    ONE(1, PB_TEXT, onnx_value_info, name),
    SUB(2, onnx_value_info, type, onnx_type),
};
SCHEMA(onnx_value_info, "ValueInfoProto")

static const struct pb_schema onnx_graph_schema; // attributes hold graphs, graphs hold attributes
static const struct pb_rule onnx_attribute_rules[] = {
    ONE(1, PB_TEXT, onnx_attribute, name),       ONE(2, PB_F32, onnx_attribute, f),
    ONE(3, PB_I64, onnx_attribute, i),           ONE(4, PB_SLICE, onnx_attribute, s),
    SUB(5, onnx_attribute, tensor, onnx_tensor), SUB(6, onnx_attribute, graph, onnx_graph),
    MANY(7, PB_F32, onnx_attribute, floats),     MANY(8, PB_I64, onnx_attribute, ints),
    MANY(9, PB_SLICE, onnx_attribute, strings),  ONE(20, PB_I64, onnx_attribute, type),
    ONE(21, PB_TEXT, onnx_attribute, ref_name),  SUB(22, onnx_attribute, sparse, onnx_sparse_tensor),
};
SCHEMA(onnx_attribute, "AttributeProto")

static const struct pb_rule onnx_node_rules[] = {
    MANY(1, PB_TEXT, onnx_node, inputs),  MANY(2, PB_TEXT, onnx_node, outputs),           ONE(3, PB_TEXT, onnx_node, name),
    ONE(4, PB_TEXT, onnx_node, op_type),  SUBS(5, onnx_node, attributes, onnx_attribute), ONE(7, PB_TEXT, onnx_node, domain),
    ONE(8, PB_TEXT, onnx_node, overload),
};
SCHEMA(onnx_node, "NodeProto")

static const struct pb_rule onnx_graph_rules[] = {
    SUBS(1, onnx_graph, nodes, onnx_node),
    ONE(2, PB_TEXT, onnx_graph, name),
    SUBS(5, onnx_graph, initializers, onnx_tensor),
    SUBS(11, onnx_graph, inputs, onnx_value_info),
    SUBS(12, onnx_graph, outputs, onnx_value_info),
    SUBS(13, onnx_graph, value_infos, onnx_value_info),
    SUBS(15, onnx_graph, sparse_initializers, onnx_sparse_tensor),
};
SCHEMA(onnx_graph, "GraphProto")

static const struct pb_rule onnx_opset_rules[] = {
    ONE(1, PB_TEXT, onnx_opset, domain),
    ONE(2, PB_I64, onnx_opset, version),
};
SCHEMA(onnx_opset, "OperatorSetIdProto")

static const struct pb_rule onnx_function_rules[] = {
    ONE(1, PB_TEXT, onnx_function, name),      MANY(4, PB_TEXT, onnx_function, inputs),
    MANY(5, PB_TEXT, onnx_function, outputs),  MANY(6, PB_TEXT, onnx_function, attributes),
    SUBS(7, onnx_function, nodes, onnx_node),  SUBS(9, onnx_function, opsets, onnx_opset),
    ONE(10, PB_TEXT, onnx_function, domain),   SUBS(11, onnx_function, attribute_defaults, onnx_attribute),
    ONE(13, PB_TEXT, onnx_function, overload),
};
SCHEMA(onnx_function, "FunctionProto")

static const struct pb_rule onnx_model_rules[] = {
    ONE(1, PB_I64, onnx_model, ir_version),
    SUB(7, onnx_model, graph, onnx_graph),
    SUBS(8, onnx_model, opsets, onnx_opset),
    SUBS(25, onnx_model, functions, onnx_function),
};
SCHEMA(onnx_model, "ModelProto")

static struct pb_decoder decoder_of(struct arena *arena) {
  return (struct pb_decoder){arena, ONNX_MAX_DEPTH, ONNX_MAX_MESSAGES, ONNX_MAX_TEXT, 0};
}

enum farm_status onnx_model_decode(struct pb_slice bytes, struct arena *arena, struct onnx_model *out_model) {
  struct pb_decoder decoder = decoder_of(arena);
  TRY(pb_decode(&decoder, &onnx_model_schema, bytes, out_model));
  out_model->message_count = ONNX_MAX_MESSAGES - decoder.messages_left;
  return FARM_OK;
}

enum farm_status onnx_tensor_decode(struct pb_slice bytes, struct arena *arena, struct onnx_tensor *out_tensor) {
  struct pb_decoder decoder = decoder_of(arena);
  return pb_decode(&decoder, &onnx_tensor_schema, bytes, out_tensor);
}
