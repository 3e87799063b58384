/* See import-cases.h. Each case is one thing that a file can do, or do wrong. */
#include "import-cases.h"

#include "onnx-model.h"

#include <string.h>

static void opened(struct pb_writer *w, int ir, int64_t opset) {
  onnx_model_begin(w, ir, "tests");
  onnx_opset_put(w, "", opset);
  onnx_graph_begin(w, "main");
}

void case_begin(struct pb_writer *w) { opened(w, 8, 17); }

void case_end(struct pb_writer *w) {
  onnx_graph_end(w);
  onnx_model_end(w);
}

static struct tensor vector(enum dtype dtype, int64_t count, const void *data) {
  return (struct tensor){.dtype = dtype, .rank = 1, .dims = {count}, .data = (void *)(uintptr_t)data};
}
static const float floats[] = {1, 2, 3, 4, 5};
static const int64_t minus_one[] = {-1};

static void input_x(struct pb_writer *w) { onnx_value_put(w, ONNX_INPUT, "x", DTYPE_F32, "n 4"); }
static void output_y(struct pb_writer *w) { onnx_value_put(w, ONNX_OUTPUT, "y", DTYPE_F32, NULL); }

/* ---- right ---- */

static void plain(struct pb_writer *w) {
  case_begin(w);
  input_x(w);
  onnx_initializer_put(w, "b", &(struct tensor){.dtype = DTYPE_F32, .rank = 1, .dims = {4}, .data = (void *)(uintptr_t)floats});
  onnx_node_put(w, "Add", "add", "x b", "h");
  onnx_node_put(w, "Relu", "", "h", "y");
  output_y(w);
  case_end(w);
}

static void old_ir_initializer_as_input(struct pb_writer *w) {
  opened(w, 3, 8);
  struct tensor b = vector(DTYPE_F32, 4, floats);
  input_x(w);
  onnx_value_put(w, ONNX_INPUT, "b", DTYPE_F32, "4");
  onnx_initializer_put(w, "b", &b);
  onnx_node_put(w, "Add", "add", "x b", "y");
  output_y(w);
  case_end(w);
}

static void newest_opset(struct pb_writer *w) {
  opened(w, 13, 26);
  input_x(w);
  onnx_node_put(w, "Swish", "", "x", "y"); // of opset 24
  output_y(w);
  case_end(w);
}

static void graph_after_opset_after_nodes(struct pb_writer *w) { // any order of fields
  onnx_graph_begin(w, "main");
  output_y(w);
  onnx_node_put(w, "Relu", "", "x", "y");
  input_x(w);
  onnx_graph_end(w);
  onnx_opset_put(w, "ai.onnx", 22);
  onnx_model_begin(w, 13, "tests");
}

static void shape_arithmetic(struct pb_writer *w) { // reshape by a shape that is computed
  struct tensor last = vector(DTYPE_I64, 1, minus_one), zero = vector(DTYPE_I64, 1, (int64_t[]){0});
  case_begin(w);
  input_x(w);
  onnx_initializer_put(w, "last", &last);
  onnx_initializer_put(w, "zero", &zero);
  onnx_node_put(w, "Shape", "", "x", "s");
  onnx_node_put(w, "Gather", "", "s zero", "n");
  onnx_node_begin(w, "Concat", "", "", "last n", "t");
  onnx_attr_int(w, "axis", 0);
  onnx_node_end(w);
  onnx_node_put(w, "Reshape", "", "x t", "y");
  output_y(w);
  case_end(w);
}

static void branch(struct pb_writer *w, const char *attribute, const char *op, const char *output) {
  onnx_attr_graph_begin(w, attribute, attribute);
  onnx_node_put(w, op, "", "x", output);
  onnx_value_put(w, ONNX_OUTPUT, output, DTYPE_F32, NULL);
  onnx_attr_graph_end(w);
}

static void branches_with_one_name(struct pb_writer *w) { // both call their output as the main graph does
  case_begin(w);
  input_x(w);
  onnx_value_put(w, ONNX_INPUT, "c", DTYPE_BOOL, "");
  onnx_node_begin(w, "If", "", "", "c", "y");
  branch(w, "then_branch", "Relu", "inner");
  branch(w, "else_branch", "Neg", "inner");
  onnx_node_end(w);
  output_y(w);
  case_end(w);
}

