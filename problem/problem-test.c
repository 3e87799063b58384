/* Problem texts: the page's examples, canonical form, hostile words, operand shapes. */
#include "problem-kinds.h"

#include "../base/random.h"
#include "../tests/corpus/corpus-test.h"

#define LLVMFuzzerTestOneInput problem_fuzz_one
#include "problem-fuzz.c" // the corpus runs without libFuzzer
#undef LLVMFuzzerTestOneInput

static struct arena arena;

static const char *canonical(const char *text) {
  struct problem problem;
  enum farm_status status = problem_parse(text, &arena, &problem);
  if (status != FARM_OK) return arena_printf(&arena, "%s: %s", status_name(status), status_message());
  return problem_print(&problem, &arena);
}

static const char *const canonical_texts[] = {
    "gemm m128 n3072 k768 f32 acc:f32 w:const +bias +gelu",
    "gemm b12 m128 n128 k64 tb f32 acc:f32",
    "gemm b4 m7 n5 k3 ashared f32 acc:f32 a:const",
    "gemm b4 m7 n5 k3 ta bshared f32 acc:f32 w:const",
    "gemm m8 n8 k8 in:f16 in:f16 in:f32 out:f16 acc:f32 +bias",
    "gemm m4 n4 k4 in:u8 in:i8 out:i32 acc:i32 w:const",
    "conv2d n1 c64 h56 w56 k64 r3 s3 pad1 f32 acc:f32 w:const +bias +add +relu",
    "conv2d n1 c3 h224 w224 k64 r7 s7 stride2 pad3 f32 acc:f32 w:const +bias +relu",
    "conv2d n1 c32 h112 w112 k32 r3 s3 stridew2 padb1 padr1 dil2 g32 f16 acc:f32 w:const +bias +clip",
    "pool2d max n1 c64 h112 w112 r3 s3 stride2 pad1 f32",
    "pool2d average n1 c2048 h7 w7 r7 s7 f32",
    "pool2d average n1 c8 h9 w9 r2 s2 stride2 padt1 padl1 countpad ceil bf16",
    "softmax outer1536 len128 f32",
    "softmax log outer2 len10 inner49 f32",
    "norm layer rows128 len768 f32",
    "norm rms rows128 len768 bias0 f16",
    "attention b1 heads12 kvheads12 seq128 kv128 d64 dv64 mask2 f32 acc:f32",
    "attention b1 heads12 kvheads12 seq128 kv128 d64 dv64 causal order2 f32 acc:f32",
    "transpose d3136 d64 perm10 f32",
    "map d128 d768 in:f32[01] in:f32[.1] out:f32 {%2=add %0 %1;%3=gelu %2;out %3}",
    "map d64 r49 in:f32[01] out:f32 {out mean %0}",
    "map d10 in:f16[0] out:f32 {out %0}",
    "map d10 in:f32[0] in:bool[0] out:f32 out:bool {%2=mul %0 $0;%3=not %1;out %2;out %3}",
    "op com.microsoft.EmbedLayerNormalization-1 epsilon=1e-05 in:i32[1,8] in:f32[1000,32] in:- out:f32[1,8,32]",
    "op Constant-13 value=f32[2]#0123456789abcdef out:f32[2]",
    "op Foo-1 axes= out:i64[0]",
    "op Einsum-12 equation=\"ij,\\x20jk\" in:f64[] out:f64[]",
};

TEST(problem_texts_are_fixed_points, "") {
  for (size_t i = 0; i < sizeof canonical_texts / sizeof *canonical_texts; i++)
    CHECK_TEXT(canonical(canonical_texts[i]), canonical_texts[i]);
  arena_free(&arena);
}

TEST(problem_corpus_has_each_text, "") { // written anew with TUNEFARM_WRITE_CORPUS set
  char name[32];
  for (size_t i = 0; i < sizeof canonical_texts / sizeof *canonical_texts; i++) {
    snprintf(name, sizeof name, "text-%zu", i);
    free(corpus_check_file("problem", name, canonical_texts[i], strlen(canonical_texts[i])));
  }
}

TEST(problem_corpus_is_survived, "") {
  int count = sizeof canonical_texts / sizeof *canonical_texts;
  corpus_run(&(struct corpus){.name = "problem", .count = count, .fuzz = problem_fuzz_one});
}

