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
enum farm_status contenders_make(const struct measure_job *job, struct thread_pool *pool, struct contender **out);
void contenders_free(struct contender *all, int count);

/* Trial and check of one contender; its warm-up is left to the caller, who holds the cores. */
enum farm_status contender_prepare(struct contender *c, struct kernel_case *kernel_case, const struct measure_job *job,
                                   int index);
enum farm_status contender_check(struct contender *c, struct thread_pool *pool);
/* What a status of its own run means: FARM_OK, with the entry failed and alive false when it is the variant's trouble; else the
 * job's. */
enum farm_status contender_judge(struct contender *c, enum farm_status status);
void contender_settle(struct contender *c); // samples to times
enum farm_status contender_tell(struct contender *c, int index, const struct measure_events *events);
double contenders_best(const struct contender *all, int count); // least median of those that are OK; 0: none

/* After foreign code ran: FARM_WORKER_LOST when the heap is broken or the case no longer has the checksum `case_sum`. */
enum farm_status contender_aftermath(const struct kernel_case *kernel_case, uint64_t case_sum);

/* The locks of the job's cores; says meanwhile that `variant` (-1: none) lives. */
enum farm_status cores_lock_alive(const struct measure_job *job, const struct measure_events *events, int variant,
                                  struct core_locks *out_locks);

#endif
