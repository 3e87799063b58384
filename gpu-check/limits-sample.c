/* Times and rows: see limits.h. */
#include "limits.h"

#include "../base/clock.h"
#include "../base/order-statistics.h"

#include <stdio.h>
#include <stdlib.h>

enum { WARM_UPS = 3, SAMPLES_MOST = 1000 };

bool limits_has_time(const struct limits *limits) { return clock_now_ns() < limits->end_ns; }

static enum farm_status graph_make(const struct limits *limits, const struct limits_work *work, struct cuda_graph **out_graph) {
  enum farm_status status = FARM_OK;
  TRY(cuda_capture_begin(limits->device));
  for (int i = 0; status == FARM_OK && i < work->calls; i++) status = work->put(work->context);
  const struct status_kept put = status_keep(status);
  enum farm_status ended = cuda_capture_end(limits->device, out_graph);
  if (status == FARM_OK) return ended;
  if (*out_graph) cuda_graph_free(out_graph);
  return status_restore(&put);
}

static enum farm_status replay_time(const struct limits *limits, struct cuda_graph *graph, double *out_ns) {
  TRY(cuda_mark_begin(limits->device));
  TRY(cuda_graph_launch(limits->device, graph));
  TRY(cuda_mark_end(limits->device));
  TRY(cuda_wait(limits->device));
  return cuda_marked_ns(limits->device, out_ns);
}

enum farm_status limits_sample(const struct limits *limits, const struct limits_work *work, struct limits_time *out) {
  double samples[SAMPLES_MOST];
  struct cuda_graph *graph = NULL;
  size_t count = (size_t)(limits->repeats < SAMPLES_MOST ? limits->repeats : SAMPLES_MOST);
  TRY(graph_make(limits, work, &graph));
  enum farm_status status = FARM_OK;
  for (int i = 0; status == FARM_OK && i < WARM_UPS; i++) status = replay_time(limits, graph, &samples[0]);
  for (size_t i = 0; status == FARM_OK && i < count; i++) status = replay_time(limits, graph, &samples[i]);
  cuda_graph_free(&graph);
  TRY(status);
  for (size_t i = 0; i < count; i++) samples[i] *= 1e-3 / work->calls;
  samples_sort(samples, count);
  *out = (struct limits_time){samples_quantile(samples, count, 0.5), samples_quantile(samples, count, 0.25),
                              samples_quantile(samples, count, 0.75), (int)count};
  return FARM_OK;
}

enum farm_status limits_row(struct limits *limits, const char *what, int64_t size, const struct limits_time *time, double value,
                            const char *unit) {
  double spread = time->us > 0 ? (time->high_us - time->low_us) / time->us : 0;
  json_t *row = json_pack("{s:s,s:I,s:f,s:f,s:i,s:f,s:s}", "what", what, "size", (json_int_t)size, "us", time->us, "spread",
                          spread, "n", time->n, "value", value, "unit", unit);
  FAIL_IF(!row || json_array_append_new(limits->rows, row) != 0, FARM_NO_MEMORY, "out of memory for a report");
  fprintf(stderr, "%-44s %14lld %12.2f us %12.2f %s\n", what, (long long)size, time->us, value, unit);
  return FARM_OK;
}

enum farm_status limits_missing(struct limits *limits, const char *what, const char *why) {
  json_t *row = json_pack("{s:s,s:s}", "what", what, "why", why);
  FAIL_IF(!row || json_array_append_new(limits->missing, row) != 0, FARM_NO_MEMORY, "out of memory for a report");
  fprintf(stderr, "%-44s not measured: %s\n", what, why);
  return FARM_OK;
}
