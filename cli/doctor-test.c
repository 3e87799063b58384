/* `tunefarm doctor`: facts with stable keys; an exit code only for what would make tunefarm fail. */
#include "command-test.h"

#include "../base/strbuf.h"
#include "../device/fake-gpu-test.h"

TEST(doctor_says_what_is_here, "") {
  json_t *root = json_of(command_say("doctor", "--quick", "--json"));
  const json_t *cpu = json_object_get(root, "cpu"), *libraries = json_object_get(root, "libraries"),
               *isas = json_object_get(cpu, "instruction_sets");
  CHECK(strncmp(text_at(cpu, "device_class"), "cpu vendor:", 11) == 0);
  CHECK_TEXT(json_string_value(json_array_get(isas, 0)), "baseline");
  CHECK(number_at(cpu, "cores_usable") >= 1 && number_at(cpu, "cores_usable") <= number_at(cpu, "cores_online"));
  static const char *const names[] = {"libzmq", "lmdb", "libsodium", "zstd", "jansson"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    CHECK_MESSAGE(strchr(text_at(libraries, names[i]), '.'), "%s has no version", names[i]);
  CHECK(json_object_get(root, "peaks") == NULL);
  CHECK(json_is_array(json_object_get(root, "problems")));
  json_decref(root);
}

TEST(doctor_says_which_gpu_libraries_are_here, "") {
  static const char *const keys[] = {"cuda", "nvrtc", "cublaslt", "nvml"};
  setenv("TUNEFARM_LIBNVML", "/nowhere/libnvml.so", 1);
  json_t *root = json_of(command_say("doctor", "--quick", "--json"));
  const json_t *gpu = json_object_get(root, "gpu"), *libraries = json_object_get(gpu, "libraries");
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    const json_t *library = json_object_get(libraries, keys[i]);
    bool found = json_is_true(json_object_get(library, "found"));
    CHECK_MESSAGE(*text_at(library, found ? "version" : "why"), "%s: neither a version nor a reason", keys[i]);
  }
  CHECK(strstr(text_at(json_object_get(libraries, "nvml"), "why"), "TUNEFARM_LIBNVML=/nowhere/libnvml.so"));
  CHECK(json_is_array(json_object_get(gpu, "devices")));
  CHECK((json_array_size(json_object_get(gpu, "devices")) > 0) == !strcmp(text_at(gpu, "driver"), "found"));
  json_decref(root);
}

TEST(doctor_says_which_gpus_are_here, "") {
  fake_gpu("devices=2,sm=90,product=H200,sms=132,clock=1980,memclock=3201,mem=3g");
  json_t *root = json_of(command_say("doctor", "--quick", "--json"));
  const json_t *gpu = json_object_get(root, "gpu"), *devices = json_object_get(gpu, "devices"),
               *second = json_array_get(devices, 1);
  CHECK_TEXT(text_at(gpu, "driver"), "found");
  CHECK(json_array_size(devices) == 2 && number_at(second, "ordinal") == 1);
  CHECK_TEXT(text_at(second, "device_class"), "cuda sm:90 product:h200 sms:132 clock:1980 memclock:3201 mem:3g");
  CHECK(strncmp(text_at(second, "uuid"), "GPU-", 4) == 0);
  json_decref(root);
  struct said said = command_say("doctor", "--quick");
  CHECK(said.code == 0 && strstr(said.out, "NVIDIA H200, GPU-") && strstr(said.out, "class    cuda sm:90 product:h200"));
  said_free(&said);
}

TEST(doctor_measures_peaks, "timeout:120") {
  json_t *root = json_of(command_say("doctor", "--json"));
  const json_t *peaks = json_object_get(root, "peaks"), *noise = json_object_get(root, "noise");
  CHECK(number_at(peaks, "fma_gflops_1") > 0.1 && number_at(peaks, "fma_gflops_n") > 0.1);
  CHECK(number_at(peaks, "read_gbs_1") > 0.01 && number_at(peaks, "read_gbs_n") > 0.01);
  CHECK(number_at(noise, "spread") >= 0 && number_at(noise, "spread") < 1);
  json_decref(root);
}

TEST(doctor_fails_where_the_cache_cannot_be, "") {
  const char *file = in_folder("file");
  struct strbuf below = {0};
  REQUIRE_OK(file_write_atomic(file, "x", 1));
  strbuf_printf(&below, "%s/cache", file);
  struct said said = command_say("doctor", "--quick", "--cache", strbuf_text(&below), "--json");
  strbuf_free(&below);
  CHECK_MESSAGE(said.code == 1, "code %d", said.code);
  CHECK(strstr(said.error, "would make tunefarm fail") != NULL);
  json_t *root = json_of(said);
  size_t i, errors = 0;
  json_t *row;
  json_array_foreach(json_object_get(root, "problems"), i, row) errors +=
      strcmp(text_at(row, "severity"), "error") == 0 && text_at(row, "advice")[0];
  CHECK(errors == 1);
  json_decref(root);
}

TEST(doctor_mentions_a_capped_instruction_set, "") {
  setenv("TUNEFARM_ISA", "baseline", 1);
  json_t *root = json_of(command_say("doctor", "--quick", "--json"));
  CHECK(strstr(text_at(json_object_get(root, "cpu"), "device_class"), "isa:baseline") != NULL);
  CHECK(json_array_size(json_object_get(json_object_get(root, "cpu"), "instruction_sets")) == 1);
  json_decref(root);
  setenv("TUNEFARM_ISA", "pentium", 1);
  command_fails(2, "pentium", "doctor", "--quick");
}
