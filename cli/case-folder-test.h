/* For tests of `tunefarm test`: cases written by the test itself, in the layout of ONNX's backend tests. */
#ifndef CLI_CASE_FOLDER_TEST_H
#define CLI_CASE_FOLDER_TEST_H

#include "../base/random.h"
#include "../optimizer/ir/evaluate.h"
#include "../optimizer/onnx/import.h"
#include "../optimizer/onnx/onnx-writer.h"
#include "../tests/kit/test.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CASE_FN static inline __attribute__((unused))

/* A TensorProto. */
CASE_FN void case_tensor_write(const char *path, const struct tensor *tensor) {
  struct pb_writer w = {0};
  for (int i = 0; i < tensor->rank; i++) pb_put_i64(&w, 1, tensor->dims[i]);
  pb_put_i64(&w, 2, tensor->dtype);
  pb_put_bytes(&w, 9, tensor->data, tensor_bytes(tensor));
  REQUIRE_OK(pb_write_file(&w, path));
  pb_writer_free(&w);
}

/* A folder in the test's for a case; kept by the test. */
CASE_FN const char *case_folder(const char *name) {
  char path[PATH_MAX], set[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", test_folder(), name);
  mkdir(path, 0700);
  snprintf(set, sizeof set, "%.4000s/test_data_set_0", path);
  mkdir(set, 0700);
  return test_keep(strdup(path));
}

CASE_FN void weight_put(struct pb_writer *w, const char *name, const struct tensor *type, uint64_t seed) {
  struct tensor tensor = *type;
  REQUIRE_OK(tensor_alloc(&tensor));
  for (int64_t i = 0; i < tensor_elems(&tensor); i++)
    dtype_store_f64(tensor.dtype, tensor.data, i, random_uniform(seed, (uint64_t)i) - 0.5);
  onnx_initializer_put(w, name, &tensor);
  tensor_free(&tensor);
}

/* x f32[1,4,6,6] -> conv (3x3, 8 channels) -> flatten -> head: f32[1,128] by [128,5] -> second, third: by [5,5] each. */
CASE_FN void case_model_write(const char *path) {
  struct pb_writer w = {0};
  onnx_model_begin(&w, 8, "test");
  onnx_opset_put(&w, "", 17);
  onnx_graph_begin(&w, "main");
  onnx_node_put(&w, "Conv", "conv", "x w0", "c");
  onnx_node_put(&w, "Flatten", "flat", "c", "f");
  onnx_node_put(&w, "MatMul", "head", "f w1", "h");
  onnx_node_put(&w, "MatMul", "second", "h w2", "s");
  onnx_node_put(&w, "MatMul", "third", "s w3", "y");
  weight_put(&w, "w0", &(struct tensor){.dtype = DTYPE_F32, .rank = 4, .dims = {8, 4, 3, 3}}, 1);
  weight_put(&w, "w1", &(struct tensor){.dtype = DTYPE_F32, .rank = 2, .dims = {128, 5}}, 2);
  weight_put(&w, "w2", &(struct tensor){.dtype = DTYPE_F32, .rank = 2, .dims = {5, 5}}, 3);
  weight_put(&w, "w3", &(struct tensor){.dtype = DTYPE_F32, .rank = 2, .dims = {5, 5}}, 4);
  onnx_value_put(&w, ONNX_INPUT, "x", DTYPE_F32, "1 4 6 6");
  onnx_value_put(&w, ONNX_OUTPUT, "y", DTYPE_F32, "1 5");
  onnx_graph_end(&w);
  onnx_model_end(&w);
  REQUIRE_OK(pb_write_file(&w, path));
  pb_writer_free(&w);
}

/* x f32[1,16,32,32] -> pool (every 16th pixel): the layout costs more to change than the work does. */
CASE_FN void pool_model_write(const char *path) {
  static const int64_t window[] = {1, 1}, step[] = {16, 16};
  struct pb_writer w = {0};
  onnx_model_begin(&w, 8, "test");
  onnx_opset_put(&w, "", 17);
  onnx_graph_begin(&w, "main");
  onnx_node_begin(&w, "MaxPool", "", "pool", "x", "y");
  onnx_attr_ints(&w, "kernel_shape", window, 2);
  onnx_attr_ints(&w, "strides", step, 2);
  onnx_node_end(&w);
  onnx_value_put(&w, ONNX_INPUT, "x", DTYPE_F32, "1 16 32 32");
  onnx_value_put(&w, ONNX_OUTPUT, "y", DTYPE_F32, "1 16 2 2");
  onnx_graph_end(&w);
  onnx_model_end(&w);
  REQUIRE_OK(pb_write_file(&w, path));
  pb_writer_free(&w);
}

/* A model of one input with seeded numbers and what the references make of them; `off` is added to element 2 of what is
 * expected. */
CASE_FN const char *case_write_of(void (*model_write)(const char *path), const char *name, float off) {
  const char *folder = case_folder(name);
  char path[PATH_MAX];
  struct model *model;
  snprintf(path, sizeof path, "%s/model.onnx", folder);
  model_write(path);
  REQUIRE_OK(onnx_import(path, &model));
  struct tensor x = model->graph->inputs[0]->type, y = {0};
  REQUIRE_OK(tensor_alloc(&x));
  for (int64_t i = 0; i < tensor_elems(&x); i++) ((float *)x.data)[i] = (float)random_uniform(9, (uint64_t)i) - 0.5f;
  REQUIRE_OK(graph_evaluate(model, &x, &y));
  ((float *)y.data)[2] += off;
  snprintf(path, sizeof path, "%s/test_data_set_0/input_0.pb", folder);
  case_tensor_write(path, &x);
  snprintf(path, sizeof path, "%s/test_data_set_0/output_0.pb", folder);
  case_tensor_write(path, &y);
  tensor_free(&x);
  tensor_free(&y);
  model_free(&model);
  return folder;
}
CASE_FN const char *case_write(const char *name, float off) { return case_write_of(case_model_write, name, off); }

#endif
