/* Shared by kernel-case.c, kernel-sample.c, kernel-compare.c, kernel-check.c and cuda/cuda-trial.c. */
#ifndef KERNELS_KERNEL_CASE_H
#define KERNELS_KERNEL_CASE_H

#include "kernel-check.h"

enum { GUARD_BYTES = 4096 };

/* [ guard | bytes | guard ]; the base is malloc'ed, data is 64-byte aligned. */
struct guarded {
  unsigned char *base, *data;
  size_t bytes;
};
enum farm_status guarded_make(size_t bytes, struct guarded *out); // data full of the pattern, too
void guarded_free(struct guarded *guarded);
bool guarded_intact(const struct guarded *guarded);
void guarded_fill(struct guarded *guarded); // the data
/* With AddressSanitizer the zones are forbidden while a kernel runs, so that reads beyond an operand are found, too; else nothing. */
void guarded_forbid(const struct guarded *guarded, bool forbid);

/* Samples of a result too large to compute in full. */
struct kernel_samples {
  int64_t count;
  int64_t *index; // element of the output, natural order
  double *expected;
  bool linear;         // then the projection below was made
  int64_t projections; // one per row (gemm) or pixel (conv)
  double *projection;  // sum over channels of r[channel] * out
  double *weights;     // r [channels]
};

struct kernel_case {
  const struct problem *problem;
  int operand_count;
  struct tensor types[PROBLEM_MAX_OPERANDS]; // natural order; data: inputs, then expected outputs (after kernel_case_expect)
  struct guarded inputs[PROBLEM_MAX_OPERANDS];
  struct operation_scalars scalars;
  bool expected, sampled;
  struct kernel_samples samples;
};

enum farm_status kernel_samples_make(struct kernel_case *kernel_case, struct kernel_samples *out);
void kernel_samples_free(struct kernel_samples *samples);
uint64_t kernel_case_seed(const struct problem *problem, int operand);

/* Where a variant left its results, in host memory. */
struct kernel_results {
  const struct kernel_case *of; // after kernel_case_expect
  const struct variant *variant;
  const void *outputs[PROBLEM_MAX_OPERANDS];
  bool nhwc; // images lie so
};
/* Fills the verdict. FARM_TACTIC_WRONG: which element, what and what was expected. */
enum farm_status kernel_results_compare(const struct kernel_results *results, struct kernel_verdict *verdict);

/* Does operand i (inputs, then outputs) come in the tactic's layout? */
bool operand_has_layout(const struct problem *problem, const struct tensor *type, int operand);
/* nchw to nhwc, for any element size of whole bytes. */
void layout_to_nhwc(const struct tensor *nchw, const void *from, void *to);
int64_t layout_nhwc_index(const struct tensor *nchw, int64_t index); // where element `index` of nchw lies in nhwc

#endif