TEST(problem_words_come_in_any_order, "") {
  static const char *const pairs[][2] = {
      {"gemm +bias k768 f32 +gelu w:const m128 n3072 b1", "gemm m128 n3072 k768 f32 acc:f32 w:const +bias +gelu"},
      {"gemm m1 n2 k3", "gemm m1 n2 k3 f32 acc:f32"},
      {"  gemm   m1 n2 k3 ta0 in:f32 in:f32 ", "gemm m1 n2 k3 f32 acc:f32"},
      {"conv2d n1 c8 h8 w8 k8 r3 s3 padt1 padl1 padb1 padr1 strideh2 stridew2 g1",
       "conv2d n1 c8 h8 w8 k8 r3 s3 stride2 pad1 f32 acc:f32"},
      {"pool2d n1 c8 h8 w8 r2 s2 average f32", "pool2d average n1 c8 h8 w8 r2 s2 f32"},
      {"transpose d2 d3 d4 d5 perm0231 f32", "transpose d2 d3 d20 perm021 f32"},
      {"transpose d1 d3 d4 perm102 f32", "transpose d12 perm0 f32"},
      {"transpose d1 d1 perm10 f32", "transpose d1 perm0 f32"},
      {"map d2 d3 d4 in:f32[012] in:f32[..2] {%2=add %1 %0;out %2}",
       "map d6 d4 in:f32[.1] in:f32[01] out:f32 {%2=add %0 %1;out %2}"},
      {"map {out sum %0} d4 r1 in:f32[0.]", "map d4 r1 in:f32[01] out:f32 {out sum %0}"},
      {"map {out sum %0} d4 r1 r3 in:f32", "map d4 r3 in:f32[01] out:f32 {out sum %0}"},
      {"map d1 d1 in:f32[..] out:f16 {out %0}", "map d1 in:f32[0] out:f16 {out %0}"},
      {"op Foo-3 b=2 in:f32[1] a=1.50,2e0 out:f32[1]", "op Foo-3 a=1.5,2 b=2 in:f32[1] out:f32[1]"},
  };
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) CHECK_TEXT(canonical(pairs[i][0]), pairs[i][1]);
  arena_free(&arena);
}

