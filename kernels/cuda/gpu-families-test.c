/* Every CUDA tactic on a device, against the reference: what `gpu-check.sh correct` and `sanitize` run, one test per family.
 *
 * Each problem is solved by the first variant of every tactic that takes it, libraries' too, and by each stride-th of the others.
 * Sizes stand at the edges of tiles and vectors, and some are those of ResNet-50, BERT-base and the perceptron, which the
 * emulator is too slow for. A line per family says how far it came:
 *
 *   gemm: 20 of 20 problems, 412 variants of 11 tactics, 131 texts compiled, 0 refused, worst error 0.310 of its tolerance
 *
 * TUNEFARM_GPU_STRIDE (16)   of a tactic's further variants each so many-th
 * TUNEFARM_GPU_PROBLEMS (1)  of the problems each so many-th
 * TUNEFARM_GPU_SECONDS (0)   begin no problem after so long; 0: all
 */
#include "cuda-sweep-test.h"

#include "../../base/clock.h"

static const char *const map_problems[] = {
    "map d1027 in:f32[0] in:f32[0] out:f32 {%2=add %0 %1;%3=gelu %2;out %3}",
    "map d6 r49 in:f32[01] out:f32 {out mean %0}",
    "map d33 d130 in:f16[01] in:f16[.1] out:f16 {%2=mul %0 %1;%3=silu %2;out %3}",
    "map d7 d5 d12 in:f32[012] in:f32[0.2] in:f32[.1.] out:f32 {%3=add %0 %1;%4=mul %2 %3;out %4}",
    "map r3001 in:f32[0] out:f32 {out sumsq %0}",
    "map r33 d130 in:f16[01] out:f32 {out max %0}",
    "map d1 in:f32[0] out:f32 {%1=relu %0;out %1}",
    "map d128 d768 in:f32[01] in:f32[.1] out:f32 {%2=add %0 %1;%3=gelu %2;out %3}",
    "map d64 d56 d3136 in:f16[012] in:f16[.1.] out:f16 {%2=add %0 %1;%3=relu %2;out %3}",
    "map d2048 r49 in:f16[01] out:f16 {out mean %0}",
};
static const char *const softmax_problems[] = {
    "softmax outer9 len128 f16",       "softmax outer5 len33 f32",
    "softmax outer3 len10 inner7 f32", "softmax log outer4 len77 bf16",
    "softmax outer3 len1 f32",         "softmax log outer2 len5000 f32",
    "softmax outer2 len20000 f16",     "softmax outer1536 len128 f32",
    "softmax outer64 len1000 f16",     "softmax log outer2 len33 inner65 f16",
};
static const char *const norm_problems[] = {
    "norm layer rows5 len768 f32",       "norm rms rows4 len33 bias0 f16", "norm layer rows2 len1024 scale0 bias0 bf16",
    "norm rms rows2 len5001 scale0 f32", "norm layer rows2 len20000 f16",  "norm layer rows3 len1 f32",
    "norm layer rows128 len768 f32",     "norm layer rows4096 len768 f16",
};
static const char *const transpose_problems[] = {
    "transpose d33 d65 perm10 f32",   "transpose d3 d7 d5 perm021 f16",         "transpose d2 d3 d5 d7 perm3021 f32",
    "transpose d3136 d64 perm10 f32", "transpose d8 d128 d12 d64 perm0213 f16",
};
static const char *const gemm_problems[] = {
    "gemm m33 n31 k17 f32 acc:f32 w:const +bias",
    "gemm m65 n63 k33 f16 acc:f32 w:const +bias",
    "gemm m1 n1 k1 f32 acc:f32",
    "gemm m3 n130 k65 tb f32 acc:f32 w:const +bias +relu",
    "gemm m128 n130 k96 tb f16 acc:f32 w:const +bias +add",
    "gemm b3 m17 n24 k16 tb f16 acc:f32",
    "gemm b2 m20 n16 k12 ta bshared f32 acc:f32 w:const +silu",
    "gemm m12 n40 k24 ta tb f32 acc:f32 +mul +sigmoid",
    "gemm m70 n72 k64 bf16 acc:f32 w:const +bias +gelu_tanh",
    "gemm m16 n24 k1032 f16 acc:f32 w:const +bias +silu",
    "gemm m128 n3072 k768 f32 acc:f32 w:const +bias +gelu",
    "gemm m128 n768 k3072 f16 acc:f32 w:const +bias +add",
    "gemm m1 n4096 k1024 tb f32 acc:f32 w:const +bias +relu",
    "gemm m8 n4096 k4096 tb f16 acc:f32 w:const +bias +relu",
    "gemm b96 m128 n128 k64 tb f16 acc:f32",
    "gemm m1024 n768 k768 bf16 acc:f32 w:const +bias",
};
static const char *const conv_problems[] = {
    "conv2d n1 c5 h9 w7 k6 r3 s3 pad1 f32 acc:f32 w:const +bias +relu",
    "conv2d n2 c16 h9 w9 k24 r3 s3 stride2 pad1 f16 acc:f32 w:const +bias",
    "conv2d n1 c8 h10 w10 k8 r3 s3 pad1 g8 f32 acc:f32 w:const +bias +clip",
    "conv2d n1 c12 h8 w8 k8 r3 s3 pad2 dil2 g4 f16 acc:f32 w:const +bias +add +relu",
    "conv2d n1 c33 h7 w5 k65 r1 s1 f32 acc:f32 w:const +bias +add",
    "conv2d n1 c8 h1 w40 k16 r1 s5 padl2 padr2 bf16 acc:f32 w:const",
    "conv2d n1 c3 h224 w224 k64 r7 s7 stride2 pad3 f16 acc:f32 w:const +bias +relu",
    "conv2d n1 c64 h56 w56 k64 r3 s3 pad1 f16 acc:f32 w:const +bias +relu",
    "conv2d n1 c64 h56 w56 k256 r1 s1 f32 acc:f32 w:const +bias +add +relu",
    "conv2d n4 c256 h14 w14 k256 r3 s3 pad1 f16 acc:f32 w:const +bias +relu",
    "conv2d n1 c512 h7 w7 k512 r3 s3 pad1 f32 acc:f32 w:const +bias +relu",
    "conv2d n1 c144 h56 w56 k144 r3 s3 stride2 pad1 g144 f16 acc:f32 w:const +bias +clip",
};
static const char *const pool_problems[] = {
    "pool2d max n1 c5 h9 w7 r3 s3 stride2 pad1 f32",
    "pool2d average n2 c3 h8 w8 r2 s2 stride2 f16",
    "pool2d average n1 c4 h7 w7 r3 s3 pad1 countpad ceil f32",
    "pool2d max n1 c64 h112 w112 r3 s3 stride2 pad1 f16",
    "pool2d average n4 c512 h7 w7 r7 s7 f32",
};
static const char *const attention_problems[] = {
    "attention b1 heads2 kvheads2 seq17 kv17 d16 dv16 f32 acc:f32",
    "attention b2 heads4 kvheads2 seq5 kv33 d32 dv32 causal f16 acc:f32",
    "attention b1 heads2 kvheads2 seq9 kv9 d64 dv64 mask2 order4 f32 acc:f32",
    "attention b1 heads12 kvheads12 seq128 kv128 d64 dv64 mask2 f32 acc:f32",
    "attention b8 heads12 kvheads12 seq128 kv128 d64 dv64 mask2 f16 acc:f32",
};

