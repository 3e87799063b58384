/* Wrong calls: the exit code of the contract, and a message that names the option or the file once and says what would be right.
 * What can be known before the work is said before it. */
#include "command-test.h"

#include <sys/stat.h>

static const char *json_to(const char *path) {
  static char option[PATH_MAX + 16];
  snprintf(option, sizeof option, "--json=%s", path);
  return option;
}

static int times_named(const char *text, const char *name) {
  int count = 0;
  for (const char *at = text; (at = strstr(at, name)); at += strlen(name)) count++;
  return count;
}

/* No progress before the error: nothing had been begun. */
static void build_refuses_at_once(struct said said, int code, const char *text) {
  CHECK_MESSAGE(said.code == code && strstr(said.error, text), "code %d: %s", said.code, said.error);
  CHECK_MESSAGE(!strstr(said.error, "import"), "it worked first: %s", said.error);
  said_free(&said);
}

TEST(build_knows_before_it_measures_what_it_cannot_write, "") {
  const char *model = small_model("small.onnx", "4"), *engine = in_folder("1.engine"), *folder = test_folder();
  const char *nowhere = "/nonexistent/folder/file";
  char *text, *again;
  size_t length, length_again;
  REQUIRE_OK(file_read_all(model, 1 << 20, &text, &length));
  build_refuses_at_once(command_say("build", model, "-o", nowhere), 1, nowhere);
  build_refuses_at_once(command_say("build", model, "-o", folder), 1, folder);
  build_refuses_at_once(command_say("build", model, "-o", ""), 2, "--output");
  build_refuses_at_once(command_say("build", model, "-o", engine, "--lock", nowhere), 1, nowhere);
  build_refuses_at_once(command_say("build", model, "-o", engine, json_to(nowhere)), 1, nowhere);
  build_refuses_at_once(command_say("build", model, "-o", model), 2, "that is the model");
  build_refuses_at_once(command_say("build", model, "-o", engine, json_to(model)), 2, "that is the model");
  CHECK(access(engine, F_OK) != 0);
  REQUIRE_OK(file_read_all(model, 1 << 20, &again, &length_again));
  CHECK(length == length_again && memcmp(text, again, length) == 0);
  free(text);
  free(again);
}

TEST(files_are_named_once, "") {
  const char *missing = in_folder("missing.onnx"), *model = small_model("small.onnx", "4"), *engine = in_folder("1.engine"),
             *wrong = in_folder("wrong.npy");
  struct said said = command_say("build", missing, "-o", engine, "--effort", "0");
  CHECK_MESSAGE(said.code == 1 && times_named(said.error, missing) == 1, "code %d: %s", said.code, said.error);
  said_free(&said);
  said = command_say("synth", "mlp", "-o", "/nonexistent/x.onnx");
  CHECK_MESSAGE(said.code == 1 && times_named(said.error, "/nonexistent/x.onnx") == 1, "code %d: %s", said.code, said.error);
  said_free(&said);
  command_works("build", model, "-o", engine, "--effort", "0");
  REQUIRE_OK(file_write_atomic(wrong, "", 0));
  said = command_say("run", engine, "--duration", "0", "--shape", "x=5x32");
  CHECK_MESSAGE(said.code == 2 && times_named(said.error, "input x") == 1, "code %d: %s", said.code, said.error);
  said_free(&said);
}

TEST(wrong_values_are_named_with_their_option, "") {
  const char *model = small_model("small.onnx", "4"), *engine = in_folder("1.engine"), *file = in_folder("file");
  REQUIRE_OK(file_write_atomic(file, "x", 1));
  command_fails(2, "--target cuda-sm9x", "build", model, "-o", engine, "--effort", "0", "--target", "cuda-sm9x");
  command_fails(2, "name the effort", "build", model, "-o", engine, "--effort", "0", "--cache-mode", "locked");
  command_fails(2, "--dtype f8: f32, f16 or bf16", "synth", "mlp", "-o", file, "--dtype", "f8");
  command_fails(2, "--farm nonsense", "status", "--farm", "nonsense");
  command_fails(2, "--connect nonsense", "worker", "--connect", "nonsense");
  command_fails(2, "--threads 1000", "bench", "softmax outer96 len128 f32", "--threads", "1000");
  command_fails(2, "no verb `nonsense`", "cache", "nonsense");
  command_fails(1, "not a folder", "cache", "stats", "--cache", file); // at once, without waiting for a coordinator
}

