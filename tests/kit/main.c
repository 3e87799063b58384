/* The runner, as test.h says. Each test runs in a forked child under a time limit, so that a crash or a hang costs one test; it ends
 * with the runner. Prints a line per test and closes with `N passed, N failed, N skipped`; exit 1 when any failed. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_SKIPPED = 77, DEFAULT_TIMEOUT_S = 60 };

static struct test *tests;
static int failures;
static char folder[PATH_MAX];
static int skip_pipe = -1;

void test_register(struct test *test) {
  struct test **at = &tests;
  while (*at && (strcmp((*at)->file, test->file) < 0)) at = &(*at)->next;
  while (*at && strcmp((*at)->file, test->file) == 0 && strcmp((*at)->name, test->name) < 0) at = &(*at)->next;
  test->next = *at;
  *at = test;
}

void test_fail(const char *file, int line, const char *format, ...) {
  failures++;
  fprintf(stderr, "%s:%d: ", file, line);
  va_list args;
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *state) {
  (void)info, (void)kind, (void)state;
  return remove(path);
}

static struct kept {
  struct kept *next;
  void *memory;
} *kept;

void *test_keep(void *memory) {
  struct kept *entry = memory ? malloc(sizeof *entry) : NULL;
  if (!entry) return memory;
  *entry = (struct kept){kept, memory};
  kept = entry;
  return memory;
}

static void kept_free(void) {
  while (kept) {
    struct kept *entry = kept;
    kept = entry->next;
    free(entry->memory);
    free(entry);
  }
}

static void leave(int code) {
  kept_free();
  if (folder[0] && !getenv("TUNEFARM_KEEP")) nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
  fflush(NULL);
  exit(code); // runs the leak checker of sanitizer builds
}

_Noreturn void test_stop(void) {
  leave(failures ? EXIT_FAILED : 0);
  abort();
}

_Noreturn void test_skip(const char *format, ...) {
  char why[256];
  va_list args;
  va_start(args, format);
  int length = vsnprintf(why, sizeof why, format, args);
  va_end(args);
  if (length > 0 && write(skip_pipe, why, strlen(why)) < 0) {
  }
  leave(failures ? EXIT_FAILED : EXIT_SKIPPED);
  abort();
}

void test_check_text(const char *file, int line, const char *actual, const char *expected) {
  if (actual && expected && strcmp(actual, expected) == 0) return;
  test_fail(file, line, "texts differ\n--- expected\n%s\n--- actual\n%s\n---", expected ? expected : "(null)",
            actual ? actual : "(null)");
}

const char *test_folder(void) {
  if (folder[0]) return folder;
  snprintf(folder, sizeof folder, "%s/tunefarm-test-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
  if (!mkdtemp(folder)) test_skip("no temporary folder: %s", strerror(errno));
  return folder;
}

const char *test_shared(const char *relative) {
  static char path[PATH_MAX];
  const char *root = getenv("TUNEFARM_SHARED");
  snprintf(path, sizeof path, "%s/%s", root ? root : "../shared", relative);
  if (access(path, R_OK) != 0) test_skip("%s is not there", path);
  return path;
}

const char *test_data(const char *relative) {
  static char path[PATH_MAX];
  snprintf(path, sizeof path, "build/data/%s", relative);
  if (access(path, R_OK) != 0) test_skip("%s is not there (`make test-data` unpacks it from ../shared/data)", path);
  return path;
}

static int tag_number(const char *tags, const char *tag, int otherwise) {
  const char *at = strstr(tags, tag);
  return at ? atoi(at + strlen(tag)) : otherwise;
}

static void child_run(struct test *test, int why_pipe, pid_t runner) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != runner) raise(SIGKILL); // it ended before it could be told
  setpgid(0, 0);
  skip_pipe = why_pipe;
  test->run();
  leave(failures ? EXIT_FAILED : 0);
}

/* Waits for the child at most `seconds`; kills its process group past that. Returns the wait status, -1 when it hung. */
static int wait_within(pid_t child, int seconds) {
  struct timespec pause = {.tv_nsec = 500000};
  int status;
  for (double waited = 0; waited < seconds; waited += (double)pause.tv_nsec * 1e-9) {
    pid_t got = waitpid(child, &status, WNOHANG);
    if (got == child) return status;
    nanosleep(&pause, NULL);
    if (pause.tv_nsec < 20000000) pause.tv_nsec += pause.tv_nsec / 4;
  }
  kill(-child, SIGKILL);
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return -1;
}

