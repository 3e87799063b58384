/* Pooling against the definition, in both layouts: windows, strides, padding, dilation, ceil mode, counted padding, global. */
#include "../probe-test.h"

#include "../../../tests/kit/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const struct tactic pool2d_f32_nchw__separable__baseline, pool2d_f32_nchw__separable__avx2,
    pool2d_f32_nchw__separable__avx512, pool2d_f32_nchw__separable__wide, pool2d_f32_nchw__global__baseline,
    pool2d_f32_nchw__global__avx2, pool2d_f32_nchw__global__avx512, pool2d_f32_nchw__global__wide,
    pool2d_f32_nhwc__taps__baseline, pool2d_f32_nhwc__taps__avx2, pool2d_f32_nhwc__taps__avx512, pool2d_f32_nhwc__taps__wide;
static const struct tactic *const nchw[] = {&pool2d_f32_nchw__separable__baseline, &pool2d_f32_nchw__separable__avx2,
                                            &pool2d_f32_nchw__separable__wide,     &pool2d_f32_nchw__separable__avx512,
                                            &pool2d_f32_nchw__global__baseline,    &pool2d_f32_nchw__global__avx2,
                                            &pool2d_f32_nchw__global__wide,        &pool2d_f32_nchw__global__avx512};
static const struct tactic *const nhwc[] = {&pool2d_f32_nhwc__taps__baseline, &pool2d_f32_nhwc__taps__avx2,
                                            &pool2d_f32_nhwc__taps__wide, &pool2d_f32_nhwc__taps__avx512};

static double window(const struct probe *probe, const float *plane, int64_t oh, int64_t ow) {
  const int64_t *d = probe->problem.dims;
  double most = -INFINITY, sum = 0;
  int64_t count = 0;
  for (int64_t r = 0; r < d[POOL_R]; r++)
    for (int64_t s = 0; s < d[POOL_S]; s++) {
      const int64_t y = oh * d[POOL_STRIDE_H] - d[POOL_PAD_T] + r * d[POOL_DIL_H],
                    x = ow * d[POOL_STRIDE_W] - d[POOL_PAD_L] + s * d[POOL_DIL_W];
      const bool inside = y >= 0 && y < d[POOL_H] && x >= 0 && x < d[POOL_W];
      count += inside || (d[POOL_COUNT_PAD] && y < d[POOL_H] + d[POOL_PAD_B] && x < d[POOL_W] + d[POOL_PAD_R]);
      if (!inside) continue;
      const double value = (double)plane[y * d[POOL_W] + x];
      most = value > most || isnan(value) ? value : most;
      sum += value;
    }
  return d[POOL_MODE] == POOL_MAX ? most : count ? sum / (double)count : 0;
}

static void reference(struct probe *probe) {
  const int64_t *d = probe->problem.dims;
  int64_t oh, ow;
  problem_output_hw(&probe->problem, &oh, &ow);
  for (int64_t plane = 0; plane < d[POOL_N] * d[POOL_C]; plane++)
    for (int64_t i = 0; i < oh * ow; i++)
      probe->wanted[0][plane * oh * ow + i] =
          window(probe, (const float *)probe->tensors[0].data + plane * d[POOL_H] * d[POOL_W], i / ow, i % ow);
}

/* Input and what is wanted, from [n][c][hw] to [n][hw][c]. */
static void channels_last(struct probe *probe) {
  const int64_t *d = probe->problem.dims, in = d[POOL_H] * d[POOL_W],
                out = tensor_elems(&probe->tensors[1]) / (d[POOL_N] * d[POOL_C]);
  float *x = malloc(tensor_bytes(&probe->tensors[0]));
  double *wanted = malloc(sizeof(double) * (size_t)tensor_elems(&probe->tensors[1]));
  REQUIRE(x && wanted);
  for (int64_t n = 0; n < d[POOL_N]; n++)
    for (int64_t c = 0; c < d[POOL_C]; c++) {
      for (int64_t i = 0; i < in; i++)
        x[(n * in + i) * d[POOL_C] + c] = ((float *)probe->tensors[0].data)[(n * d[POOL_C] + c) * in + i];
      for (int64_t i = 0; i < out; i++) wanted[(n * out + i) * d[POOL_C] + c] = probe->wanted[0][(n * d[POOL_C] + c) * out + i];
    }
  memcpy(probe->tensors[0].data, x, tensor_bytes(&probe->tensors[0]));
  free(x);
  free(probe->wanted[0]);
  probe->wanted[0] = wanted;
}

