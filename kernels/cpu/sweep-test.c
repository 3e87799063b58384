/* Every variant that the catalogue offers for these problems against the catalogue's reference, by the rule that workers use:
 * what passes the kernels' own tests with bounds of their own must pass there, too. */
#include "../kernel-sweep-test.h"

#include <stdio.h>

static const char *const texts[] = {
    "pool2d max n2 c19 h23 w30 r3 s3 stride2 pad1 f32",
    "pool2d average n1 c33 h14 w15 r3 s3 pad1 countpad f32",
    "pool2d average n1 c130 h7 w7 r7 s7 f32",
    "softmax outer70 len133 f32",
    "softmax log outer3 len1001 f32",
    "softmax outer3 len21 inner77 f32",
    "norm layer rows37 len769 f32",
    "norm rms rows9 len64 bias0 f32",
    "attention b1 heads3 kvheads3 seq67 kv67 d64 dv64 order2 f32",
    "attention b2 heads4 kvheads2 seq33 kv70 d20 dv24 causal mask3 f32",
    "attention b1 heads2 kvheads2 seq40 kv40 d32 dv32 order4 f32",
    "transpose d5 d67 d33 perm021 f32",
    "transpose d9 d5 d70 perm102 i64",
    "map d37 d515 in:f32[01] in:f32[.1] out:f32 {%2=add %0 %1;%3=gelu %2;out %3}",
    "map d12 d700 in:f32[01] in:f16[0.] out:f16 {%2=mul %0 %1;%3=silu %2;out %3}",
    "map d700 in:f32 in:f32 out:bool {%2=less %0 %1;out %2}",
    "map d1000 in:f32 out:f32 {%1=log %0;%2=sqrt %0;%3=div %1 %2;out %3}",
    "map d40 r300 in:f32 out:f32 {%1=mul %0 %0;out mean %1}",
    "map r130 d40 in:f32 out:f32 {out max %0}",
};

static void sweep_all(enum isa isa) {
  struct sweep sweep = sweep_for(isa, NULL);
  REQUIRE_OK(thread_pool_create(2, &sweep.pool));
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    const int before = sweep.checked;
    sweep_problem(&sweep, texts[i]);
    CHECK_MESSAGE(sweep.checked > before, "%s: nothing but the reference", texts[i]);
  }
  thread_pool_destroy(&sweep.pool);
  printf("%d variants of %d problems\n", sweep.checked, (int)(sizeof texts / sizeof *texts));
}

TEST(kernels_agree_with_the_references, "timeout:120") { sweep_all(ISA_AVX2); }
TEST(kernels_agree_with_the_references_at_baseline, "timeout:120") { sweep_all(ISA_BASELINE); }

/* What --effort 0 takes without any measurement is one of these kernels, never the reference. */
TEST(kernels_are_chosen_by_default, "") {
  static const char *const moves[] = {"op Concat-13 axis=1 in:f32[8,2] in:f32[8,2] out:f32[8,4]",
                                      "op Gather-13 axis=0 in:f32[50,8] in:i64[1,4] out:f32[1,4,8]"};
  struct device_class device_class;
  struct arena arena = {0};
  REQUIRE_OK(cpu_device_class(&device_class));
  for (size_t i = 0; i < sizeof texts / sizeof *texts + 2; i++) {
    const char *text = i < 2 ? moves[i] : texts[i - 2];
    struct problem problem;
    REQUIRE_OK(problem_parse(text, &arena, &problem));
    for (int threads = 1; threads <= 2; threads++) {
      const struct variant variant = catalogue_default(&problem, &device_class, LAYOUT_ANY, threads);
      CHECK_MESSAGE(!strstr(variant.tactic->id, "__reference__"), "%s: %s", text, variant.tactic->id);
    }
  }
  arena_free(&arena);
}