TEST(problem_refuses_hostile_text, "") {
  static const char *const texts[] = {"",
                                      " ",
                                      "gem m1 n1 k1",
                                      "gemm m1 n1",
                                      "gemm m1 n1 k1 k1",
                                      "gemm m0 n1 k1",
                                      "gemm m-1 n1 k1",
                                      "gemm m01 n1 k1",
                                      "gemm m99999999999999999999 n1 k1",
                                      "gemm m1099511627776 n1 k1",
                                      "gemm m1000000000000 n1000000000000 k1",
                                      "gemm m1 n1 k1 f32 f16",
                                      "gemm m1 n1 k1 f31",
                                      "gemm m1 n1 k1 in:f32",
                                      "gemm m1 n1 k1 f32 out:f32",
                                      "gemm m1 n1 k1 string",
                                      "gemm m1 n1 k1 x:const",
                                      "gemm m1 n1 k1 w:const w:const",
                                      "gemm m1 n1 k1 +nothing",
                                      "gemm m1 n1 k1 +bias(1)",
                                      "gemm m1 n1 k1 +relu +relu +relu +relu +relu +relu +relu",
                                      "gemm m1 n1 k1 {out %0}",
                                      "gemm m1 n1 k1 ashared",
                                      "gemm b2 m1 n1 k1 ashared bshared ta",
                                      "gemm b2 m1 n1 k1 bshared",
                                      "gemm m1 n1 k1 ta2",
                                      "gemm m1 n1 k1 in:f32[0] in:f32",
                                      "conv2d n1 c3 h8 w8 k8 r3 s3 g2",
                                      "conv2d n1 c3 h2 w2 k8 r3 s3",
                                      "conv2d n1 c3 h8 w8 k8 r3 s3 g0",
                                      "conv2d n1 c3 h8 w8 k8 r3 s3 stride0",
                                      "conv2d n1 c3 h8 w8 k8 r3 s3 pad1 padt1",
                                      "conv2d n1 c3 h8 w8 k8 r3 s3 pad-1",
                                      "pool2d n1 c1 h8 w8 r2 s2",
                                      "pool2d max average n1 c1 h8 w8 r2 s2",
                                      "pool2d max n1 c1 h8 w8 r2 s2 countpad",
                                      "pool2d max n1 c1 h8 w8 r2 s2 +relu",
                                      "attention b1 heads3 kvheads2 seq1 kv1 d1 dv1",
                                      "attention b1 heads1 kvheads1 seq1 kv2 d1 dv1 order2",
                                      "attention b1 heads1 kvheads1 seq1 kv1 d1 dv1 order3",
                                      "attention b1 heads1 kvheads1 seq1 kv1 d1 dv1 mask6",
                                      "transpose d2 d3 perm0 f32",
                                      "transpose d2 d3 perm00 f32",
                                      "transpose d2 d3 perm02 f32",
                                      "transpose d2 perm0 perm0 f32",
                                      "transpose perm f32",
                                      "transpose d1 d1 d1 d1 d1 d1 d1 d1 d1 perm01234567",
                                      "transpose d2 perm0 acc:f32",
                                      "map d2 in:f32 {out %1}",
                                      "map d2 in:f32[1] {out %0}",
                                      "map d2 in:f32[00] {out %0}",
                                      "map d2 in:f32[0 {out %0}",
                                      "map d2 f32 {out %0}",
                                      "map d2 in:f32 {out sum %0}",
                                      "map r2 in:f32 {out %0}",
                                      "map d2 in:f32 {%1=add %0 %1;out %1}",
                                      "map d2 in:f32 {%1=foo %0;out %1}",
                                      "map d2 in:f32 {out %0",
                                      "map d2 in:f32 {}",
                                      "map d2 in:f32 {out $0}",
                                      "map d2 in:f32[.] {out %0}",
                                      "map in:f32[] {out %0}",
                                      "map d2 in:f32 {out %0}{out %0}",
                                      "map d2 in:f32 {out $32}",
                                      "map d2 in:f32 out:f32[0] {out %0}",
                                      "map d2 in:f32 {%13=neg %0;out %13}",
                                      "op",
                                      "op Foo",
                                      "op Foo-0",
                                      "op Foo-1 Bar-1",
                                      "op Foo-1 a=1 a=2",
                                      "op Foo-1 a=x",
                                      "op Foo-1 a=1,",
                                      "op Foo-1 in:f32",
                                      "op Foo-1 in:f32[-1]",
                                      "op Foo-1 in:f32[1",
                                      "op Foo-1 a=\"x",
                                      "op Foo-1 a=\"\\n\"",
                                      "op Foo-1 in:f32[1,1,1,1,1,1,1,1,1]",
                                      "op Foo-1 1a=2",
                                      "op a=1",
                                      "op Foo-1 in:"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct problem problem;
    CHECK_MESSAGE(problem_parse(texts[i], &arena, &problem) == FARM_USAGE, "`%s` was not refused", texts[i]);
    CHECK(strlen(status_message()) > 0);
  }
  arena_free(&arena);
}

TEST(problem_long_op_texts_end_in_their_digest, "") {
  char text[9000] = "Foo-1";
  size_t at = strlen(text);
  for (int i = 0; i < 600; i++) at += (size_t)snprintf(text + at, sizeof text - at, " in:f32[%d]", i);
  struct problem problem = {.kind = PROBLEM_OP}, other = {.kind = PROBLEM_OP};
  REQUIRE_OK(op_text_canonicalise(text, &arena, &problem.op_text));
  const char *printed = problem_print(&problem, &arena);
  CHECK(strlen(printed) < PROBLEM_TEXT_MAX && strlen(printed) > PROBLEM_TEXT_MAX - 100);
  CHECK(strstr(printed, " digest:"));
  CHECK_TEXT(canonical(printed), printed);
  text[at - 2] = '0'; // the last operand, which is cut away, differs
  REQUIRE_OK(op_text_canonicalise(text, &arena, &other.op_text));
  struct digest a = problem_digest(&problem), b = problem_digest(&other);
  CHECK(!digest_equal(&a, &b));
  arena_free(&arena);
}

static const char *shapes(const char *text) {
  struct problem problem;
  struct tensor types[PROBLEM_MAX_OPERANDS];
  char one[128];
  char *all = "";
  REQUIRE_OK(problem_parse(text, &arena, &problem));
  REQUIRE_OK(problem_operand_types(&problem, types));
  for (int i = 0; i < problem.input_count + problem.output_count; i++)
    all = arena_printf(&arena, "%s%s%s", all, i ? (i == problem.input_count ? " -> " : " ") : "",
                       tensor_text(&types[i], one, sizeof one));
  return all;
}

