/* See fault-tactics-test.h. */
#include "fault-tactics-test.h"

#include "../base/clock.h"
#include "../base/random.h"
#include "../kernels/reference-tactic.h"
#include "../kernels/tactic.h"
#include "../coordinator/coordinator.h"
#include "child.h"
#include "child-protocol.h"
#include "worker.h"

#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(name) 0
#endif
bool under_asan(void) {
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
  return true;
#else
  return false;
#endif
}
bool under_tsan(void) {
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
  return true;
#else
  return false;
#endif
}

/* ---- tactics ---- */

static int runs_of_second, runs_of_late, runs_in_company, speeds_ran, poisoned;

static bool small_gemm(const struct problem *problem) { return problem->dims[GEMM_M] == 16; }
static bool never(const struct problem *problem, const struct variant *variant) {
  (void)problem, (void)variant;
  return false;
}
static double cost_any(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                       int threads) {
  (void)problem, (void)variant, (void)device_class, (void)threads;
  return 1e12;
}

static enum farm_status good(const struct kernel_call *call) {
  return reference_problem_run(call->problem, LAYOUT_ANY, call->scalars, call->inputs, call->outputs);
}

static float *out_of(const struct kernel_call *call) { return call->outputs[0]->data; }
/* An address the compiler knows nothing of. */
static void *unknown(void *p) {
  void *volatile hidden = p;
  return hidden;
}

static void die(void) {
  signal(SIGSEGV, SIG_DFL); // a sanitizer's handler would end the process politely
  raise(SIGSEGV);
}

static enum farm_status crash_run(const struct kernel_call *call) {
  die();
  return good(call);
}
static enum farm_status hang_run(const struct kernel_call *call) {
  for (volatile uint64_t turn = 0; turn < UINT64_MAX; turn++) continue;
  return good(call);
}
static enum farm_status sleep_run(const struct kernel_call *call) {
  for (;;) pause();
  return good(call);
}
static enum farm_status nan_run(const struct kernel_call *call) {
  TRY(good(call));
  out_of(call)[37] = NAN;
  return FARM_OK;
}
static enum farm_status slightly_run(const struct kernel_call *call) {
  TRY(good(call));
  out_of(call)[255] += (float)(4 * problem_tolerance(call->problem, problem_magnitude(call->problem)));
  return FARM_OK;
}
static enum farm_status past_run(const struct kernel_call *call) {
  TRY(good(call));
  ((float *)unknown(out_of(call)))[256] = 1;
  return FARM_OK;
}
static enum farm_status late_past_run(const struct kernel_call *call) { return ++runs_of_late > 3 ? past_run(call) : good(call); }
static enum farm_status far_run(const struct kernel_call *call) {
  TRY(good(call));
  volatile char *at = unknown(out_of(call));
  for (int i = 4096 + 1024; i < 65536; i++) at[i] = 0x41;
  return FARM_OK;
}
static enum farm_status scribble_run(const struct kernel_call *call) {
  TRY(good(call));
  volatile char *block = unknown(malloc(3000));
  for (int i = 0; block && i < 3000 + 4096; i++) block[i] = 0x41; // into whatever comes next
  return FARM_OK;
}
static enum farm_status operand_run(const struct kernel_call *call) {
  TRY(good(call));
  ((float *)unknown(call->inputs[0]->data))[7] += 1;
  return FARM_OK;
}
static enum farm_status guard_run(const struct kernel_call *call) {
  TRY(good(call));
  out_of(call)[0] += 0 * ((const float *)unknown(call->inputs[0]->data))[-1];
  return FARM_OK;
}
static enum farm_status second_run(const struct kernel_call *call) {
  if (++runs_of_second == 2) die();
  return good(call);
}
static enum farm_status company_run(const struct kernel_call *call) {
  if (++runs_in_company > 6 && speeds_ran) die();
  return good(call);
}
static enum farm_status refuses_run(const struct kernel_call *call) {
  return status_set(FARM_INVALID, "does not like %s", call->variant->tactic->id);
}
static enum farm_status poison_run(const struct kernel_call *call) {
  poisoned = 1;
  return good(call);
}
static enum farm_status victim_run(const struct kernel_call *call) {
  if (poisoned) die();
  return good(call);
}
static enum farm_status speed_run(const struct kernel_call *call) {
  uint64_t begin = clock_now_ns();
  speeds_ran++;
  TRY(good(call));
  while (clock_now_ns() - begin < (uint64_t)call->variant->params[0] * 1000) continue;
  return FARM_OK;
}

#define SPEED_PARAM                                                                                                              \
  {                                                                                                                              \
    { .name = "us", .values = speeds, .value_count = 6 }                                                                         \
  }
