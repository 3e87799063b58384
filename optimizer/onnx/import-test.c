/* The importer on small models: each gives the status and message that its case names, and what comes out is what it should be.
 */
#include "import.h"

#include "../../base/file.h"
#include "../../base/strbuf.h"
#include "../../tests/kit/test.h"
#include "../ir/evaluate.h"
#include "import-cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct import_case *case_named(const char *name) {
  for (int i = 0; i < import_case_count; i++)
    if (strcmp(import_cases[i].name, name) == 0) return &import_cases[i];
  test_fail(__FILE__, __LINE__, "no case %s", name);
  test_stop();
}

static enum farm_status case_import(const struct import_case *item, struct model **out_model) {
  struct pb_writer writer = {0};
  item->build(&writer);
  enum farm_status status =
      writer.failed ? FARM_FAILURE : onnx_import_bytes(writer.data ? writer.data : (uint8_t *)"", writer.length, NULL, out_model);
  pb_writer_free(&writer);
  return status;
}

TEST(import_cases_give_their_status_and_message, "") {
  for (int i = 0; i < import_case_count; i++) {
    const struct import_case *item = &import_cases[i];
    struct model *model = NULL;
    status_set(FARM_OK, "%s", "");
    enum farm_status status = case_import(item, &model);
    CHECK_MESSAGE(status == item->status, "%s: %s: %s", item->name, status_name(status), status_message());
    CHECK_MESSAGE(status == FARM_OK || strstr(status_message(), item->message), "%s: \"%s\" lacks \"%s\"", item->name,
                  status_message(), item->message);
    if (status == FARM_OK) CHECK_MESSAGE(graph_verify(model) == FARM_OK, "%s: %s", item->name, status_message());
    model_free(&model);
  }
}

static void case_check_text(const char *name, const char *expected) {
  struct model *model = NULL;
  struct strbuf text = {0};
  REQUIRE_OK(case_import(case_named(name), &model));
  REQUIRE_OK(graph_print(model, &text));
  CHECK_TEXT(strbuf_text(&text), expected);
  strbuf_free(&text);
  model_free(&model);
}

TEST(import_keeps_names_and_symbols, "") {
  case_check_text("plain", "model ir 8\nsymbol n\ngraph main(%x: f32[n,4]) {\n  const %b: f32[4] = {1, 2, 3, 4}\n"
                           "  %h: f32[n,4] = Add.14@17(%x, %b) name \"add\"\n  %y: f32[n,4] = Relu.14@17(%h)\n  return %y\n}\n");
}

TEST(import_of_old_files_makes_initializers_constants, "") {
  case_check_text("old-ir-initializer-as-input",
                  "model ir 3\nsymbol n\ngraph main(%x: f32[n,4]) {\n  const %b: f32[4] = {1, 2, 3, 4}\n"
                  "  %y: f32[n,4] = Add.7@8(%x, %b) name \"add\"\n  return %y\n}\n");
}

/* The names inside are made unique; the main graph's stay. */
TEST(import_holds_branches_as_graphs, "") {
  struct model *model = NULL;
  REQUIRE_OK(case_import(case_named("branches"), &model));
  const struct node *node = model->graph->first;
  const struct graph *then_graph = node_graph(node, "then_branch"), *else_graph = node_graph(node, "else_branch");
  REQUIRE(then_graph && else_graph);
  CHECK_TEXT(then_graph->outputs[0]->name, "inner");
  CHECK_TEXT(else_graph->outputs[0]->name, "inner~2");
  CHECK(then_graph->first->inputs[0] == model->graph->inputs[0]);
  CHECK(then_graph->holder == node && then_graph->parent == model->graph);
  CHECK(node->outputs[0]->type.rank == 2 && node->outputs[0]->type.dims[0] == DIM_FIRST_SYMBOL);
  model_free(&model);
}

TEST(import_inlines_functions, "") {
  case_check_text(
      "functions",
      "model ir 8\nsymbol n\ngraph main(%x: f32[n,4]) {\n"
      "  %first/t: f32[n,4] = LeakyRelu.16@17(%x) {alpha = 0.5}\n  %h: f32[n,4] = Add.14@17(%first/t, %first/t) name "
      "\"first/b\"\n"
      "  %second/t: f32[n,4] = LeakyRelu.16@17(%h)\n  %y: f32[n,4] = Add.14@17(%second/t, %second/t) name \"second/b\"\n"
      "  return %y\n}\n");
}

