/* Execute jobs in the measuring child: what a client wants run on a device, on blobs it sent.
 *
 *   time-engines/1 seconds=S threads=T     blobs `a` and `b`: engine files
 *
 * Loads both, feeds both the same seeded inputs at their optimal shapes, and times them A B A B …, for S seconds (0 < S <= 600)
 * with T threads (1 ..): report {"a_ms","b_ms","ratio","ci95_low","ci95_high","n","max_rel_difference"}. The times are medians;
 * the ratio is the median of a/b over the pairs, with its 95 % interval, so that what slows the machine down meets both.
 * FARM_MISMATCH: the engines do not have the same inputs and outputs; FARM_VERIFY_FAILED: their outputs differ by more than a
 * hundredth of the largest value.
 */
#ifndef WORKER_EXECUTE_H
#define WORKER_EXECUTE_H

#include "../base/strbuf.h"
#include "../cluster/wire/messages.h"
#include "cores.h"

struct execute_events {
  void *context;
  void (*running)(void *context, int blob, double allowed_ns); // which engine runs now, as in measure.h
};

/* Blob i of the job is descriptor first_fd + i. Timed while the cores are locked, or the GPU with this UUID (NULL: none).
 * FARM_UNSUPPORTED: unknown spec. */
enum farm_status execute_job(const struct wire_job *job, int first_fd, const cpu_set_t *cores, const char *gpu,
                             const struct execute_events *events, struct strbuf *out_report);

#endif
