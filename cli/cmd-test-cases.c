/* `tunefarm test`: ONNX backend tests, found recursively. */
#include "command.h"

#include "each-tactic.h"
#include "report.h"

#include "../base/array.h"
#include "../base/log.h"

#include <dirent.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct case_list {
  char **folders;
  size_t count, capacity;
};

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static enum farm_status cases_find(const char *folder, int depth, struct case_list *list) {
  char path[PATH_MAX];
  struct stat info;
  FAIL_IF(depth > 16, FARM_INVALID, "%s: too deep", folder);
  snprintf(path, sizeof path, "%s/model.onnx", folder);
  if (access(path, R_OK) == 0) {
    TRY(array_reserve(&list->folders, &list->capacity, list->count + 1));
    list->folders[list->count] = strdup(folder);
    FAIL_IF(!list->folders[list->count], FARM_NO_MEMORY, "out of memory for cases");
    list->count++;
    return FARM_OK;
  }
  DIR *dir = opendir(folder);
  FAIL_IF(!dir, FARM_NOT_FOUND, "%s: not a folder that can be read", folder);
  enum farm_status status = FARM_OK;
  for (struct dirent *entry; status == FARM_OK && (entry = readdir(dir));) {
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode)) status = cases_find(path, depth + 1, list);
  }
  closedir(dir);
  return status;
}

struct test_command {
  struct case_options options;
  struct case_list cases;
  struct option_list roots;
  int64_t threads, timeout_s;
  bool verbose, each_tactic;
  struct option_optional json;
  int counts[4];
  size_t tactic_runs, wrong_tactic_runs;
};

static enum case_verdict case_judge(struct test_command *c, const char *folder, json_t *row, char *why, size_t why_bytes) {
  struct tactic_report report;
  if (!c->each_tactic) return case_run_apart(folder, &c->options, (int)c->timeout_s, why, why_bytes);
  enum case_verdict verdict = case_run_each_tactic(folder, &c->options, (int)c->timeout_s, c->verbose, &report, why, why_bytes);
  c->tactic_runs += json_array_size(report.tried);
  c->wrong_tactic_runs += json_array_size(report.wrong);
  json_object_set_new(row, "tactics_tried", report.tried);
  json_object_set_new(row, "wrong_tactics", report.wrong);
  return verdict;
}

static enum farm_status cases_run(struct test_command *c, json_t *rows) {
  for (size_t i = 0; i < c->cases.count; i++) {
    const char *folder = c->cases.folders[i];
    char why[512];
    json_t *row = json_object();
    enum case_verdict verdict = case_judge(c, folder, row, why, sizeof why);
    c->counts[verdict]++;
    if (c->verbose || verdict == CASE_WRONG || verdict == CASE_ERROR)
      log_info("%-11s %s%s%s", case_verdict_name(verdict), folder, why[0] ? ": " : "", why);
    json_object_set_new(row, "name", report_text(folder));
    json_object_set_new(row, "verdict", json_string(case_verdict_name(verdict)));
    json_object_set_new(row, "why", report_text(why));
    json_array_append_new(rows, row);
  }
  return FARM_OK;
}

static enum farm_status test_all(struct test_command *c) {
  for (size_t i = 0; i < c->roots.count; i++) TRY(cases_find(c->roots.items[i], 0, &c->cases));
  FAIL_IF(c->cases.count == 0, FARM_NOT_FOUND, "no model.onnx below the folders given");
  qsort(c->cases.folders, c->cases.count, sizeof *c->cases.folders, by_name);
  json_t *rows = json_array();
  enum farm_status status = cases_run(c, rows);
  log_info("%zu cases: %d pass, %d wrong, %d unsupported, %d errors", c->cases.count, c->counts[0], c->counts[1], c->counts[2],
           c->counts[3]);
  if (c->each_tactic) log_info("%zu variants tried, %zu of them wrong or ended in errors", c->tactic_runs, c->wrong_tactic_runs);
  json_t *root = json_pack("{s:I,s:i,s:i,s:i,s:i,s:o}", "total", (json_int_t)c->cases.count, "pass", c->counts[0], "wrong",
                           c->counts[1], "unsupported", c->counts[2], "error", c->counts[3], "cases", rows);
  enum farm_status said = json_report(&c->json, root);
  TRY(status);
  TRY(said);
  FAIL_IF(c->counts[CASE_WRONG] || c->counts[CASE_ERROR], FARM_VERIFY_FAILED, "%d of %zu cases are wrong or ended in errors",
          c->counts[CASE_WRONG] + c->counts[CASE_ERROR], c->cases.count);
  return FARM_OK;
}

static enum farm_status run(int argc, char **argv) {
  struct test_command c = {.options = {.rule = COMPARE_RULE_ONNX}, .timeout_s = 120};
  const struct option rows[] = {
      {"target", OPTION_TEXT, &c.options.target, 0, 0, "T", "auto, cpu, or a device class", false},
      {"rtol", OPTION_NUMBER, &c.options.rule.rtol, 0, 1e9, "X", "relative tolerance (1e-3)", false},
      {"atol", OPTION_NUMBER, &c.options.rule.atol, 0, 1e9, "X", "absolute tolerance (1e-7)", false},
      {"relative-to-max", OPTION_FLAG, &c.options.rule.relative_to_max, 0, 0, NULL,
       "atol is a share of the largest expected value; integers, and floats from a DequantizeLinear, may be one quantum off",
       false},
      {"each-tactic", OPTION_FLAG, &c.each_tactic, 0, 0, NULL,
       "once more for every tactic that may solve a step, the other steps as they are", false},
      {"threads", OPTION_INTEGER, &c.threads, 0, 1024, "N", "threads to build for and run with", true},
      {"timeout", OPTION_INTEGER, &c.timeout_s, 1, 86400, "S", "time limit of one run of a case (120)", false},
      {"verbose", OPTION_FLAG, &c.verbose, 0, 0, NULL, "a line for every case, not only for those that fail", false},
      {"json", OPTION_OPTIONAL, &c.json, 0, 0, "FILE", "all verdicts as one JSON object", false},
      {0},
  };
  const struct options options = {"test", "DIR... [options]",
                                  "Runs ONNX backend tests (model.onnx, test_data_set_N), found recursively.",
                                  "  tunefarm test /usr/share/libonnx-testdata/data/node --json=verdicts.json\n"
                                  "  tunefarm test my-model --relative-to-max --atol 1e-5\n"
                                  "  tunefarm test my-model --each-tactic --verbose\n",
                                  rows};
  bool help;
  enum farm_status status = options_parse(&options, argc, argv, &c.roots, &help);
  c.options.threads = (int)c.threads;
  if (status == FARM_OK && !help && c.roots.count == 0) status = status_set(FARM_USAGE, "no folder was given");
  if (status == FARM_OK && !help) status = test_all(&c);
  for (size_t i = 0; i < c.cases.count; i++) free(c.cases.folders[i]);
  free(c.cases.folders);
  option_list_free(&c.roots);
  return status;
}

const struct command command_test = {"test", "run ONNX backend tests", run};