static const struct family {
  const char *name;
  const char *const *problems;
  int count, least; // of its problems; of tactics that are met when all problems are
} families[] = {
    {"map", map_problems, (int)(sizeof map_problems / sizeof *map_problems), 2},
    {"softmax", softmax_problems, (int)(sizeof softmax_problems / sizeof *softmax_problems), 2},
    {"norm", norm_problems, (int)(sizeof norm_problems / sizeof *norm_problems), 1},
    {"transpose", transpose_problems, (int)(sizeof transpose_problems / sizeof *transpose_problems), 1},
    {"gemm", gemm_problems, (int)(sizeof gemm_problems / sizeof *gemm_problems), 3},
    {"conv", conv_problems, (int)(sizeof conv_problems / sizeof *conv_problems), 3},
    {"pool", pool_problems, (int)(sizeof pool_problems / sizeof *pool_problems), 1},
    {"attention", attention_problems, (int)(sizeof attention_problems / sizeof *attention_problems), 1},
};
enum {
  FAMILY_MAP,
  FAMILY_SOFTMAX,
  FAMILY_NORM,
  FAMILY_TRANSPOSE,
  FAMILY_GEMM,
  FAMILY_CONV,
  FAMILY_POOL,
  FAMILY_ATTENTION,
  FAMILIES
};
_Static_assert(sizeof families / sizeof *families == FAMILIES, "a number for each family");

