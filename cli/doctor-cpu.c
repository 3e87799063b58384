/* The CPU and its memory, as found and as measured. */
#include "doctor.h"

#include "timing.h"

#include "../base/cpu-affinity.h"
#include "../base/thread-pool.h"
#include "../kernels/cpu/peak.h"
#include "../kernels/tactic.h"
#include "../worker/cores.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

enum { PROBES = 12, PROBE_MS = 40, PEAK_MS = 200 };
static const double STEADY_SPREAD = 0.05, QUIET_LOAD = 0.05;

/* The value of the first line of /proc/cpuinfo that begins with `key`. */
static void cpuinfo_value(const char *key, char *out, size_t bytes) {
  char line[4096];
  FILE *file = fopen("/proc/cpuinfo", "re");
  *out = 0;
  while (file && !*out && fgets(line, sizeof line, file)) {
    const char *colon = strchr(line, ':');
    if (!colon || strncmp(line, key, strlen(key)) != 0) continue;
    snprintf(out, bytes, "%s", colon + 1 + strspn(colon + 1, " \t"));
    out[strcspn(out, "\n")] = 0;
  }
  if (file) fclose(file);
}

static json_t *isas_describe(enum isa most) {
  json_t *list = json_array();
  for (int isa = 0; isa <= (int)most; isa++) json_array_append_new(list, json_string(isa_name((enum isa)isa)));
  return list;
}

static void cores_describe(struct doctor *doctor, json_t *cpu) {
  char list[1024];
  cpu_set_t allowed;
  int cores[CPU_MOST_CORES], quota = cpu_quota_cores("/proc/self/cgroup", "/sys/fs/cgroup");
  int in_mask = cpu_affinity_cores(cores, CPU_MOST_CORES), usable = thread_pool_default_threads();
  if (cores_parse("", &allowed) == FARM_OK)
    cores_print(&allowed, list, sizeof list);
  else
    snprintf(list, sizeof list, "%d of them", in_mask);
  json_object_set_new(cpu, "cores_online", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
  json_object_set_new(cpu, "cores_allowed", json_string(list));
  json_object_set_new(cpu, "cores_quota", quota ? json_integer(quota) : json_null());
  json_object_set_new(cpu, "cores_usable", json_integer(usable));
  if (quota && quota < in_mask)
    doctor_problem(doctor, DOCTOR_NOTE, "pin the container to whole cores (docker --cpuset-cpus) instead of a share of all",
                   "a CPU quota of %d cores over %d allowed ones: threads float", quota, in_mask);
}

static void power_describe(struct doctor *doctor, json_t *cpu) {
  char governor[64], smt[16], flags[4096];
  doctor_file_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", governor, sizeof governor);
  doctor_file_line("/sys/devices/system/cpu/smt/active", smt, sizeof smt);
  cpuinfo_value("flags", flags, sizeof flags);
  bool virtual = strstr(flags, " hypervisor") != NULL;
  json_object_set_new(cpu, "governor", *governor ? report_text(governor) : json_null());
  json_object_set_new(cpu, "smt", *smt ? json_boolean(*smt == '1') : json_null());
  json_object_set_new(cpu, "virtual", json_boolean(virtual));
  if (*governor && strcmp(governor, "performance") != 0)
    doctor_problem(doctor, DOCTOR_WARNING, "cpupower frequency-set -g performance",
                   "the frequency governor is `%s`: times depend on what ran before", governor);
  if (virtual)
    doctor_problem(doctor, DOCTOR_NOTE, "measure on the machines that will serve",
                   "a virtual machine: neighbours may disturb what is measured");
}

static void memory_describe(struct doctor *doctor) {
  struct sysinfo info;
  char enabled[128], reserved[32];
  doctor_file_line("/sys/kernel/mm/transparent_hugepage/enabled", enabled, sizeof enabled);
  doctor_file_line("/proc/sys/vm/nr_hugepages", reserved, sizeof reserved);
  double total = 0, available = 0;
  if (sysinfo(&info) == 0) {
    total = (double)info.totalram * info.mem_unit;
    available = ((double)info.freeram + (double)info.bufferram) * info.mem_unit;
  }
  FILE *file = fopen("/proc/meminfo", "re"); // knows what the page cache would give back
  char line[256];
  unsigned long long kib;
  while (file && fgets(line, sizeof line, file))
    if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1) available = (double)kib * 1024;
  if (file) fclose(file);
  json_object_set_new(doctor->root, "memory",
                      json_pack("{s:f,s:f,s:o,s:I}", "total_bytes", total, "available_bytes", available, "huge_pages",
                                report_text(enabled), "huge_pages_reserved", (json_int_t)atoll(reserved)));
  if (strstr(enabled, "[never]"))
    doctor_problem(doctor, DOCTOR_NOTE, "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
                   "transparent huge pages are off: large models run a little slower");
  if (available < 512e6)
    doctor_problem(doctor, DOCTOR_WARNING, "end other programs", "only %.0f MB of memory are available", available * 1e-6);
}

