/* Real architectures as exporters write them, with seeded weights: models to build, tune, time and test with, without downloading
 * any.
 *
 * The graphs keep what makes exported graphs hard: separate BatchNormalization, LayerNorm and GELU taken apart, shape arithmetic
 * around every Reshape, causal masks cut from a constant. Weights keep activations finite and of order one. The same options give
 * the same bytes on every machine.
 */
#ifndef SYNTH_SYNTH_H
#define SYNTH_SYNTH_H

#include "../base/status.h"
#include "../problem/dtype.h"

#include <stdbool.h>

struct synth_options {
  uint64_t seed;
  enum dtype dtype;   // of weights and activations: f32, f16, bf16
  int64_t batch, seq; // seq 0: the architecture's usual length; images have none
  bool dynamic;       // batch and sequence length stay symbolic ("batch", "seq")
};

struct synth_model {
  const char *name, *summary;
  int64_t usual_seq; // 0: no sequences
};

const struct synth_model *synth_models(int *out_count);
/* FARM_USAGE: unknown name or impossible options. The file is complete or absent. */
enum farm_status synth_write(const char *name, const struct synth_options *options, const char *path);

#endif
