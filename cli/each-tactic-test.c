/* A case with every tactic: good ones pass, and of bad ones each is found, named, and costs nothing but its own trial. */
#include "case-folder-test.h"
#include "command-test.h"
#include "each-tactic.h"

#include "../kernels/reference-tactic.h"

#include <math.h>

static const struct case_options LOOSE = {.rule = {1e-3, 1e-5, true}, .threads = 1};

/* ---- tactics that are wrong, each on one problem of the model ---- */

static bool is_conv(const struct problem *problem) { return problem->dims[CONV_C] == 4 && problem->dims[CONV_K] == 8; }
static bool is_head(const struct problem *problem) { return problem->dims[GEMM_K] == 128 && problem->dims[GEMM_N] == 5; }
static bool is_later(const struct problem *problem) { return problem->dims[GEMM_K] == 5 && problem->dims[GEMM_N] == 5; }
static double cost_any(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                       int threads) {
  (void)problem, (void)variant, (void)device_class, (void)threads;
  return 1e12;
}
static enum farm_status good(const struct kernel_call *call) {
  enum tactic_layout layout = call->variant->tactic->layout;
  return reference_problem_run(call->problem, layout, call->scalars, call->inputs, call->outputs);
}
static float *out_of(const struct kernel_call *call) { return call->outputs[0]->data; }

static enum farm_status off_run(const struct kernel_call *call) {
  TRY(good(call));
  out_of(call)[tensor_elems(call->outputs[0]) - 1] += 2;
  return FARM_OK;
}
static enum farm_status nan_run(const struct kernel_call *call) {
  TRY(good(call));
  out_of(call)[1] = NAN;
  return FARM_OK;
}
static enum farm_status crash_run(const struct kernel_call *call) {
  (void)call;
  signal(SIGSEGV, SIG_DFL); // a sanitizer's handler would end the process politely
  raise(SIGSEGV);
  return FARM_OK;
}
static enum farm_status hang_run(const struct kernel_call *call) {
  for (;;) pause();
  return good(call);
}
static enum farm_status refuse_run(const struct kernel_call *call) {
  return status_set(FARM_INVALID, "%s will not", call->variant->tactic->id);
}
/* Wrong with one value of one parameter only. */
static enum farm_status param_run(const struct kernel_call *call) {
  return call->variant->params[1] == 7 ? off_run(call) : good(call);
}

static const int16_t few[] = {1, 2}, more[] = {3, 5, 7};
#define TACTIC(text, of, layout_, where, function, ...)                                                                          \
  {                                                                                                                              \
    .id = text, .kind = of, .layout = layout_, .source = "reference", .packed_operand = -1, .applicable = where,                 \
    .cost = cost_any, .run = function, __VA_ARGS__                                                                               \
  }
static const struct bad {
  struct tactic tactic;
  enum case_verdict verdict; // of its trial and so of the case
  const char *node, *why;    // of the trial; `why` in part
} bad[] = {
    {TACTIC("conv2d_f32_nchw__test_off__any", PROBLEM_CONV2D, LAYOUT_NCHW, is_conv, off_run, ), CASE_WRONG, "conv", "element "},
    {TACTIC("conv2d_f32_nhwc__test_off__any", PROBLEM_CONV2D, LAYOUT_NHWC, is_conv, off_run, ), CASE_WRONG, "conv", "element "},
    {TACTIC("gemm_f32__test_off__any", PROBLEM_GEMM, LAYOUT_ANY, is_head, off_run, ), CASE_WRONG, "head", "output 0: element "},
    {TACTIC("gemm_f32__test_nan__any", PROBLEM_GEMM, LAYOUT_ANY, is_later, nan_run, ), CASE_WRONG, "second and 1 more",
     "element 0 is nan"},
    {TACTIC("gemm_f32__test_crash__any", PROBLEM_GEMM, LAYOUT_ANY, is_head, crash_run, ), CASE_ERROR, "head",
     "crashed: signal 11"},
    {TACTIC("gemm_f32__test_hang__any", PROBLEM_GEMM, LAYOUT_ANY, is_head, hang_run, ), CASE_ERROR, "head", "no end after 2 s"},
    {TACTIC("gemm_f32__test_refuse__any", PROBLEM_GEMM, LAYOUT_ANY, is_head, refuse_run, ), CASE_ERROR, "head", "will not"},
    {TACTIC("gemm_f32__test_param__any", PROBLEM_GEMM, LAYOUT_ANY, is_head, param_run, .params = {{"a", few, 2}, {"b", more, 3}}),
     CASE_WRONG, "head", "element "},
};

static void report_free(struct tactic_report *report) {
  json_decref(report->tried);
  json_decref(report->wrong);
}

static int tried_of(const struct tactic_report *report, const char *tactic) {
  int count = 0;
  size_t i;
  json_t *row;
  json_array_foreach(report->tried, i, row) {
    const char *text = text_at(row, "tactic");
    size_t length = strcspn(text, "{");
    count += strlen(tactic) == length && strncmp(text, tactic, length) == 0;
  }
  return count;
}

