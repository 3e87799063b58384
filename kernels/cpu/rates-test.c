/* How fast the kernels are on this machine, one thread, best variant: printed, for people; wrong results are other tests'
 * business. */
#include "probe-test.h"

#include "../../tests/kit/test.h"

#include <math.h>
#include <stdio.h>

#define FAMILY(name) extern const struct tactic name##__baseline, name##__avx2, name##__avx512;
FAMILY(map__tile)
FAMILY(softmax_f32__rows)
FAMILY(softmax_f32__columns)
FAMILY(norm_f32__rows)
FAMILY(attention_f32__tiles)
FAMILY(pool2d_f32_nchw__separable)
FAMILY(pool2d_f32_nchw__global)
FAMILY(pool2d_f32_nhwc__taps)
extern const struct tactic transpose__rows__baseline, transpose__rows__avx2, transpose__blocks__baseline, transpose__blocks__avx2;
#define ALL(name) &name##__baseline, &name##__avx2, &name##__avx512

static const struct tactic *const tactics[] = {ALL(map__tile),
                                               ALL(softmax_f32__rows),
                                               ALL(softmax_f32__columns),
                                               ALL(norm_f32__rows),
                                               ALL(attention_f32__tiles),
                                               ALL(pool2d_f32_nchw__separable),
                                               ALL(pool2d_f32_nchw__global),
                                               ALL(pool2d_f32_nhwc__taps),
                                               &transpose__rows__baseline,
                                               &transpose__rows__avx2,
                                               &transpose__blocks__baseline,
                                               &transpose__blocks__avx2};

static const char *const texts[] = {
    "map d128 d3072 in:f32[01] in:f32[.1] out:f32 {%2=add %0 %1;%3=gelu %2;out %3}",
    "map d128 d768 in:f32[01] in:f32[01] out:f32 {%2=add %0 %1;out %2}",
    "map d64 d3136 in:f32[01] in:f32[0.] out:f32 {%2=add %0 %1;%3=relu %2;out %3}",
    "map d401408 in:f32[0] out:f32 {%1=sigmoid %0;%2=mul %0 %1;out %2}",
    "map d401408 in:f32[0] in:f16[0] out:bf16 {%2=add %0 %1;out %2}",
    "map d128 r768 in:f32 out:f32 {out mean %0}",
    "map r128 d768 in:f32 out:f32 {out sum %0}",
    "softmax outer1536 len128 f32",
    "softmax outer1 len1000 f32",
    "softmax outer8 len21 inner1024 f32",
    "norm layer rows128 len768 f32",
    "norm rms rows128 len768 bias0 f32",
    "attention b1 heads12 kvheads12 seq128 kv128 d64 dv64 f32",
    "attention b1 heads12 kvheads12 seq128 kv128 d64 dv64 order2 f32",
    "attention b1 heads12 kvheads12 seq64 kv64 d64 dv64 causal f32",
    "attention b1 heads12 kvheads12 seq197 kv197 d64 dv64 f32",
    "pool2d max n1 c64 h112 w112 r3 s3 stride2 pad1 f32",
    "pool2d average n1 c2048 h7 w7 r7 s7 f32",
    "transpose d64 d3136 perm10 f32",
    "transpose d3136 d64 perm10 f32",
    "transpose d1 d128 d12 d64 perm0213 f32",
    "transpose d128 d12 d64 perm120 f32",
    "transpose d64 d3136 perm10 u8",
};

TEST(kernels_have_rates, "slow timeout:120") {
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct probe probe;
    int timed = 0;
    probe_open(&probe, texts[i], 1);
    const double macs = probe.problem.kind == PROBLEM_ATTENTION ? problem_macs(&probe.problem) : 0;
    for (size_t t = 0; t < sizeof tactics / sizeof *tactics; t++)
      timed += isfinite(macs > 0 ? probe_time(&probe, tactics[t], 2 * macs, "GF/s")
                                 : probe_time(&probe, tactics[t], problem_bytes(&probe.problem), "GB/s"));
    CHECK_MESSAGE(timed, "%s: nothing to time", texts[i]);
    probe_close(&probe);
  }
}
