/* The fake driver and compiler in a test of whatever module: fake_gpu("sm=90,fault=oom@2"), before the first call of the device
 * layer. */
#ifndef DEVICE_FAKE_GPU_TEST_H
#define DEVICE_FAKE_GPU_TEST_H

#include "../tests/kit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A library beside the tests' folder, in the build's. SKIPs where it was not built. */
static inline void fake_library(const char *variable, const char *name) {
  char path[4096];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 64);
  REQUIRE(length > 0);
  path[length] = 0;
  for (int i = 0; i < 2; i++) *strrchr(path, '/') = 0; // BUILD/test/module
  snprintf(path + strlen(path), 64, "/%s", name);
  if (access(path, R_OK) != 0) SKIP("%s is not built", path);
  setenv(variable, path, 1);
}

static inline void fake_gpu(const char *about) {
  fake_library("TUNEFARM_LIBCUDA", "libfakecuda.so");
  fake_library("TUNEFARM_LIBNVRTC", "libfakenvrtc.so");
  setenv("TUNEFARM_FAKE_CUDA", about, 1);
}

#endif
