/* Locked builds through the command, without a farm: the same bytes twice, from the lock, from another folder, under another
 * instruction set; locks that were edited or made otherwise are refused. */
#include "command-test.h"

#include "../base/digest.h"
#include "../engine/format/engine-file.h"
#include "../synth/synth.h"

static struct digest bytes_digest(const char *path) {
  char *data;
  size_t length;
  REQUIRE_OK(file_read_all(path, 1u << 30, &data, &length));
  struct digest digest = digest_of(data, length);
  free(data);
  return digest;
}

static bool same_bytes(const char *path, struct digest wanted) {
  struct digest digest = bytes_digest(path);
  return digest_equal(&digest, &wanted);
}

static const char *model_make(void) {
  const char *path = in_folder("net.onnx");
  REQUIRE_OK(synth_write("mobilenetv2", &(struct synth_options){.seed = 3, .dtype = DTYPE_F32, .batch = 1}, path));
  return path;
}

#define BUILD(...) command_say("build", __VA_ARGS__, "--effort", "0", "--threads", "2")

static void succeeds(struct said said) {
  CHECK_MESSAGE(said.code == 0, "code %d: %s", said.code, said.error);
  said_free(&said);
}

static void fails(struct said said, int code, const char *with) {
  CHECK_MESSAGE(said.code == code && strstr(said.error, with), "code %d, not %d with \"%s\": %s", said.code, code, with,
                said.error);
  said_free(&said);
}

static const char *class_of(const char *engine_path) {
  static char text[512];
  struct engine *engine;
  REQUIRE_OK(engine_open(engine_path, true, &engine));
  snprintf(text, sizeof text, "%s", engine->sections[0].device_class);
  engine_close(&engine);
  return text;
}

TEST(lock_gives_the_same_bytes, "timeout:120") {
  const char *model = model_make(), *first = in_folder("1.engine"), *other = in_folder("2.engine"), *lock = in_folder("net.lock");
  succeeds(BUILD(model, "-o", first, "--lock", lock));
  const struct digest wanted = bytes_digest(first), lock_text = bytes_digest(lock);
  succeeds(BUILD(model, "-o", other));
  CHECK(same_bytes(other, wanted));
  succeeds(BUILD(model, "-o", other, "--lock", lock));
  CHECK(same_bytes(other, wanted));
  CHECK(same_bytes(lock, lock_text));

  char there[PATH_MAX], here[PATH_MAX];
  snprintf(there, sizeof there, "%s/elsewhere", test_folder());
  REQUIRE_OK(file_make_folders(there));
  snprintf(there, sizeof there, "%s/elsewhere/net.onnx", test_folder());
  REQUIRE(rename(model, there) == 0 && getcwd(here, sizeof here));
  succeeds(BUILD(there, "-o", other, "--lock", lock));
  CHECK(same_bytes(other, wanted));

  char class_text[512];
  snprintf(class_text, sizeof class_text, "%s", class_of(first));
  setenv("TUNEFARM_ISA", "baseline", 1);
  succeeds(BUILD(there, "-o", other, "--target", class_text));
  CHECK(same_bytes(other, wanted));
  succeeds(BUILD(there, "-o", other, "--target", class_text, "--lock", lock));
  CHECK(same_bytes(other, wanted));
}

/* Replaces the first `from` in a file by `to`. */
static void edit(const char *path, const char *from, const char *to, const char *into) {
  char *text;
  size_t length;
  REQUIRE_OK(file_read_all(path, 1 << 24, &text, &length));
  char *at = memmem(text, length, from, strlen(from));
  REQUIRE(at != NULL);
  FILE *file = fopen(into, "w");
  REQUIRE(file != NULL);
  fwrite(text, 1, (size_t)(at - text), file);
  fputs(to, file);
  fwrite(at + strlen(from), 1, length - (size_t)(at - text) - strlen(from), file);
  fclose(file);
  free(text);
}

TEST(lock_that_does_not_fit_is_refused, "timeout:120") {
  const char *model = model_make(), *engine = in_folder("1.engine"), *lock = in_folder("net.lock"),
             *edited = in_folder("edited.lock");
  succeeds(BUILD(model, "-o", engine, "--lock", lock));
  remove(engine);
  edit(lock, "__", "_", edited);
  fails(BUILD(model, "-o", engine, "--lock", edited), 9, "edited.lock");
  fails(BUILD(model, "-o", engine, "--lock", lock, "--without", "fuse-maps"), 4, "other options");
  fails(command_say("build", model, "-o", engine, "--effort", "0", "--threads", "1", "--lock", lock), 4, "no section");
  REQUIRE_OK(synth_write("mobilenetv2", &(struct synth_options){.seed = 4, .dtype = DTYPE_F32, .batch = 1}, model));
  fails(BUILD(model, "-o", engine, "--lock", lock), 4, "another model");
  CHECK(access(engine, F_OK) != 0);
}

/* x * w, w in a file beside the model. */
static void external_model(const char *path, const char *weights, float first) {
  const struct tensor type = {.dtype = DTYPE_F32, .rank = 1, .dims = {8}};
  float w[8] = {first, 2, 3, 4, 5, 6, 7, 8};
  struct pb_writer writer = {0};
  onnx_model_begin(&writer, 8, "test");
  onnx_opset_put(&writer, "", 17);
  onnx_graph_begin(&writer, "main");
  onnx_node_put(&writer, "Mul", "scale", "x w", "y");
  onnx_initializer_external(&writer, "w", &type, strrchr(weights, '/') + 1, 0, sizeof w);
  onnx_value_put(&writer, ONNX_INPUT, "x", DTYPE_F32, "8");
  onnx_value_put(&writer, ONNX_OUTPUT, "y", DTYPE_F32, "8");
  onnx_graph_end(&writer);
  onnx_model_end(&writer);
  REQUIRE_OK(pb_write_file(&writer, path));
  pb_writer_free(&writer);
  REQUIRE_OK(file_write_atomic(weights, (const void *)w, sizeof w));
}

TEST(lock_knows_weights_beside_the_model, "") {
  const char *model = in_folder("net.onnx"), *weights = in_folder("net.weights"), *engine = in_folder("1.engine"),
             *lock = in_folder("net.lock");
  external_model(model, weights, 1);
  succeeds(BUILD(model, "-o", engine, "--lock", lock));
  succeeds(BUILD(model, "-o", engine, "--lock", lock));
  external_model(model, weights, 1.5f);
  fails(BUILD(model, "-o", engine, "--lock", lock), 4, "another model");
}

/* A size of 0 is a size. */
TEST(build_for_nothing, "") {
  const char *model = small_model("empty.onnx", "batch"), *engine = in_folder("1.engine");
  succeeds(BUILD(model, "-o", engine, "--shape", "x=0x32"));
  json_t *root = json_of(command_say("run", engine, "--duration", "0", "--json", "--shape", "x=0x32"));
  json_decref(root);
  fails(command_say("run", engine, "--duration", "0", "--shape", "x=1x32"), 2, "x");
}