static int kind_is_in_the_model(enum problem_kind kind) { return kind == PROBLEM_CONV2D || kind == PROBLEM_GEMM; }

/* Every tactic of this machine whose kind the model has and that takes its problems. */
TEST(each_tactic_tries_them_all, "timeout:120") {
  char why[512];
  struct tactic_report report;
  struct device_class here;
  struct problem conv, head, later;
  struct arena arena = {0};
  const char *folder = case_write("good", 0);
  enum case_verdict verdict = case_run_each_tactic(folder, &LOOSE, 60, false, &report, why, sizeof why);
  CHECK_MESSAGE(verdict == CASE_PASS && why[0] == 0, "%s: %s", case_verdict_name(verdict), why);
  CHECK(json_array_size(report.wrong) == 0 && json_array_size(report.tried) > 20);
  REQUIRE_OK(cpu_device_class(&here));
  REQUIRE_OK(problem_parse("conv2d n1 c4 h6 w6 k8 r3 s3 f32 acc:f32 w:const", &arena, &conv));
  REQUIRE_OK(problem_parse("gemm m1 n5 k128 f32 acc:f32 w:const", &arena, &head));
  REQUIRE_OK(problem_parse("gemm m1 n5 k5 f32 acc:f32 w:const", &arena, &later));
  int count, seen = 0;
  const struct tactic *const *all = catalogue_tactics(&count);
  for (int i = 0; i < count; i++) {
    if (!kind_is_in_the_model(all[i]->kind) || !tactic_fits(all[i], &here)) continue;
    bool fits =
        all[i]->kind == PROBLEM_CONV2D ? all[i]->applicable(&conv) : all[i]->applicable(&head) && all[i]->applicable(&later);
    seen += fits;
    CHECK_MESSAGE(fits == (tried_of(&report, all[i]->id) > 0), "%s was tried %d times", all[i]->id,
                  tried_of(&report, all[i]->id));
  }
  CHECK(seen > 8 && tried_of(&report, "conv2d_nchw__reference__any") == 1);
  CHECK(tried_of(&report, "conv2d_nhwc__reference__any") == 1 && tried_of(&report, "gemm__reference__any") == 2);
  report_free(&report);
  arena_free(&arena);
}

/* A layout that the linker would never take here, for what it costs to change to it. */
TEST(each_tactic_forces_layouts, "timeout:120") {
  static const char *const ids[] = {"pool2d_f32_nchw__separable__baseline", "pool2d_nchw__reference__any",
                                    "pool2d_f32_nhwc__taps__baseline", "pool2d_nhwc__reference__any"};
  char why[512];
  struct tactic_report report;
  const char *folder = case_write_of(pool_model_write, "pool", 0);
  enum case_verdict verdict = case_run_each_tactic(folder, &LOOSE, 60, false, &report, why, sizeof why);
  CHECK_MESSAGE(verdict == CASE_PASS, "%s", why);
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) CHECK_MESSAGE(tried_of(&report, ids[i]) > 0, "%s was not tried", ids[i]);
  report_free(&report);
}

static void bad_check(const struct bad *b, const char *folder) {
  char why[512];
  struct tactic_report report;
  REQUIRE_OK(catalogue_add(&b->tactic));
  enum case_verdict verdict = case_run_each_tactic(folder, &LOOSE, 2, false, &report, why, sizeof why);
  const json_t *row = json_array_get(report.wrong, 0);
  const char *id = b->tactic.id;
  CHECK_MESSAGE(verdict == b->verdict, "%s: the case is %s: %s", id, case_verdict_name(verdict), why);
  CHECK_MESSAGE(json_array_size(report.wrong) == 1, "%s: %zu trials failed", id, json_array_size(report.wrong));
  CHECK_MESSAGE(tried_of(&report, id) >= 1 && tried_of(&report, "gemm__reference__any") == 2, "%s: others were not tried", id);
  CHECK_TEXT(text_at(row, "node"), b->node);
  CHECK_TEXT(text_at(row, "verdict"), case_verdict_name(b->verdict));
  CHECK_MESSAGE(strncmp(text_at(row, "tactic"), id, strlen(id)) == 0, "%s was blamed, not %s", text_at(row, "tactic"), id);
  CHECK_MESSAGE(strstr(text_at(row, "why"), b->why), "%s: %s", id, text_at(row, "why"));
  CHECK_MESSAGE(strstr(why, b->node) && strstr(why, id) && strstr(why, b->why), "%s: the case says %s", id, why);
  report_free(&report);
}

