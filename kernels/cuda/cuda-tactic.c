/* What is common to all CUDA tactics: which device they fit. See cuda-tactic.h; what needs a device is in cuda-step.c. */
#include "cuda-tactic.h"

const struct cuda_tactic *cuda_tactic_of(const struct tactic *tactic) {
  return tactic->device == DEVICE_CUDA ? tactic->detail : NULL;
}

/* Matrix and copy instructions with an architecture's suffix exist on its own family alone: 100 and 103, not 120. */
bool cuda_tactic_fits(const struct tactic *tactic, int sm) {
  const struct cuda_tactic *cuda = cuda_tactic_of(tactic);
  return cuda && sm >= cuda->least_sm && (cuda->only_sm == 0 || sm / 10 == cuda->only_sm / 10);
}