static const int16_t speeds[] = {200, 400, 401, 404, 800, 3200};
#define TACTIC(text, function, ...)                                                                                              \
  {                                                                                                                              \
    .id = text, .kind = PROBLEM_GEMM, .source = "reference", .packed_operand = -1, .applicable = small_gemm, .cost = cost_any,   \
    .run = function, __VA_ARGS__                                                                                                 \
  }
static const struct tactic tactics[] = {TACTIC(CRASH, crash_run, ),
                                        TACTIC(SPIN, hang_run, ),
                                        TACTIC(SLEEP, sleep_run, ),
                                        TACTIC(NAN_ONE, nan_run, ),
                                        TACTIC(SLIGHTLY, slightly_run, ),
                                        TACTIC(PAST_END, past_run, ),
                                        TACTIC(LATE_PAST, late_past_run, ),
                                        TACTIC(FAR_PAST, far_run, ),
                                        TACTIC(SCRIBBLE, scribble_run, ),
                                        TACTIC(OPERAND, operand_run, ),
                                        TACTIC(READS_GUARD, guard_run, ),
                                        TACTIC(SECOND_RUN, second_run, ),
                                        TACTIC(IN_COMPANY, company_run, ),
                                        TACTIC(REFUSES, refuses_run, ),
                                        TACTIC(POISON, poison_run, ),
                                        TACTIC(VICTIM, victim_run, ),
                                        TACTIC(ILLEGAL, good, .legal = never),
                                        TACTIC("gemm_f32__test_speed__any", speed_run, .params = SPEED_PARAM)};

/* ---- this binary in other roles ---- */

static int worker_role(void) {
  static const char *const child[] = {"/proc/self/exe", NULL};
  const struct worker_options options = {
      .endpoint = getenv("TUNEFARM_TEST_ENDPOINT"), .cores = "", .child_argv = child, .build = "test"};
  setenv("TUNEFARM_TEST_ROLE", "child", 1);
  return status_exit_code(worker_run(&options));
}

/* The worker of a GPU, which may be there or not: $TUNEFARM_TEST_GPU. */
static int gpu_worker_role(void) {
  static const char *const child[] = {"/proc/self/exe", NULL};
  struct cuda_properties gpu = test_gpu_properties(getenv("TUNEFARM_TEST_GPU"));
  const struct worker_options options = {
      .endpoint = getenv("TUNEFARM_TEST_ENDPOINT"), .part = WORKER_GPU, .gpu = &gpu, .child_argv = child, .build = "test"};
  setenv("TUNEFARM_TEST_ROLE", "gpu-child", 1);
  return status_exit_code(worker_run(&options));
}

struct cuda_properties test_gpu_properties(const char *uuid) {
  struct cuda_properties gpu = {.name = "NVIDIA fake", .sm = 90, .multiprocessors = 4, .clock_mhz = 1000, .memory_clock_mhz = 1000};
  gpu.memory_bytes = 1 << 30;
  snprintf(gpu.uuid, sizeof gpu.uuid, "%s", uuid);
  return gpu;
}

static int coordinator_role(void) {
  const struct coordinator_options options = {.cache_folder = getenv("TUNEFARM_TEST_CACHE"), .build = "test"};
  return status_exit_code(coordinator_run(&options));
}

/* A measuring child whose mind is gone: frames of every type with contents that mean nothing. */
static int babbler_role(void) {
  uint64_t seed = strtoull(getenv("TUNEFARM_TEST_SEED"), NULL, 10) * 1000 + (uint64_t)getpid() % 7;
  for (uint64_t i = 0; i < 40; i++) {
    uint8_t body[256];
    size_t length = random_u64(seed, i) % sizeof body;
    for (size_t b = 0; b < length; b++) body[b] = (uint8_t)random_u64(seed + i + 1, b);
    if (length >= 12 && random_u64(seed, 100 + i) % 2) memset(body, 0, 12); // of variant 0
    if (child_frame_send(3, (enum child_frame_type)(random_u64(seed, 200 + i) % 8), body, length) != FARM_OK) return 1;
  }
  return 0;
}

__attribute__((constructor)) static void roles_play(void) {
  const char *role = getenv("TUNEFARM_TEST_ROLE");
  for (size_t i = 0; i < sizeof tactics / sizeof *tactics; i++)
    if (catalogue_add(&tactics[i]) != FARM_OK) abort();
  if (role && strcmp(role, "child") == 0) exit(measuring_child_main(3, "", NULL));
  if (role && strcmp(role, "gpu-child") == 0) exit(measuring_child_main(3, "", getenv("TUNEFARM_TEST_GPU")));
  if (role && strcmp(role, "nobody") == 0) _exit(0);
  if (role && strcmp(role, "babbler") == 0) _exit(babbler_role());
  if (role && strcmp(role, "worker") == 0) exit(worker_role());
  if (role && strcmp(role, "gpu-worker") == 0) exit(gpu_worker_role());
  if (role && strcmp(role, "coordinator") == 0) _exit(coordinator_role());
}