/* nan_step 0: no NaN; else every so many elements one, of either sign. */
static void check(const char *text, int64_t nan_step) {
  struct probe probe;
  int count = 0;
  probe_open(&probe, text, 3);
  for (int64_t i = nan_step / 2; nan_step && i < tensor_elems(&probe.tensors[0]); i += nan_step)
    ((float *)probe.tensors[0].data)[i] = i % 2 ? NAN : -NAN;
  reference(&probe);
  const double bound = probe.problem.dims[POOL_MODE] == POOL_MAX ? 0 : 1e-6;
  for (size_t t = 0; t < sizeof nchw / sizeof *nchw; t++) count += probe_check(&probe, nchw[t], bound, bound);
  CHECK_MESSAGE(count, "%s: no variant for nchw", text);
  channels_last(&probe);
  for (size_t t = 0; t < sizeof nhwc / sizeof *nhwc; t++)
    CHECK(probe_check(&probe, nhwc[t], bound, bound) || !probe_isa_here(nhwc[t]->isa));
  probe_close(&probe);
}

TEST(pool_agrees_with_the_definition, "") {
  static const char *const texts[] = {
      "pool2d max n1 c3 h7 w9 r3 s3 f32",
      "pool2d max n2 c5 h13 w17 r3 s3 stride2 pad1 f32",
      "pool2d average n2 c5 h13 w17 r3 s3 stride2 pad1 f32",
      "pool2d average n1 c9 h14 w14 r3 s3 pad1 countpad f32",
      "pool2d max n1 c17 h28 w35 r2 s2 stride2 f32",
      "pool2d average n1 c4 h11 w10 r2 s2 stride3 f32",
      "pool2d max n1 c2 h15 w31 r3 s2 strideh1 stridew4 padt1 padl0 padb0 padr1 f32",
      "pool2d max n1 c3 h20 w20 r3 s3 stride2 dil2 pad2 f32",
      "pool2d average n1 c3 h19 w23 r3 s3 stride2 dilh1 dilw3 pad1 countpad f32",
      "pool2d average n1 c3 h10 w10 r3 s3 stride2 ceil f32",
      "pool2d average n1 c3 h12 w13 r3 s3 stride2 pad1 countpad ceil f32",
      "pool2d max n1 c3 h12 w13 r3 s3 stride2 pad1 ceil f32",
      "pool2d max n1 c2 h1 w40 r1 s5 strideh1 stridew1 padt0 padl2 padb0 padr2 f32",
      "pool2d average n2 c70 h7 w7 r7 s7 f32",
      "pool2d max n2 c300 h5 w3 r5 s3 f32",
      "pool2d average n1 c3 h1 w1 r1 s1 f32",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) check(texts[i], 0);
}

/* As ONNX's maximum does, wherever in the window the NaN stands. Steps prime to the widths, so that it stands everywhere. */
TEST(pool_keeps_nan, "") {
  static const char *const texts[] = {
      "pool2d max n1 c3 h7 w9 r3 s3 f32",
      "pool2d max n2 c5 h13 w17 r3 s3 stride2 pad1 f32",
      "pool2d max n1 c17 h28 w35 r2 s2 stride2 f32",
      "pool2d max n1 c2 h15 w31 r3 s2 strideh1 stridew4 padt1 padl0 padb0 padr1 f32",
      "pool2d max n1 c3 h20 w20 r3 s3 stride2 dil2 pad2 f32",
      "pool2d max n2 c300 h5 w3 r5 s3 f32",
      "pool2d max n1 c9 h7 w23 r7 s23 f32",
      "pool2d average n2 c5 h13 w17 r3 s3 stride2 pad1 f32",
      "pool2d average n2 c70 h7 w7 r7 s7 f32",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    check(texts[i], 37);
    check(texts[i], 101);
  }
}
