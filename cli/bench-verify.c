/* `bench --verify`: expected results are computed once; then each variant is checked in a forked child, so that one that crashes
 * or hangs costs itself only. */
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_SECONDS = 300 };

struct answer {
  enum farm_status status;
  struct kernel_verdict verdict;
  char message[512];
};

static enum farm_status check(const struct bench *bench, struct kernel_case *kernel_case, const struct variant *variant,
                              struct kernel_verdict *out) {
  struct kernel_trial *trial = NULL;
  struct thread_pool *pool = NULL;
  enum farm_status status;
  TRY(thread_pool_create(bench->threads, &pool));
  TRY_OR(kernel_trial_make(kernel_case, variant, bench->threads, 1, &trial), free_pool);
  status = kernel_trial_check(trial, pool, out);
  kernel_trial_free(&trial);
free_pool:
  thread_pool_destroy(&pool);
  return status;
}

static _Noreturn void child_run(const struct bench *bench, struct kernel_case *kernel_case, const struct variant *variant,
                                int fd) {
  struct answer answer = {0};
  alarm(MOST_SECONDS);
  answer.status = check(bench, kernel_case, variant, &answer.verdict);
  snprintf(answer.message, sizeof answer.message, "%s", answer.status == FARM_OK ? "" : status_message());
  _exit(write(fd, &answer, sizeof answer) == (ssize_t)sizeof answer ? 0 : 1);
}

static struct answer answer_of_death(int wait_status) {
  struct answer answer = {.status = FARM_TACTIC_CRASHED};
  int number = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
  if (number == SIGALRM) answer.status = FARM_TACTIC_HUNG;
  if (number)
    snprintf(answer.message, sizeof answer.message, number == SIGALRM ? "not done in %d s" : "killed by signal %d",
             number == SIGALRM ? MOST_SECONDS : number);
  else
    snprintf(answer.message, sizeof answer.message, "ended without an answer");
  return answer;
}

static enum farm_status check_apart(const struct bench *bench, struct kernel_case *kernel_case, const struct variant *variant,
                                    struct answer *out) {
  int ends[2], wait_status = 0;
  FAIL_IF(pipe(ends) != 0, FARM_FAILURE, "no pipe for a check: %s", strerror(errno));
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) child_run(bench, kernel_case, variant, ends[1]);
  close(ends[1]);
  ssize_t got = pid > 0 ? read(ends[0], out, sizeof *out) : -1;
  close(ends[0]);
  FAIL_IF(pid < 0, FARM_FAILURE, "cannot start a check: %s", strerror(errno));
  while (waitpid(pid, &wait_status, 0) < 0 && errno == EINTR) {
  }
  if (got != (ssize_t)sizeof *out) *out = answer_of_death(wait_status);
  return FARM_OK;
}

static enum farm_status row_check(struct bench *bench, struct kernel_case *kernel_case, struct bench_row *row) {
  struct answer answer;
  TRY(check_apart(bench, kernel_case, &row->variant, &answer));
  row->entry = (struct record_entry){.variant = row->text,
                                     .status = answer.status,
                                     .message = arena_string(&bench->arena, answer.message, strlen(answer.message)),
                                     .error = answer.verdict.worst_share,
                                     .rank = RECORD_RANK_NONE};
  FAIL_IF(!row->entry.message, FARM_NO_MEMORY, "out of memory for a message");
  row->verdict = answer.verdict;
  row->known = true;
  return FARM_OK;
}

enum farm_status bench_verify(struct bench *bench) {
  struct kernel_case *kernel_case = NULL;
  enum farm_status status = kernel_case_make(&bench->problem, &kernel_case);
  if (status == FARM_OK) status = kernel_case_expect(kernel_case);
  for (int i = 0; status == FARM_OK && i < bench->row_count; i++) status = row_check(bench, kernel_case, &bench->rows[i]);
  kernel_case_free(&kernel_case);
  bench->verified = status == FARM_OK;
  return status;
}
