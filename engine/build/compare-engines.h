/* Two engines of one model, timed interleaved on a worker of their class: how much tuning brought.
 *
 * The worker feeds both the same inputs, checks that their outputs agree, and times A B A B … (an `execute` job,
 * docs/protocol-1.md). */
#ifndef ENGINE_BUILD_COMPARE_ENGINES_H
#define ENGINE_BUILD_COMPARE_ENGINES_H

#include "../../cluster/wire/client.h"

struct build_comparison {
  double a_ms, b_ms;          // medians of one run
  double ratio;               // median of a/b over the pairs: above 1, b is faster
  double ci95_low, ci95_high; // of that median
  uint32_t n;                 // pairs
  double max_rel_difference;  // of the outputs, as a share of the largest value
};

/* Waits for the answer: `seconds` (0 < s <= 600) of timing, and for a worker to be free. FARM_VERIFY_FAILED: the outputs differ;
 * FARM_TIMED_OUT: no worker of the class took it; FARM_INVALID: the worker's report makes no sense. */
enum farm_status build_compare_engines(struct client *client, const char *device_class, int threads, const char *path_a,
                                       const char *path_b, double seconds, struct build_comparison *out);
/* The report as the worker writes it; nothing of it is believed that cannot be. */
enum farm_status build_comparison_parse(const char *report, struct build_comparison *out);

#endif
