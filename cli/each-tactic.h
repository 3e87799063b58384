/* A case with every tactic: first as it is, then once more for each trial of its engines (case-trial.h), each in a child of its
 * own. A tactic that crashes or hangs costs its trial and no other. */
#ifndef CLI_EACH_TACTIC_H
#define CLI_EACH_TACTIC_H

#include "case-runner.h"

#include <jansson.h>

struct tactic_report {
  json_t *tried; // [{"node", "tactic"}], each variant that ran; owned
  json_t *wrong; // [{"node", "problem", "tactic", "verdict", "why"}]; owned
};

/* The case's verdict: that of its defaults when it does not pass; else wrong when any tactic is, error when any ends in one;
 * `why` names node, tactic and worst element of the first. A case that no engine could be made for has no trials. `verbose`: a
 * log line for each trial. */
enum case_verdict case_run_each_tactic(const char *folder, const struct case_options *options, int timeout_s, bool verbose,
                                       struct tactic_report *out, char *out_why, size_t why_bytes);

#endif