static void loop_body(struct pb_writer *w) {
  onnx_attr_graph_begin(w, "body", "body");
  onnx_value_put(w, ONNX_INPUT, "i", DTYPE_I64, "");
  onnx_value_put(w, ONNX_INPUT, "go", DTYPE_BOOL, "");
  onnx_value_put(w, ONNX_INPUT, "state", DTYPE_F32, NULL);
  onnx_node_put(w, "Identity", "", "go", "go_on");
  onnx_node_put(w, "Add", "", "state x", "next");
  onnx_value_put(w, ONNX_OUTPUT, "go_on", DTYPE_BOOL, "");
  onnx_value_put(w, ONNX_OUTPUT, "next", DTYPE_F32, NULL);
  onnx_value_put(w, ONNX_OUTPUT, "state", DTYPE_F32, NULL);
  onnx_attr_graph_end(w);
}

static void loop(struct pb_writer *w) { // y = x + 3 x, and the states on the way
  struct tensor three = {.dtype = DTYPE_I64, .data = (int64_t[]){3}};
  case_begin(w);
  input_x(w);
  onnx_initializer_put(w, "three", &three);
  onnx_node_begin(w, "Loop", "", "loop", "three _ x", "y states");
  loop_body(w);
  onnx_node_end(w);
  output_y(w);
  onnx_value_put(w, ONNX_OUTPUT, "states", DTYPE_F32, NULL);
  case_end(w);
}

static void endless_loop(struct pb_writer *w) {
  case_begin(w);
  input_x(w);
  onnx_node_begin(w, "Loop", "", "loop", "_ _ x", "y states");
  loop_body(w);
  onnx_node_end(w);
  output_y(w);
  case_end(w);
}

static void function_twice(struct pb_writer *w, const char *inner) {
  onnx_function_begin(w, "own", "Twice", "a", "b", "slope");
  onnx_function_opset(w, "", 17);
  onnx_function_opset(w, "own", 1);
  onnx_function_node_begin(w, inner, strcmp(inner, "Twice") == 0 ? "own" : "", "a", "t");
  if (strcmp(inner, "LeakyRelu") == 0) onnx_attr_ref(w, "alpha", ONNX_ATTR_FLOAT, "slope");
  onnx_node_end(w);
  onnx_function_node_begin(w, "Add", "", "t t", "b");
  onnx_node_end(w);
  onnx_function_end(w);
}

static void functions(struct pb_writer *w) {
  case_begin(w);
  input_x(w);
  onnx_node_begin(w, "Twice", "own", "first", "x", "h");
  onnx_attr_float(w, "slope", 0.5f);
  onnx_node_end(w);
  onnx_node_begin(w, "Twice", "own", "second", "h", "y");
  onnx_node_end(w);
  output_y(w);
  onnx_graph_end(w);
  onnx_opset_put(w, "own", 1);
  function_twice(w, "LeakyRelu");
}

static void function_passing_through(struct pb_writer *w) { // its outputs are its input, and one value given twice
  case_begin(w);
  input_x(w);
  onnx_node_begin(w, "Through", "own", "", "x", "y z u");
  onnx_node_end(w);
  output_y(w);
  onnx_value_put(w, ONNX_OUTPUT, "z", DTYPE_F32, NULL);
  onnx_value_put(w, ONNX_OUTPUT, "u", DTYPE_F32, NULL);
  onnx_graph_end(w);
  onnx_opset_put(w, "own", 1);
  onnx_function_begin(w, "own", "Through", "a b", "a r r", "");
  onnx_function_opset(w, "", 17);
  onnx_function_node_begin(w, "Clip", "", "a b", "r");
  onnx_node_end(w);
  onnx_function_end(w);
}

