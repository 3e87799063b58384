/* One quantum, and where it is granted. */
#include "output-rule.h"

#include "case-folder-test.h"
#include "command-test.h"

#define HEAD "model ir 8\ngraph g(%x: f32[4], %q: u8[2,2], %s: f32[]) {\n"
#define SCALAR HEAD "  const %scale: f32[] = {0.25}\n"
#define DEQUANTIZED SCALAR "  %y = DequantizeLinear.13@13(%q, %scale)\n  return %y\n}\n"
#define AXIS HEAD "  const %scale: f32[2] = {0.125, 0.5}\n  %y = DequantizeLinear.13@13(%q, %scale) {axis = 0}\n  return %y\n}\n"
#define COMPUTED HEAD "  %y = DequantizeLinear.13@13(%q, %s)\n  return %y\n}\n"
#define BEHIND SCALAR "  %d = DequantizeLinear.13@13(%q, %scale)\n  %y = Relu.14@14(%d)\n  return %y\n}\n"
#define QUANTIZED SCALAR "  %y = QuantizeLinear.13@13(%x, %scale)\n  return %y\n}\n"
#define GIVEN HEAD "  return %x\n}\n"

static const struct {
  const char *what, *graph;
  double quantum;
} quanta[] = {
    {"a DequantizeLinear", DEQUANTIZED, 0.25},    {"one with a scale per row", AXIS, 0.5},
    {"one whose scale is an input", COMPUTED, 0}, {"an operator behind one", BEHIND, 0},
    {"a QuantizeLinear", QUANTIZED, 0},           {"an input", GIVEN, 0},
};

TEST(output_quantum_of_graphs, "") {
  for (size_t i = 0; i < sizeof quanta / sizeof *quanta; i++) {
    struct model *model;
    REQUIRE_OK(graph_parse(quanta[i].graph, &model));
    double quantum = output_quantum(model->graph->outputs[0]);
    CHECK_MESSAGE(quantum == quanta[i].quantum, "%s: %g", quanta[i].what, quantum);
    model_free(&model);
  }
}

static const struct {
  const char *graph;
  enum dtype dtype;
  double actual[4], expected[4];
  bool relative;
  double atol;
  bool passes;
} rules[] = {
    {DEQUANTIZED, DTYPE_F32, {1, 2, 3, 4}, {1, 2, 3, 4}, false, 1e-7, true},
    {DEQUANTIZED, DTYPE_F32, {1, 2, 3.25, 4}, {1, 2, 3, 4}, true, 1e-5, true},   // one quantum
    {DEQUANTIZED, DTYPE_F32, {0.75, 2, 3, 4}, {1, 2, 3, 4}, true, 1e-5, true},   // down, too
    {DEQUANTIZED, DTYPE_F32, {1, 2, 3.5, 4}, {1, 2, 3, 4}, true, 1e-5, false},   // two
    {DEQUANTIZED, DTYPE_F32, {1, 2, 3.27, 4}, {1, 2, 3, 4}, true, 1e-5, false},  // and a bit
    {DEQUANTIZED, DTYPE_F32, {1, 2, 3.25, 4}, {1, 2, 3, 4}, false, 1e-5, false}, // the runner's rule knows no quantum
    {DEQUANTIZED, DTYPE_F32, {1, 2, 3.5, 4}, {1, 2, 3, 4}, true, 0.2, true},     // a share that allows more stays
    {AXIS, DTYPE_F32, {1.5, 2, 3, 4}, {1, 2, 3, 4}, true, 1e-5, true},           // the largest scale
    {BEHIND, DTYPE_F32, {1, 2, 3.25, 4}, {1, 2, 3, 4}, true, 1e-5, false},
    {COMPUTED, DTYPE_F32, {1, 2, 3.25, 4}, {1, 2, 3, 4}, true, 1e-5, false},
    {QUANTIZED, DTYPE_U8, {1, 2, 4, 4}, {1, 2, 3, 4}, true, 1e-5, true}, // integers: one, not two, and only relative to max
    {QUANTIZED, DTYPE_U8, {1, 2, 5, 4}, {1, 2, 3, 4}, true, 1e-5, false},
    {QUANTIZED, DTYPE_U8, {1, 2, 4, 4}, {1, 2, 3, 4}, false, 1e-5, false},
};

static struct tensor four(enum dtype dtype, const double *values) {
  struct tensor tensor = {.dtype = dtype, .rank = 1, .dims = {4}};
  REQUIRE_OK(tensor_alloc(&tensor));
  for (int i = 0; i < 4; i++) {
    if (dtype_is_float(dtype))
      dtype_store_f64(dtype, tensor.data, i, values[i]);
    else
      dtype_store_i64(dtype, tensor.data, i, (int64_t)values[i]);
  }
  return tensor;
}

TEST(output_rule_grants_one_quantum, "") {
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    struct model *model;
    struct compare_result result;
    REQUIRE_OK(graph_parse(rules[i].graph, &model));
    struct tensor actual = four(rules[i].dtype, rules[i].actual), expected = four(rules[i].dtype, rules[i].expected);
    struct compare_rule asked = {1e-3, rules[i].atol, rules[i].relative};
    struct compare_rule rule = output_rule(&asked, model->graph->outputs[0], &expected);
    tensor_compare(&actual, &expected, &rule, &result);
    CHECK_MESSAGE(result.passed == rules[i].passes, "rule %zu: %s", i, result.passed ? "passed" : result.why);
    tensor_free(&actual);
    tensor_free(&expected);
    model_free(&model);
  }
}

/* q u8[4] -> DequantizeLinear by 1/4 -> y; what is expected of element 2 is `quanta_off` quanta higher. */
static const char *quantized_case(const char *name, float quanta_off) {
  const char *folder = case_folder(name);
  char path[PATH_MAX];
  uint8_t q[4] = {4, 8, 12, 16};
  float y[4] = {1, 2, 3 + 0.25f * quanta_off, 4}, quarter = 0.25f;
  struct pb_writer w = {0};
  onnx_model_begin(&w, 8, "test");
  onnx_opset_put(&w, "", 17);
  onnx_graph_begin(&w, "main");
  onnx_node_put(&w, "DequantizeLinear", "last", "q scale", "y");
  onnx_initializer_put(&w, "scale", &(struct tensor){.dtype = DTYPE_F32, .data = &quarter});
  onnx_value_put(&w, ONNX_INPUT, "q", DTYPE_U8, "4");
  onnx_value_put(&w, ONNX_OUTPUT, "y", DTYPE_F32, "4");
  onnx_graph_end(&w);
  onnx_model_end(&w);
  snprintf(path, sizeof path, "%s/model.onnx", folder);
  REQUIRE_OK(pb_write_file(&w, path));
  pb_writer_free(&w);
  snprintf(path, sizeof path, "%s/test_data_set_0/input_0.pb", folder);
  case_tensor_write(path, &(struct tensor){.dtype = DTYPE_U8, .rank = 1, .dims = {4}, .data = q});
  snprintf(path, sizeof path, "%s/test_data_set_0/output_0.pb", folder);
  case_tensor_write(path, &(struct tensor){.dtype = DTYPE_F32, .rank = 1, .dims = {4}, .data = y});
  return folder;
}

TEST(command_test_grants_one_quantum, "") {
  const char *one = quantized_case("one", 1), *two = quantized_case("two", 2);
  command_works("test", one, "--relative-to-max", "--atol", "1e-5");
  command_fails(9, "output 0: element 2 is 3, expected 3.5", "test", two, "--relative-to-max", "--atol", "1e-5");
  command_fails(9, "output 0: element 2 is 3, expected 3.25", "test", one);
}
