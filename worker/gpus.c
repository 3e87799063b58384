/* See gpus.h. The child writes one struct after the other into a pipe, or why there is none, and ends. */
#include "gpus.h"

#include "../base/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WHY_BYTES = 300, LOOK_MS = 60000 };

struct sight { // one message in the pipe
  bool is_device;
  union {
    struct cuda_properties properties;
    char why[WHY_BYTES];
  };
};

static void sight_write(int fd, const struct sight *sight) {
  for (size_t at = 0; at < sizeof *sight;) {
    ssize_t wrote = write(fd, (const char *)sight + at, sizeof *sight - at);
    if (wrote <= 0) _exit(1);
    at += (size_t)wrote;
  }
}

static _Noreturn void look(int fd) {
  int count = 0;
  struct sight sight = {0};
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  enum farm_status status = cuda_device_count(&count);
  for (int i = 0; i < count && i < GPUS_MOST && status == FARM_OK; i++) {
    struct sight device = {.is_device = true};
    status = cuda_device_properties(i, &device.properties);
    if (status == FARM_OK) sight_write(fd, &device);
  }
  if (status != FARM_OK) {
    snprintf(sight.why, sizeof sight.why, "%s", status_message());
    sight_write(fd, &sight);
  }
  _exit(0);
}

/* One sight; false: the child has ended, or takes too long. */
static bool sight_read(int fd, uint64_t end_ns, struct sight *out) {
  for (size_t at = 0; at < sizeof *out;) {
    uint64_t now = clock_now_ns();
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    if (now >= end_ns || poll(&ready, 1, (int)((end_ns - now) / 1000000) + 1) <= 0) return false;
    ssize_t got = read(fd, (char *)out + at, sizeof *out - at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += (size_t)got;
  }
  return true;
}

enum farm_status gpus_list(struct cuda_properties out[GPUS_MOST], int *out_count, char *out_why) {
  int ends[2], status = 0;
  struct sight sight;
  *out_count = 0;
  if (out_why) out_why[0] = 0;
  FAIL_IF(pipe(ends) != 0, FARM_FAILURE, "no pipe: %s", strerror(errno));
  pid_t pid = fork();
  if (pid == 0) look(ends[1]);
  close(ends[1]);
  uint64_t end = clock_now_ns() + LOOK_MS * 1000000ull;
  while (pid > 0 && *out_count < GPUS_MOST && sight_read(ends[0], end, &sight)) {
    if (sight.is_device)
      out[(*out_count)++] = sight.properties;
    else if (out_why)
      snprintf(out_why, WHY_BYTES, "%.299s", sight.why);
  }
  close(ends[0]);
  FAIL_IF(pid < 0, FARM_FAILURE, "cannot look for GPUs: %s", strerror(errno));
  if (clock_now_ns() >= end) kill(pid, SIGKILL);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  FAIL_IF(!WIFEXITED(status) || WEXITSTATUS(status) != 0, FARM_FAILURE, "the driver of the GPUs does not answer");
  return FARM_OK;
}

enum farm_status gpus_find(const char *which, struct cuda_properties *out) {
  struct cuda_properties *all = calloc(GPUS_MOST, sizeof *all);
  FAIL_IF(!all, FARM_NO_MEMORY, "out of memory for GPUs");
  int count = 0, found = -1;
  char why[WHY_BYTES], *end;
  enum farm_status status = gpus_list(all, &count, why);
  long ordinal = strtol(which, &end, 10);
  bool by_number = *which && !*end;
  for (int i = 0; i < count && found < 0; i++)
    if (by_number ? all[i].ordinal == ordinal : strcmp(all[i].uuid, which) == 0) found = i;
  if (found >= 0) *out = all[found];
  free(all);
  TRY(status);
  FAIL_IF(found < 0 && count == 0, FARM_NOT_FOUND, "GPU %.60s: there is none on this machine%s%s", which, *why ? ": " : "", why);
  FAIL_IF(found < 0, FARM_NOT_FOUND, "GPU %.60s: this machine has %d others", which, count);
  return FARM_OK;
}
