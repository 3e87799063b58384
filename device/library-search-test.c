/* Where libraries are looked for. NVML stands for all: few test machines have one. */
#include "library-search.h"

#include "fake-gpu-test.h"
#include "nvml.h"
#include "nvrtc.h"

#include "../base/file.h"
#include "../tests/kit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A library of that name which is none of NVIDIA's, in a folder below the test's; its path. */
static const char *library_put(const char *folder, const char *name) {
  static char path[4200];
  snprintf(path, sizeof path, "%s/%s", test_folder(), folder);
  REQUIRE_OK(file_make_folders(path));
  strcat(strcat(path, "/"), name);
  const char *const any[] = {"/lib/x86_64-linux-gnu/libm.so.6", "/usr/lib64/libm.so.6", "/lib64/libm.so.6", "/usr/lib/libm.so.6"};
  for (size_t i = 0; i < sizeof any / sizeof *any; i++)
    if (access(any[i], R_OK) == 0 && symlink(any[i], path) == 0) return path;
  SKIP("no libm.so.6 in the usual places");
}

static void variable_set(const char *variable, const char *below) {
  char value[4200];
  snprintf(value, sizeof value, "%s/%s", test_folder(), below);
  setenv(variable, value, 1);
}

static void check_found_in(const char *folder, const char *variable, const char *value) {
  char text[64];
  const char *path = library_put(folder, "libnvidia-ml.so.1");
  variable_set(variable, value);
  unsetenv("TUNEFARM_LIBNVML");
  if (nvml_driver_version(text, sizeof text) == FARM_OK) SKIP("this machine has an NVML of its own");
  CHECK_MESSAGE(strstr(status_message(), "has no nvmlInit_v2"), "`%s`: %s was not found", status_message(), path);
}

TEST(library_in_a_virtual_environment, "") {
  check_found_in("venv/lib/python3.11/site-packages/nvidia/nvml_dev/lib", "VIRTUAL_ENV", "venv");
}
TEST(library_in_conda, "") { check_found_in("conda/lib", "CONDA_PREFIX", "conda"); }
TEST(library_beside_the_python_of_the_path, "") {
  char path[4200];
  snprintf(path, sizeof path, "%s/opt/bin", test_folder());
  REQUIRE_OK(file_make_folders(path));
  setenv("HOME", "/nowhere", 1);
  check_found_in("opt/lib/python3.12/site-packages/nvidia/cu13/lib", "PATH", "opt/bin:relative::/");
}
TEST(library_of_the_user, "") { check_found_in("home/.local/lib/python3.9/site-packages/nvidia/x/lib", "HOME", "home"); }
TEST(library_in_a_toolkit, "") { check_found_in("cuda/targets/x86_64-linux/lib", "CUDA_HOME", "cuda"); }

/* A driver of 12.4 takes no images of a compiler of version 13: one of 12 is taken before it, wherever that lies. */
TEST(library_is_not_later_than_the_driver, "") {
  char text[64];
  fake_library("TUNEFARM_LIBCUDA", "libfakecuda.so");
  setenv("TUNEFARM_FAKE_CUDA", "driver=12040", 1);
  unsetenv("TUNEFARM_LIBNVRTC");
  library_put("conda/lib", "libnvrtc.so.12");
  variable_set("CONDA_PREFIX", "conda");
  if (nvrtc_version(text, sizeof text) == FARM_OK && strstr(text, " 12.")) SKIP("this machine has one of version 12: %s", text);
  CHECK_MESSAGE(strstr(status_message(), "has no nvrtcVersion"), "%s", status_message());
}

TEST(library_may_be_later_where_there_is_no_other, "") {
  char text[64];
  fake_library("TUNEFARM_LIBCUDA", "libfakecuda.so");
  setenv("TUNEFARM_FAKE_CUDA", "driver=12040", 1);
  unsetenv("TUNEFARM_LIBNVRTC");
  if (access("/usr/local/cuda/lib64/libnvrtc.so.13", R_OK) != 0) SKIP("no NVRTC of version 13 in its usual place");
  REQUIRE_OK(nvrtc_version(text, sizeof text));
}

TEST(library_given_is_the_only_one, "") {
  char text[64];
  variable_set("CONDA_PREFIX", "conda");
  library_put("conda/lib", "libnvidia-ml.so.1");
  setenv("TUNEFARM_LIBNVML", "/nowhere/at/all.so", 1);
  CHECK(nvml_driver_version(text, sizeof text) == FARM_UNSUPPORTED);
  CHECK(strstr(status_message(), "TUNEFARM_LIBNVML=/nowhere/at/all.so"));
  struct nvml_reading reading = {.sm_mhz = 7};
  CHECK(nvml_read("GPU-0", &reading) == FARM_UNSUPPORTED && reading.sm_mhz == 7);
}

TEST(library_that_does_not_load_says_why, "") {
  unsetenv("TUNEFARM_LIBNVML");
  char text[64], path[4200];
  snprintf(path, sizeof path, "%s/conda/lib", test_folder());
  REQUIRE_OK(file_make_folders(path));
  strcat(path, "/libnvidia-ml.so.1");
  REQUIRE_OK(file_write_atomic(path, "no library", 10));
  variable_set("CONDA_PREFIX", "conda");
  if (nvml_driver_version(text, sizeof text) == FARM_OK) SKIP("this machine has an NVML of its own");
  CHECK_MESSAGE(strstr(status_message(), "tried libnvidia-ml.so.1") && strstr(status_message(), path), "%s", status_message());
}

TEST(library_titles_and_variables_are_told, "") {
  for (int i = 0; i < LIBRARY_COUNT; i++)
    CHECK(library_title((enum library)i)[0] && !strncmp(library_variable((enum library)i), "TUNEFARM_LIB", 12));
}

TEST(nvml_reasons_have_names, "") {
  char text[160], small[8];
  CHECK_TEXT(nvml_reasons_text(0, text, sizeof text), "");
  CHECK_TEXT(nvml_reasons_text(1, text, sizeof text), ""); // idle
  CHECK_TEXT(nvml_reasons_text(0x4 | 0x20, text, sizeof text), "power cap, hot");
  CHECK_TEXT(nvml_reasons_text(~UINT64_C(0), small, sizeof small), "set by ");
}
