/* One case of the ONNX backend tests (model.onnx, test_data_set_N/{input_k,output_k}.pb): built, run, compared. */
#ifndef CLI_CASE_RUNNER_H
#define CLI_CASE_RUNNER_H

#include "../base/status.h"
#include "../problem/compare.h"
#include "case-trial.h"

enum case_verdict { CASE_PASS, CASE_WRONG, CASE_UNSUPPORTED, CASE_ERROR };
const char *case_verdict_name(enum case_verdict verdict);

struct case_options {
  struct compare_rule rule;
  const char *target; // NULL: auto
  int threads;        // 0: as many as this process may use

  const struct case_trial *trial; // NULL: defaults. Else a case none of whose engines can have it is UNSUPPORTED
  const char *engine_folder;      // NULL: the engines are removed; else they stay there (case_engine_path)
};

/* The engine made for data set `set` of a case. */
void case_engine_path(const char *engine_folder, int set, char *out, size_t out_bytes);
/* A folder for them and its end, with all engines in it. */
enum farm_status case_folder_make(char *out, size_t out_bytes);
void case_folder_remove(const char *engine_folder);

/* In this process. `why` gets the worst element of the first output that differs, or the error's message. */
enum case_verdict case_run(const char *folder, const struct case_options *options, char *out_why, size_t why_bytes);
/* The same in a child of its own with a time limit: a crash or a hang is an error of this case. */
enum case_verdict case_run_apart(const char *folder, const struct case_options *options, int timeout_s, char *out_why,
                                 size_t why_bytes);

#endif