TEST(problem_operand_shapes, "") {
  CHECK_TEXT(shapes("gemm m2 n3 k4 ta +bias +add"), "f32[4,2] f32[4,3] f32[3] f32[2,3] -> f32[2,3]");
  CHECK_TEXT(shapes("gemm b5 m2 n3 k4 tb ashared +mul"), "f32[2,4] f32[5,3,4] f32[5,2,3] -> f32[5,2,3]");
  CHECK_TEXT(shapes("conv2d n1 c8 h9 w9 k4 r3 s3 stride2 pad1 g2 +bias +add"),
             "f32[1,8,9,9] f32[4,4,3,3] f32[4] f32[1,4,5,5] -> f32[1,4,5,5]");
  CHECK_TEXT(shapes("pool2d max n1 c8 h10 w9 r3 s3 stride2 ceil"), "f32[1,8,10,9] -> f32[1,8,5,4]");
  CHECK_TEXT(shapes("norm layer rows2 len3 scale0"), "f32[2,3] f32[3] -> f32[2,3]");
  CHECK_TEXT(shapes("attention b1 heads4 kvheads2 seq3 kv5 d6 dv7 mask3"),
             "f32[1,4,3,6] f32[1,2,5,6] f32[1,2,5,7] f32[3,5] -> f32[1,4,3,7]");
  CHECK_TEXT(shapes("attention b1 heads4 kvheads4 seq3 kv3 d6 dv6 order2"), "f32[1,3,3,4,6] -> f32[1,3,4,6]");
  CHECK_TEXT(shapes("attention b2 heads4 kvheads4 seq3 kv5 d6 dv6 order4"),
             "f32[2,4,3,6] f32[2,4,6,5] f32[2,4,5,6] -> f32[2,4,3,6]");
  CHECK_TEXT(shapes("transpose d2 d3 d4 perm201 f32"), "f32[6,4] -> f32[4,6]");
  CHECK_TEXT(shapes("map d2 r3 in:f32[01] in:f16[.1] {%2=mul %0 %1;out sum %2}"), "f32[2,3] f16[3] -> f32[2]");
  arena_free(&arena);
}

TEST(problem_work, "") {
  struct problem problem;
  REQUIRE_OK(problem_parse("conv2d n2 c8 h9 w9 k4 r3 s3 pad1 g2", &arena, &problem));
  CHECK(problem_macs(&problem) == 2.0 * 4 * 81 * 4 * 9);
  REQUIRE_OK(problem_parse("gemm b2 m3 n4 k5 in:f16 in:f16 out:f32", &arena, &problem));
  CHECK(problem_macs(&problem) == 2.0 * 3 * 4 * 5);
  CHECK(problem_bytes(&problem) == 2 * (2 * 3 * 5 + 2 * 5 * 4 + 4 * 3 * 4));
  CHECK(problem.accumulate == DTYPE_F32);
  arena_free(&arena);
}

/* Words of real texts, shuffled, cut and joined: nothing crashes; what is accepted prints to a fixed point. */
TEST(problem_random_words_reach_fixed_points, "") {
  const size_t count = sizeof canonical_texts / sizeof *canonical_texts;
  int accepted = 0;
  for (uint64_t round = 0; round < 20000; round++) {
    char text[1024] = "";
    uint64_t draw = random_u64(7, round);
    const char *base = canonical_texts[draw % count], *other = canonical_texts[(draw >> 8) % count];
    size_t cut = (draw >> 16) % (strlen(base) + 1), from = (draw >> 32) % (strlen(other) + 1);
    snprintf(text, sizeof text, "%.*s%s", (int)cut, base, (draw >> 60) < 8 ? other + from : base + cut);
    if (strlen(text) && (draw >> 56 & 3) == 0)
      text[(draw >> 24) % strlen(text)] = "0123456789 abdfm[]{}.%$;=+"[(draw >> 40) % 26];
    struct problem problem;
    if (problem_parse(text, &arena, &problem) != FARM_OK) continue;
    accepted++;
    const char *first = problem_print(&problem, &arena);
    CHECK_TEXT(canonical(first), first);
    arena_free(&arena);
  }
  CHECK_MESSAGE(accepted > 3000, "only %d accepted", accepted);
  arena_free(&arena);
}
