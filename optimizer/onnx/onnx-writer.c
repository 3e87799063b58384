/* See onnx-writer.h. The numbers are the field numbers of onnx.proto. */
#include "onnx-writer.h"

#include "onnx-model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PRODUCER = 2, GRAPH = 7, OPSET = 8, FUNCTION = 25 };                           // ModelProto
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, INITIALIZER = 5 };                             // GraphProto
enum { NODE_INPUT = 1, NODE_OUTPUT, NODE_NAME, OP_TYPE, ATTRIBUTE, NODE_DOMAIN = 7 }; // NodeProto
enum { DIMS = 1, DATA_TYPE, TENSOR_NAME = 8, RAW_DATA, EXTERNAL = 13, LOCATION };     // TensorProto
enum {
  FUNCTION_NAME = 1,
  FUNCTION_INPUT = 4,
  FUNCTION_OUTPUT,
  FUNCTION_ATTRIBUTE,
  FUNCTION_NODE,
  FUNCTION_OPSET = 9,
  FUNCTION_DOMAIN
};
enum { ATTR_TYPE_FIELD = 20, REF_NAME = 21 }; // AttributeProto

/* Each word of `words` as a text field; "_" as an empty one. */
static void words_put(struct pb_writer *writer, uint32_t number, const char *words) {
  for (words += strspn(words, " "); *words; words += strspn(words, " ")) {
    size_t length = strcspn(words, " ");
    pb_put_bytes(writer, number, words, length == 1 && *words == '_' ? 0 : length);
    words += length;
  }
}

void onnx_model_begin(struct pb_writer *writer, int ir_version, const char *producer) {
  pb_put_i64(writer, 1, ir_version);
  pb_put_text(writer, PRODUCER, producer);
}

void onnx_model_end(struct pb_writer *writer) {
  if (writer->depth) writer->failed = true;
}

static void opset_put(struct pb_writer *writer, uint32_t number, const char *domain, int64_t version) {
  pb_begin(writer, number);
  pb_put_text(writer, 1, domain);
  pb_put_i64(writer, 2, version);
  pb_end(writer);
}

void onnx_opset_put(struct pb_writer *writer, const char *domain, int64_t version) { opset_put(writer, OPSET, domain, version); }

void onnx_graph_begin(struct pb_writer *writer, const char *name) {
  pb_begin(writer, GRAPH);
  pb_put_text(writer, GRAPH_NAME, name);
}

void onnx_graph_end(struct pb_writer *writer) { pb_end(writer); }

static void dim_put(struct pb_writer *writer, const char *text, size_t length) {
  pb_begin(writer, 1);
  char *end;
  long long value = strtoll(text, &end, 10);
  if (end == text + length)
    pb_put_i64(writer, 1, value);
  else if (length != 1 || *text != '?')
    pb_put_bytes(writer, 2, text, length);
  pb_end(writer);
}

void onnx_value_put(struct pb_writer *writer, enum onnx_value_role role, const char *name, enum dtype dtype, const char *dims) {
  pb_begin(writer, role);
  pb_put_text(writer, 1, name);
  pb_begin(writer, 2);
  pb_begin(writer, 1);
  pb_put_i64(writer, 1, dtype);
  if (dims) {
    pb_begin(writer, 2);
    for (dims += strspn(dims, " "); *dims; dims += strspn(dims, " ")) {
      size_t length = strcspn(dims, " ");
      dim_put(writer, dims, length);
      dims += length;
    }
    pb_end(writer);
  }
  pb_end(writer);
  pb_end(writer);
  pb_end(writer);
}

static void tensor_head(struct pb_writer *writer, const char *name, const struct tensor *type) {
  if (type->rank < 0 || type->rank > TENSOR_MAX_RANK || tensor_bytes(type) == SIZE_MAX) writer->failed = true;
  if (writer->failed) return;
  pb_put_packed_i64(writer, DIMS, type->dims, (size_t)type->rank);
  pb_put_i64(writer, DATA_TYPE, type->dtype);
  if (name) pb_put_text(writer, TENSOR_NAME, name);
}

void onnx_tensor_fields(struct pb_writer *writer, const char *name, const struct tensor *tensor) {
  tensor_head(writer, name, tensor);
  if (!writer->failed) pb_put_bytes(writer, RAW_DATA, tensor->data, tensor_bytes(tensor));
}

void onnx_initializer_put(struct pb_writer *writer, const char *name, const struct tensor *tensor) {
  pb_begin(writer, INITIALIZER);
  onnx_tensor_fields(writer, name, tensor);
  pb_end(writer);
}

void onnx_initializer_stream(struct pb_writer *writer, const char *name, const struct tensor *type, pb_fill_fn fill,
                             void *context) {
  pb_begin(writer, INITIALIZER);
  tensor_head(writer, name, type);
  if (!writer->failed) pb_put_stream(writer, RAW_DATA, tensor_bytes(type), fill, context);
  pb_end(writer);
}

static void external_entry(struct pb_writer *writer, const char *key, const char *value) {
  pb_begin(writer, EXTERNAL);
  pb_put_text(writer, 1, key);
  pb_put_text(writer, 2, value);
  pb_end(writer);
}

