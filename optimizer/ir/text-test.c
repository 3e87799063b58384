/* The text form: printing what was parsed gives the text again, for hand-written models and for every model of the data folder.
 */
#include "graph.h"

#include "../../base/file.h"
#include "../../base/strbuf.h"
#include "../../tests/kit/test.h"
#include "../onnx/import.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void round_trip(const char *text) {
  struct model *model = NULL;
  struct strbuf out = {0};
  REQUIRE_OK(graph_parse(text, &model));
  REQUIRE_OK(graph_print(model, &out));
  CHECK_TEXT(strbuf_text(&out), text);
  strbuf_free(&out);
  model_free(&model);
}

TEST(text_golden_round_trips, "") {
  char *text;
  size_t length;
  REQUIRE_OK(file_read_all("optimizer/ir/golden.ir", 1 << 20, &text, &length));
  round_trip(text);
  struct model *model = NULL;
  REQUIRE_OK(graph_parse(text, &model));
  CHECK(model->symbol_count == 2 && model->symbols[1].min == 1 && model->symbols[1].max == 128);
  CHECK(model->graph->input_count == 2);
  CHECK(model->graph->inputs[0]->type.dims[0] == DIM_FIRST_SYMBOL);
  CHECK_TEXT(model->graph->first->origin, "/a,/b");
  model_free(&model);
  free(text);
}

/* Any spacing and comments, types left out, symbols undeclared: read, and printed the canonical way. */
TEST(text_is_read_leniently_and_printed_canonically, "") {
  struct model *model = NULL;
  struct strbuf out = {0};
  REQUIRE_OK(graph_parse("model ir 8 // a comment\n graph g ( %x : f32 [ b , 4 ] ) { const %w:f32[4]=random 3\n"
                         "%y=Add.14(%x,%w)return %y}",
                         &model));
  REQUIRE_OK(graph_infer(model));
  REQUIRE_OK(graph_verify(model));
  REQUIRE_OK(graph_print(model, &out));
  CHECK_TEXT(strbuf_text(&out), "model ir 8\nsymbol b\ngraph g(%x: f32[b,4]) {\n  const %w: f32[4] = random 3\n"
                                "  %y: f32[b,4] = Add.14(%x, %w)\n  return %y\n}\n");
  strbuf_free(&out);
  model_free(&model);
}

TEST(text_refuses_what_is_wrong, "") {
  static const char *const texts[] = {
      "",
      "model",
      "model ir x",
      "model ir 8 graph",
      "model ir 8 graph g() { return",
      "model ir 8 graph g() { return %x }",                                           // undefined
      "model ir 8 graph g(%x: f32[1], %x: f32[1]) { return %x }",                     // twice
      "model ir 8 graph g(%x: f33[1]) { return %x }",                                 // no such type
      "model ir 8 graph g(%x: f32[1,1,1,1,1,1,1,1,1]) { return %x }",                 // rank
      "model ir 8 graph g(%x: f32[-1]) { return %x }",                                // negative
      "model ir 8 graph g() { const %c: f32[3] = {1, 2} return %c }",                 // too few
      "model ir 8 graph g() { const %c: i8[1] = {200} return %c }",                   // does not fit
      "model ir 8 graph g() { const %c: f32[?] = random 1 return %c }",               // indefinite
      "model ir 8 graph g() { const %c: f32[1000000000000] = random 1 return %c }",   // too large
      "model ir 8 graph g() { const %c: f32[1] = #12 return %c }",                    // no digest
      "model ir 8 graph g(%x: f32[1]) { %y = Add.14(%x) return %y }",                 // arity
      "model ir 8 graph g(%x: f32[1]) { %y = Nonsense.1(%x) return %y }",             // operator
      "model ir 8 graph g(%x: f32[1]) { %y = Relu.14(%y) return %y }",                // its own output
      "model ir 8 graph g(%x: f32[1]) { %y = Relu.14(%x) {a = 1, a = 2} return %y }", // attribute twice
      "model ir 8 graph g(%x: f32[1]) { %y = Relu.14(%x) {a = [1, 2.0]} return %y }", // mixed list
      "model ir 8 graph g(%x: f32[1]) { %y = Relu.14(%x) {a = \"\\q\"} return %y }",  // escape
      "model ir 8 graph g(%x: f32[1]) { return %x } x",                               // more
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct model *model = NULL;
    CHECK_MESSAGE(graph_parse(texts[i], &model) != FARM_OK, "accepted: %s", texts[i]);
    CHECK(model == NULL);
    model_free(&model);
  }
}

/* print -> parse -> print is the same text, and the model passes the verifier with the types it printed. */
static void model_round_trip(const char *path, int *count) {
  struct model *model = NULL, *again = NULL;
  struct strbuf first = {0}, second = {0};
  if (onnx_import(path, &model) != FARM_OK) return;
  ++*count;
  CHECK_MESSAGE(graph_verify(model) == FARM_OK, "%s: %s", path, status_message());
  REQUIRE_OK(graph_print(model, &first));
  enum farm_status status = graph_parse(strbuf_text(&first), &again);
  CHECK_MESSAGE(status == FARM_OK, "%s: %s", path, status_message());
  if (status == FARM_OK) {
    REQUIRE_OK(graph_print(again, &second));
    if (strcmp(strbuf_text(&first), strbuf_text(&second)) != 0) test_fail(__FILE__, __LINE__, "%s: the texts differ", path);
  }
  strbuf_free(&first);
  strbuf_free(&second);
  model_free(&model);
  model_free(&again);
}

static void folder_round_trip(const char *relative) {
  const char *folder = test_data(relative);
  DIR *entries = opendir(folder);
  int count = 0;
  REQUIRE(entries != NULL);
  for (struct dirent *entry; (entry = readdir(entries));) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s/model.onnx", folder, entry->d_name);
    if (entry->d_name[0] != '.' && access(path, R_OK) == 0) model_round_trip(path, &count);
  }
  closedir(entries);
  CHECK(count > 0);
}

TEST(text_of_real_models_round_trips, "") { folder_round_trip("models"); }
TEST(text_of_suite_models_round_trips, "timeout:120") { folder_round_trip("onnx-suite/node"); }
