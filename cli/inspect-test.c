/* `tunefarm inspect` on a model, on what `tunefarm build` makes of it, and on what nobody should make. */
#include "command-test.h"

static void bytes_write(const char *path, const void *data, size_t length) { REQUIRE_OK(file_write_atomic(path, data, length)); }

static const json_t *event_find(const json_t *root, const char *pass) {
  size_t i;
  json_t *event;
  json_array_foreach(json_object_get(root, "passes"), i, event) if (strcmp(text_at(event, "pass"), pass) == 0) return event;
  return NULL;
}

TEST(inspect_tells_what_a_model_holds_and_which_pass_fused_what, "") {
  const char *model = small_model("small.model", "4"); // found by content, not by name
  json_t *root = json_of(command_say("inspect", model, "--json"));
  CHECK_TEXT(text_at(root, "kind"), "model");
  CHECK(json_is_true(json_object_get(root, "supported")));
  CHECK(number_at(json_object_get(root, "opsets"), "ai.onnx") >= 7);
  CHECK(number_at(json_object_get(root, "weights"), "bytes") == 4 * (32 * 48 + 48 + 48 * 16));
  CHECK(number_at(json_object_get(root, "weights"), "count") == 3);
  CHECK(number_at(root, "nodes") == 3 && number_at(json_object_get(root, "optimised"), "nodes") == 2);
  CHECK(number_at(json_object_get(root, "operators"), "Relu") == 1 &&
        number_at(json_object_get(root, "operators"), "MatMul") == 1);
  const json_t *event = event_find(root, "fuse-epilogue");
  REQUIRE(event != NULL);
  CHECK_TEXT(text_at(event, "onnx"), "first,relu");
  CHECK_TEXT(text_at(event, "result"), "Gemm");
  const json_t *input = json_array_get(json_object_get(root, "inputs"), 0);
  CHECK_TEXT(text_at(input, "dtype"), "f32");
  CHECK(json_array_size(json_object_get(input, "dims")) == 2);
  json_decref(root);

  root = json_of(command_say("inspect", model, "--json", "--without", "fuse-epilogue"));
  CHECK(event_find(root, "fuse-epilogue") == NULL);
  json_decref(root);
  struct said said = command_say("inspect", model, "--ir");
  CHECK(said.code == 0 && strncmp(said.out, "model ir", 8) == 0);
  said_free(&said);
  command_fails(2, "no-such-pass", "inspect", model, "--without", "no-such-pass");
}

TEST(inspect_names_dynamic_dimensions, "") {
  const char *model = small_model("small.onnx", "batch");
  json_t *root = json_of(command_say("inspect", model, "--json"));
  CHECK_TEXT(json_string_value(json_array_get(json_object_get(root, "dynamic"), 0)), "batch");
  const json_t *dims = json_object_get(json_array_get(json_object_get(root, "inputs"), 0), "dims");
  CHECK_TEXT(json_string_value(json_array_get(dims, 0)), "batch");
  json_decref(root);
}

TEST(inspect_tells_what_was_decided_for_each_layer_of_an_engine, "") {
  const char *model = small_model("small.onnx", "4"), *engine = in_folder("engine.onnx");
  json_t *built = json_of(command_say("build", model, "-o", engine, "--effort", "0", "--threads", "1", "--json"));
  json_t *root = json_of(command_say("inspect", engine, "--json", "--verify"));
  CHECK_TEXT(text_at(root, "kind"), "engine");
  const json_t *section = json_array_get(json_object_get(root, "sections"), 0),
               *target = json_array_get(json_object_get(built, "targets"), 0);
  CHECK_TEXT(text_at(section, "device_class"), text_at(target, "device_class"));
  CHECK(number_at(section, "threads") == 1 && json_is_false(json_object_get(section, "measured")));
  CHECK(number_at(json_object_get(section, "memory"), "arena_bytes") == number_at(target, "arena_bytes"));
  CHECK(number_at(json_object_get(section, "memory"), "lower_bound_bytes") > 0);
  const json_t *wanted = json_object_get(target, "layers");
  size_t i, kernels = 0;
  json_t *layer;
  json_array_foreach(json_object_get(section, "layers"), i, layer) {
    if (strcmp(text_at(layer, "kind"), "kernel") != 0) continue;
    const json_t *said = json_array_get(wanted, kernels++);
    CHECK_TEXT(text_at(layer, "winner"), text_at(said, "tactic"));
    CHECK_TEXT(text_at(layer, "problem"), text_at(said, "problem"));
    CHECK_TEXT(text_at(layer, "onnx"), text_at(said, "onnx"));
    CHECK(number_at(layer, "estimated_us") > 0 && number_at(layer, "median_us") == 0);
    CHECK_TEXT(text_at(layer, "precision"), "f32");
  }
  CHECK(kernels > 0 && kernels == json_array_size(wanted));
  struct said said = command_say("inspect", engine);
  CHECK(said.code == 0 && strstr(said.out, "engine,") && strstr(said.out, text_at(json_array_get(wanted, 0), "tactic")));
  said_free(&said);
  json_decref(root);
  json_decref(built);
}

TEST(inspect_refuses_damaged_engines_and_files_of_no_kind, "") {
  const char *model = small_model("small.onnx", "4"), *engine = in_folder("small.engine"), *bad = in_folder("bad");
  char *data;
  size_t length;
  command_works("build", model, "-o", engine, "--effort", "0");
  REQUIRE_OK(file_read_all(engine, 64 << 20, &data, &length));
  bytes_write(bad, data, length / 2);
  command_fails(1, bad, "inspect", bad);
  data[length - 5] ^= 1; // in a weight
  bytes_write(bad, data, length);
  struct said said = command_say("inspect", bad, "--verify");
  CHECK_MESSAGE(said.code == 1 || said.code == 9, "code %d", said.code);
  said_free(&said);
  free(data);
  bytes_write(bad, "\x08\x07 what is this?", 16);
  command_fails(1, bad, "inspect", bad);
  bytes_write(bad, "", 0);
  command_fails(1, bad, "inspect", bad);
  command_fails(1, "no-such-file", "inspect", in_folder("no-such-file"));
  command_fails(1, "no cache folder", "inspect", test_folder());
  command_fails(2, "one file or folder", "inspect");
  command_fails(2, "--frobnicate", "inspect", model, "--frobnicate");
}

/* Half a model is described all the same; the exit code says that it cannot be built. */
TEST(inspect_describes_models_that_are_not_supported, "") {
  static const char model[] = "\x08\x08" // IR version 8
                              "\x3a\x1d" // graph, 29 bytes
                              "\x0a\x16"
                              "\x0a\x01x"
                              "\x12\x01y"
                              "\x1a\x02n1"
                              "\x22\x0a"
                              "Frobnicate"        // node: 22 bytes
                              "\x12\x01g"         // its name
                              "\x62\x00"          // an output without a name
                              "\x42\x02\x10\x0d"; // opset 13
  const char *path = in_folder("odd.onnx");
  bytes_write(path, model, sizeof model - 1);
  struct said said = command_say("inspect", path, "--json");
  CHECK_MESSAGE(said.code == 5 || said.code == 1, "code %d: %s", said.code, said.error);
  int code = said.code;
  json_t *root = json_of(said);
  CHECK(json_is_false(json_object_get(root, "supported")));
  CHECK(text_at(root, "why")[0] != 0);
  CHECK(number_at(json_object_get(root, "operators"), "Frobnicate") == 1);
  json_decref(root);
  said = command_say("inspect", path, "--json");
  CHECK(said.code == code); // same bad input, same code
  said_free(&said);
}
