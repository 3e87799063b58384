/* Compile jobs through the job runner and a real child: a text that compiles and one that does not give an artefact each. */
#include "compile.h"

#include "../kernels/cuda/cuda-artefact.h"
#include "../kernels/cuda/cuda-tactic.h"
#include "../device/nvrtc.h"
#include "fault-tactics-test.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char good_text[] =
    "struct one_args { float *y; };\nFARM_KERNEL(one, one_args, 32) { args.y[threadIdx.x] = 1.0f; }\n";

static void compiler_begin(void) {
  char path[4096];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 64);
  REQUIRE(length > 0);
  path[length] = 0;
  for (int i = 0; i < 2; i++) *strrchr(path, '/') = 0; // BUILD/test/worker
  snprintf(path + strlen(path), 64, "/libfakenvrtc.so");
  if (access(path, R_OK) != 0) SKIP("%s is not built", path);
  setenv("TUNEFARM_LIBNVRTC", path, 1);
}

static int texts_file(const char *const *texts, uint32_t count, bool cut) {
  struct bytes_writer list = {0};
  bytes_put_u32(&list, count);
  for (uint32_t i = 0; i < count; i++) {
    bytes_put_u32(&list, 90);
    bytes_put_blob(&list, texts[i], strlen(texts[i]));
  }
  int fd = memfd_create("texts", 0);
  size_t length = list.length - cut;
  REQUIRE(fd >= 0 && write(fd, list.data, length) == (ssize_t)length);
  bytes_writer_free(&list);
  return fd;
}

struct seen {
  int good, bad;
  char keys[2][256];
};

static enum farm_status artefact_see(void *context, const struct artefact *artefact, const void *envelope, size_t length) {
  (void)envelope, (void)length;
  struct seen *seen = context;
  if (seen->good + seen->bad < 2) snprintf(seen->keys[seen->good + seen->bad], 256, "%s", artefact->key);
  seen->good += artefact->status == FARM_OK && artefact->length > 0;
  seen->bad += artefact->status == FARM_TACTIC_REFUSED && *artefact->message;
  return FARM_OK;
}

static enum farm_status compile(const char *spec, int fd, struct seen *seen, char report[256]) {
  const struct wire_blob_ref blob = {.name = "texts"};
  const struct wire_job job = {.kind = WIRE_JOB_EXECUTE,
                               .problem = "",
                               .device_class = "compiler",
                               .threads = 1,
                               .policy = "",
                               .spec = spec,
                               .blobs = &blob,
                               .blobs_count = 1};
  const struct job_runner_options options = {.child_argv = test_child_argv(), .device = "compiler", .build = "test"};
  struct job_runner *runner;
  struct runner_event event = {0};
  REQUIRE_OK(job_runner_create(&options, &runner));
  REQUIRE_OK(job_runner_start(runner, &job, &fd));
  while (event.kind != RUNNER_DONE) {
    struct pollfd ready = {.fd = job_runner_fd(runner), .events = POLLIN};
    poll(&ready, 1, 20);
    REQUIRE_OK(job_runner_step(runner, (uint64_t)0, &event));
  }
  enum farm_status status = event.status;
  snprintf(report, 256, "%s", status == FARM_OK ? event.report : event.message);
  *seen = (struct seen){0};
  if (event.artefact_bytes) REQUIRE_OK(artefact_list_each(event.artefacts, event.artefact_bytes, artefact_see, seen));
  job_runner_destroy(&runner);
  close(fd);
  return status;
}

TEST(compile_jobs_give_an_artefact_for_every_text, "timeout:120") {
  struct strbuf good = {0}, bad = {0};
  struct arena arena = {0};
  struct seen seen;
  char report[256], compiler[64], spec[64];
  const char *key;
  compiler_begin();
  REQUIRE_OK(nvrtc_version(compiler, sizeof compiler));
  cuda_source_begin(&good), cuda_source_begin(&bad);
  strbuf_add(&good, good_text), strbuf_add(&bad, "this is no kernel\n");
  const char *const texts[] = {strbuf_text(&good), strbuf_text(&bad)};
  snprintf(spec, sizeof spec, "compile/1 options=%d", CUDA_OPTIONS_REVISION);
  CHECK_MESSAGE(compile(spec, texts_file(texts, 2, false), &seen, report) == FARM_OK, "%s", report);
  CHECK(seen.good == 1 && seen.bad == 1 && strstr(report, "\"compiled\":1,\"failed\":1"));
  REQUIRE_OK(cuda_artefact_key_text(texts[0], 90, compiler, &arena, &key));
  CHECK_TEXT(seen.keys[0], key);
  CHECK(compile(spec, texts_file(texts, 2, true), &seen, report) == FARM_INVALID);
  CHECK(compile("compile/1 options=99999", texts_file(texts, 1, false), &seen, report) == FARM_UNSUPPORTED);
  CHECK(compile("compile/2 what=ever", texts_file(texts, 1, false), &seen, report) == FARM_UNSUPPORTED);
  setenv("TUNEFARM_LIBNVRTC", "/nonexistent/libnvrtc.so", 1);
  CHECK(compile(spec, texts_file(texts, 1, false), &seen, report) == FARM_UNSUPPORTED && seen.good == 0);
  strbuf_free(&good), strbuf_free(&bad);
  arena_free(&arena);
}
