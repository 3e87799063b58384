/* Writing ONNX: one call per thing, in the order a file has them.
 *
 *   struct pb_writer w = {0};
 *   onnx_model_begin(&w, 8, "tunefarm synth");
 *   onnx_opset_put(&w, "", 17);
 *   onnx_graph_begin(&w, "main");
 *   onnx_value_put(&w, ONNX_INPUT, "x", DTYPE_F32, "batch 3 224 224");
 *   onnx_node_begin(&w, "Conv", "", "conv0", "x w _", "y"); onnx_attr_ints(&w, "pads", pads, 4); onnx_node_end(&w);
 *   onnx_graph_end(&w); onnx_model_end(&w); pb_write_file(&w, path); pb_writer_free(&w);
 *
 * Names of inputs and outputs are separated by spaces; "_" is an omitted one. Failure is sticky, reported by pb_write.
 */
#ifndef OPTIMIZER_ONNX_ONNX_WRITER_H
#define OPTIMIZER_ONNX_ONNX_WRITER_H

#include "../../problem/tensor.h"
#include "pb-writer.h"

void onnx_model_begin(struct pb_writer *writer, int ir_version, const char *producer);
void onnx_model_end(struct pb_writer *writer); // ends no message: a model is the file
void onnx_opset_put(struct pb_writer *writer, const char *domain, int64_t version);

void onnx_graph_begin(struct pb_writer *writer, const char *name); // the model's graph
void onnx_graph_end(struct pb_writer *writer);

enum onnx_value_role { ONNX_INPUT = 11, ONNX_OUTPUT = 12, ONNX_VALUE_INFO = 13 };
/* dims: numbers or names separated by spaces, "?" for an unnamed unknown one, "" for a scalar, NULL for an unknown rank. */
void onnx_value_put(struct pb_writer *writer, enum onnx_value_role role, const char *name, enum dtype dtype, const char *dims);

/* Initializers, as raw_data. A described tensor with elements must have data. */
void onnx_initializer_put(struct pb_writer *writer, const char *name, const struct tensor *tensor);
/* `fill` makes the little-endian bytes while the file is written. */
void onnx_initializer_stream(struct pb_writer *writer, const char *name, const struct tensor *type, pb_fill_fn fill,
                             void *context);
void onnx_initializer_external(struct pb_writer *writer, const char *name, const struct tensor *type, const char *location,
                               uint64_t offset, uint64_t length);

void onnx_node_begin(struct pb_writer *writer, const char *op_type, const char *domain, const char *name, const char *inputs,
                     const char *outputs);
void onnx_node_end(struct pb_writer *writer);
/* A node without attributes of domain "". */
void onnx_node_put(struct pb_writer *writer, const char *op_type, const char *name, const char *inputs, const char *outputs);

void onnx_attr_int(struct pb_writer *writer, const char *name, int64_t value);
void onnx_attr_float(struct pb_writer *writer, const char *name, float value);
void onnx_attr_string(struct pb_writer *writer, const char *name, const char *value);
void onnx_attr_ints(struct pb_writer *writer, const char *name, const int64_t *values, size_t count);
void onnx_attr_floats(struct pb_writer *writer, const char *name, const float *values, size_t count);
void onnx_attr_tensor(struct pb_writer *writer, const char *name, const struct tensor *value);
void onnx_attr_ref(struct pb_writer *writer, const char *name, int type, const char *ref);      // in a function's body
void onnx_attr_graph_begin(struct pb_writer *writer, const char *name, const char *graph_name); // then as in a graph
void onnx_attr_graph_end(struct pb_writer *writer);

/* A local function of the model, beside its graph; its nodes are put between begin and end. */
void onnx_function_begin(struct pb_writer *writer, const char *domain, const char *name, const char *inputs, const char *outputs,
                         const char *attributes);
void onnx_function_opset(struct pb_writer *writer, const char *domain, int64_t version);
void onnx_function_node_begin(struct pb_writer *writer, const char *op_type, const char *domain, const char *inputs,
                              const char *outputs); // ends with onnx_node_end
void onnx_function_end(struct pb_writer *writer);

/* The fields of a TensorProto, inside a message begun by the caller (or as a file of its own). */
void onnx_tensor_fields(struct pb_writer *writer, const char *name, const struct tensor *tensor);

#endif
