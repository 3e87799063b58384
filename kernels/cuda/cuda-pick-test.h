/* Tests only: chosen variants of chosen problems, where a whole sweep would take too long. Over cuda-sweep-test.h. */
#ifndef KERNELS_CUDA_CUDA_PICK_TEST_H
#define KERNELS_CUDA_CUDA_PICK_TEST_H

#include "cuda-sweep-test.h"

struct cuda_pick {
  const char *problem, *variant; // the variant's text, as records have it
};

/* One problem with one of its legal variants: run on the sweep's device, or compiled for its architectures. */
static inline void cuda_pick_run(struct cuda_sweep *sweep, const struct cuda_pick *pick) {
  struct arena arena = {0};
  struct problem problem;
  struct variant variant;
  struct kernel_case *made = NULL;
  REQUIRE_OK(problem_parse(pick->problem, &arena, &problem));
  REQUIRE_OK(variant_parse(pick->variant, &variant));
  CHECK_MESSAGE(variant_legal(&problem, &variant), "%s: %s is not legal", pick->problem, pick->variant);
  if (sweep->device) {
    REQUIRE_OK(kernel_case_make(&problem, &made));
    cuda_sweep_run(sweep, pick->problem, made, &variant);
  }
  for (const int *sm = sweep->sms; sm && *sm; sm++)
    if (nvrtc_supports(*sm) && cuda_tactic_fits(variant.tactic, *sm)) cuda_sweep_compile(sweep, pick->problem, &problem, &variant, *sm);
  kernel_case_free(&made);
  arena_free(&arena);
}

#define CUDA_PICKS(sweep, list)                                                                              \
  for (size_t p_ = 0; p_ < sizeof(list) / sizeof *(list); p_++) cuda_pick_run(&(sweep), &(list)[p_])

#endif
