/* Attention on a GPU: texts through NVRTC, results through the emulator: every operand order, every mask, causal reach (rows that see
 * nothing, too), grouped heads, sizes at the edges of blocks. */
#include "../cuda-pick-test.h"

static const int every_sm[] = {75, 80, 86, 89, 90, 100, 120, 0};
static const int some_sms[] = {75, 90, 0};

static const struct cuda_pick quick[] = {
    {"attention b2 heads3 kvheads3 seq33 kv31 d20 dv24 f32 acc:f32",
     "attention__rows__sm75{rows=32}"},
    {"attention b2 heads4 kvheads2 seq9 kv40 d16 dv33 causal mask3 f32 acc:f32",
     "attention__rows__sm75{rows=8}"},
    {"attention b2 heads2 kvheads1 seq40 kv65 d32 dv32 order1 mask4 f16 acc:f32",
     "attention__rows__sm75{rows=32}"},
    {"attention b2 heads2 kvheads2 seq12 kv33 d8 dv8 order4 mask5 f32 acc:f32",
     "attention__rows__sm75{rows=16}"},
};

static const struct cuda_pick more[] = {
    {"attention b1 heads1 kvheads1 seq1 kv1 d1 dv1 f32 acc:f32",
     "attention__rows__sm75{rows=8}"},
    {"attention b1 heads2 kvheads2 seq17 kv17 d64 dv64 order2 mask2 f32 acc:f32",
     "attention__rows__sm75{rows=16}"},
    {"attention b1 heads2 kvheads2 seq32 kv32 d128 dv128 causal mask1 f16 acc:f32",
     "attention__rows__sm75{rows=32}"},
    {"attention b1 heads1 kvheads1 seq40 kv7 d12 dv5 causal f32 acc:f32",
     "attention__rows__sm75{rows=32}"},
    {"attention b1 heads2 kvheads2 seq20 kv64 d64 dv64 order1 bf16 acc:f32",
     "attention__rows__sm75{rows=16}"},
};

TEST(cuda_attention_compiles, "timeout:300") {
  struct cuda_sweep sweep = cuda_sweep_compiler(NULL, 1, some_sms);
  cuda_pick_run(&sweep, &quick[0]);
  cuda_sweep_go(&sweep);
  CHECK(sweep.compiled > 0);
  cuda_sweep_end(&sweep);
}

TEST(every_architecture_compiles_cuda_attention, "slow timeout:1800") {
  struct cuda_sweep sweep = cuda_sweep_compiler(NULL, 1, every_sm);
  CUDA_PICKS(sweep, quick);
  CUDA_PICKS(sweep, more);
  cuda_sweep_go(&sweep);
  printf("%d texts\n", sweep.compiled);
  cuda_sweep_end(&sweep);
}

TEST(cuda_attention_gives_the_references_results, "timeout:300") {
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, 1, 90);
  CUDA_PICKS(sweep, quick);
  cuda_sweep_go(&sweep);
  cuda_sweep_end(&sweep);
}

TEST(cuda_attention_at_the_edges_of_tiles, "slow timeout:600") {
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, 1, 75);
  CUDA_PICKS(sweep, quick);
  CUDA_PICKS(sweep, more);
  cuda_sweep_go(&sweep);
  cuda_sweep_end(&sweep);
}

/* Every order with every mask, with and without causal reach, over sizes that fill no block; each dtype with what reads it in its own way. */
static void each_kind_add(struct cuda_sweep *sweep) {
  static const struct {
    const char *dtype;
    int masks; // a bit for each
  } kinds[] = {{"f32", 0x3f}, {"f16", 0x11}, {"bf16", 0x21}};
  static const int orders[] = {0, 1, 2, 4};
  for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++)
    for (int i = 0; i < 4 * 6 * 2; i++) {
      const int order = orders[i / 12], mask = i / 2 % 6;
      if (!(kinds[kind].masks & 1 << mask)) continue;
      char *text = test_keep(malloc(128));
      REQUIRE(text);
      snprintf(text, 128, "attention b2 heads4 kvheads%d seq33 kv%d d20 dv%d%s mask%d order%d %s acc:f32", order == 2 ? 4 : 2,
               order == 2 ? 33 : 37, order == 2 ? 20 : 24, i % 2 ? " causal" : "", mask, order, kinds[kind].dtype);
      cuda_sweep_problem(sweep, text);
    }
}

static const char *const problems[] = {
    "attention b2 heads4 kvheads2 seq70 kv70 d64 dv64 causal mask2 f16 acc:f32",
    "attention b1 heads2 kvheads2 seq33 kv100 d48 dv40 mask4 f32 acc:f32",
};

/* Of any size, these may be solved by nothing that was not tried. */
static const char *const large[] = {
    "attention b16 heads32 kvheads8 seq4096 kv4096 d128 dv128 causal mask5 f16 acc:f32",
    "attention b16 heads32 kvheads8 seq4096 kv4096 d128 dv128 order1 bf16 acc:f32",
    "attention b16 heads32 kvheads32 seq4096 kv4096 d128 dv128 order2 mask1 f32 acc:f32",
};

TEST(cuda_attention_in_every_variant, "slow timeout:3600") {
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, 1, 90);
  CUDA_SWEEP_PROBLEMS(sweep, problems);
  each_kind_add(&sweep);
  for (size_t i = 0; i < sizeof large / sizeof *large; i++) cuda_sweep_covers(&sweep, large[i]);
  cuda_sweep_go(&sweep);
  printf("%d texts of %d variants\n", sweep.compiled, sweep.checked);
  cuda_sweep_end(&sweep);
}
