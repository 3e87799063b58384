/* The cost model ranks sensibly: what it would choose without measuring is not far from the best that measuring finds. Times are
 * the thread's own CPU time, the least of several runs, since tests share their machine. */
#include "../../tests/kit/test.h"
#include "../kernel-check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MOST_VARIANTS = 512, FIRST_RUNS = 3, LAST_RUNS = 9, COPIES = 2, MOST_ROUNDS = 8 };
#define NEAR 1.6 // times the best's time

static double cpu_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double run_once(struct kernel_trial *trial, int turn) {
  double start = cpu_seconds();
  REQUIRE_OK(kernel_trial_run(trial, NULL, turn));
  return cpu_seconds() - start;
}

static double least_of(struct kernel_case *made, const struct variant *variant, int runs) {
  struct kernel_trial *trial;
  REQUIRE_OK(kernel_trial_make(made, variant, 1, COPIES, &trial));
  double least = run_once(trial, 0);
  for (int i = 1; i < runs; i++) {
    double seconds = run_once(trial, i);
    if (seconds < least) least = seconds;
  }
  kernel_trial_free(&trial);
  return least;
}

static struct variant fastest_of(struct kernel_case *made, const struct variant *variants, int count) {
  struct variant best = variants[0];
  double best_seconds = -1;
  for (int i = 0; i < count; i++) {
    if (strstr(variants[i].tactic->id, "__reference__") || strstr(variants[i].tactic->id, "__baseline")) continue;
    double seconds = least_of(made, &variants[i], FIRST_RUNS);
    if (best_seconds >= 0 && seconds >= best_seconds) continue;
    best = variants[i];
    best_seconds = seconds;
  }
  return best;
}

/* How much slower the default is than the best, both measured anew in turn. */
static double default_over_best(const char *text, enum tactic_layout layout) {
  static struct variant variants[MOST_VARIANTS];
  struct arena arena = {0};
  struct problem problem;
  struct kernel_case *made;
  struct device_class device_class;
  REQUIRE_OK(cpu_device_class(&device_class));
  if (device_class.isa < ISA_AVX2) SKIP("needs AVX2");
  REQUIRE_OK(problem_parse(text, &arena, &problem));
  REQUIRE_OK(kernel_case_make(&problem, &made));
  int count = catalogue_variants(&problem, &device_class, layout, variants, MOST_VARIANTS);
  REQUIRE(count <= MOST_VARIANTS);
  struct variant best = fastest_of(made, variants, count), first = catalogue_default(&problem, &device_class, layout, 1);
  double best_seconds = INFINITY, first_seconds = INFINITY;
  for (int round = 0; round < MOST_ROUNDS && !(first_seconds < NEAR * best_seconds); round++) { // a neighbour may have come and gone
    best_seconds = fmin(best_seconds, least_of(made, &best, LAST_RUNS));
    first_seconds = fmin(first_seconds, least_of(made, &first, LAST_RUNS));
  }
  char best_text[VARIANT_TEXT_MAX], first_text[VARIANT_TEXT_MAX];
  variant_print(&best, best_text);
  variant_print(&first, first_text);
  double gflops = 2e-9 * problem_macs(&problem);
  printf("%s\n  default %6.1f GFLOP/s %s\n  best    %6.1f GFLOP/s %s\n", text, gflops / first_seconds, first_text,
         gflops / best_seconds, best_text);
  kernel_case_free(&made);
  arena_free(&arena);
  return first_seconds / best_seconds;
}

TEST(defaults_are_near_the_best, "slow timeout:300") {
  static const struct {
    const char *text;
    enum tactic_layout layout;
  } shapes[] = {{"gemm m128 n3072 k768 f32 acc:f32 w:const +bias +gelu", LAYOUT_ANY},
                {"gemm m128 n768 k3072 f32 acc:f32 w:const +bias +add", LAYOUT_ANY},
                {"gemm m1 n4096 k1024 f32 acc:f32 w:const +bias", LAYOUT_ANY},
                {"gemm m32 n1024 k1024 f32 acc:f32 w:const +bias +relu", LAYOUT_ANY},
                {"gemm b12 m128 n128 k64 tb f32 acc:f32", LAYOUT_ANY},
                {"conv2d n1 c64 h56 w56 k64 r3 s3 pad1 f32 acc:f32 w:const +bias +relu", LAYOUT_NHWC},
                {"conv2d n1 c64 h56 w56 k64 r3 s3 pad1 f32 acc:f32 w:const +bias +relu", LAYOUT_NCHW},
                {"conv2d n1 c512 h7 w7 k512 r3 s3 pad1 f32 acc:f32 w:const +bias +relu", LAYOUT_NHWC},
                {"conv2d n1 c64 h56 w56 k256 r1 s1 f32 acc:f32 w:const +bias +add +relu", LAYOUT_NHWC},
                {"conv2d n1 c3 h224 w224 k64 r7 s7 stride2 pad3 f32 acc:f32 w:const +bias +relu", LAYOUT_NHWC},
                {"conv2d n1 c144 h56 w56 k144 r3 s3 pad1 g144 f32 acc:f32 w:const +bias +clip", LAYOUT_NHWC}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    double ratio = default_over_best(shapes[i].text, shapes[i].layout);
    CHECK_MESSAGE(ratio < NEAR, "%s: the default takes %.2f times the best's time", shapes[i].text, ratio);
  }
}
