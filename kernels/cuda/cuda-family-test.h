/* Tests only: what every family of kernels has to pass, said once. A family names its lists; CUDA_FAMILY_TESTS(name) makes the tests:
 *
 *   cuda_NAME_compiles                           quick   NVRTC takes its texts for an old architecture and a new one
 *   cuda_NAME_gives_the_references_results       quick   a covering set in the emulator
 *   cuda_NAME_in_every_variant                   slow    all variants of the problems; of the large ones none may be left untried
 *   every_architecture_compiles_cuda_NAME        slow    NVRTC, for all architectures
 *
 * Where all variants of all problems would take too long for a quick covering set or for every architecture, picks stand in for them;
 * CUDA_PICKED_FAMILY_TESTS(name) adds
 *
 *   cuda_NAME_at_the_edges_of_tiles              slow    every pick, as the oldest architecture runs it
 */
#ifndef KERNELS_CUDA_CUDA_FAMILY_TEST_H
#define KERNELS_CUDA_CUDA_FAMILY_TEST_H

#include "cuda-pick-test.h"

struct cuda_family {
  const struct cuda_pick *quick, *more; // NULL: no picks; a problem of NULL ends
  const char *const *problems;          // NULL ends, here and below
  const char *const *large;             // of any size: these may be solved by nothing that the problems do not try
  int tactics;                          // how many the problems have, where there are no picks
  int sm;                               // that the emulator is for every variant; 0: 90
  const int *more_sms;                  // that `more` is compiled for; NULL: every one
  void (*extra)(struct cuda_sweep *sweep); // what else is to be run in every variant; may be NULL
};

static const int cuda_family_every_sm[] = {75, 80, 86, 89, 90, 100, 120, 0};

static inline void cuda_family_problems(struct cuda_sweep *sweep, const char *const *problems) {
  for (; *problems; problems++) cuda_sweep_problem(sweep, *problems);
}

static inline void cuda_family_picks(struct cuda_sweep *sweep, const struct cuda_pick *picks) {
  for (; picks && picks->problem; picks++) cuda_pick_run(sweep, picks);
}

static inline void cuda_family_go(struct cuda_sweep *sweep) {
  cuda_sweep_go(sweep);
  printf("%d texts of %d variants\n", sweep->compiled, sweep->checked);
  CHECK(sweep->checked > 0);
  cuda_sweep_end(sweep);
}

static inline void cuda_family_compiles(const struct cuda_family *family) {
  static const int two_sms[] = {75, 90, 0}, one_sm[] = {75, 0};
  const bool picked = family->quick != NULL;
  struct cuda_sweep sweep = cuda_sweep_compiler(NULL, picked ? 1 : CUDA_SWEEP_COVERING, picked ? two_sms : one_sm);
  if (picked)
    cuda_pick_run(&sweep, family->quick);
  else
    cuda_family_problems(&sweep, family->problems);
  CHECK(picked || sweep.item_count == family->tactics); // one of each
  cuda_family_go(&sweep);
}

static inline void cuda_family_compiles_everywhere(const struct cuda_family *family) {
  struct cuda_sweep sweep = cuda_sweep_compiler(NULL, 1, cuda_family_every_sm);
  cuda_family_picks(&sweep, family->quick);
  if (!family->quick) cuda_family_problems(&sweep, family->problems);
  if (family->more_sms) sweep.sms = family->more_sms;
  cuda_family_picks(&sweep, family->more);
  cuda_family_go(&sweep);
}

static inline void cuda_family_runs(const struct cuda_family *family) {
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, family->quick ? 1 : CUDA_SWEEP_COVERING, 90);
  cuda_family_picks(&sweep, family->quick);
  if (!family->quick) cuda_family_problems(&sweep, family->problems);
  CHECK(sweep.item_count >= 2 * family->tactics);
  cuda_family_go(&sweep);
}

static inline void cuda_family_runs_edges(const struct cuda_family *family) {
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, 1, 75);
  cuda_family_picks(&sweep, family->quick);
  cuda_family_picks(&sweep, family->more);
  cuda_family_go(&sweep);
}

static inline void cuda_family_runs_all(const struct cuda_family *family) {
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, 1, family->sm ? family->sm : 90);
  cuda_family_problems(&sweep, family->problems);
  if (family->extra) family->extra(&sweep);
  for (const char *const *text = family->large; *text; text++) cuda_sweep_covers(&sweep, *text);
  cuda_family_go(&sweep);
}

#define CUDA_FAMILY_TESTS(name)                                                                                               \
  TEST(cuda_##name##_compiles, "timeout:300") { cuda_family_compiles(&name); }                                                \
  TEST(cuda_##name##_gives_the_references_results, "timeout:300") { cuda_family_runs(&name); }                                \
  TEST(cuda_##name##_in_every_variant, "slow timeout:3600") { cuda_family_runs_all(&name); }                                  \
  TEST(every_architecture_compiles_cuda_##name, "slow timeout:1800") { cuda_family_compiles_everywhere(&name); }
#define CUDA_PICKED_FAMILY_TESTS(name)                                                                                        \
  CUDA_FAMILY_TESTS(name)                                                                                                     \
  TEST(cuda_##name##_at_the_edges_of_tiles, "slow timeout:600") { cuda_family_runs_edges(&name); }

#endif