static void sparse_initializer(struct pb_writer *w) {
  struct tensor values = vector(DTYPE_F32, 2, floats), indices = vector(DTYPE_I64, 2, (int64_t[]){1, 3});
  case_begin(w);
  input_x(w);
  pb_begin(w, 15);
  pb_begin(w, 1);
  onnx_tensor_fields(w, "b", &values);
  pb_end(w);
  pb_begin(w, 2);
  onnx_tensor_fields(w, NULL, &indices);
  pb_end(w);
  pb_put_i64(w, 3, 4);
  pb_end(w);
  onnx_node_put(w, "Add", "add", "x b", "y");
  output_y(w);
  case_end(w);
}

/* ---- wrong ---- */

static void one_node(struct pb_writer *w, const char *op, const char *domain, const char *inputs, const char *outputs) {
  case_begin(w);
  input_x(w);
  onnx_node_begin(w, op, domain, "n0", inputs, outputs);
  onnx_node_end(w);
  output_y(w);
  case_end(w);
}

static void nothing(struct pb_writer *w) { (void)w; }
static void no_graph(struct pb_writer *w) { onnx_model_begin(w, 8, "tests"), onnx_opset_put(w, "", 17); }
static void no_opset(struct pb_writer *w) { onnx_model_begin(w, 8, "tests"), onnx_graph_begin(w, "main"), onnx_graph_end(w); }
static void opset_6(struct pb_writer *w) { opened(w, 3, 6), case_end(w); }
static void opset_27(struct pb_writer *w) { opened(w, 13, 27), case_end(w); }
static void opset_huge(struct pb_writer *w) { opened(w, 8, INT64_MAX), case_end(w); }
static void ir_14(struct pb_writer *w) { opened(w, 14, 17), case_end(w); }
static void ir_negative(struct pb_writer *w) { opened(w, -1, 17), case_end(w); }
static void unknown_operator(struct pb_writer *w) { one_node(w, "Nonsense", "", "x", "y"); }
static void later_operator(struct pb_writer *w) { one_node(w, "Gelu", "", "x", "y"); }
static void no_import_of_domain(struct pb_writer *w) { one_node(w, "Foo", "acme", "x", "y"); }
static void too_few_inputs(struct pb_writer *w) { one_node(w, "Add", "", "x", "y"); }
static void too_many_inputs(struct pb_writer *w) { one_node(w, "Relu", "", "x x", "y"); }
static void needed_input_left_out(struct pb_writer *w) { one_node(w, "Add", "", "_ x", "y"); }
static void undefined_input(struct pb_writer *w) { one_node(w, "Relu", "", "z", "y"); }
static void own_output_as_input(struct pb_writer *w) { one_node(w, "Relu", "", "y", "y"); }
static void defined_twice(struct pb_writer *w) { one_node(w, "Relu", "", "x", "x"); }
static void undefined_output(struct pb_writer *w) { one_node(w, "Relu", "", "x", "z"); }

static void nodes_out_of_order(struct pb_writer *w) {
  case_begin(w);
  input_x(w);
  onnx_node_put(w, "Relu", "late", "h", "y");
  onnx_node_put(w, "Neg", "early", "x", "h");
  output_y(w);
  case_end(w);
}

static void duplicate_initializer(struct pb_writer *w) {
  struct tensor b = vector(DTYPE_F32, 4, floats);
  case_begin(w);
  onnx_initializer_put(w, "b", &b);
  onnx_initializer_put(w, "b", &b);
  case_end(w);
}

static void function_calls_itself(struct pb_writer *w) {
  case_begin(w);
  input_x(w);
  onnx_node_begin(w, "Twice", "own", "", "x", "y");
  onnx_node_end(w);
  output_y(w);
  onnx_graph_end(w);
  onnx_opset_put(w, "own", 1);
  function_twice(w, "Twice");
}

