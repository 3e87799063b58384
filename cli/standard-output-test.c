/* A command whose reader has gone dies of SIGPIPE without a word; whatever else is wrong with stdout is an error; and SIGPIPE is
 * ignored as long as the command works. */
#include "command-test.h"

/* With stdout a pipe that nobody reads any more. */
static struct said unread(const char *const *arguments) {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  close(ends[0]);
  pid_t pid = command_start_to(ends[1], arguments);
  close(ends[1]);
  return command_wait(pid);
}
#define say_unread(...) unread((const char *const[]){__VA_ARGS__, NULL})

static void dies_quietly(const char *what, struct said said) {
  CHECK_MESSAGE(said.code == -SIGPIPE && said.error[0] == 0, "%s: code %d: %s", what, said.code, said.error);
  said_free(&said);
}

static void fails_loudly(const char *what, struct said said) {
  CHECK_MESSAGE(said.code == 1 && strstr(said.error, "cannot write to stdout"), "%s: code %d: %s", what, said.code, said.error);
  said_free(&said);
}

TEST(commands_die_quietly_when_nobody_reads, "") {
  const char *model = small_model("small.onnx", "4"), *file = in_folder("report.json");
  signal(SIGPIPE, SIG_DFL);
  dies_quietly("--help", say_unread("--help"));
  dies_quietly("--version", say_unread("--version"));
  dies_quietly("inspect --help", say_unread("inspect", "--help"));
  dies_quietly("inspect", say_unread("inspect", model));
  dies_quietly("inspect --json", say_unread("inspect", model, "--json"));
  dies_quietly("inspect --ir", say_unread("inspect", model, "--ir"));
  char *option = NULL;
  REQUIRE(asprintf(&option, "--json=%s", file) > 0);
  dies_quietly("inspect --json=FILE", say_unread("inspect", model, option));
  free(option);
  CHECK(access(file, R_OK) == 0); // what was asked for beside stdout is there
  dies_quietly("top", say_unread("top", "--interval", "0.1"));
}

TEST(commands_that_fail_say_why_though_nobody_reads, "") {
  signal(SIGPIPE, SIG_DFL);
  struct said said = say_unread("inspect", in_folder("no-such-file"));
  CHECK_MESSAGE(said.code > 0 && strstr(said.error, "no-such-file"), "code %d: %s", said.code, said.error);
  said_free(&said);
}

TEST(stdout_that_cannot_be_written_is_an_error, "") {
  const char *model = small_model("small.onnx", "4");
  int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  REQUIRE(full >= 0);
  signal(SIGPIPE, SIG_DFL);
  fails_loudly("--version", command_wait(command_start_to(full, (const char *const[]){"--version", NULL})));
  fails_loudly("inspect", command_wait(command_start_to(full, (const char *const[]){"inspect", model, NULL})));
  close(full);
  signal(SIGPIPE, SIG_IGN); // as nohup and some parents leave it: then nobody may be killed by it
  fails_loudly("inspect", say_unread("inspect", model));
  fails_loudly("--help", say_unread("--help"));
  signal(SIGPIPE, SIG_DFL);
}

/* A closed descriptor's number must not go to a file that is opened later: the engine would get what is meant for stdout. */
TEST(stdout_that_is_closed_is_an_error, "") {
  char *command;
  REQUIRE(asprintf(&command, "'%s' inspect '%s' >&- 2> '%s'", program(), small_model("small.onnx", "4"), in_folder("said")) > 0);
  int code = system(command);
  free(command);
  char *text;
  size_t length;
  REQUIRE_OK(file_read_all(in_folder("said"), 1 << 16, &text, &length));
  CHECK_MESSAGE(WIFEXITED(code) && WEXITSTATUS(code) == 1 && strstr(text, "cannot write to stdout"), "status %d: %s", code, text);
  free(text);
}

static bool ignores_sigpipe(pid_t pid) {
  char path[64], line[256];
  unsigned long long ignored = 0;
  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  FILE *status = fopen(path, "re");
  while (status && fgets(line, sizeof line, status))
    if (sscanf(line, "SigIgn: %llx", &ignored) == 1) break;
  if (status) fclose(status);
  return ignored >> (SIGPIPE - 1) & 1;
}

/* Sockets and pipes of a process at work give EPIPE, also when its stdout leads nowhere. */
TEST(processes_at_work_ignore_sigpipe, "") {
  static const char *const works[] = {"coordinator", "worker"};
  signal(SIGPIPE, SIG_DFL);
  for (size_t i = 0; i < sizeof works / sizeof *works; i++) {
    int ends[2], waited = 0;
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    close(ends[0]);
    pid_t pid = command_start_to(ends[1], (const char *const[]){works[i], NULL});
    close(ends[1]);
    while (!ignores_sigpipe(pid) && waited++ < 500) nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    CHECK_MESSAGE(ignores_sigpipe(pid), "%s does not", works[i]);
    kill(pid, SIGTERM);
    struct said said = command_wait(pid);
    CHECK_MESSAGE(said.code != -SIGPIPE, "%s: code %d: %s", works[i], said.code, said.error);
    said_free(&said);
  }
}
