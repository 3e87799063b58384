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

static int counts[3]; // passed, failed, skipped

/* A test that runs: its child, where the child says why it skips, and until when it may go on. No child: the place is free. */
struct running {
  struct test *test;
  pid_t child;
  int why;
  int timeout_s;
  struct timespec begin;
};

static double seconds_since(const struct timespec *begin) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)(now.tv_sec - begin->tv_sec) + (double)(now.tv_nsec - begin->tv_nsec) * 1e-9;
}

static void test_start(struct running *running, struct test *test) {
  const char *patience = getenv("TUNEFARM_TEST_PATIENCE");
  int why[2];
  if (pipe2(why, O_CLOEXEC | O_NONBLOCK) != 0) exit(2);
  fflush(NULL);
  *running = (struct running){.test = test, .why = why[0]};
  running->timeout_s = tag_number(test->tags, "timeout:", DEFAULT_TIMEOUT_S) * (patience ? tag_number(patience, "", 1) : 1);
  clock_gettime(CLOCK_MONOTONIC, &running->begin);
  pid_t runner = getpid();
  running->child = fork();
  if (running->child < 0) exit(2);
  if (running->child == 0) child_run(test, why[1], runner);
  close(why[1]);
}

/* Reports a test that ended with the wait status `status`, -1 when it hung, and frees its place. */
static void test_report(struct running *running, int status) {
  double seconds = seconds_since(&running->begin);
  kill(-running->child, SIGKILL); // what the test left running
  char reason[256] = "";
  ssize_t got = read(running->why, reason, sizeof reason - 1);
  if (got > 0) reason[got] = 0;
  close(running->why);
  if (status == -1)
    snprintf(reason, sizeof reason, "no end after %d s", running->timeout_s);
  else if (WIFSIGNALED(status))
    snprintf(reason, sizeof reason, "killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
  int verdict = status == 0 ? 0 : status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED ? 2 : 1;
  static const char *const words[] = {"ok  ", "FAIL", "skip"};
  counts[verdict]++;
  printf("%s %s (%.0f ms)%s%s\n", words[verdict], running->test->name, seconds * 1e3, reason[0] ? ": " : "", reason);
  running->child = 0;
}

/* Whether the test has ended, which is then reported; its process group is killed past its time. */
static bool test_ended(struct running *running) {
  int status;
  if (waitpid(running->child, &status, WNOHANG) != running->child) {
    if (seconds_since(&running->begin) < running->timeout_s) return false;
    kill(-running->child, SIGKILL);
    kill(running->child, SIGKILL);
    waitpid(running->child, &status, 0);
    status = -1;
  }
  test_report(running, status);
  return true;
}

enum { MOST_AT_ONCE = 64, SHORTEST_PAUSE_NS = 500000, LONGEST_PAUSE_NS = 20000000 };

/* A place among the first `width`, waited for until one is free; with `all`, until every one is. */
static struct running *place_wait(struct running *places, int width, bool all) {
  struct timespec pause = {.tv_nsec = SHORTEST_PAUSE_NS};
  for (;;) {
    struct running *unused = NULL;
    int busy = 0;
    for (int i = 0; i < width; i++) {
      if (places[i].child && !test_ended(&places[i]))
        busy++;
      else
        unused = &places[i];
    }
    if (unused && (!all || !busy)) return unused;
    nanosleep(&pause, NULL);
    if (pause.tv_nsec < LONGEST_PAUSE_NS) pause.tv_nsec += pause.tv_nsec / 4;
  }
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

/* One test after another, but those tagged "parallel" side by side, as many as there are processors. */
static void run_wanted(bool slow, const char *tag, char **names) {
  static struct running places[MOST_AT_ONCE];
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  int most = processors < 1 ? 1 : processors > MOST_AT_ONCE ? MOST_AT_ONCE : (int)processors;
  for (struct test *test = tests; test; test = test->next)
    if (tag_has(test->tags, "parallel") && wanted(test, slow, tag, names)) test_start(place_wait(places, most, false), test);
  for (struct test *test = tests; test; test = test->next)
    if (!tag_has(test->tags, "parallel") && wanted(test, slow, tag, names)) test_start(place_wait(places, most, true), test);
  place_wait(places, most, true);
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
  if (!list) run_wanted(slow, tag, names);
  for (struct test *test = tests; list && test; test = test->next)
    if (wanted(test, slow, tag, names)) printf("%s [%s] %s\n", test->name, test->tags, test->file);
  if (!list) printf("%d passed, %d failed, %d skipped\n", counts[0], counts[1], counts[2]);
  return counts[1] ? 1 : 0;
}