/* f0 calls f1 twice, f1 calls f2 twice, ...: 2^40 nodes from a few hundred bytes. */
static void function_bomb(struct pb_writer *w) {
  char name[8], next[8];
  case_begin(w);
  input_x(w);
  onnx_node_begin(w, "F0", "own", "", "x", "y");
  onnx_node_end(w);
  output_y(w);
  onnx_graph_end(w);
  onnx_opset_put(w, "own", 1);
  for (int i = 0; i < 30; i++) {
    name[0] = next[0] = 'F';
    name[1] = (char)(i < 10 ? '0' + i : 'A' + i - 10);
    next[1] = (char)(i + 1 < 10 ? '1' + i : 'A' + i + 1 - 10);
    name[2] = next[2] = 0;
    onnx_function_begin(w, "own", name, "a", "b", "");
    onnx_function_opset(w, "", 17);
    onnx_function_node_begin(w, i == 29 ? "Relu" : next, i == 29 ? "" : "own", "a", "t");
    onnx_node_end(w);
    onnx_function_node_begin(w, i == 29 ? "Relu" : next, i == 29 ? "" : "own", "t", "b");
    onnx_node_end(w);
    onnx_function_end(w);
  }
}

static void attribute_twice(struct pb_writer *w) {
  case_begin(w);
  input_x(w);
  onnx_node_begin(w, "LeakyRelu", "", "", "x", "y");
  onnx_attr_float(w, "alpha", 1);
  onnx_attr_float(w, "alpha", 2);
  onnx_node_end(w);
  output_y(w);
  case_end(w);
}

static void constant_of(struct pb_writer *w, const char *attribute) {
  case_begin(w);
  onnx_node_begin(w, "Constant", "", "c", "", "y");
  if (attribute) onnx_attr_string(w, attribute, "text");
  onnx_node_end(w);
  output_y(w);
  case_end(w);
}
static void constant_of_text(struct pb_writer *w) { constant_of(w, "value_string"); }
static void constant_of_nothing(struct pb_writer *w) { constant_of(w, NULL); }
static void constant_of_wrong_type(struct pb_writer *w) { constant_of(w, "value"); }

static void typed_input(struct pb_writer *w, uint32_t kind, int64_t elem_type, int rank) {
  case_begin(w);
  pb_begin(w, ONNX_INPUT);
  pb_put_text(w, 1, "x");
  pb_begin(w, 2);
  pb_begin(w, kind);
  pb_put_i64(w, 1, elem_type);
  pb_begin(w, 2);
  for (int i = 0; i < rank; i++) pb_put_bytes(w, 1, "\x08\x01", 2);
  pb_end(w);
  pb_end(w);
  pb_end(w);
  pb_end(w);
  case_end(w);
}
static void sequence_input(struct pb_writer *w) { // sequence { elem_type { ... } }
  case_begin(w);
  pb_begin(w, ONNX_INPUT);
  pb_put_text(w, 1, "x");
  pb_begin(w, 2);
  pb_put_bytes(w, 4, "", 0);
  pb_end(w);
  pb_end(w);
  case_end(w);
}
static void string_input(struct pb_writer *w) { typed_input(w, 1, DTYPE_STRING, 1); }
static void unknown_type_input(struct pb_writer *w) { typed_input(w, 1, 77, 1); }
static void untyped_input(struct pb_writer *w) { typed_input(w, 1, 0, 1); }
static void rank_9_input(struct pb_writer *w) { typed_input(w, 1, DTYPE_F32, 9); }

/* An initializer of dims [4] f32 with what `fields` puts beside. */
static void initializer_with(struct pb_writer *w, int64_t dim, int64_t type, uint32_t field, const void *data, size_t length) {
  case_begin(w);
  pb_begin(w, 5);
  pb_put_i64(w, 1, dim);
  pb_put_i64(w, 2, type);
  pb_put_text(w, 8, "b");
  if (field) pb_put_bytes(w, field, data, length);
  pb_end(w);
  case_end(w);
}
static void raw_too_short(struct pb_writer *w) { initializer_with(w, 4, DTYPE_F32, 9, floats, 15); }
static void raw_too_long(struct pb_writer *w) { initializer_with(w, 4, DTYPE_F32, 9, floats, 16 + 1); }
static void raw_missing(struct pb_writer *w) { initializer_with(w, 4, DTYPE_F32, 0, NULL, 0); }
static void typed_too_short(struct pb_writer *w) { initializer_with(w, 4, DTYPE_F32, 4, floats, 12); }
static void typed_in_wrong_field(struct pb_writer *w) { initializer_with(w, 4, DTYPE_F32, 10, floats, 16); }
static void typed_out_of_range(struct pb_writer *w) { initializer_with(w, 1, DTYPE_U8, 5, "\x80\x02", 2); }
static void negative_dim(struct pb_writer *w) { initializer_with(w, -4, DTYPE_F32, 9, floats, 16); }
static void huge_dim(struct pb_writer *w) { initializer_with(w, INT64_MAX, DTYPE_F64, 9, floats, 16); }
static void unknown_type(struct pb_writer *w) { initializer_with(w, 4, 99, 9, floats, 16); }
static void external_without_folder(struct pb_writer *w) {
  struct tensor type = vector(DTYPE_F32, 4, NULL);
  case_begin(w);
  onnx_initializer_external(w, "b", &type, "b.bin", 0, 16);
  case_end(w);
}

