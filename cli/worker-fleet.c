/* See worker-fleet.h. */
#include "worker-fleet.h"

#include "../base/clock.h"
#include "../base/log.h"
#include "../base/thread-pool.h"
#include "../device/nvrtc.h"
#include "../worker/gpus.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS = 8, COMPILERS_MOST = 8, CORES_PER_COMPILER = 4, LOOK_MS = 100, END_MS = 12000 };
#define BACKOFF_LEAST_NS 200000000u
#define BACKOFF_MOST_NS 10000000000u

/* ---- what there is ---- */

static const char *const *arguments_make(struct arena *arena, const char *program, const char *what, const char *which) {
  const char **argv = arena_alloc_array(arena, ARGUMENTS, sizeof *argv);
  const char *name = which ? arena_string(arena, which, strlen(which)) : NULL;
  if (!argv || (which && !name)) return NULL;
  const char *const all[ARGUMENTS] = {program, "worker", "--connect", "{endpoint}", what, name, NULL};
  memcpy(argv, all, sizeof all);
  return argv;
}

static int compilers_wanted(int gpus) {
  char version[64];
  if (gpus == 0) return 0;
  if (nvrtc_version(version, sizeof version) != FARM_OK) {
    log_warning("no compiler for this machine's GPUs: %s", status_message());
    return 0;
  }
  int count = thread_pool_default_threads() / CORES_PER_COMPILER;
  return count < 1 ? 1 : count > COMPILERS_MOST ? COMPILERS_MOST : count;
}

enum farm_status worker_fleet_find(const char *program, struct arena *arena, struct worker_fleet *out) {
  struct cuda_properties *gpus = arena_alloc_array(arena, GPUS_MOST, sizeof *gpus);
  FAIL_IF(!gpus, FARM_NO_MEMORY, "out of memory for GPUs");
  *out = (struct worker_fleet){0};
  if (gpus_list(gpus, &out->gpu_count, NULL) != FARM_OK) { // said, and nothing else is lost by it
    log_warning("this machine's GPUs are left out: %s", status_message());
    out->gpu_count = 0;
  }
  out->compiler_count = compilers_wanted(out->gpu_count);
  int count = out->gpu_count + out->compiler_count;
  out->argv = arena_alloc_array(arena, (size_t)count + 1, sizeof *out->argv);
  FAIL_IF(!out->argv, FARM_NO_MEMORY, "out of memory for workers");
  for (int i = 0; i < count; i++) {
    bool is_gpu = i < out->gpu_count;
    out->argv[i] = arguments_make(arena, program, is_gpu ? "--gpu" : "--compiler", is_gpu ? gpus[i].uuid : NULL);
    FAIL_IF(!out->argv[i], FARM_NO_MEMORY, "out of memory for workers");
  }
  return FARM_OK;
}

/* ---- running them ---- */

struct member {
  pid_t pid; // 0: none
  bool left; // by itself, in order
  uint64_t began_ns, again_ns, backoff_ns;
};

static volatile sig_atomic_t told_to_end;
static void end_note(int signal_number) {
  (void)signal_number;
  told_to_end = 1;
}

static void member_start(struct member *member, const char *const *pattern, const char *endpoint) {
  const char *argv[ARGUMENTS] = {0};
  for (int i = 0; pattern[i]; i++) argv[i] = strcmp(pattern[i], "{endpoint}") == 0 ? endpoint : pattern[i];
  pid_t parent = getpid(), pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(0);
    signal(SIGTERM, SIG_DFL), signal(SIGINT, SIG_DFL);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
  }
  if (pid < 0) log_warning("cannot start a worker: %s", strerror(errno));
  member->pid = pid < 0 ? 0 : pid;
  member->began_ns = clock_now_ns();
}

static void member_bury(struct member *member, int status) {
  uint64_t now = clock_now_ns();
  bool young = now - member->began_ns < 5 * BACKOFF_LEAST_NS * 5;
  member->pid = 0;
  member->left = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  member->backoff_ns = young && member->backoff_ns ? 2 * member->backoff_ns : BACKOFF_LEAST_NS;
  if (member->backoff_ns > BACKOFF_MOST_NS) member->backoff_ns = BACKOFF_MOST_NS;
  member->again_ns = now + member->backoff_ns;
}

static int members_look(struct member *members, int count) { // how many have not left
  int here = 0, status;
  for (int i = 0; i < count; i++) {
    if (members[i].pid && waitpid(members[i].pid, &status, WNOHANG) == members[i].pid) member_bury(&members[i], status);
    here += !members[i].left;
  }
  return here;
}

static void members_end(struct member *members, int count) {
  for (int i = 0; i < count; i++)
    if (members[i].pid) kill(members[i].pid, SIGTERM);
  for (int waited = 0, alive = 1; alive && waited < END_MS; waited += 20) {
    members_look(members, count);
    alive = 0;
    for (int i = 0; i < count; i++) alive += members[i].pid != 0;
    if (alive) clock_sleep_ns(20000000);
  }
  for (int i = 0; i < count; i++)
    if (members[i].pid) kill(members[i].pid, SIGKILL), waitpid(members[i].pid, NULL, 0);
}

enum farm_status worker_fleet_run(const struct worker_fleet *fleet, const char *endpoint) {
  int count = fleet->gpu_count + fleet->compiler_count;
  struct member *members = calloc((size_t)count + 1, sizeof *members);
  FAIL_IF(!members, FARM_NO_MEMORY, "out of memory for workers");
  sigaction(SIGTERM, &(struct sigaction){.sa_handler = end_note}, NULL);
  sigaction(SIGINT, &(struct sigaction){.sa_handler = end_note}, NULL);
  while (!told_to_end && members_look(members, count) > 0) {
    for (int i = 0; i < count; i++)
      if (!members[i].pid && !members[i].left && clock_now_ns() >= members[i].again_ns)
        member_start(&members[i], fleet->argv[i], endpoint);
    clock_sleep_ns(LOOK_MS * 1000000ull);
  }
  members_end(members, count);
  free(members);
  return FARM_OK;
}
