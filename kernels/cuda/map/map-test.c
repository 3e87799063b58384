/* Maps on a GPU: texts through NVRTC, results through the emulator. */
#include "../cuda-launch.h"
#include "../cuda-family-test.h"

static const char *const problems[] = {
    "map d1 in:f32[0] out:f32 {%1=relu %0;out %1}",
    "map d1027 in:f32[0] in:f32[0] out:f32 {%2=add %0 %1;%3=gelu %2;out %3}",
    "map d128 d72 in:f16[01] in:f16[.1] out:f16 {%2=add %0 %1;%3=gelu_tanh %2;out %3}",
    "map d5 d33 in:f32[01] in:f32[0.] in:f32[.1] out:f32 {%3=mul %0 %1;%4=add %2 %3;out %4}",
    "map d3 d4 d12 in:f32[012] in:bf16[0.2] in:f32[.1.] in:f32[...] out:f32 out:bf16 {%4=add %0 %1;%5=mul %2 %4;%6=div %5 %3;"
    "out %5;out %6}",
    "map d700 in:f32[0] in:bool[0] out:f32 {%2=mul %0 $0;%3=where %1 %2 %0;out %3}",
    "map d257 in:f32[0] in:f32[0] out:bool {%2=less %0 %1;out %2}",
    "map d96 in:bf16[0] in:f16[0] out:f16 {%2=silu %0;%3=mul %1 %2;%4=max %3 $0;%5=min %4 $1;out %5}",
    "map d900 in:f32[0] out:f32 {%1=neg %0;%2=abs %1;%3=sqrt %2;%4=exp %3;%5=log %4;%6=sin %5;%7=cos %6;%8=tanh %7;%9=erf %8;"
    "%10=sigmoid %9;%11=softplus %10;%12=reciprocal %11;%13=pow %12 $0;out %13}",
    "map d900 in:f32[0] in:f32[0] out:f32 {%2=mul %0 $0;%3=floor %2;%4=ceil %2;%5=round %2;%6=sign %0;%7=sub %4 %3;%8=hard_swish "
    "%1;"
    "%9=less_equal %5 %6;%10=not %9;%11=equal %7 %10;%12=and %11 %0;%13=or %12 %1;%14=where %13 %8 %7;out %14}",
    "map d6 r49 in:f32[01] out:f32 {out mean %0}",
    "map d3 r1000 in:f16[01] in:f16[01] out:f16 {%2=mul %0 %1;out sum %2}",
    "map d2 r5 d3 r32 in:f32[0123] in:f32[.1.3] out:f32 out:f32 {%2=mul %0 %1;%3=add %0 %1;out max %2;out max %3}",
    "map r3001 in:f32[0] out:f32 {out sumsq %0}",
    "map d3 r1100 in:f32[01] out:f32 {out sum %0}",
    "map d4 r9 d7 in:f32[012] out:f32 {out min %0}",
    "map r33 d130 in:bf16[01] in:f32[.1] out:f32 {%2=sub %0 %1;out sum %2}",
    "map r7 d5 r3 d40 in:f32[0123] out:f32 {out prod %0}",
    NULL,
};

static const char *const large[] = {
    "map d4096 d768 in:f16[01] in:f16[.1] out:f16 {%2=add %0 %1;out %2}",
    "map d4096 r768 in:f32[01] out:f32 {out sum %0}",
    "map r4096 d768 in:f32[01] out:f32 {out sum %0}",
    NULL,
};

static const struct cuda_family map = {.problems = problems, .large = large, .sm = 75, .tactics = 4};
CUDA_FAMILY_TESTS(map)

TEST(cuda_maps_go_on_from_block_to_block, "timeout:120") {
  static const char *const many[] = {"map d3001 in:f32[0] in:f32[0] out:f32 {%2=mul %0 %1;out %2}",
                                     "map d19 r40 in:f32[01] out:f32 {out sum %0}"};
  cuda_grid_most = 2;
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, CUDA_SWEEP_COVERING, 90);
  CUDA_SWEEP_PROBLEMS(sweep, many);
  sweep.only = "__columns__", sweep.stride = 1; // with several threads per column
  cuda_sweep_problem(&sweep, "map r9 d300 in:f32[01] out:f32 out:f32 {%1=neg %0;out max %0;out max %1}");
  cuda_sweep_go(&sweep);
  CHECK(sweep.checked == 7);
  cuda_sweep_end(&sweep);
}
