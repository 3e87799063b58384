#include "cpu-affinity.h"

#include "../tests/kit/test.h"
#include "file.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

static char cgroup_file[PATH_MAX];

/* Writes `text` to a file below the test's folder, with the folders on its way. */
static void put(const char *relative, const char *text) {
  char path[PATH_MAX], folder[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", test_folder(), relative);
  snprintf(folder, sizeof folder, "%s", path);
  *strrchr(folder, '/') = 0;
  REQUIRE_OK(file_make_folders(folder));
  REQUIRE_OK(file_write_atomic(path, text, strlen(text)));
}

static int quota(const char *cgroup) {
  put("cgroup", cgroup);
  snprintf(cgroup_file, sizeof cgroup_file, "%s/cgroup", test_folder());
  char mount[PATH_MAX];
  snprintf(mount, sizeof mount, "%s/sys", test_folder());
  return cpu_quota_cores(cgroup_file, mount);
}

TEST(quota_v2_takes_the_least_on_the_path, "") {
  put("sys/a/b/cpu.max", "max 100000\n");
  put("sys/a/cpu.max", "350000 100000\n");
  put("sys/cpu.max", "800000 100000\n");
  CHECK(quota("0::/a/b\n") == 3);
  CHECK(quota("0::/\n") == 8);
}

TEST(quota_v2_below_one_core_is_one, "") {
  put("sys/a/cpu.max", "50000 100000\n");
  CHECK(quota("0::/a\n") == 1);
}

TEST(quota_v1_is_read_beside_other_controllers, "") {
  put("sys/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "200000\n");
  put("sys/cpu,cpuacct/docker/x/cpu.cfs_period_us", "100000\n");
  put("sys/cpu,cpuacct/docker/cpu.cfs_quota_us", "-1\n");
  put("sys/cpu,cpuacct/docker/cpu.cfs_period_us", "100000\n");
  CHECK(quota("12:pids:/docker/x\n4:cpu,cpuacct:/docker/x\n1:cpuset:/elsewhere\n") == 2);
}

TEST(quota_path_of_the_host_falls_back_to_the_mount, "") {
  put("sys/cpu.max", "400000 100000\n");
  CHECK(quota("0::/kubepods/besteffort/pod1\n") == 4);
}

TEST(quota_absent_or_malformed_is_none, "") {
  CHECK(quota("0::/nowhere\n") == 0);
  CHECK(quota("garbage\n\n:::\n5:cpu\n") == 0);
  CHECK(quota("0::/../../etc\n") == 0);
  put("sys/cpu.max", "-5 zebra\n");
  CHECK(quota("0::/\n") == 0);
  CHECK(cpu_quota_cores("/does/not/exist", "/sys/fs/cgroup") == 0);
}

TEST(affinity_follows_the_mask, "") {
  int cores[CPU_MOST_CORES];
  int count = cpu_affinity_cores(cores, CPU_MOST_CORES);
  REQUIRE(count >= 1);
  int last = cores[count - 1];
  REQUIRE(cpu_affinity_pin(last));
  CHECK(cpu_affinity_cores(cores, CPU_MOST_CORES) == 1 && cores[0] == last);
  CHECK(sched_getcpu() == last);
  CHECK(!cpu_affinity_pin(CPU_MOST_CORES - 1) || count == CPU_MOST_CORES);
}