/* 4 nested If, each in a branch of the one around: deeper than graphs may be nested when repeated. */
static void deep_graphs(struct pb_writer *w) {
  case_begin(w);
  onnx_value_put(w, ONNX_INPUT, "c", DTYPE_BOOL, "");
  for (int i = 0; i < 19; i++) {
    onnx_node_begin(w, "If", "", "", "c", "y");
    onnx_attr_graph_begin(w, "then_branch", "g");
  }
  for (int i = 0; i < 19; i++) {
    onnx_attr_graph_end(w);
    onnx_node_end(w);
  }
  case_end(w);
}

static void sparse_of(struct pb_writer *w, const int64_t *indices, int64_t dim) {
  struct tensor values = vector(DTYPE_F32, 2, floats), where = vector(DTYPE_I64, 2, indices);
  case_begin(w);
  pb_begin(w, 15);
  pb_begin(w, 1);
  onnx_tensor_fields(w, "b", &values);
  pb_end(w);
  pb_begin(w, 2);
  onnx_tensor_fields(w, NULL, &where);
  pb_end(w);
  pb_put_i64(w, 3, dim);
  pb_end(w);
  case_end(w);
}
static void sparse_out_of_range(struct pb_writer *w) { sparse_of(w, (int64_t[]){0, 4}, 4); }
static void sparse_negative(struct pb_writer *w) { sparse_of(w, (int64_t[]){-1, 1}, 4); }
static void sparse_not_ascending(struct pb_writer *w) { sparse_of(w, (int64_t[]){2, 2}, 4); }
static void sparse_huge(struct pb_writer *w) { sparse_of(w, (int64_t[]){0, 1}, (int64_t)1 << 40); }

static void wrong_shapes(struct pb_writer *w) {
  struct tensor b = vector(DTYPE_F32, 3, floats);
  case_begin(w);
  input_x(w);
  onnx_initializer_put(w, "b", &b);
  onnx_node_put(w, "Add", "sum", "x b", "y");
  output_y(w);
  case_end(w);
}

