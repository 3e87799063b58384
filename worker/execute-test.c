/* Execute jobs through the job runner: reports, and refusals that name what is wrong. */
#include "engine-pair-test.h"

#include "../base/clock.h"
#include "../base/file.h"
#include "../engine/run/run-case-test.h"
#include "fault-tactics-test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

enum { ELEMS = 20000, LONGER_WAY = 8 };

void engine_file_write(const char *name, enum engine_kind kind, char *out_path, size_t out_bytes) {
  struct plan_builder *b = builder_new();
  size_t length;
  uint32_t x = builder_input(b, kind == ENGINE_OTHER_INPUTS ? "z" : "x", F32(ELEMS)), at = x;
  uint32_t y = builder_output(b, "y", F32(ELEMS));
  for (int i = 0; kind == ENGINE_LONGER && i < LONGER_WAY; i++) {
    uint32_t next = builder_value(b, "t", VALUE_ARENA, F32(ELEMS));
    op(b, 0, STEP_KERNEL, "Neg", 13, IDS(at), IDS(next));
    at = next;
  }
  op(b, 0, STEP_KERNEL, kind == ENGINE_WRONG ? "Mul" : "Add", 14, IDS(at, x), IDS(y));
  uint8_t *bytes = builder_bytes(b, &length);
  if (kind == ENGINE_BROKEN) bytes[length / 2] ^= 0x40;
  snprintf(out_path, out_bytes, "%s/%s.engine", test_folder(), name);
  REQUIRE_OK(file_write_atomic(out_path, bytes, length));
  free(bytes);
  builder_free(b);
}

struct execution {
  enum farm_status status;
  char message[512], report[1024];
};

static struct execution execute_files(const char *spec, const char *first, const char *a, const char *second, const char *b,
                                      uint64_t kill_after_ns) {
  int fds[2] = {open(a, O_RDONLY | O_CLOEXEC), open(b, O_RDONLY | O_CLOEXEC)};
  struct wire_blob_ref blobs[2] = {{.name = first}, {.name = second}};
  struct wire_job job = {.kind = WIRE_JOB_EXECUTE,
                         .problem = "",
                         .device_class = "cpu test",
                         .threads = 1,
                         .policy = "",
                         .spec = spec,
                         .blobs = blobs,
                         .blobs_count = 2};
  struct job_runner_options options = {.child_argv = test_child_argv(), .device = "cores 0", .build = "test"};
  struct job_runner *runner;
  struct runner_event event = {0};
  struct execution out = {0};
  REQUIRE(fds[0] >= 0 && fds[1] >= 0);
  REQUIRE_OK(job_runner_create(&options, &runner));
  REQUIRE_OK(job_runner_start(runner, &job, fds));
  for (uint64_t begin = clock_now_ns(); event.kind != RUNNER_DONE;) {
    REQUIRE(clock_now_ns() - begin < 50000000000u);
    struct pollfd fd = {.fd = job_runner_fd(runner), .events = POLLIN};
    poll(&fd, 1, 10);
    REQUIRE_OK(job_runner_step(runner, clock_now_ns(), &event));
    if (kill_after_ns && clock_now_ns() - begin > kill_after_ns) {
      kill(job_runner_child(runner), SIGKILL);
      kill_after_ns = 0;
    }
  }
  out.status = event.status;
  snprintf(out.message, sizeof out.message, "%s", event.message);
  snprintf(out.report, sizeof out.report, "%s", event.report ? event.report : "");
  REQUIRE_OK(job_runner_step(runner, clock_now_ns(), &event));
  CHECK(job_runner_fd(runner) == -1); // whoever held blobs is gone
  job_runner_destroy(&runner);
  close(fds[0]), close(fds[1]);
  return out;
}

static struct execution execute_kinds(const char *spec, enum engine_kind a, enum engine_kind b) {
  char path_a[4300], path_b[4300];
  engine_file_write("a", a, path_a, sizeof path_a);
  engine_file_write("b", b, path_b, sizeof path_b);
  return execute_files(spec, "a", path_a, "b", path_b, 0);
}

static void refused(const char *spec, enum engine_kind a, enum engine_kind b, enum farm_status status, const char *why) {
  struct execution e = execute_kinds(spec, a, b);
  CHECK_MESSAGE(e.status == status && strstr(e.message, why) && !*e.report, "`%s`: %s: %s %s", spec, status_name(e.status),
                e.message, e.report);
}

