/* Tests only: what a sweep has collected, checked by a process per core. Included by cuda-sweep-test.h alone.
 *
 * Each process takes the next text that none has taken, compiles it, and checks all that it serves: no text is compiled twice, and no
 * process waits for another. They are copies of the test's, each with a device of the emulator; a failed check of theirs, or a kernel that
 * kills one, fails the test.
 */
#ifndef KERNELS_CUDA_CUDA_SHARES_TEST_H
#define KERNELS_CUDA_CUDA_SHARES_TEST_H

#include "cuda-sweep-test.h"

#include <signal.h>
#include <sys/prctl.h>

enum { CUDA_SHARES_MOST = 8 };

struct cuda_shares { // in memory of all processes
  int next_text, checked, compiled;
};

static inline int cuda_shares_count(const struct cuda_sweep *sweep) {
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  if (cores > CUDA_SHARES_MOST) cores = CUDA_SHARES_MOST;
  return cores > sweep->text_count ? sweep->text_count : cores < 1 ? 1 : (int)cores;
}

static inline void cuda_share_item(struct cuda_sweep *sweep, const struct cuda_sweep_item *item, struct kernel_case **made) {
  struct cuda_sweep_problem *of = &sweep->problems[item->problem];
  if (item->run && !*made) REQUIRE_OK(kernel_case_make(&of->problem, made));
  if (item->run)
    cuda_sweep_run(sweep, of->text, *made, &item->variant);
  else
    cuda_sweep_compile(sweep, of->text, &of->problem, &item->variant, item->sm);
}

static inline void cuda_share_text(struct cuda_sweep *sweep, int text, struct kernel_case **made) {
  for (int i = sweep->gone; i < sweep->item_count; i++)
    if (sweep->items[i].text == text) cuda_share_item(sweep, &sweep->items[i], &made[sweep->items[i].problem]);
  bytes_writer_free(&sweep->texts[text].cubin);
}

static inline _Noreturn void cuda_share_work(struct cuda_sweep *sweep, struct cuda_shares *shares, pid_t parent) {
  struct kernel_case *made[CUDA_SWEEP_MOST_PROBLEMS] = {0}; // each problem's, when it is first met
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) raise(SIGKILL);
  sweep->checked = sweep->compiled = 0;
  if (sweep->emulated) cuda_sweep_open(sweep);
  for (int text; (text = __atomic_fetch_add(&shares->next_text, 1, __ATOMIC_RELAXED)) < sweep->text_count;)
    cuda_share_text(sweep, text, made);
  __atomic_fetch_add(&shares->checked, sweep->checked, __ATOMIC_RELAXED);
  __atomic_fetch_add(&shares->compiled, sweep->compiled, __ATOMIC_RELAXED);
  for (int i = 0; i < sweep->problem_count; i++) kernel_case_free(&made[i]);
  for (int i = 0; i < sweep->problem_count; i++) arena_free(&sweep->problems[i].arena);
  cuda_device_close(&sweep->device);
  test_stop();
}

/* Checks what was collected since it was last called, and adds to `checked` and `compiled`. */
static inline void cuda_sweep_go(struct cuda_sweep *sweep) {
  pid_t children[CUDA_SHARES_MOST], parent = getpid();
  const int count = cuda_shares_count(sweep);
  struct cuda_shares *shares = mmap(NULL, sizeof *shares, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(shares != MAP_FAILED);
  fflush(NULL);
  for (int i = 0; i < count; i++) {
    children[i] = fork();
    REQUIRE(children[i] >= 0);
    if (children[i] == 0) cuda_share_work(sweep, shares, parent);
  }
  for (int i = 0; i < count; i++) {
    int state = -1;
    while (waitpid(children[i], &state, 0) < 0) REQUIRE(errno == EINTR);
    CHECK_MESSAGE(state == 0, "a process of the sweep ended with status %#x", state);
  }
  CHECK(shares->checked == sweep->item_count - sweep->gone);
  sweep->checked += shares->checked;
  sweep->compiled += shares->compiled;
  sweep->gone = sweep->item_count;
  munmap(shares, sizeof *shares);
}

#endif
