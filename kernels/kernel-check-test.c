/* The check itself: tactics that err in each way must be found out, and for the right reason. */
#include "../tests/kit/test.h"
#include "kernel-check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t some_workspace(const struct problem *problem, const struct variant *variant, int threads) {
  (void)problem, (void)variant, (void)threads;
  return 100;
}

static enum farm_status run_right(const struct kernel_call *call) {
  struct tactic reference =
      *catalogue_find(call->problem->kind == PROBLEM_GEMM ? "gemm__reference__any" : "conv2d_nhwc__reference__any");
  struct kernel_call inner = *call;
  struct variant variant = {.tactic = &reference};
  inner.variant = &variant;
  return reference.run(&inner);
}

static float *out_of(const struct kernel_call *call) { return call->outputs[0]->data; }

static enum farm_status run_nan(const struct kernel_call *call) {
  TRY(run_right(call));
  out_of(call)[7] = NAN;
  return FARM_OK;
}
static enum farm_status run_forgets_one(const struct kernel_call *call) {
  TRY(run_right(call));
  memset(out_of(call) + tensor_elems(call->outputs[0]) - 1, 0xff, sizeof(float)); // as it was before the run
  return FARM_OK;
}
static enum farm_status run_slightly_off(const struct kernel_call *call) {
  TRY(run_right(call));
  out_of(call)[3] += 0.01f;
  return FARM_OK;
}
static enum farm_status run_past_output(const struct kernel_call *call) {
  TRY(run_right(call));
  out_of(call)[tensor_elems(call->outputs[0])] = 1;
  return FARM_OK;
}
static enum farm_status run_before_output(const struct kernel_call *call) {
  TRY(run_right(call));
  out_of(call)[-1] = 1;
  return FARM_OK;
}
static enum farm_status run_past_workspace(const struct kernel_call *call) {
  ((char *)call->workspace)[100] = 1;
  return run_right(call);
}
static enum farm_status run_past_input(const struct kernel_call *call) {
  ((float *)call->inputs[1]->data)[tensor_elems(call->inputs[1])] = 1;
  return run_right(call);
}
static enum farm_status run_reads_past_input(const struct kernel_call *call) {
  TRY(run_right(call));
  const float *a = call->inputs[0]->data;
  out_of(call)[0] += 0 * a[tensor_elems(call->inputs[0])]; // NaN lies there
  return FARM_OK;
}

static const struct {
  enum farm_status (*run)(const struct kernel_call *call);
  enum farm_status expected;
  const char *says;
} kinds[] = {{run_right, FARM_OK, ""},
             {run_nan, FARM_TACTIC_WRONG, "element 7"},
             {run_forgets_one, FARM_TACTIC_WRONG, "1 of"},
             {run_slightly_off, FARM_TACTIC_WRONG, "element 3"},
             {run_past_output, FARM_TACTIC_OVERRAN, "output 0"},
             {run_before_output, FARM_TACTIC_OVERRAN, "output 0"},
             {run_past_workspace, FARM_TACTIC_OVERRAN, "workspace"},
             {run_past_input, FARM_TACTIC_OVERRAN, "input 1"},
             {run_reads_past_input, FARM_TACTIC_WRONG, "element 0"}};

TEST(every_way_to_err_is_found, "") {
#if defined(__SANITIZE_ADDRESS__)
  SKIP("AddressSanitizer ends the process at what is done on purpose here");
#endif
  struct arena arena = {0};
  struct problem problem;
  REQUIRE_OK(problem_parse("gemm m5 n9 k20 f32 acc:f32 +bias", &arena, &problem));
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    struct tactic tactic = *catalogue_find("gemm__reference__any");
    tactic.run = kinds[i].run;
    tactic.workspace = some_workspace;
    struct variant variant = {.tactic = &tactic};
    struct kernel_verdict verdict;
    enum farm_status status = kernel_check(&problem, &variant, NULL, &verdict);
    CHECK_MESSAGE(status == kinds[i].expected, "way %zu: %s, %s", i, status_name(status), status_message());
    CHECK_MESSAGE(status == FARM_OK || strstr(status_message(), kinds[i].says), "way %zu: %s", i, status_message());
  }
  arena_free(&arena);
}

/* A result too large to check in full: one wrong element among millions is met by the projection, wherever it is. */
static const struct tactic *wrapped;
static int64_t wrong_at; // -1: nowhere
static enum farm_status run_wrong_at(const struct kernel_call *call) {
  TRY(wrapped->run(call));
  if (wrong_at >= 0) out_of(call)[wrong_at] += 3;
  return FARM_OK;
}

TEST(one_wrong_element_among_millions_is_found, "slow timeout:200") {
  static const char *const texts[] = {"gemm m1500 n1400 k1000 f32 acc:f32 w:const +bias",
                                      "conv2d n1 c64 h120 w120 k256 r3 s3 pad1 f32 acc:f32 w:const +bias"};
  struct device_class device_class;
  REQUIRE_OK(cpu_device_class(&device_class));
  for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
    struct arena arena = {0};
    struct problem problem;
    REQUIRE_OK(problem_parse(texts[t], &arena, &problem));
    struct kernel_case *made;
    struct kernel_trial *trial;
    struct kernel_verdict verdict;
    REQUIRE_OK(kernel_case_make(&problem, &made));
    struct variant variant = catalogue_default(&problem, &device_class, LAYOUT_ANY, 1);
    struct tactic tactic = *variant.tactic;
    wrapped = variant.tactic;
    tactic.run = run_wrong_at;
    variant.tactic = &tactic;
    REQUIRE_OK(kernel_trial_make(made, &variant, 1, 1, &trial));
    wrong_at = -1;
    REQUIRE_OK(kernel_trial_check(trial, NULL, &verdict));
    CHECK(verdict.projected && verdict.worst_share <= 1);
    for (wrong_at = 12345; wrong_at < 2000000; wrong_at += 654321)
      CHECK_MESSAGE(kernel_trial_check(trial, NULL, &verdict) == FARM_TACTIC_WRONG, "%s: error at %lld passed", texts[t],
                    (long long)wrong_at);
    kernel_trial_free(&trial);
    kernel_case_free(&made);
    arena_free(&arena);
  }
}
