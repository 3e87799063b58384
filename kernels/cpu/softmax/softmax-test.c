/* Softmax against the formula in double: rows and columns, lengths around the lanes, large and infinite elements, NaN, in place.
 */
#include "../probe-test.h"

#include "../../../tests/kit/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const struct tactic softmax_f32__rows__baseline, softmax_f32__rows__avx2, softmax_f32__rows__avx512,
    softmax_f32__rows__wide;
extern const struct tactic softmax_f32__columns__baseline, softmax_f32__columns__avx2, softmax_f32__columns__avx512,
    softmax_f32__columns__wide;
static const struct tactic *const tactics[] = {
    &softmax_f32__rows__baseline,    &softmax_f32__rows__avx2,    &softmax_f32__rows__wide,    &softmax_f32__rows__avx512,
    &softmax_f32__columns__baseline, &softmax_f32__columns__avx2, &softmax_f32__columns__wide, &softmax_f32__columns__avx512};

static void reference(struct probe *probe) {
  const int64_t *d = probe->problem.dims, len = d[SOFTMAX_LEN], inner = d[SOFTMAX_INNER];
  for (int64_t row = 0; row < d[SOFTMAX_OUTER] * inner; row++) {
    const int64_t at = row / inner * len * inner + row % inner;
    double most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < len; i++) {
      const double x = probe_get(probe, 0, at + i * inner);
      if (isnan(x) || x > most) most = x;
      if (isnan(most)) break;
    }
    for (int64_t i = 0; i < len; i++) sum += exp(probe_get(probe, 0, at + i * inner) - most);
    for (int64_t i = 0; i < len; i++) {
      const double x = probe_get(probe, 0, at + i * inner) - most;
      probe->wanted[0][at + i * inner] = d[SOFTMAX_LOG] ? x - log(sum) : exp(x) / sum;
    }
  }
}

static void check_all(struct probe *probe) {
  int count = 0;
  reference(probe);
  for (size_t t = 0; t < sizeof tactics / sizeof *tactics; t++) count += probe_check(probe, tactics[t], 3e-7, 2e-6);
  CHECK_MESSAGE(count >= 3, "%s: %d variants", probe->text, count);
}

TEST(softmax_agrees_with_the_formula, "") {
  static const char *const texts[] = {"softmax outer1 len1 f32",
                                      "softmax outer3 len5 f32",
                                      "softmax outer7 len8 f32",
                                      "softmax log outer5 len17 f32",
                                      "softmax outer300 len33 f32",
                                      "softmax outer130 len128 f32",
                                      "softmax log outer100 len131 f32",
                                      "softmax outer1 len5003 f32",
                                      "softmax outer2 len3 inner2 f32",
                                      "softmax outer3 len7 inner33 f32",
                                      "softmax log outer2 len9 inner70 f32",
                                      "softmax outer1 len21 inner1031 f32",
                                      "softmax outer20 len64 inner16 f32"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct probe probe;
    probe_open(&probe, texts[i], 5);
    float *x = probe.tensors[0].data;
    for (int64_t k = 0; k < tensor_elems(&probe.tensors[0]); k++) x[k] *= 20;
    check_all(&probe);
    probe_close(&probe);
  }
}

TEST(softmax_keeps_special_values, "") {
  static const char *const texts[] = {"softmax outer6 len19 f32", "softmax log outer6 len19 f32",
                                      "softmax outer1 len6 inner19 f32"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct probe probe;
    probe_open(&probe, texts[i], 5);
    float *x = probe.tensors[0].data;
    x[3] = -INFINITY, x[18] = -INFINITY; // masked
    x[19] = 1e38f, x[25] = -1e38f;       // far apart
    x[38 + 4] = NAN;
    x[57 + 18] = NAN;                                              // in the tail
    for (int k = 76; k < 95; k++) x[k] = i < 2 ? -INFINITY : x[k]; // nothing but
    x[95] = 1e-40f;
    check_all(&probe);
    probe_close(&probe);
  }
}

TEST(softmax_works_in_place, "") {
  struct probe probe;
  probe_open(&probe, "softmax outer5 len37 f32", 5);
  reference(&probe);
  for (int t = 0; t < 4; t++) {
    if (!probe_isa_here(tactics[t]->isa)) continue;
    const struct variant variant = {.tactic = tactics[t], .params = {2}};
    struct tensor *y = &probe.tensors[1];
    memcpy(y->data, probe.tensors[0].data, tensor_bytes(y));
    const struct tensor *const inputs[] = {y};
    const struct kernel_call call = {.problem = &probe.problem,
                                     .variant = &variant,
                                     .scalars = &probe.scalars,
                                     .input_count = 1,
                                     .output_count = 1,
                                     .inputs = inputs,
                                     .outputs = &y};
    REQUIRE_OK(tactics[t]->run(&call));
    for (int64_t i = 0; i < tensor_elems(y); i++) CHECK(fabs(probe_get(&probe, 1, i) - probe.wanted[0][i]) < 1e-6);
  }
  probe_close(&probe);
}
