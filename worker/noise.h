/* What was known of clocks and foreign load while something was timed: facts for a record.
 *
 * The clock is measured, not asked for: a chain of additions that depend on each other runs at one per cycle. Foreign load is the
 * share of the timed window in which this thread, which is busy all the time, did not get its core. */
#ifndef WORKER_NOISE_H
#define WORKER_NOISE_H

#include <stdint.h>

enum { NOISE_TEXT_MAX = 160 };

struct noise {
  double mhz_low, mhz_high;
  double wall_ns, cpu_ns; // of all windows so far
  uint64_t begun_wall_ns, begun_cpu_ns;
  int power_mw, temperature_c; // of a GPU: the most that was seen
  uint64_t reasons;            // of a GPU: what held its clocks down, as bits of nvml.h
  uint32_t dropped;            // samples that were not kept because a core was taken away meanwhile
};

double clock_measured_mhz(void);       // best of a few chains of some microseconds
void noise_begin(struct noise *noise); // a window begins; windows add up
void noise_end(struct noise *noise);
void noise_print(const struct noise *noise,
                 char out[NOISE_TEXT_MAX]); // "mhz 2890-2910 foreign 0.7% dropped 3"; "" without a window

#endif