const char *const *test_child_argv(void) {
  static const char *const argv[] = {"/proc/self/exe", NULL};
  setenv("TUNEFARM_TEST_ROLE", "child", 0);
  setenv("TUNEFARM_LOCKS", test_folder(), 0); // not in the way of whoever measures on this machine
  return argv;
}

/* ---- jobs ---- */

static void entry_keep(struct job_outcome *out, const struct record_entry *entry) {
  REQUIRE(out->count < ENTRIES_MOST);
  CHECK_MESSAGE(!entry_of(out, entry->variant), "%s has two entries", entry->variant);
  struct job_entry *kept = &out->entries[out->count++];
  kept->entry = *entry;
  snprintf(kept->variant, sizeof kept->variant, "%s", entry->variant);
  snprintf(kept->message, sizeof kept->message, "%s", entry->message);
}

const struct job_entry *entry_of(const struct job_outcome *outcome, const char *variant) {
  for (int i = 0; i < outcome->count; i++)
    if (strcmp(outcome->entries[i].variant, variant) == 0) return &outcome->entries[i];
  return NULL;
}

static bool event_take(const struct job_plan *plan, const struct runner_event *event, struct job_outcome *out) {
  struct bytes_writer bytes = {0};
  if (event->record) {
    REQUIRE_OK(record_encode(event->record, &bytes)); // what the worker sends must be a sound record
    bytes_writer_free(&bytes);
    CHECK(event->record->kind == (plan->kind == WIRE_JOB_FINAL ? RECORD_FINAL : RECORD_SCREEN));
    if (*event->record->clocks) snprintf(out->clocks, sizeof out->clocks, "%s", event->record->clocks);
    for (uint32_t i = 0; i < event->record->entry_count; i++) entry_keep(out, &event->record->entries[i]);
  }
  if (event->kind != RUNNER_DONE) return false;
  out->status = event->status;
  snprintf(out->message, sizeof out->message, "%s", event->message);
  return true;
}

void job_run_to_end(const struct job_plan *plan, struct job_outcome *out) {
  struct wire_variant variants[ENTRIES_MOST];
  struct variant parsed;
  for (int i = 0; i < plan->count; i++) {
    REQUIRE_OK(variant_parse(plan->variants[i], &parsed));
    variants[i] = (struct wire_variant){plan->variants[i], tactic_source_digest(parsed.tactic)};
  }
  struct wire_job job = {.kind = (uint8_t)plan->kind,
                         .problem = plan->problem ? plan->problem : TEST_PROBLEM,
                         .device_class = "cpu test",
                         .threads = 1,
                         .policy = plan->policy ? plan->policy : "cold/1 effort1",
                         .variants = variants,
                         .variants_count = (uint32_t)plan->count,
                         .spec = ""};
  if (plan->role) setenv("TUNEFARM_TEST_ROLE", plan->role, 1);
  struct job_runner_options options = {.supply = plan->supply,
                                       .child_argv = test_child_argv(),
                                       .device = "cores 0",
                                       .build = "test",
                                       .hang_ns = (plan->hang_ns ? plan->hang_ns : 2000000000u) * (under_asan() || under_tsan() ? 4 : 1)};
  struct job_runner *runner;
  struct runner_event event;
  *out = (struct job_outcome){.status = FARM_FAILURE};
  REQUIRE_OK(job_runner_create(&options, &runner));
  REQUIRE_OK(job_runner_start(runner, &job, NULL));
  uint64_t begin = clock_now_ns(), killed = begin;
  int kills = plan->kills;
  for (bool over = false; !over;) {
    REQUIRE(clock_now_ns() - begin < 100000000000u);
    struct pollfd fd = {.fd = job_runner_fd(runner), .events = POLLIN};
    poll(&fd, 1, 5);
    do {
      REQUIRE_OK(job_runner_step(runner, clock_now_ns(), &event));
      over |= event_take(plan, &event, out);
    } while (event.kind != RUNNER_NONE);
    if (kills && job_runner_child(runner) && clock_now_ns() - killed > plan->kill_after_ns) {
      kill(job_runner_child(runner), SIGKILL);
      killed = clock_now_ns();
      kills--;
    }
  }
  out->kills = plan->kills - kills;
  CHECK(!job_runner_busy(runner));
  job_runner_destroy(&runner);
}
