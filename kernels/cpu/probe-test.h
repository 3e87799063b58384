/* What the tests of these kernels share: a problem from its text, operands with guard zones around them, every variant of a
 * tactic on one thread and on two, each output compared with what a direct formula in double says.
 */
#ifndef KERNELS_CPU_PROBE_TEST_H
#define KERNELS_CPU_PROBE_TEST_H

#include "../tactic.h"

#include "../../base/arena.h"

enum { PROBE_MAX = PROBLEM_MAX_OPERANDS };

struct probe {
  struct arena arena;
  const char *text;
  struct problem problem;
  struct operation operation; // for problems of kind OP
  struct operation_scalars scalars;
  struct tensor tensors[PROBE_MAX]; // inputs, then outputs
  double *wanted[PROBE_MAX];        // per output, filled by the test
  int input_count, output_count;
  int runs; // variants x threads so far
};

/* Parses, makes operands with seeded elements of [-1, 1] (small integers for integer types); ends the test on failure. */
void probe_open(struct probe *probe, const char *text, uint32_t seed);
void probe_close(struct probe *probe);
double probe_get(const struct probe *probe, int tensor, int64_t i);
/* Adds a tensor by itself, for problems of kind OP, which describe none. */
struct tensor *probe_add(struct probe *probe, enum dtype dtype, int rank, const int64_t *dims);
/* Runs every legal variant of the tactic on 1 and 2 threads and compares; `absolute` and `relative` bound the error together.
 * Says how many variants there were; none when the tactic does not apply or this CPU cannot run it. */
int probe_check(struct probe *probe, const struct tactic *tactic, double absolute, double relative);
bool probe_isa_here(enum isa isa);
/* Least nanoseconds of one run of the tactic's best variant, one thread; prints it with the rate. */
double probe_time(struct probe *probe, const struct tactic *tactic, double work, const char *unit);

#endif