/* One at a time, each in a test of its own process: an added tactic stays. */
#define BAD(index, name)                                                                                                         \
  TEST(each_tactic_finds_##name, "timeout:120") { bad_check(&bad[index], case_write("bad", 0)); }
BAD(0, wrong_nchw)
BAD(1, wrong_nhwc)
BAD(2, wrong_gemm)
BAD(3, nan)
BAD(4, crash)
BAD(5, hang)
BAD(6, refusal)
BAD(7, wrong_parameter)

/* When the defaults fail, the case says so; that all the others fail, too, is in the list. */
TEST(each_tactic_of_a_case_that_fails, "timeout:120") {
  char why[512];
  struct tactic_report report;
  enum case_verdict verdict = case_run_each_tactic(case_write("off", 0.5f), &LOOSE, 60, false, &report, why, sizeof why);
  CHECK(verdict == CASE_WRONG && json_array_size(report.wrong) == json_array_size(report.tried));
  CHECK_MESSAGE(strncmp(why, "output 0: element 2 is ", 23) == 0, "%s", why);
  report_free(&report);
}

TEST(each_tactic_leaves_no_files, "timeout:120") {
  char why[512], folder[PATH_MAX], command[PATH_MAX + 32];
  struct tactic_report report;
  snprintf(folder, sizeof folder, "%s/tmp", test_folder());
  REQUIRE(mkdir(folder, 0700) == 0 && setenv("TMPDIR", folder, 1) == 0);
  REQUIRE_OK(catalogue_add(&bad[4].tactic));
  case_run_each_tactic(case_write("bad", 0), &LOOSE, 2, false, &report, why, sizeof why);
  CHECK(json_array_size(report.wrong) == 1);
  snprintf(command, sizeof command, "rmdir '%s'", folder);
  CHECK_MESSAGE(system(command) == 0, "files were left in %s", folder);
  report_free(&report);
}

/* ---- a covering few ---- */

static bool all_cases(const struct problem *problem) { return problem != NULL; }
static const int16_t three[] = {1, 2, 3}, two[] = {10, 20};
static const struct tactic wide = {.id = "wide", .applicable = all_cases, .params = {{"x", three, 3}, {"y", two, 2}}},
                           plain = {.id = "plain", .applicable = all_cases};

TEST(trial_variants_cover_every_value_once, "") {
  const struct variant all[] = {{&wide, {1, 10}}, {&wide, {1, 20}}, {&wide, {2, 10}}, {&wide, {2, 20}},
                                {&wide, {3, 10}}, {&wide, {3, 20}}, {&plain, {0}}};
  static const struct {
    struct variant standing;
    int count, most, expected[8][2], expected_count; // the first `count` of all
  } cases[] = {
      {{0}, 7, 8, {{1, 10}, {2, 20}, {3, 10}, {0, 0}}, 4},
      {{&wide, {3, 20}}, 7, 8, {{3, 20}, {1, 10}, {2, 10}, {0, 0}}, 4}, // what stands comes first
      {{&plain, {0}}, 7, 8, {{1, 10}, {2, 20}, {3, 10}, {0, 0}}, 4},
      {{0}, 3, 8, {{1, 10}, {1, 20}, {2, 10}}, 3}, // 20 is legal with 1 only
      {{0}, 1, 8, {{1, 10}}, 1},
      {{0}, 7, 2, {{1, 10}, {2, 20}}, 2},
      {{0}, 0, 8, {{0}}, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct variant out[8];
    int kept = trial_variants_cover(all, cases[i].count, &cases[i].standing, out, cases[i].most);
    CHECK_MESSAGE(kept == cases[i].expected_count, "case %zu: %d variants", i, kept);
    for (int k = 0; k < kept && k < cases[i].expected_count; k++)
      CHECK_MESSAGE(out[k].params[0] == cases[i].expected[k][0] && out[k].params[1] == cases[i].expected[k][1],
                    "case %zu: variant %d is %d, %d", i, k, out[k].params[0], out[k].params[1]);
  }
}

/* ---- the command ---- */

TEST(command_test_each_tactic, "timeout:120") {
  const char *good_folder = case_write("good", 0), *off_folder = case_write("off", 0.5f);
#define LOOSELY "--relative-to-max", "--atol", "1e-5", "--json", "--threads", "1"
  json_t *plain_run = json_of(command_say("test", good_folder, LOOSELY));
  json_t *row = json_array_get(json_object_get(plain_run, "cases"), 0);
  CHECK(!json_object_get(row, "tactics_tried") && !json_object_get(row, "wrong_tactics"));
  json_decref(plain_run);
  struct said said = command_say("test", good_folder, off_folder, "--each-tactic", LOOSELY);
  CHECK_MESSAGE(said.code == 9, "code %d: %s", said.code, said.error);
  CHECK_MESSAGE(strstr(said.error, " variants tried, "), "%s", said.error);
  json_t *both = json_of(said);
  CHECK(number_at(both, "total") == 2 && number_at(both, "pass") == 1 && number_at(both, "wrong") == 1);
  for (size_t i = 0; i < 2; i++) {
    row = json_array_get(json_object_get(both, "cases"), i);
    const json_t *tried = json_object_get(row, "tactics_tried"), *wrong = json_object_get(row, "wrong_tactics");
    CHECK(json_array_size(tried) > 20 && json_array_size(wrong) == (i == 0 ? 0 : json_array_size(tried)));
    CHECK_TEXT(text_at(row, "verdict"), i == 0 ? "pass" : "wrong");
    CHECK(strstr(text_at(json_array_get(tried, 0), "node"), "conv") && text_at(json_array_get(tried, 0), "tactic")[0]);
  }
  json_decref(both);
}
