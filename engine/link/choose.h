/* Which variant solves a problem: from a pin (lock file), else a final record, else the cost model.
 *
 * The rule on records: among the entries that this build knows, that are legal and of the asked layout: the lowest rank; among
 * ties less workspace, then the variant's text; when no finalist has that layout, the smallest screened median. The default is an
 * entry like others.
 *
 * A library's variant is chosen by its record alone, whether or not the linking machine has the library; it gets a fallback for
 * devices without that version: by the same rule among own variants, which read all operands row-major (problem_of_variables), else the
 * cheapest of them. Where there is none, the library is not chosen.
 *
 * What no CUDA tactic solves is left to the host (`host`): it costs its bytes over the bus and a stop of the device, and the
 * runtime finds the host's variant.
 */
#ifndef ENGINE_LINK_CHOOSE_H
#define ENGINE_LINK_CHOOSE_H

#include "../../base/bytes.h"
#include "../../kernels/tactic.h"
#include "../../problem/record.h"

struct link_choice {
  bool host; // of a CUDA class: no tactic, the host computes it
  struct variant variant;
  double estimated_ns, median_ns, ci95_ns; // median 0: not measured
  uint32_t candidates, ties;               // entries that stood for choice; how many share the winner's rank
  float error;                             // share of the tolerance
  const char *library;     // of a library's variant: source digest with the measured version, the facts'; NULL: an own variant
  struct variant fallback; // of that: solves the problem's problem_of_variables
};

/* Where facts come from. `record` gives the final record of a problem text, or NULL; what it points to lives as long as the
 * context. */
struct link_facts {
  const struct record *(*record)(void *context, const char *problem);
  void *context;
};

/* Where compiled kernels come from: an artefact store, a compiler, both. */
struct link_images {
  /* The image of one whole text for one SM version. Statuses pass through the build: FARM_LOCKED_MISS when it may only be taken
   * from a store and is not there (the message names the key), FARM_UNSUPPORTED without store and compiler. */
  enum farm_status (*get)(void *context, const char *source, int sm, struct bytes_writer *out_image);
  void *context;
  const char *compiler; // "nvrtc 13.0": noted in the section; part of an artefact's key; may be filled in by the first `get`
};

struct link_target {
  struct device_class device_class;
  int threads; // 1 for a CUDA class
  struct link_facts facts;
  const struct link_images *images; // CUDA classes need it; NULL for CPUs
};

/* problem_text is the canonical text. Always finds one for a CPU, whose reference is last. */
enum farm_status link_choose(const struct link_target *target, const struct problem *problem, const char *problem_text,
                             enum tactic_layout layout, struct link_choice *out_choice);
/* The variant of least estimated cost that `takes` takes; tactic NULL: none. */
struct variant link_cheapest(const struct link_target *target, const struct problem *problem, enum tactic_layout layout,
                             bool (*takes)(void *context, const struct variant *variant), void *context);
bool link_is_own(void *context, const struct variant *variant); // not a library's
/* Estimated or measured nanoseconds of a choice. */
double link_choice_ns(const struct link_choice *choice);
/* The choice of a CUDA class to leave a problem to the host. */
struct link_choice link_choice_host(const struct problem *problem);

#endif
