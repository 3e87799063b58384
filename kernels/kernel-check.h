/* One problem, made concrete, and one variant run on it: what a worker checks and times, and what the kernels' own tests use.
 *
 *   kernel_case   operands made from the digest of the problem's text, and the result expected of every variant
 *   kernel_trial  a variant with its packed weights (as many copies as asked for, to time them cold), workspace and outputs
 *
 * Every buffer that a kernel sees lies between guard zones:   [ guard | data, 64-byte aligned | guard ]
 * filled with a pattern whose floats are NaN: what is written there is found, what is read from there poisons the result.
 * Elements are uniform in [-1, 1] (maps that take logarithms, roots or quotients: in [1/4, 5/4]); small integers for integer
 * types.
 */
#ifndef KERNELS_KERNEL_CHECK_H
#define KERNELS_KERNEL_CHECK_H

#include "tactic.h"

struct kernel_case;
struct kernel_trial;

struct kernel_verdict {
  double max_error;   // largest absolute error
  double worst_share; // largest error over its tolerance; at most 1 passes
  int64_t compared;   // output elements compared
  bool projected;     // the random projection of all outputs was compared, too
};

/* FARM_UNSUPPORTED for PROBLEM_OP, which has no operands of its own. The problem must outlive the case. */
enum farm_status kernel_case_make(const struct problem *problem, struct kernel_case **out_case);
void kernel_case_free(struct kernel_case **kernel_case);
/* Computes what is expected: in full up to 2 G multiply-adds, else samples and a projection. Done once, by the first check or
 * here; it is slow and single-threaded, so a worker calls it outside the cores it measures on. */
enum farm_status kernel_case_expect(struct kernel_case *kernel_case);

/* A checksum of operands and expected results: kernels write to none of them, so a change means that one did. */
uint64_t kernel_case_sum(const struct kernel_case *kernel_case);

/* threads: size of the pool it will run on. copies >= 1: of the packed operand. The case must outlive the trial. */
enum farm_status kernel_trial_make(struct kernel_case *kernel_case, const struct variant *variant, int threads, int copies,
                                   struct kernel_trial **out_trial);
void kernel_trial_free(struct kernel_trial **trial);
/* One run, with packed copy `turn` modulo copies: nothing but the kernel itself. */
enum farm_status kernel_trial_run(struct kernel_trial *trial, struct thread_pool *pool, int64_t turn);
/* Runs it on outputs full of NaN and compares. FARM_TACTIC_WRONG: which element, what and what was expected; FARM_TACTIC_OVERRAN:
 * which buffer. The verdict is filled in either case. */
enum farm_status kernel_trial_check(struct kernel_trial *trial, struct thread_pool *pool, struct kernel_verdict *out_verdict);
/* Guard zones alone: after timed runs. */
enum farm_status kernel_trial_guards(const struct kernel_trial *trial);
size_t kernel_trial_packed_bytes(const struct kernel_trial *trial); // of one copy

/* All of it for one variant. */
enum farm_status kernel_check(const struct problem *problem, const struct variant *variant, struct thread_pool *pool,
                              struct kernel_verdict *out_verdict);

#endif