enum farm_status doctor_cpu(struct doctor *doctor) {
  struct device_class device_class;
  char text[DEVICE_CLASS_TEXT_MAX], name[256];
  TRY(cpu_device_class(&device_class));
  device_class_print(&device_class, text);
  cpuinfo_value("model name", name, sizeof name);
  json_t *cpu = json_object();
  json_object_set_new(doctor->root, "cpu", cpu);
  json_object_set_new(cpu, "device_class", json_string(text));
  json_object_set_new(cpu, "name", report_text(name));
  json_object_set_new(cpu, "instruction_sets", isas_describe(device_class.isa));
  cores_describe(doctor, cpu);
  power_describe(doctor, cpu);
  memory_describe(doctor);
  const char *cap = getenv("TUNEFARM_ISA");
  if (cap && *cap)
    doctor_problem(doctor, DOCTOR_NOTE, "unset TUNEFARM_ISA", "TUNEFARM_ISA=%s hides instruction sets of this CPU", cap);
  if (device_class.isa == ISA_BASELINE && !(cap && *cap))
    doctor_problem(doctor, DOCTOR_WARNING, "use a CPU with AVX2 and FMA",
                   "neither AVX2 nor AVX-512: only references and baseline kernels run, slowly");
  return FARM_OK;
}

/* ---- measured ---- */

struct rates {
  double fma_gflops, read_gbs;
};

static enum farm_status rates_measure(const struct device_class *device_class, int threads, struct rates *out) {
  struct thread_pool *pool = NULL;
  TRY(thread_pool_create(threads, &pool));
  out->fma_gflops = cpu_fma_peak_gflops(device_class->isa, pool, PEAK_MS);
  out->read_gbs = cpu_read_bandwidth_gbs(device_class, pool, 0, PEAK_MS);
  thread_pool_destroy(&pool);
  return FARM_OK;
}

static double probes_spread(const struct device_class *device_class, json_t *out_probes) {
  double best = 0, least = 0;
  for (int i = 0; i < PROBES; i++) {
    double gflops = cpu_fma_peak_gflops(device_class->isa, NULL, PROBE_MS);
    if (gflops > best) best = gflops;
    if (i == 0 || gflops < least) least = gflops;
    json_array_append_new(out_probes, report_real(gflops));
  }
  return best > 0 ? 1 - least / best : 0;
}

enum farm_status doctor_peaks(struct doctor *doctor) {
  struct device_class device_class;
  struct device_locks locks = {.count = 0};
  struct foreign_load load;
  struct rates one, all;
  cpu_set_t cores;
  int threads = thread_pool_default_threads();
  json_t *probes = json_array();
  TRY(cpu_device_class(&device_class));
  TRY(cores_parse("", &cores));
  TRY(cores_lock(&cores, NULL, NULL, &locks)); // not while a worker measures
  foreign_load_begin(&load);
  double spread = probes_spread(&device_class, probes);
  enum farm_status status = rates_measure(&device_class, 1, &one);
  if (status == FARM_OK) status = rates_measure(&device_class, threads, &all);
  double foreign = foreign_load_share(&load);
  device_unlock(&locks);
  if (status != FARM_OK) {
    json_decref(probes);
    return status;
  }
  json_object_set_new(doctor->root, "peaks",
                      json_pack("{s:i,s:f,s:f,s:f,s:f}", "threads", threads, "fma_gflops_1", one.fma_gflops, "fma_gflops_n",
                                all.fma_gflops, "read_gbs_1", one.read_gbs, "read_gbs_n", all.read_gbs));
  json_object_set_new(doctor->root, "noise",
                      json_pack("{s:f,s:o,s:o}", "spread", spread, "foreign_load",
                                foreign >= 0 ? report_real(foreign) : json_null(), "probes", probes));
  if (foreign > QUIET_LOAD)
    doctor_problem(doctor, DOCTOR_WARNING, "end other programs before tuning",
                   "others took %.0f %% of this machine: measurements will be noisy", foreign * 100);
  if (spread > STEADY_SPREAD)
    doctor_problem(doctor, DOCTOR_WARNING, "look for other programs, frequency changes, or neighbours on the same host",
                   "equal work varies by %.0f %%: tuning will take longer and tie more", spread * 100);
  return FARM_OK;
}
