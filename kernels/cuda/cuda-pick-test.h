/* Tests only: chosen variants of chosen problems, where a whole sweep would take too long. Over cuda-sweep-test.h. */
#ifndef KERNELS_CUDA_CUDA_PICK_TEST_H
#define KERNELS_CUDA_CUDA_PICK_TEST_H

#include "cuda-sweep-test.h"

struct cuda_pick {
  const char *problem, *variant; // the variant's text, as records have it
};

/* One problem with one of its legal variants: to be run on the sweep's device, where it fits, or compiled for its architectures. */
static inline void cuda_pick_run(struct cuda_sweep *sweep, const struct cuda_pick *pick) {
  struct variant variant;
  const int problem = cuda_sweep_problem_add(sweep, pick->problem);
  REQUIRE_OK(variant_parse(pick->variant, &variant));
  CHECK_MESSAGE(variant_legal(&sweep->problems[problem].problem, &variant), "%s: %s is not legal", pick->problem, pick->variant);
  if (sweep->emulated && cuda_tactic_fits(variant.tactic, sweep->device_class.sm))
    cuda_sweep_add(sweep, problem, &variant, sweep->device_class.sm, true);
  for (const int *sm = sweep->sms; sm && *sm; sm++)
    if (nvrtc_supports(*sm) && cuda_tactic_fits(variant.tactic, *sm)) cuda_sweep_add(sweep, problem, &variant, *sm, false);
}

#endif
