/* See cores.h. Lock files are $TUNEFARM_LOCKS/core-N and gpu-UUID, by default below /tmp/tunefarm-cores: machine-wide, not per user. */
#include "cores.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum farm_status cores_parse(const char *text, cpu_set_t *out_cores) {
  cpu_set_t allowed, cores;
  CPU_ZERO(&cores);
  FAIL_IF(sched_getaffinity(0, sizeof allowed, &allowed) != 0, FARM_FAILURE, "no affinity mask: %s", strerror(errno));
  for (const char *at = text ? text : ""; *at;) {
    char *end;
    FAIL_IF(!isdigit((unsigned char)*at), FARM_USAGE, "cores `%s`: not a list like 0-3,6", text);
    unsigned long first = strtoul(at, &end, 10), last = first;
    if (*end == '-') {
      FAIL_IF(!isdigit((unsigned char)end[1]), FARM_USAGE, "cores `%s`: not a list like 0-3,6", text);
      last = strtoul(end + 1, &end, 10);
    }
    FAIL_IF(last >= CPU_SETSIZE || first > last || (*end && *end != ',') || (*end == ',' && !end[1]), FARM_USAGE,
            "cores `%s`: not a list like 0-3,6", text);
    for (unsigned long core = first; core <= last; core++) {
      FAIL_IF(!CPU_ISSET(core, &allowed), FARM_USAGE, "cores `%s`: this process may not use core %lu", text, core);
      CPU_SET(core, &cores);
    }
    at = *end ? end + 1 : end;
  }
  *out_cores = CPU_COUNT(&cores) ? cores : allowed;
  return FARM_OK;
}

void cores_print(const cpu_set_t *cores, char *out, size_t out_bytes) {
  size_t at = 0;
  if (out_bytes) *out = 0;
  for (int core = 0; core < CPU_SETSIZE && at < out_bytes; core++) {
    if (!CPU_ISSET(core, cores)) continue;
    int last = core;
    while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, cores)) last++;
    int wrote = snprintf(out + at, out_bytes - at, last > core ? "%s%d-%d" : "%s%d", at ? "," : "", core, last);
    at += wrote < 0 ? 0 : (size_t)wrote;
    core = last;
  }
}

enum farm_status cores_bind(const cpu_set_t *cores) {
  FAIL_IF(sched_setaffinity(0, sizeof *cores, cores) != 0, FARM_FAILURE, "cannot bind to the cores: %s", strerror(errno));
  return FARM_OK;
}

static const char *locks_folder(void) {
  const char *named = getenv("TUNEFARM_LOCKS");
  return named && *named ? named : "/tmp/tunefarm-cores";
}

/* Another user's file in a folder like /tmp must be opened without O_CREAT (fs.protected_regular), so that is tried first. */
static int lock_open(const char *name) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", locks_folder(), name);
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd >= 0 || errno != ENOENT) return fd;
  mode_t mask = umask(0); // other users must be able to take the same locks
  if (mkdir(locks_folder(), 01777) == 0 || errno == EEXIST) fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  umask(mask);
  return fd;
}

/* Polls: a blocked flock could not tell anybody that this process is alive. */
static enum farm_status lock_wait(int fd, void (*waiting)(void *context), void *context) {
  const struct timespec pause = {.tv_nsec = 2000000};
  for (int i = 1; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
    FAIL_IF(errno != EWOULDBLOCK && errno != EINTR, FARM_IO, "%s: cannot lock a device: %s", locks_folder(), strerror(errno));
    nanosleep(&pause, NULL);
    if (waiting && i % 100 == 0) waiting(context);
  }
  return FARM_OK;
}

static enum farm_status lock_add(const char *name, void (*waiting)(void *context), void *context, struct device_locks *locks) {
  int fd = lock_open(name);
  FAIL_IF(fd < 0, FARM_IO, "%s/%s: no lock file: %s", locks_folder(), name, strerror(errno));
  locks->fds[locks->count++] = fd;
  return lock_wait(fd, waiting, context);
}

enum farm_status cores_lock(const cpu_set_t *cores, void (*waiting)(void *context), void *context,
                            struct device_locks *out_locks) {
  enum farm_status status = FARM_OK;
  char name[32];
  out_locks->count = 0;
  for (int core = 0; core < CPU_SETSIZE && status == FARM_OK; core++) {
    if (!CPU_ISSET(core, cores)) continue;
    snprintf(name, sizeof name, "core-%d", core);
    status = lock_add(name, waiting, context, out_locks);
  }
  if (status != FARM_OK) device_unlock(out_locks);
  return status;
}

enum farm_status gpu_hold(const char *uuid, void (*waiting)(void *context), void *context, struct device_locks *out_locks) {
  char name[80];
  out_locks->count = 0;
  FAIL_IF(!*uuid || strchr(uuid, '/') || strlen(uuid) > 64, FARM_USAGE, "`%.64s` is no UUID of a GPU", uuid);
  snprintf(name, sizeof name, "gpu-%s", uuid);
  enum farm_status status = lock_add(name, waiting, context, out_locks);
  if (status != FARM_OK) device_unlock(out_locks);
  return status;
}

void device_unlock(struct device_locks *locks) {
  for (int i = locks->count - 1; i >= 0; i--) close(locks->fds[i]);
  locks->count = 0;
}