static int counts[3]; // passed, failed, skipped

static void run_one(struct test *test) {
  int why[2];
  if (pipe2(why, O_CLOEXEC | O_NONBLOCK) != 0) exit(2);
  fflush(NULL);
  struct timespec begin, end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  pid_t runner = getpid(), child = fork();
  if (child == 0) child_run(test, why[1], runner);
  int timeout = tag_number(test->tags, "timeout:", DEFAULT_TIMEOUT_S) *
                tag_number(getenv("TUNEFARM_TEST_PATIENCE") ? getenv("TUNEFARM_TEST_PATIENCE") : "1", "", 1);
  int status = child < 0 ? -1 : wait_within(child, timeout);
  clock_gettime(CLOCK_MONOTONIC, &end);
  kill(-child, SIGKILL); // what the test left running
  double ms = (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) * 1e-6;
  char reason[256] = "";
  ssize_t got = read(why[0], reason, sizeof reason - 1);
  if (got > 0) reason[got] = 0;
  close(why[0]);
  close(why[1]);
  if (status == -1)
    snprintf(reason, sizeof reason, "no end after %d s", timeout);
  else if (WIFSIGNALED(status))
    snprintf(reason, sizeof reason, "killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
  int verdict = status == 0 ? 0 : status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED ? 2 : 1;
  static const char *const words[] = {"ok  ", "FAIL", "skip"};
  counts[verdict]++;
  printf("%s %s (%.0f ms)%s%s\n", words[verdict], test->name, ms, reason[0] ? ": " : "", reason);
}

static bool tag_has(const char *tags, const char *tag) {
  size_t length = strlen(tag);
  for (const char *at = tags; (at = strstr(at, tag)); at++)
    if ((at == tags || at[-1] == ' ') && (at[length] == 0 || at[length] == ' ')) return true;
  return false;
}

static bool is_whole_name(const char *name) {
  for (const struct test *test = tests; test; test = test->next)
    if (strcmp(test->name, name) == 0) return true;
  return false;
}

static bool named(const struct test *test, char **names) {
  for (; *names; names++)
    if (is_whole_name(*names) ? strcmp(test->name, *names) == 0 : strstr(test->name, *names) != NULL) return true;
  return false;
}

static bool wanted(const struct test *test, bool slow, const char *tag, char **names) {
  if (tag && !tag_has(test->tags, tag)) return false;
  if (*names) return named(test, names);
  return tag || slow == (strstr(test->tags, "slow") != NULL);
}

int main(int argc, char **argv) {
  (void)argc;
  bool slow = false, list = false;
  const char *tag = NULL;
  char **names = argv + 1;
  for (; *names && (*names)[0] == '-'; names++) {
    if (strcmp(*names, "--slow") == 0)
      slow = true;
    else if (strcmp(*names, "--list") == 0)
      list = true;
    else if (strcmp(*names, "--tagged") == 0 && names[1])
      tag = *++names;
  }
  for (struct test *test = tests; test; test = test->next) {
    if (!wanted(test, slow, tag, names)) continue;
    if (list)
      printf("%s [%s] %s\n", test->name, test->tags, test->file);
    else
      run_one(test);
  }
  if (!list) printf("%d passed, %d failed, %d skipped\n", counts[0], counts[1], counts[2]);
  return counts[1] ? 1 : 0;
}
