/* What `bench` found, as JSON and as a table. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_right(const struct bench_row *row) { return row->known && row->entry.status == FARM_OK; }

/* Right before wrong; finalists by rank; then by median, by estimate, by text. */
static int by_worth(const void *a, const void *b) {
  const struct bench_row *x = *(const struct bench_row *const *)a, *y = *(const struct bench_row *const *)b;
  if (is_right(x) != is_right(y)) return is_right(x) ? -1 : 1;
  if (x->entry.rank != y->entry.rank) return x->entry.rank < y->entry.rank ? -1 : 1;
  if (x->entry.times.median != y->entry.times.median) return x->entry.times.median < y->entry.times.median ? -1 : 1;
  if (x->estimated_ns != y->estimated_ns) return x->estimated_ns < y->estimated_ns ? -1 : 1;
  return strcmp(x->text, y->text);
}

int bench_winner(const struct bench *bench) {
  const struct bench_row *best = NULL;
  for (int i = 0; i < bench->row_count; i++) {
    const struct bench_row *row = &bench->rows[i];
    if (is_right(row) && row->entry.times.n && (!best || by_worth(&row, &best) < 0)) best = row;
  }
  return best ? (int)(best - bench->rows) : -1;
}

static double peak_best(const struct bench *bench) {
  double best = 0;
  for (int i = 0; i < bench->peak_count; i++) best = bench->peak_gflops[i] > best ? bench->peak_gflops[i] : best;
  return best;
}

/* How far the probes lie apart, as a share of the best: what the machine's noise did to them. */
static double peak_spread(const struct bench *bench) {
  double best = peak_best(bench), least = best;
  for (int i = 0; i < bench->peak_count; i++) least = bench->peak_gflops[i] < least ? bench->peak_gflops[i] : least;
  return best > 0 ? 1 - least / best : 0;
}

static void times_describe(const struct bench *bench, const struct bench_row *row, json_t *out) {
  const struct record_times *times = &row->entry.times;
  double gflops = 2 * problem_macs(&bench->problem) / times->median, peak = peak_best(bench);
  json_object_set_new(out, "n", json_integer(times->n));
  json_object_set_new(out, "median_us", report_real(times->median * 1e-3));
  json_object_set_new(out, "ci95_us", report_real((times->ci_high - times->ci_low) * 1e-3));
  json_object_set_new(out, "min_us", report_real(times->min * 1e-3));
  json_object_set_new(out, "gflops", report_real(gflops));
  json_object_set_new(out, "peak_share", report_real(peak > 0 ? gflops / peak : 0));
  json_object_set_new(out, "gbs", report_real(problem_bytes(&bench->problem) / times->median));
  json_object_set_new(out, "finalist", json_boolean(row->entry.finalist));
  json_object_set_new(out, "rank", row->entry.rank == RECORD_RANK_NONE ? json_null() : json_integer(row->entry.rank));
}

static json_t *row_describe(const struct bench *bench, const struct bench_row *row) {
  static const char *const layouts[] = {"any", "nchw", "nhwc"};
  json_t *out = json_object();
  json_object_set_new(out, "variant", report_text(row->text));
  json_object_set_new(out, "layout", json_string(layouts[row->variant.tactic->layout]));
  json_object_set_new(out, "default", json_boolean(row - bench->rows == bench->default_row));
  json_object_set_new(out, "estimated_us", report_real(row->estimated_ns * 1e-3));
  json_object_set_new(out, "workspace_bytes",
                      json_integer((json_int_t)variant_workspace(&bench->problem, &row->variant, bench->threads)));
  if (!row->known) return out;
  json_object_set_new(out, "status", json_string(status_name(row->entry.status)));
  json_object_set_new(out, "message", report_text(row->entry.message));
  json_object_set_new(out, "error", report_real(row->entry.error));
  if (bench->verified) {
    json_object_set_new(out, "max_error", report_real(row->verdict.max_error));
    json_object_set_new(out, "compared", json_integer(row->verdict.compared));
    json_object_set_new(out, "projected", json_boolean(row->verdict.projected));
  }
  if (row->entry.times.n) times_describe(bench, row, out);
  return out;
}