enum { TACTICS_MOST = 64 };
static const uint64_t PATIENCE_NS = 30000000000u;

struct tour {
  struct cuda_sweep sweep;
  const char *family;
  int stride, every, seconds, refused, reached, given, tactic_count;
  const struct tactic *tactics[TACTICS_MOST]; // seen and checked
  double worst_share;
};

static int setting(const char *variable, int otherwise, int least) {
  const char *text = getenv(variable);
  int value = text && *text ? atoi(text) : otherwise;
  return value < least ? least : value;
}

/* Whatever driver there is: a real one, or what TUNEFARM_LIBCUDA names. */
static struct tour tour_begin(const char *family) {
  struct tour tour = {.family = family,
                      .stride = setting("TUNEFARM_GPU_STRIDE", 16, 1),
                      .every = setting("TUNEFARM_GPU_PROBLEMS", 1, 1),
                      .seconds = setting("TUNEFARM_GPU_SECONDS", 0, 0)};
  int devices;
  if (cuda_device_count(&devices) != FARM_OK) SKIP("%s", status_message());
  tour.sweep = cuda_sweep_compiler(NULL, 1, NULL);
  REQUIRE_OK(cuda_device_open(NULL, &tour.sweep.device));
  cuda_device_class(cuda_device_about(tour.sweep.device), &tour.sweep.device_class);
  return tour;
}

static void tactic_note(struct tour *tour, const struct tactic *tactic) {
  int i = 0;
  while (i < tour->tactic_count && tour->tactics[i] != tactic) i++;
  REQUIRE(i < TACTICS_MOST);
  tour->tactics[i] = tactic;
  if (i == tour->tactic_count) tour->tactic_count++;
}

static void variant_check(struct tour *tour, const char *text, struct kernel_case *made, const struct variant *variant) {
  struct cuda_trial_options options = {
      .cubin = cuda_sweep_cubin, .context = &tour->sweep, .copies = 2, .patience_ns = PATIENCE_NS};
  struct cuda_trial *trial = NULL;
  struct kernel_verdict verdict = {0};
  char name[VARIANT_TEXT_MAX];
  variant_print(variant, name);
  enum farm_status status = cuda_trial_make(tour->sweep.device, made, variant, &options, &trial);
  bool refused = status == FARM_TACTIC_REFUSED && !cuda_tactic_of(variant->tactic)->source; // a library may
  if (status == FARM_OK) status = cuda_trial_check(trial, &verdict);
  tour->refused += refused;
  CHECK_MESSAGE(status == FARM_OK || refused, "%s: %s: %s", text, name, status_message());
  REQUIRE_OK(cuda_device_state(tour->sweep.device)); // nothing more can be learnt in this process
  cuda_trial_free(&trial);
  if (status != FARM_OK) return;
  tour->sweep.checked++;
  tactic_note(tour, variant->tactic);
  if (verdict.worst_share > tour->worst_share) tour->worst_share = verdict.worst_share;
}

