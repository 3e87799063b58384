/* Tests only: a fake device with the text of a test compiled and loaded, and one kernel run from memory to memory. */
#ifndef DEVICE_FAKE_FAKE_RIG_TEST_H
#define DEVICE_FAKE_FAKE_RIG_TEST_H

#include "../../kernels/cuda/cuda-tactic.h"
#include "../../tests/kit/test.h"
#include "../nvrtc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
  const char *name, *text;
} rig_texts[] = {
#define X(name, text) {name, text},
#include "simt-test-texts.inc"
#undef X
};

struct rig {
  struct bytes_writer cubin;
  struct cuda_device *device;
  struct cuda_image *image;
};
/* The arguments of every test kernel. */
struct rig_args {
  cuda_address out, in;
  long long at;
};

static inline void rig_library(const char *variable, const char *name) {
  char path[4096];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 64);
  REQUIRE(length > 0);
  path[length] = 0;
  for (int i = 0; i < 2; i++) *strrchr(path, '/') = 0; // BUILD/test/fake-cuda
  snprintf(path + strlen(path), 64, "/%s", name);
  setenv(variable, path, 1);
}

static inline void rig_libraries(const char *spec) {
  rig_library("TUNEFARM_LIBCUDA", "libfakecuda.so");
  rig_library("TUNEFARM_LIBNVRTC", "libfakenvrtc.so");
  setenv("TUNEFARM_FAKE_CUDA", spec, 1);
}

static inline char *rig_source(const char *text) {
  struct strbuf source = {0};
  cuda_source_begin(&source);
  strbuf_add(&source, "\n");
  strbuf_add(&source, text);
  REQUIRE(!source.failed);
  return test_keep(source.data);
}

static inline const char *rig_file(const char *name) {
  for (size_t i = 0; i < sizeof rig_texts / sizeof *rig_texts; i++)
    if (strcmp(rig_texts[i].name, name) == 0) return rig_texts[i].text;
  REQUIRE(!"there is no such text");
  return "";
}

static inline void rig_load(struct rig *rig, const char *text, int sm) {
  struct strbuf log = {0};
  enum farm_status status = nvrtc_compile(text, rig_source(rig_file(text)), sm, &rig->cubin, &log);
  CHECK_MESSAGE(status == FARM_OK, "%s\n%s", status_message(), strbuf_text(&log));
  strbuf_free(&log);
  REQUIRE(status == FARM_OK);
  test_keep(rig->cubin.data);
  REQUIRE_OK(cuda_image_load(rig->device, rig->cubin.data, rig->cubin.length, &rig->image));
}

/* `text`: a file *-test.cu of this folder; NULL: no kernels. */
static inline struct rig rig_open(const char *spec, const char *text, int sm) {
  struct rig rig = {0};
  rig_libraries(spec);
  REQUIRE_OK(cuda_device_open(NULL, &rig.device));
  if (text) rig_load(&rig, text, sm);
  return rig;
}

static inline void rig_close(struct rig *rig) {
  cuda_image_unload(&rig->image);
  cuda_device_close(&rig->device);
}

static inline void rig_renew(struct rig *rig) { // another context
  rig_close(rig);
  REQUIRE_OK(cuda_device_open(NULL, &rig->device));
  REQUIRE_OK(cuda_image_load(rig->device, rig->cubin.data, rig->cubin.length, &rig->image));
}

static inline struct cuda_launch rig_launch(const char *entry, unsigned blocks, unsigned threads, struct rig_args args) {
  struct cuda_launch launch = {.entry = entry, .grid = {blocks, 1, 1}, .block = {threads, 1, 1}, .argument_bytes = sizeof args};
  memcpy(launch.arguments, &args, sizeof args);
  return launch;
}

/* Runs one kernel; `in` and `out` of that many bytes each. The status is that of waiting. */
static inline enum farm_status rig_run(struct rig *rig, const char *entry, unsigned blocks, unsigned threads, long long at,
                                       const void *in, size_t in_bytes, void *out, size_t out_bytes) {
  struct rig_args args = {.at = at};
  TRY(cuda_alloc(rig->device, in_bytes, &args.in));
  TRY(cuda_alloc(rig->device, out_bytes, &args.out));
  TRY(cuda_copy_in(rig->device, args.in, in, in_bytes));
  struct cuda_launch launch = rig_launch(entry, blocks, threads, args);
  TRY(cuda_launch(rig->device, rig->image, &launch));
  TRY(cuda_copy_out(rig->device, out, args.out, out_bytes));
  TRY(cuda_wait(rig->device));
  cuda_free(rig->device, &args.in);
  cuda_free(rig->device, &args.out);
  return FARM_OK;
}

#endif