TEST(import_puts_identities_where_functions_pass_through, "") {
  struct model *model = NULL;
  REQUIRE_OK(case_import(case_named("function-passing-through"), &model));
  int identities = 0;
  for (const struct node *node = model->graph->first; node; node = node->next)
    identities += strcmp(node->row->name, "Identity") == 0;
  CHECK(identities == 2);
  CHECK(model->graph->first->input_count == 1); // Clip's left-out minimum is not there
  model_free(&model);
}

TEST(import_makes_sparse_dense, "") {
  struct model *model = NULL;
  REQUIRE_OK(case_import(case_named("sparse-initializer"), &model));
  const struct value *value = model->graph->first->inputs[1];
  REQUIRE(value->constant && value->constant->dims[0] == 4);
  CHECK(memcmp(value->constant->data, (float[]){0, 1, 0, 2}, 16) == 0);
  model_free(&model);
}

TEST(import_names_unnamed_dims_by_input_and_axis, "") {
  struct pb_writer writer = {0};
  struct model *model = NULL;
  case_begin(&writer);
  onnx_value_put(&writer, ONNX_INPUT, "x", DTYPE_F32, "? 3 -1 n");
  onnx_value_put(&writer, ONNX_INPUT, "z", DTYPE_F32, "n");
  onnx_node_put(&writer, "Relu", "", "x", "y");
  onnx_value_put(&writer, ONNX_OUTPUT, "y", DTYPE_F32, NULL);
  case_end(&writer);
  REQUIRE_OK(onnx_import_bytes(writer.data, writer.length, NULL, &model));
  REQUIRE(model->symbol_count == 3);
  CHECK_TEXT(model->symbols[0].name, "n");
  CHECK_TEXT(model->symbols[1].name, "x:0");
  CHECK_TEXT(model->symbols[2].name, "x:2");
  CHECK(model->graph->inputs[0]->type.dims[3] == model->graph->inputs[1]->type.dims[0]);
  pb_writer_free(&writer);
  model_free(&model);
}

/* Raw data of a file is used where it lies. */
TEST(import_keeps_aligned_data_in_place, "") {
  char path[512];
  struct pb_writer writer = {0};
  struct model *model = NULL;
  struct tensor bytes = {.dtype = DTYPE_U8, .rank = 1, .dims = {100000}};
  bytes.data = calloc(1, 100000);
  snprintf(path, sizeof path, "%s/m.onnx", test_folder());
  case_begin(&writer);
  onnx_initializer_put(&writer, "b", &bytes);
  onnx_node_put(&writer, "Identity", "", "b", "y");
  onnx_value_put(&writer, ONNX_OUTPUT, "y", DTYPE_U8, NULL);
  case_end(&writer);
  REQUIRE_OK(pb_write_file(&writer, path));
  REQUIRE_OK(onnx_import(path, &model));
  CHECK(model->arena.total_bytes < 50000);
  CHECK(tensor_bytes(model->graph->first->inputs[0]->constant) == 100000);
  pb_writer_free(&writer);
  model_free(&model);
  free(bytes.data);
}

TEST(import_of_absent_and_odd_files_names_them, "") {
  char path[512];
  struct model *model = NULL;
  snprintf(path, sizeof path, "%s/absent.onnx", test_folder());
  CHECK(onnx_import(path, &model) == FARM_NOT_FOUND);
  CHECK(strstr(status_message(), "absent.onnx") != NULL);
  CHECK(onnx_import(test_folder(), &model) == FARM_IO);
  REQUIRE_OK(file_write_atomic(path, "garbage", 7));
  CHECK(onnx_import(path, &model) == FARM_INVALID);
  CHECK(strstr(status_message(), "absent.onnx") != NULL);
  CHECK(model == NULL);
}

/* A cut or a flipped bit anywhere is refused or harmless. */
TEST(import_survives_truncation_and_flipped_bits, "") {
  static const char *const names[] = {"plain", "loop", "functions", "branches", "sparse-initializer", "shape-arithmetic"};
  for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
    struct pb_writer writer = {0};
    case_named(names[n])->build(&writer);
    for (size_t i = 0; i < writer.length; i++) {
      struct model *model = NULL;
      if (onnx_import_bytes(writer.data, i, NULL, &model) == FARM_OK) model_free(&model);
      for (int bit = 0; bit < 8; bit++) {
        writer.data[i] ^= (uint8_t)(1 << bit);
        if (onnx_import_bytes(writer.data, writer.length, NULL, &model) == FARM_OK) {
          CHECK_MESSAGE(graph_verify(model) == FARM_OK, "%s", status_message());
          model_free(&model);
        }
        writer.data[i] ^= (uint8_t)(1 << bit);
      }
    }
    pb_writer_free(&writer);
  }
}
