/* See each-tactic.h. */
#include "each-tactic.h"

#include "report.h"

#include "../base/clock.h"
#include "../base/log.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum { WHY_BYTES = 512 };

struct trials_run {
  const char *folder;
  struct case_options options;
  int timeout_s;
  bool verbose;
  struct trial_list list;
  struct tactic_report *report;
  enum case_verdict worst;
  char worst_why[WHY_BYTES];
};

/* Of all data sets: shapes may differ, and problems with them. */
static enum farm_status trials_of_case(struct trials_run *run) {
  char path[PATH_MAX];
  for (int set = 0;; set++) {
    case_engine_path(run->options.engine_folder, set, path, sizeof path);
    if (access(path, R_OK) != 0) return FARM_OK;
    TRY(trials_collect(path, &run->list));
  }
}

static void trial_name(const struct case_trial *trial, char *out, size_t out_bytes) {
  if (trial->node_count > 1)
    snprintf(out, out_bytes, "%s and %d more", trial->node, trial->node_count - 1);
  else
    snprintf(out, out_bytes, "%s", trial->node);
}

static void trial_report(struct trials_run *run, const struct case_trial *trial, enum case_verdict verdict, const char *why) {
  char node[256];
  trial_name(trial, node, sizeof node);
  if (run->verbose) log_info("  %-11s %s, %s%s%s", case_verdict_name(verdict), node, trial->variant, why[0] ? ": " : "", why);
  if (verdict == CASE_UNSUPPORTED) return; // it cannot stand there
  json_array_append_new(run->report->tried, json_pack("{s:o,s:s}", "node", report_text(node), "tactic", trial->variant));
  if (verdict == CASE_PASS) return;
  json_array_append_new(run->report->wrong,
                        json_pack("{s:o,s:o,s:s,s:s,s:o}", "node", report_text(node), "problem", report_text(trial->problem),
                                  "tactic", trial->variant, "verdict", case_verdict_name(verdict), "why", report_text(why)));
  if (run->worst == CASE_WRONG || run->worst == verdict) return;
  run->worst = verdict;
  snprintf(run->worst_why, sizeof run->worst_why, "node %s, tactic %s: %s", node, trial->variant, why);
}

/* A plain line each ten seconds; whoever is verbose sees each trial anyway. */
static void progress_say(const struct trials_run *run, size_t done, uint64_t begin_ns, uint64_t *last_ns) {
  const uint64_t period_ns = 10000000000u;
  uint64_t now = clock_now_ns();
  if (run->verbose || done == 0 || now - *last_ns < period_ns) return;
  double left_s = (double)(now - begin_ns) * 1e-9 / (double)done * (double)(run->list.count - done);
  log_info("%s: %zu of %zu variants, %.0f s left", run->folder, done, run->list.count, left_s);
  *last_ns = now;
}

static void trials_run(struct trials_run *run, bool defaults_pass) {
  uint64_t begin_ns = clock_now_ns(), last_ns = begin_ns;
  for (size_t i = 0; i < run->list.count; i++) {
    const struct case_trial *trial = &run->list.items[i];
    char why[WHY_BYTES] = "";
    enum case_verdict verdict = CASE_PASS;
    progress_say(run, i, begin_ns, &last_ns);
    run->options.trial = trial;
    if (!trial->standing || !defaults_pass) verdict = case_run_apart(run->folder, &run->options, run->timeout_s, why, sizeof why);
    trial_report(run, trial, verdict, why);
  }
}

enum case_verdict case_run_each_tactic(const char *folder, const struct case_options *options, int timeout_s, bool verbose,
                                       struct tactic_report *out, char *out_why, size_t why_bytes) {
  struct trials_run run = {.folder = folder, .options = *options, .timeout_s = timeout_s, .verbose = verbose, .report = out};
  char engine_folder[PATH_MAX];
  *out = (struct tactic_report){json_array(), json_array()};
  if (case_folder_make(engine_folder, sizeof engine_folder) != FARM_OK) {
    snprintf(out_why, why_bytes, "%s", status_message());
    return CASE_ERROR;
  }
  run.options.engine_folder = engine_folder;
  enum case_verdict verdict = case_run_apart(folder, &run.options, timeout_s, out_why, why_bytes);
  enum farm_status status = trials_of_case(&run);
  if (status == FARM_OK) trials_run(&run, verdict == CASE_PASS);
  if (verdict == CASE_PASS && status != FARM_OK) {
    verdict = CASE_ERROR;
    snprintf(out_why, why_bytes, "%s", status_message());
  } else if (verdict == CASE_PASS && run.worst != CASE_PASS) {
    verdict = run.worst;
    snprintf(out_why, why_bytes, "%s", run.worst_why);
  }
  trials_free(&run.list);
  case_folder_remove(engine_folder);
  return verdict;
}
