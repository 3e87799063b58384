/* Which cores this process may use, and how many of them at once: the affinity mask and the cgroup's CPU quota.
 *
 * A container's quota does not show in the affinity mask: a process that may run on 64 cores with a quota of 2 is throttled for
 * most of every period when it spins on all of them. Quotas are read along the whole path of the process' cgroup, v2 (`cpu.max`)
 * and v1
 * (`cpu.cfs_quota_us`); the least one counts, rounded down: a team larger than its quota stalls as a whole.
 */
#ifndef BASE_CPU_AFFINITY_H
#define BASE_CPU_AFFINITY_H

#include <stdbool.h>

enum { CPU_MOST_CORES = 4096 };

/* The cores of the calling thread's affinity mask, rising; returns how many there are (up to `most` are stored), at least 1. */
int cpu_affinity_cores(int *out_cores, int most);
/* Pins the calling thread to one core; false when the kernel refuses. */
bool cpu_affinity_pin(int core);
/* Whole cores that the CPU quotas allow, at least 1; 0 when there is no quota. `cgroup_file` is /proc/self/cgroup and `mount`
 * /sys/fs/cgroup, except in tests. */
int cpu_quota_cores(const char *cgroup_file, const char *mount);

#endif
