/* Which variant solves a problem: from a pin (lock file), else a final record, else the cost model.
 *
 * The rule on records: among the entries that this build knows, that are legal and of the asked layout: the lowest rank; among
 * ties less workspace, then the variant's text; when no finalist has that layout, the smallest screened median. The default is an
 * entry like others.
 */
#ifndef ENGINE_LINK_CHOOSE_H
#define ENGINE_LINK_CHOOSE_H

#include "../../kernels/tactic.h"
#include "../../problem/record.h"

struct link_choice {
  struct variant variant;
  double estimated_ns, median_ns, ci95_ns; // median 0: not measured
  uint32_t candidates, ties;               // entries that stood for choice; how many share the winner's rank
  float error;                             // share of the tolerance
};

/* Where facts come from. `record` gives the final record of a problem text, or NULL; what it points to lives as long as the
 * context. */
struct link_facts {
  const struct record *(*record)(void *context, const char *problem);
  void *context;
};

struct link_target {
  struct device_class device_class;
  int threads;
  struct link_facts facts;
};

/* problem_text is the canonical text. Always finds one: the reference is last. */
enum farm_status link_choose(const struct link_target *target, const struct problem *problem, const char *problem_text,
                             enum tactic_layout layout, struct link_choice *out_choice);
/* Estimated or measured nanoseconds of a choice. */
double link_choice_ns(const struct link_choice *choice);

#endif
