/* Tactics that do what tactics must not, and good ones of known speed; and a job run through the job runner with this test binary
 * as its measuring child. */
#ifndef WORKER_FAULT_TACTICS_TEST_H
#define WORKER_FAULT_TACTICS_TEST_H

#include "../tests/kit/test.h"
#include "../device/cuda-device.h"
#include "job-runner.h"

#define TEST_PROBLEM "gemm m16 n16 k16 f32 acc:f32"
#define CRASH "gemm_f32__test_crash__any"
#define SPIN "gemm_f32__test_hang__any"
#define SLEEP "gemm_f32__test_sleep__any"
#define NAN_ONE "gemm_f32__test_nan__any"
#define SLIGHTLY "gemm_f32__test_slightly_wrong__any"
#define PAST_END "gemm_f32__test_past_end__any"
#define LATE_PAST "gemm_f32__test_late_past__any" // one element, but not while it is checked
#define FAR_PAST "gemm_f32__test_far_past__any"
#define SCRIBBLE "gemm_f32__test_scribble__any" // over the allocator's own data
#define OPERAND "gemm_f32__test_operand__any"   // over an input
#define READS_GUARD "gemm_f32__test_reads_guard__any"
#define SECOND_RUN "gemm_f32__test_second_run__any" // crashes when it runs for the second time in a process
#define REFUSES "gemm_f32__test_refuses__any"       // returns an error that is no tactic's
#define POISON "gemm_f32__test_poison__any"         // good, but VICTIM crashes in a process where it ran
#define VICTIM "gemm_f32__test_victim__any"
#define ILLEGAL "gemm_f32__test_illegal__any"
#define IN_COMPANY "gemm_f32__test_in_company__any"       // crashes late in a process where one of known speed ran
#define SPEED(us) "gemm_f32__test_speed__any{us=" #us "}" // 200, 400, 401, 404, 800, 3200

enum { ENTRIES_MOST = 32 };
struct job_outcome {
  enum farm_status status; // of DONE
  char message[512], clocks[128];
  int count, kills; // entries; kills that met a child
  struct job_entry {
    char variant[192], message[600];
    struct record_entry entry;
  } entries[ENTRIES_MOST]; // screen: in the order of their coming; final: of its record
};

struct job_plan {
  enum wire_job_kind kind;
  const char *const *variants;
  int count;
  uint64_t hang_ns;       // 0: 2 s
  uint64_t kill_after_ns; // kill -9 the child so long after the job began; 0: never
  int kills;              // how often, each kill_after_ns after the one before
  const char *policy;     // NULL: cold/1 effort1
  const char *problem;    // NULL: TEST_PROBLEM
  const char *role;       // of the child; NULL: "child"
  enum farm_status (*supply)(void *context, const struct wire_job *job, uint32_t variant, int child_fd); // see job-runner.h
};

/* Fails the test when it does not end within a minute, or an entry comes twice. */
void job_run_to_end(const struct job_plan *plan, struct job_outcome *out);
const struct job_entry *entry_of(const struct job_outcome *outcome, const char *variant); // NULL: none
const char *const *test_child_argv(void);
struct cuda_properties test_gpu_properties(const char *uuid); // of the GPU that role "gpu-worker" stands for
bool under_asan(void);
bool under_tsan(void);

#endif