void onnx_initializer_external(struct pb_writer *writer, const char *name, const struct tensor *type, const char *location,
                               uint64_t offset, uint64_t length) {
  char number[24];
  pb_begin(writer, INITIALIZER);
  tensor_head(writer, name, type);
  external_entry(writer, "location", location);
  snprintf(number, sizeof number, "%" PRIu64, offset);
  external_entry(writer, "offset", number);
  snprintf(number, sizeof number, "%" PRIu64, length);
  external_entry(writer, "length", number);
  pb_put_i64(writer, LOCATION, 1);
  pb_end(writer);
}

static void node_begin(struct pb_writer *writer, uint32_t number, const char *op_type, const char *domain, const char *name,
                       const char *inputs, const char *outputs) {
  pb_begin(writer, number);
  words_put(writer, NODE_INPUT, inputs);
  words_put(writer, NODE_OUTPUT, outputs);
  if (*name) pb_put_text(writer, NODE_NAME, name);
  pb_put_text(writer, OP_TYPE, op_type);
  if (*domain) pb_put_text(writer, NODE_DOMAIN, domain);
}

void onnx_node_begin(struct pb_writer *writer, const char *op_type, const char *domain, const char *name, const char *inputs,
                     const char *outputs) {
  node_begin(writer, GRAPH_NODE, op_type, domain, name, inputs, outputs);
}

void onnx_node_end(struct pb_writer *writer) { pb_end(writer); }

void onnx_node_put(struct pb_writer *writer, const char *op_type, const char *name, const char *inputs, const char *outputs) {
  onnx_node_begin(writer, op_type, "", name, inputs, outputs);
  onnx_node_end(writer);
}

static void attr_begin(struct pb_writer *writer, const char *name, enum onnx_attribute_type type) {
  pb_begin(writer, ATTRIBUTE);
  pb_put_text(writer, 1, name);
  pb_put_i64(writer, ATTR_TYPE_FIELD, type);
}

void onnx_attr_int(struct pb_writer *writer, const char *name, int64_t value) {
  attr_begin(writer, name, ONNX_ATTR_INT);
  pb_put_i64(writer, 3, value);
  pb_end(writer);
}

void onnx_attr_float(struct pb_writer *writer, const char *name, float value) {
  attr_begin(writer, name, ONNX_ATTR_FLOAT);
  pb_put_f32(writer, 2, value);
  pb_end(writer);
}

void onnx_attr_string(struct pb_writer *writer, const char *name, const char *value) {
  attr_begin(writer, name, ONNX_ATTR_STRING);
  pb_put_text(writer, 4, value);
  pb_end(writer);
}

void onnx_attr_ints(struct pb_writer *writer, const char *name, const int64_t *values, size_t count) {
  attr_begin(writer, name, ONNX_ATTR_INTS);
  pb_put_packed_i64(writer, 8, values, count);
  pb_end(writer);
}

void onnx_attr_floats(struct pb_writer *writer, const char *name, const float *values, size_t count) {
  attr_begin(writer, name, ONNX_ATTR_FLOATS);
  pb_put_packed_f32(writer, 7, values, count);
  pb_end(writer);
}

void onnx_attr_tensor(struct pb_writer *writer, const char *name, const struct tensor *value) {
  attr_begin(writer, name, ONNX_ATTR_TENSOR);
  pb_begin(writer, 5);
  onnx_tensor_fields(writer, NULL, value);
  pb_end(writer);
  pb_end(writer);
}

void onnx_attr_ref(struct pb_writer *writer, const char *name, int type, const char *ref) {
  attr_begin(writer, name, (enum onnx_attribute_type)type);
  pb_put_text(writer, REF_NAME, ref);
  pb_end(writer);
}

void onnx_attr_graph_begin(struct pb_writer *writer, const char *name, const char *graph_name) {
  attr_begin(writer, name, ONNX_ATTR_GRAPH);
  pb_begin(writer, 6);
  pb_put_text(writer, GRAPH_NAME, graph_name);
}

void onnx_attr_graph_end(struct pb_writer *writer) {
  pb_end(writer);
  pb_end(writer);
}

void onnx_function_begin(struct pb_writer *writer, const char *domain, const char *name, const char *inputs, const char *outputs,
                         const char *attributes) {
  pb_begin(writer, FUNCTION);
  pb_put_text(writer, FUNCTION_NAME, name);
  pb_put_text(writer, FUNCTION_DOMAIN, domain);
  words_put(writer, FUNCTION_INPUT, inputs);
  words_put(writer, FUNCTION_OUTPUT, outputs);
  words_put(writer, FUNCTION_ATTRIBUTE, attributes);
}

void onnx_function_opset(struct pb_writer *writer, const char *domain, int64_t version) {
  opset_put(writer, FUNCTION_OPSET, domain, version);
}

void onnx_function_node_begin(struct pb_writer *writer, const char *op_type, const char *domain, const char *inputs,
                              const char *outputs) {
  node_begin(writer, FUNCTION_NODE, op_type, domain, "", inputs, outputs);
}

void onnx_function_end(struct pb_writer *writer) { pb_end(writer); }