static void problem_tour(struct tour *tour, const char *text) {
  static struct variant variants[CUDA_SWEEP_MOST_VARIANTS];
  struct arena arena = {0};
  struct problem problem;
  struct kernel_case *made = NULL;
  REQUIRE_OK(problem_parse(text, &arena, &problem));
  int count = catalogue_variants(&problem, &tour->sweep.device_class, LAYOUT_ANY, variants, CUDA_SWEEP_MOST_VARIANTS);
  CHECK_MESSAGE(count > 0 && count <= CUDA_SWEEP_MOST_VARIANTS, "%s has %d variants", text, count);
  REQUIRE_OK(kernel_case_make(&problem, &made));
  for (int i = 0; i < count && i < CUDA_SWEEP_MOST_VARIANTS; i++) {
    bool first = i == 0 || variants[i].tactic != variants[i - 1].tactic;
    if (first || (i + tour->reached) % tour->stride == 0) variant_check(tour, text, made, &variants[i]);
  }
  kernel_case_free(&made);
  arena_free(&arena);
}

static void family_tour(const struct family *family) {
  struct tour tour = tour_begin(family->name);
  uint64_t begin = clock_now_ns();
  for (int i = 0; i < family->count; i += tour.every) {
    tour.given++;
    if (tour.seconds && clock_now_ns() - begin > (uint64_t)tour.seconds * 1000000000u) continue;
    problem_tour(&tour, family->problems[i]);
    tour.reached++;
  }
  printf("%s: %d of %d problems, %d variants of %d tactics, %d texts compiled, %d refused, worst error %.3f of its tolerance\n",
         family->name, tour.reached, tour.given, tour.sweep.checked, tour.tactic_count, tour.sweep.compiled, tour.refused,
         tour.worst_share);
  if (tour.every == 1 && tour.reached == tour.given)
    CHECK_MESSAGE(tour.tactic_count >= family->least, "%s: only %d tactics", family->name, tour.tactic_count);
  CHECK(tour.sweep.checked > 0);
  cuda_sweep_end(&tour.sweep);
}
TEST(gpu_family_map, "slow needs:gpu timeout:900") { family_tour(&families[FAMILY_MAP]); }
TEST(gpu_family_softmax, "slow needs:gpu timeout:900") { family_tour(&families[FAMILY_SOFTMAX]); }
TEST(gpu_family_norm, "slow needs:gpu timeout:900") { family_tour(&families[FAMILY_NORM]); }
TEST(gpu_family_transpose, "slow needs:gpu timeout:900") { family_tour(&families[FAMILY_TRANSPOSE]); }
TEST(gpu_family_gemm, "slow needs:gpu timeout:900") { family_tour(&families[FAMILY_GEMM]); }
TEST(gpu_family_conv, "slow needs:gpu timeout:900") { family_tour(&families[FAMILY_CONV]); }
TEST(gpu_family_pool, "slow needs:gpu timeout:900") { family_tour(&families[FAMILY_POOL]); }
TEST(gpu_family_attention, "slow needs:gpu timeout:900") { family_tour(&families[FAMILY_ATTENTION]); }

/* What the tours rest on, without a device: every problem is canonical, and every family meets its tactics. */
TEST(gpu_families_have_tactics, "") {
  static struct variant variants[CUDA_SWEEP_MOST_VARIANTS];
  struct device_class device_class;
  setenv("TUNEFARM_LIBCUBLASLT", "/nonexistent", 1);
  REQUIRE_OK(device_class_parse("cuda sm:90", &device_class));
  for (int f = 0; f < FAMILIES; f++) {
    struct tour tour = {0};
    for (int p = 0; p < families[f].count; p++) {
      struct arena arena = {0};
      struct problem problem;
      REQUIRE_OK(problem_parse(families[f].problems[p], &arena, &problem));
      CHECK_TEXT(problem_print(&problem, &arena), families[f].problems[p]);
      int count = catalogue_variants(&problem, &device_class, LAYOUT_ANY, variants, CUDA_SWEEP_MOST_VARIANTS);
      CHECK_MESSAGE(count > 0 && count <= CUDA_SWEEP_MOST_VARIANTS, "%s has %d variants", families[f].problems[p], count);
      for (int i = 0; i < count && i < CUDA_SWEEP_MOST_VARIANTS; i++) tactic_note(&tour, variants[i].tactic);
      arena_free(&arena);
    }
    CHECK_MESSAGE(tour.tactic_count >= families[f].least, "%s: only %d tactics", families[f].name, tour.tactic_count);
  }
}
