/* See cpu-affinity.h. A container without a cgroup namespace sees the host's path in /proc/self/cgroup but only its own folder below
 * the mount, so every prefix of the path is tried, down to the mount itself; files that are not there set no limit. */
#include "cpu-affinity.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

int cpu_affinity_cores(int *out_cores, int most) {
  cpu_set_t *mask = CPU_ALLOC(CPU_MOST_CORES);
  size_t bytes = CPU_ALLOC_SIZE(CPU_MOST_CORES);
  int count = 0;
  if (mask && sched_getaffinity(0, bytes, mask) == 0) {
    for (int core = 0; core < CPU_MOST_CORES; core++) {
      if (!CPU_ISSET_S((size_t)core, bytes, mask)) continue;
      if (count < most) out_cores[count] = core;
      count++;
    }
  }
  if (mask) CPU_FREE(mask);
  if (count > 0) return count;
  if (most > 0) out_cores[0] = 0;
  return 1;
}

bool cpu_affinity_pin(int core) {
  cpu_set_t *mask = CPU_ALLOC(CPU_MOST_CORES);
  size_t bytes = CPU_ALLOC_SIZE(CPU_MOST_CORES);
  if (!mask) return false;
  CPU_ZERO_S(bytes, mask);
  CPU_SET_S((size_t)core, bytes, mask);
  bool pinned = pthread_setaffinity_np(pthread_self(), bytes, mask) == 0;
  CPU_FREE(mask);
  return pinned;
}

static bool read_line(const char *path, char *line, int bytes) {
  FILE *file = fopen(path, "re");
  if (!file) return false;
  bool got = fgets(line, bytes, file) != NULL;
  fclose(file);
  return got;
}

/* The lesser of two limits, where 0 is none. */
static int lesser(int a, int b) { return !a || (b && b < a) ? b : a; }

static int whole_cores(long long quota, long long period) {
  if (quota <= 0 || period <= 0) return 0;
  long long cores = quota / period;
  if (cores > CPU_MOST_CORES) return 0;
  return cores < 1 ? 1 : (int)cores;
}

/* v2: "MAX PERIOD" or "max PERIOD". */
static int quota_v2(const char *folder) {
  char path[PATH_MAX + 64], line[128];
  long long quota, period;
  snprintf(path, sizeof path, "%s/cpu.max", folder);
  if (!read_line(path, line, sizeof line) || sscanf(line, "%lld %lld", &quota, &period) != 2) return 0;
  return whole_cores(quota, period);
}

static int quota_v1(const char *folder) {
  char path[PATH_MAX + 64], line[128];
  long long quota, period;
  snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
  if (!read_line(path, line, sizeof line) || sscanf(line, "%lld", &quota) != 1) return 0;
  snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
  if (!read_line(path, line, sizeof line) || sscanf(line, "%lld", &period) != 1) return 0;
  return whole_cores(quota, period);
}

/* The least limit of `mount/path` and of all folders above it up to `mount`. */
static int quota_along(const char *mount, const char *path, int (*quota)(const char *folder)) {
  char folder[PATH_MAX];
  int length = snprintf(folder, sizeof folder, "%s%s", mount, path);
  size_t root = strlen(mount);
  if (length < 0 || (size_t)length >= sizeof folder) return quota(mount);
  int least = quota(folder);
  while (strlen(folder) > root) {
    *strrchr(folder, '/') = 0;
    if (strlen(folder) < root) break;
    least = lesser(least, quota(folder));
  }
  return least;
}

/* Is "cpu" one of the comma-separated controllers? */
static bool names_cpu(const char *controllers) {
  for (const char *at = controllers; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
    if (strncmp(at, "cpu", 3) == 0 && (at[3] == ',' || at[3] == 0)) return true;
  return false;
}

/* One line of /proc/self/cgroup: "0::/path" (v2) or "4:cpu,cpuacct:/path" (v1). */
static int quota_of_line(char *line, const char *mount) {
  line[strcspn(line, "\n")] = 0;
  char *controllers = strchr(line, ':');
  char *path = controllers ? strchr(controllers + 1, ':') : NULL;
  if (!path) return 0;
  *path++ = 0;
  controllers++;
  if (*path != '/' || strstr(path, "..")) path = "";
  if (*controllers == 0) return quota_along(mount, path, quota_v2);
  if (!names_cpu(controllers)) return 0;
  int least = 0;
  static const char *const folders[] = {"cpu", "cpu,cpuacct", "cpuacct,cpu"};
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    char below[PATH_MAX];
    if (snprintf(below, sizeof below, "%s/%s", mount, folders[i]) < (int)sizeof below)
      least = lesser(least, quota_along(below, path, quota_v1));
  }
  return least;
}

int cpu_quota_cores(const char *cgroup_file, const char *mount) {
  FILE *file = fopen(cgroup_file, "re");
  if (!file) return 0;
  char line[PATH_MAX];
  int least = 0;
  while (fgets(line, sizeof line, file)) least = lesser(least, quota_of_line(line, mount));
  fclose(file);
  return least;
}