TEST(drain_makes_no_cache, "") {
  const char *folder = in_folder("no-such-cache");
  command_fails(1, "no coordinator runs", "drain", "--cache", folder);
  CHECK(access(folder, F_OK) != 0);
}

TEST(inspect_refuses_options_of_other_kinds, "") {
  const char *model = small_model("small.onnx", "4"), *engine = in_folder("1.engine");
  command_works("build", model, "-o", engine, "--effort", "0");
  command_fails(2, "--ir", "inspect", engine, "--ir");
  command_fails(2, "--passes", "inspect", engine, "--passes");
  command_fails(2, "--shape", "inspect", engine, "--shape", "x=4x32");
  command_fails(2, "--without", "inspect", engine, "--without", "fuse-maps");
  command_fails(2, "--verify", "inspect", model, "--verify");
  command_fails(2, "--verify", "inspect", test_folder(), "--verify");
  command_works("inspect", engine, "--verify");
  command_works("inspect", model, "--ir", "--passes");
}

TEST(run_warns_when_no_section_has_so_many_threads, "") {
  const char *model = small_model("small.onnx", "4"), *engine = in_folder("1.engine");
  command_works("build", model, "-o", engine, "--effort", "0", "--threads", "1");
  struct said said = command_say("run", engine, "--duration", "0", "--threads", "2");
  CHECK_MESSAGE(said.code == 0 && strstr(said.error, "no section was made for 2 threads; that for 1"), "%s", said.error);
  said_free(&said);
  json_t *report = json_of(command_say("run", engine, "--duration", "0", "--threads", "2", "--json"));
  CHECK(number_at(report, "threads") == 2); // those that ran
  json_decref(report);
  said = command_say("run", engine, "--duration", "0", "--threads", "1");
  CHECK_MESSAGE(said.code == 0 && !strstr(said.error, "warning") && strstr(said.error, "ran once"), "%s", said.error);
  said_free(&said);
}

static void has_keys(const json_t *report, const char *const *keys) {
  for (; *keys; keys++) CHECK_MESSAGE(json_object_get(report, *keys) != NULL, "no key %s", *keys);
  json_decref((json_t *)(uintptr_t)report);
}

/* What was not asked for is null or empty, never absent. */
TEST(reports_have_the_same_keys_whatever_was_asked, "") {
  const char *model = small_model("small.onnx", "4"), *engine = in_folder("1.engine");
  json_t *report = json_of(command_say("build", model, "-o", engine, "--effort", "0", "--json"));
  const json_t *target = json_array_get(json_object_get(report, "targets"), 0);
  CHECK(target && json_is_null(json_object_get(target, "tuning")));
  has_keys(report, (const char *const[]){"model", "digest", "bytes", "wall_s", "targets", "missing", NULL});
  report = json_of(command_say("build", model, "--dry-run", "--effort", "0", "--json"));
  CHECK(json_is_null(json_object_get(report, "digest"))); // nothing was made
  json_decref(report);
  report = json_of(command_say("run", engine, "--duration", "0", "--json"));
  has_keys(report, (const char *const[]){"engine", "section", "threads", "iterations", "latency_ms", "throughput_per_s",
                                         "load_ms", "first_output_ms", "memory", "check", "foreign_load", "profile", NULL});
  report = json_of(command_say("cache", "ls", "--json"));
  has_keys(report, (const char *const[]){"verb", "lines", NULL});
}

/* A device or a pipe is never replaced by a file. */
TEST(output_into_a_pipe_goes_into_it, "") {
  const char *model = small_model("small.onnx", "4"), *pipe_path = in_folder("pipe");
  char magic[4] = "";
  struct stat info;
  REQUIRE(mkfifo(pipe_path, 0600) == 0);
  int reader = open(pipe_path, O_RDWR | O_CLOEXEC); // room for 64 KiB: the engine is smaller
  REQUIRE(reader >= 0);
  command_works("build", model, "-o", pipe_path, "--effort", "0");
  CHECK(stat(pipe_path, &info) == 0 && S_ISFIFO(info.st_mode));
  if (S_ISFIFO(info.st_mode)) CHECK(read(reader, magic, 4) == 4 && memcmp(magic, "\x89TFE", 4) == 0);
  close(reader);
}
