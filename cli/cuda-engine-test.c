/* Engines with a section for a GPU beside the CPU's, through the command: linked without a driver to the same bytes, run on the
 * fake driver against the reference, and every fault told with an exit code. */
#include "command-test.h"

#include "../base/digest.h"
#include "../synth/synth.h"

static void library(const char *variable, const char *name) {
  char path[2 * PATH_MAX];
  char self[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  REQUIRE(length > 0);
  self[length] = 0;
  snprintf(path, sizeof path, "%s/../%s", dirname(self), name);
  if (access(path, R_OK) != 0) SKIP("%s is not built", path);
  setenv(variable, path, 1);
}

static void compiler_only(void) {
  library("TUNEFARM_LIBNVRTC", "libfakenvrtc.so");
  setenv("TUNEFARM_LIBCUDA", "/does/not/exist.so", 1);
}

static void with_gpu(const char *about) {
  library("TUNEFARM_LIBCUDA", "libfakecuda.so");
  setenv("TUNEFARM_FAKE_CUDA", about, 1);
}

static bool same_bytes(const char *a, const char *b) {
  char *data[2];
  size_t length[2];
  REQUIRE_OK(file_read_all(a, 1u << 30, &data[0], &length[0]));
  REQUIRE_OK(file_read_all(b, 1u << 30, &data[1], &length[1]));
  bool same = length[0] == length[1] && memcmp(data[0], data[1], length[0]) == 0;
  free(data[0]);
  free(data[1]);
  return same;
}

#define BUILD(model, engine, ...)                                                                                                \
  command_works("build", model, "-o", engine, "--target", "cpu", "--target", "cuda-sm90", "--effort", "0", "--threads", "2",     \
                ##__VA_ARGS__)

TEST(cuda_engine_is_linked_run_and_checked, "timeout:120") {
  const char *model = small_model("net.onnx", "2"), *first = in_folder("1.engine"), *second = in_folder("2.engine"),
             *lock = in_folder("net.lock"), *report = in_folder("report.json");
  char option[2 * PATH_MAX + 16];
  compiler_only();
  snprintf(option, sizeof option, "--json=%.4000s", report);
  BUILD(model, first, option);
  BUILD(model, second, "--lock", lock);
  CHECK(same_bytes(first, second));
  BUILD(model, second, "--lock", lock);
  CHECK(same_bytes(first, second));
  json_error_t error;
  json_t *built = json_load_file(report, 0, &error), *gpu = json_array_get(json_object_get(built, "targets"), 1);
  CHECK_TEXT(text_at(gpu, "target"), "cuda-sm90");
  CHECK_TEXT(text_at(gpu, "device_class"), "cuda sm:90");
  CHECK(number_at(gpu, "host_steps") == 0 && json_object_get(gpu, "host_steps"));
  CHECK_TEXT(text_at(json_array_get(json_object_get(gpu, "layers"), 0), "place"), "device");
  json_decref(built);

  json_t *shown = json_of(command_say("inspect", first, "--json"));
  const json_t *section = json_array_get(json_object_get(shown, "sections"), 1);
  CHECK(number_at(section, "sm") == 90 && json_is_false(json_object_get(section, "measured")));
  CHECK(number_at(shown, "format") == 2 && strstr(text_at(section, "compiler"), "nvrtc"));
  const json_t *layer = json_array_get(json_object_get(section, "layers"), 0);
  CHECK_TEXT(text_at(layer, "place"), "device");
  CHECK(number_at(layer, "image_bytes") > 0);
  json_decref(shown);

  json_t *run =
      json_of(command_say("run", first, "--duration", "0", "--reference", model, "--json")); // no GPU: the CPU's section
  CHECK_TEXT(text_at(run, "device"), "cpu");
  json_decref(run);
  with_gpu("sm=90,product=fake,mem=512m");
  run = json_of(command_say("run", first, "--iterations", "3", "--warmup", "0", "--reference", model, "--profile", "--json"));
  CHECK(strstr(text_at(run, "device"), "GPU-") && number_at(run, "iterations") == 3);
  CHECK_TEXT(text_at(run, "section"), "cuda sm:90");
  CHECK(json_is_true(json_object_get(json_object_get(run, "check"), "passed")));
  CHECK(number_at(json_object_get(run, "memory"), "device_bytes") > 32 * 48 * 4);
  CHECK_TEXT(text_at(json_array_get(json_object_get(run, "profile"), 0), "place"), "device");
  json_decref(run);
  run = json_of(command_say("run", first, "--duration", "0", "--target", "cpu", "--json"));
  CHECK_TEXT(text_at(run, "device"), "cpu");
  json_decref(run);
}

TEST(cuda_engine_that_cannot_run_here_says_why, "timeout:120") {
  const char *model = small_model("net.onnx", "2"), *engine = in_folder("1.engine");
  compiler_only();
  command_works("build", model, "-o", engine, "--target", "cuda-sm90", "--effort", "0");
  command_fails(4, "no CUDA driver", "run", engine, "--duration", "0");
  with_gpu("sm=80");
  command_fails(4, "SM version 80", "run", engine, "--duration", "0");
  with_gpu("sm=90,fault=launch@2");
  command_fails(7, "GPU-", "run", engine, "--duration", "0");
  with_gpu("sm=90,fault=oom@1");
  command_fails(8, "", "run", engine, "--duration", "0");
  setenv("TUNEFARM_GPU_PATIENCE", "0.3", 1);
  with_gpu("sm=90,fault=hang@1");
  command_fails(6, "GPU", "run", engine, "--duration", "0");
}

TEST(cuda_engine_is_no_locked_build_without_measurements, "timeout:120") {
  const char *model = small_model("net.onnx", "2"), *engine = in_folder("1.engine"), *lock = in_folder("net.lock");
  compiler_only();
  BUILD(model, engine, "--lock", lock);
  remove(engine);
  command_fails(3, "cuda sm:90", "build", model, "-o", engine, "--target", "cuda-sm90", "--target", "cpu", "--effort", "0",
                "--threads", "2", "--lock", lock, "--cache-mode", "locked");
  CHECK(access(engine, F_OK) != 0);
  setenv("TUNEFARM_LIBNVRTC", "/does/not/exist.so", 1);
  command_fails(5, "NVRTC", "build", model, "-o", engine, "--target", "cuda-sm90", "--effort", "0");
}

/* The acceptance case: an image per text, no driver, the same bytes; then 25 M weights through the emulator. */
TEST(cuda_engine_of_mlp, "slow parallel timeout:300") {
  const char *model = in_folder("mlp.onnx"), *first = in_folder("1.engine"), *second = in_folder("2.engine");
  REQUIRE_OK(synth_write("mlp", &(struct synth_options){.seed = 1, .dtype = DTYPE_F32, .batch = 1}, model));
  compiler_only();
  BUILD(model, first);
  BUILD(model, second);
  CHECK(same_bytes(first, second));
  with_gpu("sm=90,product=fake,mem=2g");
  command_works("run", first, "--duration", "0", "--reference", model);
}

/* Joining the class token to the patches and all else: the model is the GPU's alone. */
TEST(cuda_engine_of_vit_needs_no_host, "slow parallel timeout:300") {
  const char *model = in_folder("vit.onnx"), *engine = in_folder("vit.engine"), *report = in_folder("report.json");
  char option[2 * PATH_MAX + 16];
  REQUIRE_OK(synth_write("vit-b16", &(struct synth_options){.seed = 1, .dtype = DTYPE_F32, .batch = 1}, model));
  compiler_only();
  snprintf(option, sizeof option, "--json=%.4000s", report);
  command_works("build", model, "-o", engine, "--target", "cuda-sm90", "--effort", "0", option);
  json_error_t error;
  json_t *built = json_load_file(report, 0, &error), *gpu = json_array_get(json_object_get(built, "targets"), 0);
  CHECK(json_object_get(gpu, "host_steps") && number_at(gpu, "host_steps") == 0);
  CHECK(json_array_size(json_object_get(gpu, "layers")) > 60);
  json_decref(built);
}