const struct import_case import_cases[] = {
    {"plain", plain, FARM_OK, ""},
    {"old-ir-initializer-as-input", old_ir_initializer_as_input, FARM_OK, ""},
    {"newest-opset", newest_opset, FARM_OK, ""},
    {"any-order-of-fields", graph_after_opset_after_nodes, FARM_OK, ""},
    {"shape-arithmetic", shape_arithmetic, FARM_OK, ""},
    {"branches", branches_with_one_name, FARM_OK, ""},
    {"loop", loop, FARM_OK, ""},
    {"endless-loop", endless_loop, FARM_OK, ""},
    {"functions", functions, FARM_OK, ""},
    {"function-passing-through", function_passing_through, FARM_OK, ""},
    {"sparse-initializer", sparse_initializer, FARM_OK, ""},
    {"nothing", nothing, FARM_INVALID, "not an ONNX model"},
    {"no-graph", no_graph, FARM_INVALID, "no graph"},
    {"no-opset", no_opset, FARM_INVALID, "no opset"},
    {"opset-6", opset_6, FARM_UNSUPPORTED, "[rule: opset]"},
    {"opset-27", opset_27, FARM_UNSUPPORTED, "[rule: opset]"},
    {"opset-huge", opset_huge, FARM_UNSUPPORTED, "[rule: opset]"},
    {"ir-14", ir_14, FARM_UNSUPPORTED, "[rule: ir-version]"},
    {"ir-negative", ir_negative, FARM_INVALID, "IR version"},
    {"unknown-operator", unknown_operator, FARM_UNSUPPORTED,
     "node \"n0\" (Nonsense): operator Nonsense of domain ai.onnx, opset 17, is not supported [rule: operator]"},
    {"later-operator", later_operator, FARM_UNSUPPORTED, "only later [rule: operator]"},
    {"no-import-of-domain", no_import_of_domain, FARM_INVALID, "no opset is imported for domain acme"},
    {"too-few-inputs", too_few_inputs, FARM_INVALID, "1 inputs, at least 2 are needed"},
    {"too-many-inputs", too_many_inputs, FARM_INVALID, "2 inputs, at most 1 are allowed"},
    {"needed-input-left-out", needed_input_left_out, FARM_INVALID, "input 0 is needed"},
    {"undefined-input", undefined_input, FARM_INVALID, "\"z\" is not defined"},
    {"own-output-as-input", own_output_as_input, FARM_INVALID, "used before it is defined"},
    {"defined-twice", defined_twice, FARM_INVALID, "\"x\" is defined twice"},
    {"undefined-output", undefined_output, FARM_INVALID, "\"y\" is not defined"},
    {"nodes-out-of-order", nodes_out_of_order, FARM_INVALID, "not in order"},
    {"duplicate-initializer", duplicate_initializer, FARM_INVALID, "defined twice"},
    {"function-calls-itself", function_calls_itself, FARM_INVALID, "calls itself"},
    {"function-bomb", function_bomb, FARM_UNSUPPORTED, "[rule: limit]"},
    {"attribute-twice", attribute_twice, FARM_INVALID, "given twice"},
    {"constant-of-text", constant_of_text, FARM_UNSUPPORTED, "[rule: element-type]"},
    {"constant-of-nothing", constant_of_nothing, FARM_INVALID, "no value"},
    {"constant-of-wrong-type", constant_of_wrong_type, FARM_INVALID, "has type 3"},
    {"sequence-input", sequence_input, FARM_UNSUPPORTED, "[rule: type]"},
    {"string-input", string_input, FARM_UNSUPPORTED, "[rule: element-type]"},
    {"unknown-type-input", unknown_type_input, FARM_INVALID, "unknown element type 77"},
    {"untyped-input", untyped_input, FARM_INVALID, "no element type"},
    {"rank-9-input", rank_9_input, FARM_UNSUPPORTED, "[rule: rank]"},
    {"raw-too-short", raw_too_short, FARM_INVALID, "tensor \"b\": 15 bytes"},
    {"raw-too-long", raw_too_long, FARM_INVALID, "tensor \"b\": 17 bytes"},
    {"raw-missing", raw_missing, FARM_INVALID, "0 values"},
    {"typed-too-short", typed_too_short, FARM_INVALID, "3 values"},
    {"typed-in-wrong-field", typed_in_wrong_field, FARM_INVALID, "field 10"},
    {"typed-out-of-range", typed_out_of_range, FARM_INVALID, "does not fit"},
    {"negative-dim", negative_dim, FARM_INVALID, "dimension 0 is -4"},
    {"huge-dim", huge_dim, FARM_INVALID, "overflow"},
    {"unknown-type", unknown_type, FARM_INVALID, "unknown element type 99"},
    {"external-without-folder", external_without_folder, FARM_INVALID, "no folder"},
    {"deep-graphs", deep_graphs, FARM_INVALID, "missing"},
    {"sparse-out-of-range", sparse_out_of_range, FARM_INVALID, "out of range"},
    {"sparse-negative", sparse_negative, FARM_INVALID, "out of range"},
    {"sparse-not-ascending", sparse_not_ascending, FARM_INVALID, "do not ascend"},
    {"sparse-huge", sparse_huge, FARM_NO_MEMORY, "out of memory"},
    {"wrong-shapes", wrong_shapes, FARM_INVALID, "node \"sum\" (Add)"},
};
const int import_case_count = (int)(sizeof import_cases / sizeof *import_cases);
