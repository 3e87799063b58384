/* What screen and final have in common: policies, and how cold is cold. */
#include "measure.h"

#include <stdio.h>

enum { COPIES_MOST = 512 };

enum farm_status measure_policy_parse(const char *text, struct measure_policy *out) {
  static const struct measure_policy policies[] = {
      {1, 8e6, 1, 120e6}, {2, 12e6, 2, 250e6}, {3, 25e6, 2, 500e6}, {4, 50e6, 3, 1500e6}};
  int effort, end = 0;
  FAIL_IF(sscanf(text, "cold/1 effort%1d%n", &effort, &end) != 1 || text[end] || effort < 1 || effort > 4, FARM_UNSUPPORTED,
          "unknown measuring policy `%s`", text);
  *out = policies[effort - 1];
  return FARM_OK;
}

/* A quarter more than the last cache; a virtual machine may name the cache of a whole socket, which no core has to itself. */
size_t measure_cold_bytes(const struct device_class *device_class) {
  const size_t least = (size_t)16 << 20, most = (size_t)96 << 20;
  int64_t last = device_class->l3_bytes > device_class->l2_bytes ? device_class->l3_bytes : device_class->l2_bytes;
  size_t bytes = last > 0 ? (size_t)last + (size_t)last / 4 : most;
  return bytes < least ? least : bytes > most ? most : bytes;
}

int measure_copies(const struct measure_job *job, const struct variant *variant, size_t bytes) {
  double rest =
      3 * problem_bytes(job->problem) + (double)variant_workspace(job->problem, variant, job->threads); // natural, nhwc, expected
  if (bytes == 0) return 1;
  size_t copies = job->cold_bytes / bytes + 1;
  double room = ((double)MEASURE_MOST_BYTES - rest) / (double)bytes;
  if (room < (double)copies) copies = room > 1 ? (size_t)room : 1;
  return copies > COPIES_MOST ? COPIES_MOST : (int)copies;
}