TEST(execute_times_two_engines, "") {
  struct build_comparison c;
  struct execution e = execute_kinds("time-engines/1 seconds=0.2 threads=1", ENGINE_PLAIN, ENGINE_LONGER);
  CHECK_MESSAGE(e.status == FARM_OK, "%s", e.message);
  REQUIRE_OK(build_comparison_parse(e.report, &c));
  CHECK_MESSAGE(c.ratio < 0.7 && c.ratio > 0 && c.ci95_high < 0.9 && c.n >= 5, "%s", e.report);
  CHECK(c.max_rel_difference == 0);
}

TEST(execute_refuses_what_makes_no_sense, "") {
  const char *good = "time-engines/1 seconds=0.1 threads=1";
  refused(good, ENGINE_PLAIN, ENGINE_WRONG, FARM_VERIFY_FAILED, "output 0");
  refused(good, ENGINE_PLAIN, ENGINE_OTHER_INPUTS, FARM_MISMATCH, "input x");
  refused(good, ENGINE_PLAIN, ENGINE_BROKEN, FARM_INVALID, "engine `b`");
  refused("dance/1", ENGINE_PLAIN, ENGINE_PLAIN, FARM_UNSUPPORTED, "dance");
  refused("time-engines/1 seconds=0 threads=1", ENGINE_PLAIN, ENGINE_PLAIN, FARM_INVALID, "seconds=S");
  refused("time-engines/1 seconds=1 threads=0", ENGINE_PLAIN, ENGINE_PLAIN, FARM_INVALID, "seconds=S");
  refused("time-engines/1 seconds=1 threads=1 more", ENGINE_PLAIN, ENGINE_PLAIN, FARM_INVALID, "seconds=S");
  refused("time-engines/1 seconds=nan threads=1", ENGINE_PLAIN, ENGINE_PLAIN, FARM_INVALID, "seconds=S");
  char path[4300];
  engine_file_write("a", ENGINE_PLAIN, path, sizeof path);
  struct execution e = execute_files(good, "a", path, "c", path, 0);
  CHECK(e.status == FARM_INVALID && strstr(e.message, "`b`"));
}

TEST(execute_survives_one_death, "") {
  char path[4300];
  engine_file_write("a", ENGINE_LONGER, path, sizeof path);
  struct execution e = execute_files("time-engines/1 seconds=0.4 threads=1", "b", path, "a", path, 200000000);
  CHECK_MESSAGE(e.status == FARM_OK && *e.report, "%s", e.message);
}

TEST(execute_reports_are_not_believed, "") {
  static const char *const wrong[] = {
      "",
      "{}",
      "{\"a_ms\":1,\"b_ms\":1,\"ratio\":1,\"ci95_low\":1,\"ci95_high\":1,\"n\":5,\"max_rel_difference\":0",
      "{\"a_ms\":1,\"b_ms\":1,\"ratio\":1,\"ci95_low\":1,\"ci95_high\":1,\"n\":5,\"max_rel_difference\":0} ",
      "{\"a_ms\":1,\"b_ms\":1,\"ratio\":2,\"ci95_low\":1,\"ci95_high\":1,\"n\":5,\"max_rel_difference\":0}",
      "{\"a_ms\":-1,\"b_ms\":1,\"ratio\":1,\"ci95_low\":1,\"ci95_high\":1,\"n\":5,\"max_rel_difference\":0}",
      "{\"a_ms\":nan,\"b_ms\":1,\"ratio\":1,\"ci95_low\":1,\"ci95_high\":1,\"n\":5,\"max_rel_difference\":0}",
      "{\"a_ms\":1,\"b_ms\":1,\"ratio\":1,\"ci95_low\":1,\"ci95_high\":1,\"n\":0,\"max_rel_difference\":0}"};
  struct build_comparison c;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    CHECK_MESSAGE(build_comparison_parse(wrong[i], &c) == FARM_INVALID, "%s", wrong[i]);
  REQUIRE_OK(build_comparison_parse(
      "{\"a_ms\":1,\"b_ms\":2,\"ratio\":0.5,\"ci95_low\":0.4,\"ci95_high\":0.6,\"n\":5,\"max_rel_difference\":0}", &c));
  CHECK(c.b_ms == 2 && c.n == 5);
}
