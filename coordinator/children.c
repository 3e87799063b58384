/* See children.h. */
#include "children.h"

#include "../base/clock.h"
#include "../base/log.h"
#include "../base/strbuf.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MOST = 64 };
static const uint64_t second_ns = 1000000000;

static int count_of(const struct coordinator_options *options) {
  return options->worker_count + options->gpu_count + options->compiler_count;
}

enum farm_status children_open(const struct coordinator_options *options, const char *endpoint, struct children *out) {
  struct child *list = calloc((size_t)count_of(options) + 1, sizeof *list);
  FAIL_IF(!list, FARM_NO_MEMORY, "out of memory for %d workers", count_of(options));
  *out = (struct children){options, endpoint, list};
  return FARM_OK;
}

static char *filled_in(const char *text, const char *endpoint, const char *cores) {
  struct strbuf out = {0};
  while (*text) {
    if (strncmp(text, "{endpoint}", 10) == 0)
      strbuf_add(&out, endpoint), text += 10;
    else if (strncmp(text, "{cores}", 7) == 0)
      strbuf_add(&out, cores), text += 7;
    else
      strbuf_add_bytes(&out, text++, 1);
  }
  strbuf_add(&out, "");
  if (!out.failed) return out.data;
  strbuf_free(&out);
  return NULL;
}

/* Between fork and exec only what is allowed with other threads around. */
static void become_worker(char *const *argv, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGTERM, SIG_DFL), signal(SIGINT, SIG_DFL), signal(SIGPIPE, SIG_DFL);
  execv(argv[0], argv);
  _exit(127);
}

static void start(struct children *children, int index, uint64_t now) {
  const struct coordinator_options *options = children->options;
  struct child *child = &children->list[index];
  bool further = index >= options->worker_count;
  const char *const *pattern = further ? options->further_argv[index - options->worker_count] : options->worker_argv;
  char *argv[ARGUMENTS_MOST + 1] = {0};
  int count = 0;
  bool failed = false;
  for (; pattern[count] && count < ARGUMENTS_MOST; count++)
    failed |= !(argv[count] = filled_in(pattern[count], children->endpoint, further ? "" : options->worker_cores[index]));
  pid_t parent = getpid();
  child->pid = failed ? -1 : fork();
  if (child->pid == 0) become_worker(argv, parent);
  if (child->pid < 0) {
    log_warning("cannot start a local worker: %s", strerror(errno));
    child->pid = 0;
  }
  child->began_ns = now;
  for (int i = 0; i < count; i++) free(argv[i]);
}

static void bury(struct child *child, int status, uint64_t now) {
  bool young = now - child->began_ns < 5 * second_ns;
  child->backoff_ns = young && child->backoff_ns ? child->backoff_ns * 2 : second_ns / 5;
  if (child->backoff_ns > 10 * second_ns) child->backoff_ns = 10 * second_ns;
  child->again_ns = now + child->backoff_ns;
  child->pid = 0;
  if (WIFSIGNALED(status))
    log_info("a local worker was killed by signal %d, starting it again", WTERMSIG(status));
  else
    log_info("a local worker left with code %d, starting it again", WEXITSTATUS(status));
}

void children_tick(struct children *children, uint64_t now_ns) {
  for (int i = 0; i < count_of(children->options); i++) {
    struct child *child = &children->list[i];
    int status;
    if (child->pid && waitpid(child->pid, &status, WNOHANG) == child->pid) bury(child, status, now_ns);
    if (!child->pid && now_ns >= child->again_ns) start(children, i, now_ns);
  }
}

int children_alive(const struct children *children, int first, int count) {
  int alive = 0;
  for (int i = first; children->list && i < first + count; i++) alive += children->list[i].pid > 0;
  return alive;
}

void children_close(struct children *children) {
  int left = 0;
  for (int i = 0; i < count_of(children->options); i++)
    if (children->list[i].pid) kill(children->list[i].pid, SIGTERM), left++;
  for (int tries = 0; left && tries < 200; tries++) {
    for (int i = 0; i < count_of(children->options); i++) {
      struct child *child = &children->list[i];
      if (child->pid && waitpid(child->pid, NULL, WNOHANG) == child->pid) child->pid = 0, left--;
    }
    if (left) clock_sleep_ns(10000000);
  }
  for (int i = 0; i < count_of(children->options); i++)
    if (children->list[i].pid) kill(children->list[i].pid, SIGKILL), waitpid(children->list[i].pid, NULL, 0);
  free(children->list);
}
