/* Attention on a GPU: texts through NVRTC, results through the emulator: every operand order, every mask, causal reach (rows that see
 * nothing, too), grouped heads, sizes at the edges of blocks. */
#include "../cuda-family-test.h"


static const struct cuda_pick quick[] = {
    {"attention b2 heads3 kvheads3 seq33 kv31 d20 dv24 f32 acc:f32",
     "attention__rows__sm75{rows=32}"},
    {"attention b2 heads4 kvheads2 seq9 kv40 d16 dv33 causal mask3 f32 acc:f32",
     "attention__rows__sm75{rows=8}"},
    {"attention b2 heads2 kvheads1 seq40 kv65 d32 dv32 order1 mask4 f16 acc:f32",
     "attention__rows__sm75{rows=32}"},
    {"attention b2 heads2 kvheads2 seq12 kv33 d8 dv8 order4 mask5 f32 acc:f32",
     "attention__rows__sm75{rows=16}"},
    {NULL, NULL},
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
    {NULL, NULL},
};

/* Every order with every mask, with and without causal reach, over sizes that fill no block; each dtype with some of them. */
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
      snprintf(text, 128, "attention b2 heads4 kvheads%d seq33 kv%d d20 dv20%s mask%d order%d %s acc:f32", order == 2 ? 4 : 2,
               order == 2 ? 33 : 37, i % 2 ? " causal" : "", mask, order, kinds[kind].dtype);
      cuda_sweep_problem(sweep, text);
    }
}

static const char *const problems[] = {
    "attention b2 heads4 kvheads2 seq70 kv70 d64 dv64 causal mask2 f16 acc:f32",
    "attention b1 heads2 kvheads2 seq33 kv100 d48 dv40 mask4 f32 acc:f32",
    NULL,
};

static const char *const large[] = {
    "attention b16 heads32 kvheads8 seq4096 kv4096 d128 dv128 causal mask5 f16 acc:f32",
    "attention b16 heads32 kvheads8 seq4096 kv4096 d128 dv128 order1 bf16 acc:f32",
    "attention b16 heads32 kvheads32 seq4096 kv4096 d128 dv128 order2 mask1 f32 acc:f32",
    NULL,
};

static const struct cuda_family attention = {
    .quick = quick,
    .more = more,
    .problems = problems,
    .large = large,
    .extra = each_kind_add,
};
CUDA_PICKED_FAMILY_TESTS(attention)
