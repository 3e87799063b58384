/* Variants of one job on their way through screen or final: entries, samples, and what fails whom. */
#ifndef WORKER_CONTENDER_H
#define WORKER_CONTENDER_H

#include "noise.h"
#include "sampler.h"

struct contender {
  struct record_entry entry;
  struct sampler sampler; // its trial is NULL between rungs
  struct noise noise;
  bool alive, resting;
};

/* One for each variant of the job; those that are not legal for the problem have failed already. contenders_free frees trials,
 * too. */
enum farm_status contenders_make(const struct measure_job *job, struct bench *bench, struct contender **out);
void contenders_free(struct contender *all, int count);

/* Trial and check of one contender; its warm-up is left to the caller, who holds the cores. */
enum farm_status contender_prepare(struct contender *c, const struct measure_job *job, int index);
enum farm_status contender_check(struct contender *c);
void contender_put_away(struct contender *c); // its trial
/* What a status of its own run means: FARM_OK, with the entry failed and alive false when it is the variant's trouble; else the
 * job's. */
enum farm_status contender_judge(struct contender *c, enum farm_status status);
void contender_settle(struct contender *c); // samples to times
enum farm_status contender_tell(struct contender *c, int index, const struct measure_events *events);
double contenders_best(const struct contender *all, int count); // least median of those that are OK; 0: none

/* What is expected of every variant of the bench's case, and the checksum of the case. */
enum farm_status bench_expect(struct bench *bench, const struct measure_events *events, uint64_t *out_case_sum);
/* After foreign code ran: FARM_WORKER_LOST when the heap is broken or the case no longer has the checksum `case_sum`. */
enum farm_status contender_aftermath(const struct bench *bench, uint64_t case_sum);

/* The locks of the bench's device; says meanwhile that `variant` (-1: none) lives. */
enum farm_status device_lock_alive(struct bench *bench, const struct measure_job *job, const struct measure_events *events,
                                   int variant, struct device_locks *out_locks);

#endif
