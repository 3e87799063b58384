/* Layer and RMS normalisation against the formula in double, with and without scale and bias, lengths around the lanes, and rows
 * far from zero, where a variance from sums of squares would be lost. */
#include "../probe-test.h"

#include "../../../tests/kit/test.h"

#include <math.h>

extern const struct tactic norm_f32__rows__baseline, norm_f32__rows__avx2, norm_f32__rows__avx512, norm_f32__rows__wide;
static const struct tactic *const tactics[] = {&norm_f32__rows__baseline, &norm_f32__rows__avx2, &norm_f32__rows__wide,
                                               &norm_f32__rows__avx512};

static void reference(struct probe *probe) {
  const int64_t *d = probe->problem.dims, len = d[NORM_LEN];
  for (int64_t row = 0; row < d[NORM_ROWS]; row++) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < len && d[NORM_MODE] == NORM_LAYER; i++) mean += probe_get(probe, 0, row * len + i) / (double)len;
    for (int64_t i = 0; i < len; i++) variance += pow(probe_get(probe, 0, row * len + i) - mean, 2) / (double)len;
    for (int64_t i = 0; i < len; i++) {
      const double scale = d[NORM_SCALE] ? probe_get(probe, 1, i) : 1,
                   bias = d[NORM_BIAS] ? probe_get(probe, d[NORM_SCALE] ? 2 : 1, i) : 0;
      const double y = (probe_get(probe, 0, row * len + i) - mean) / sqrt(variance + (double)probe->scalars.epsilon);
      probe->wanted[0][row * len + i] = y * scale + bias;
    }
  }
}

static void check(const char *text, float offset, double bound) {
  struct probe probe;
  probe_open(&probe, text, 11);
  float *x = probe.tensors[0].data;
  for (int64_t i = 0; i < tensor_elems(&probe.tensors[0]); i++) x[i] += offset;
  reference(&probe);
  for (size_t t = 0; t < sizeof tactics / sizeof *tactics; t++)
    CHECK_MESSAGE(probe_check(&probe, tactics[t], bound, 1e-6) == 3 || !probe_isa_here(tactics[t]->isa),
                  "%s: variants are missing", text);
  probe_close(&probe);
}

TEST(norm_agrees_with_the_formula, "") {
  static const char *const texts[] = {"norm layer rows1 len1 f32",
                                      "norm layer rows3 len7 f32",
                                      "norm rms rows5 len16 f32",
                                      "norm layer rows2 len8 scale0 f32",
                                      "norm layer rows2 len67 bias0 f32",
                                      "norm rms rows9 len133 bias0 f32",
                                      "norm rms rows4 len31 scale0 bias0 f32",
                                      "norm layer rows64 len768 f32",
                                      "norm layer rows50 len1027 f32"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) check(texts[i], 0, 2e-6);
}

TEST(norm_survives_rows_far_from_zero, "") { check("norm layer rows20 len777 f32", 1000, 5e-4); }
