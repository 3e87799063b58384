/* See compare-engines.h. */
#include "compare-engines.h"

#include "../../base/file.h"

#include <math.h>
#include <stdio.h>

enum { BLOB_MS = 300000, PATIENCE_S = 300 };

enum farm_status build_comparison_parse(const char *report, struct build_comparison *out) {
  struct build_comparison r;
  int end = 0;
  int got =
      sscanf(report,
             "{\"a_ms\":%lf,\"b_ms\":%lf,\"ratio\":%lf,\"ci95_low\":%lf,\"ci95_high\":%lf,\"n\":%u,\"max_rel_difference\":%lf}%n",
             &r.a_ms, &r.b_ms, &r.ratio, &r.ci95_low, &r.ci95_high, &r.n, &r.max_rel_difference, &end);
  FAIL_IF(got != 7 || end == 0 || report[end], FARM_INVALID, "the worker's comparison cannot be read: %.200s", report);
  bool positive = r.a_ms > 0 && r.b_ms > 0 && r.ratio > 0 && r.ci95_low > 0 && r.n > 0 && r.max_rel_difference >= 0;
  bool finite = isfinite(r.a_ms) && isfinite(r.b_ms) && isfinite(r.ci95_high) && isfinite(r.max_rel_difference);
  FAIL_IF(!positive || !finite || r.ci95_low > r.ratio || r.ratio > r.ci95_high, FARM_INVALID,
          "the worker's comparison makes no sense: %.200s", report);
  *out = r;
  return FARM_OK;
}

static enum farm_status engine_send(struct client *client, const char *name, const char *path, struct wire_blob_ref *out) {
  struct file_map map;
  TRY(file_map_open(path, &map));
  *out = (struct wire_blob_ref){.name = name, .length = map.length};
  enum farm_status status = client_blob_put(client, map.data, map.length, BLOB_MS, &out->digest);
  file_map_close(&map);
  return status == FARM_OK ? FARM_OK : status_prefix(status, "%s", path);
}

enum farm_status build_compare_engines(struct client *client, const char *device_class, int threads, const char *path_a,
                                       const char *path_b, double seconds, struct build_comparison *out) {
  struct wire_blob_ref blobs[2];
  struct arena arena = {0};
  struct wire_executed executed;
  char spec[128];
  FAIL_IF(!(seconds > 0 && seconds <= 600) || threads < 1, FARM_USAGE, "a comparison of %g s with %d threads", seconds, threads);
  TRY(engine_send(client, "a", path_a, &blobs[0]));
  TRY(engine_send(client, "b", path_b, &blobs[1]));
  snprintf(spec, sizeof spec, "time-engines/1 seconds=%.6g threads=%d", seconds, threads);
  double patience_s = seconds * 3 + PATIENCE_S;
  struct wire_execute request = {.device_class = device_class,
                                 .threads = (uint32_t)threads,
                                 .spec = spec,
                                 .deadline_ms = (uint32_t)(patience_s * 1e3),
                                 .blobs = blobs,
                                 .blobs_count = 2};
  enum farm_status status = client_execute(client, &request, (int)(patience_s * 1e3), &arena, &executed);
  if (status == FARM_OK && executed.status != FARM_OK) status = status_set(executed.status, "%s", executed.message);
  if (status == FARM_OK) status = build_comparison_parse(executed.report, out);
  arena_free(&arena);
  return status;
}