static json_t *rows_describe(const struct bench *bench) {
  json_t *out = json_array();
  const struct bench_row **sorted = malloc((size_t)bench->row_count * sizeof *sorted);
  if (!sorted) return out;
  for (int i = 0; i < bench->row_count; i++) sorted[i] = &bench->rows[i];
  qsort(sorted, (size_t)bench->row_count, sizeof *sorted, by_worth);
  for (int i = 0; i < bench->row_count; i++) json_array_append_new(out, row_describe(bench, sorted[i]));
  free(sorted);
  return out;
}

json_t *bench_describe(const struct bench *bench) {
  int winner = bench_winner(bench);
  json_t *root = json_object(), *probes = json_array();
  for (int i = 0; i < bench->peak_count; i++) json_array_append_new(probes, report_real(bench->peak_gflops[i]));
  json_object_set_new(root, "problem", report_text(bench->text));
  json_object_set_new(root, "device_class", json_string(bench->class_text));
  json_object_set_new(root, "threads", json_integer(bench->threads));
  json_object_set_new(root, "cores", json_string(bench->cores_text));
  json_object_set_new(root, "macs", report_real(problem_macs(&bench->problem)));
  json_object_set_new(root, "bytes", report_real(problem_bytes(&bench->problem)));
  if (bench->timed) {
    json_object_set_new(root, "policy", json_string(bench->policy));
    json_object_set_new(root, "clocks", report_text(bench->clocks));
    json_object_set_new(root, "peak",
                        json_pack("{s:f,s:f,s:o,s:f}", "gflops", peak_best(bench), "spread", peak_spread(bench), "probes", probes,
                                  "read_gbs", bench->read_gbs));
  } else
    json_decref(probes);
  json_object_set_new(root, "winner", winner >= 0 ? report_text(bench->rows[winner].text) : json_null());
  json_object_set_new(root, "variants", rows_describe(bench));
  return root;
}

/* ---- for people ---- */

static void row_show(const json_t *row) {
  const char *mark = json_is_true(json_object_get(row, "default")) ? "  (default)" : "", *status = report_get(row, "status");
  if (*status && strcmp(status, "OK") != 0) {
    report_line("%10s  %s: %s", status, report_get(row, "variant"), report_get(row, "message"));
    return;
  }
  const json_t *rank = json_object_get(row, "rank");
  char place[24] = "";
  if (json_is_integer(rank)) snprintf(place, sizeof place, "%lld. ", (long long)json_integer_value(rank) + 1);
  if (json_object_get(row, "median_us"))
    report_line("%10.2f us  +-%-7.2f %8.1f GFLOP/s  %5.1f %%  %7.1f GB/s  %4s%s%s", report_number(row, "median_us"),
                report_number(row, "ci95_us") / 2, report_number(row, "gflops"), report_number(row, "peak_share") * 100,
                report_number(row, "gbs"), place, report_get(row, "variant"), mark);
  else if (*status)
    report_line("right, error %.3f of the tolerance over %.0f elements  %s%s", report_number(row, "error"),
                report_number(row, "compared"), report_get(row, "variant"), mark);
  else
    report_line("%10.2f us~ %s%s", report_number(row, "estimated_us"), report_get(row, "variant"), mark);
}

void bench_show(const json_t *root) {
  const json_t *peak = json_object_get(root, "peak");
  size_t i;
  json_t *row;
  report_line("%s", report_get(root, "problem"));
  report_line("%s, %.0f threads on cores %s; %.3g multiply-adds, %.3g bytes", report_get(root, "device_class"),
              report_number(root, "threads"), report_get(root, "cores"), report_number(root, "macs"),
              report_number(root, "bytes"));
  if (peak)
    report_line("peak %.1f GFLOP/s (probes within %.1f %%), memory reads %.1f GB/s; %s", report_number(peak, "gflops"),
                report_number(peak, "spread") * 100, report_number(peak, "read_gbs"), report_get(root, "clocks"));
  json_array_foreach(json_object_get(root, "variants"), i, row) row_show(row);
}
