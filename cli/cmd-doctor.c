/* `tunefarm doctor`: what is found, measured and wrong on this machine. */
#include "doctor.h"

#include "../include/tunefarm.h"
#include "../kernels/tactic.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const severities[] = {"note", "warning", "error"};

void doctor_problem(struct doctor *doctor, enum doctor_severity severity, const char *advice, const char *format, ...) {
  char what[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  json_array_append_new(doctor->problems, json_pack("{s:s,s:o,s:s}", "severity", severities[severity], "what", report_text(what),
                                                    "advice", advice));
  doctor->errors += severity == DOCTOR_ERROR;
}

const char *doctor_file_line(const char *path, char *out, size_t bytes) {
  FILE *file = fopen(path, "re");
  *out = 0;
  if (file && !fgets(out, (int)bytes, file)) *out = 0;
  if (file) fclose(file);
  out[strcspn(out, "\n")] = 0;
  return out;
}

/* ---- for people ---- */

static void cpu_show(const json_t *root) {
  const json_t *cpu = json_object_get(root, "cpu"), *isas = json_object_get(cpu, "instruction_sets"),
               *memory = json_object_get(root, "memory");
  char total[REPORT_BYTES_TEXT], available[REPORT_BYTES_TEXT];
  report_line("cpu      %s", report_get(cpu, "name"));
  report_line("class    %s", report_get(cpu, "device_class"));
  report_line("cores    %s allowed of %.0f, %.0f usable at once; instruction sets up to %s", report_get(cpu, "cores_allowed"),
              report_number(cpu, "cores_online"), report_number(cpu, "cores_usable"),
              json_string_value(json_array_get(isas, json_array_size(isas) - 1)));
  report_line("memory   %s, %s available; transparent huge pages %s", report_bytes(report_number(memory, "total_bytes"), total),
              report_bytes(report_number(memory, "available_bytes"), available), report_get(memory, "huge_pages"));
}

static void peaks_show(const json_t *root) {
  const json_t *peaks = json_object_get(root, "peaks"), *noise = json_object_get(root, "noise");
  if (!peaks) return;
  report_line("peaks    %.1f GFLOP/s and %.1f GB/s read by one core, %.1f and %.1f by %.0f", report_number(peaks, "fma_gflops_1"),
              report_number(peaks, "read_gbs_1"), report_number(peaks, "fma_gflops_n"), report_number(peaks, "read_gbs_n"),
              report_number(peaks, "threads"));
  report_line("noise    equal work varies by %.1f %%, others took %.1f %% of the machine", report_number(noise, "spread") * 100,
              report_number(noise, "foreign_load") * 100);
}

static void system_show(const json_t *root) {
  const json_t *storage = json_object_get(root, "storage"), *runtime = json_object_get(root, "runtime"),
               *libraries = json_object_get(root, "libraries");
  char size[REPORT_BYTES_TEXT];
  report_line("cache    %s (%s), %s file system, %s free", report_get(storage, "cache"),
              json_is_true(json_object_get(storage, "exists")) ? "exists" : "not made yet", report_get(storage, "filesystem"),
              report_bytes(report_number(storage, "free_bytes"), size));
  report_line("sockets  %s; core locks %s", report_get(runtime, "sockets"), report_get(runtime, "core_locks"));
  report_line("libs     libzmq %s, lmdb %s, libsodium %s, zstd %s, jansson %s", report_get(libraries, "libzmq"),
              report_get(libraries, "lmdb"), report_get(libraries, "libsodium"), report_get(libraries, "zstd"),
              report_get(libraries, "jansson"));
  doctor_gpu_show(root);
}

static void show(const json_t *root) {
  const json_t *problems = json_object_get(root, "problems");
  size_t i;
  json_t *row;
  report_line("tunefarm %s, catalogue %.12s", report_get(root, "tunefarm"), report_get(root, "catalogue"));
  cpu_show(root);
  peaks_show(root);
  system_show(root);
  json_array_foreach(problems, i, row) {
    report_line("%-8s %s", report_get(row, "severity"), report_get(row, "what"));
    report_line("         -> %s", report_get(row, "advice"));
  }
  if (!json_array_size(problems)) report_line("nothing is wrong");
}

/* ---- the command ---- */

static enum farm_status examine(struct doctor *doctor, const char *cache, bool quick) {
  json_object_set_new(doctor->root, "tunefarm", json_string(farm_version()));
  json_object_set_new(doctor->root, "catalogue", json_string(catalogue_digest()));
  json_object_set(doctor->root, "problems", doctor->problems);
  TRY(doctor_cpu(doctor));
  if (!quick) TRY(doctor_peaks(doctor));
  TRY(doctor_storage(doctor, cache));
  TRY(doctor_libraries(doctor));
  return doctor_gpu(doctor);
}

static enum farm_status examine_and_tell(const char *cache, bool quick, const struct option_optional *json) {
  struct doctor doctor = {json_object(), json_array(), 0};
  enum farm_status status =
      doctor.root && doctor.problems ? examine(&doctor, cache, quick) : status_set(FARM_NO_MEMORY, "out of memory for a report");
  json_decref(doctor.problems);
  if (status != FARM_OK) {
    json_decref(doctor.root);
    return status;
  }
  TRY(report_give(json, doctor.root, show));
  FAIL_IF(doctor.errors, FARM_FAILURE, "%d of these would make tunefarm fail", doctor.errors);
  return FARM_OK;
}

static enum farm_status run(int argc, char **argv) {
  const char *cache = NULL;
  bool quick = false;
  struct option_optional json = {0};
  const struct option rows[] = {
      {"cache", OPTION_TEXT, &cache, 0, 0, "DIR", "the cache folder to look at ($XDG_CACHE_HOME/tunefarm)", true},
      {"quick", OPTION_FLAG, &quick, 0, 0, NULL, "measure nothing", false},
      {"json", OPTION_OPTIONAL, &json, 0, 0, "FILE", "all of it as one JSON object", false},
      {0},
  };
  const struct options options = {"doctor", "[options]",
                                  "Says what is found on this machine, measures its peaks and its noise, and what is wrong.",
                                  "  tunefarm doctor\n  tunefarm doctor --json | jq .peaks\n", rows};
  struct option_list positional = {0};
  bool help;
  enum farm_status status = options_parse(&options, argc, argv, &positional, &help);
  if (status == FARM_OK && !help && positional.count) status = status_set(FARM_USAGE, "`%s` is left over", positional.items[0]);
  if (status == FARM_OK && !help) status = examine_and_tell(cache, quick, &json);
  option_list_free(&positional);
  return status;
}

const struct command command_doctor = {"doctor", "say what is found here, measured, and wrong", run};
