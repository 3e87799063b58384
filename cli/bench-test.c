/* `tunefarm bench`: the same variants listed, verified, timed, tuned. */
#include "bench.h"
#include "command-test.h"

static const char problem[] = "gemm m24 n64 k48 f32 acc:f32 w:const +bias +relu";

static size_t rows_count(const json_t *root) { return json_array_size(json_object_get(root, "variants")); }

TEST(bench_lists_and_verifies_every_variant, "") {
  json_t *listed = json_of(command_say("bench", problem, "--json", "--threads", "1"));
  json_t *verified = json_of(command_say("bench", problem, "--verify", "--json", "--threads", "1"));
  CHECK(rows_count(listed) > 3 && rows_count(listed) == rows_count(verified));
  CHECK_TEXT(text_at(listed, "problem"), problem);
  CHECK(number_at(listed, "macs") == 24.0 * 64 * 48);
  size_t i, defaults = 0, references = 0;
  json_t *row;
  json_array_foreach(json_object_get(listed, "variants"), i, row)
      CHECK(json_object_get(row, "status") == NULL && number_at(row, "estimated_us") > 0);
  json_array_foreach(json_object_get(verified, "variants"), i, row) {
    CHECK_TEXT(text_at(row, "status"), "OK");
    CHECK(number_at(row, "error") >= 0 && number_at(row, "error") <= 1);
    CHECK(number_at(row, "compared") == 24 * 64);
    CHECK(json_object_get(row, "median_us") == NULL);
    defaults += json_is_true(json_object_get(row, "default"));
    references += strstr(text_at(row, "variant"), "reference") != NULL;
  }
  CHECK(defaults == 1 && references == 1);
  json_decref(listed);
  json_decref(verified);
}

TEST(bench_tunes_in_a_measuring_child_and_ranks, "timeout:120") {
  json_t *listed = json_of(command_say("bench", problem, "--json", "--threads", "1"));
  json_t *root = json_of(command_say("bench", problem, "--tune", "--effort", "1", "--threads", "1", "--json"));
  CHECK(rows_count(root) == rows_count(listed));
  const json_t *first = json_array_get(json_object_get(root, "variants"), 0), *peak = json_object_get(root, "peak");
  CHECK_TEXT(text_at(root, "winner"), text_at(first, "variant"));
  CHECK(json_is_integer(json_object_get(first, "rank")) && number_at(first, "rank") == 0);
  CHECK(number_at(peak, "gflops") > 0.1 && number_at(peak, "read_gbs") > 0.01);
  CHECK(json_array_size(json_object_get(peak, "probes")) >= 3); // before, between, after
  size_t i, finalists = 0;
  json_t *row;
  json_array_foreach(json_object_get(root, "variants"), i, row) {
    CHECK_MESSAGE(strcmp(text_at(row, "status"), "OK") == 0, "%s: %s", text_at(row, "variant"), text_at(row, "message"));
    CHECK(number_at(row, "n") > 0 && number_at(row, "median_us") > 0);
    double share = number_at(row, "gflops") / number_at(peak, "gflops");
    CHECK(number_at(row, "peak_share") > 0.999 * share && number_at(row, "peak_share") < 1.001 * share);
    finalists += json_is_true(json_object_get(row, "finalist"));
    if (json_is_true(json_object_get(row, "default"))) CHECK(json_is_true(json_object_get(row, "finalist")));
  }
  CHECK(finalists >= 1 && finalists <= 6);
  json_decref(root);
  json_decref(listed);
}

TEST(bench_takes_single_variants_and_layouts, "") {
  static const char conv[] = "conv2d n1 c16 h10 w10 k16 r3 s3 pad1 f32 acc:f32 w:const";
  size_t i;
  json_t *row, *root = json_of(command_say("bench", conv, "--layout", "nhwc", "--json"));
  CHECK(rows_count(root) > 0);
  json_array_foreach(json_object_get(root, "variants"), i, row) CHECK_TEXT(text_at(row, "layout"), "nhwc");
  char variant[256];
  snprintf(variant, sizeof variant, "%s", text_at(json_array_get(json_object_get(root, "variants"), 0), "variant"));
  json_decref(root);
  root = json_of(command_say("bench", conv, "--variant", variant, "--time", "--effort", "1", "--json"));
  CHECK(rows_count(root) == 1);
  CHECK_TEXT(text_at(root, "winner"), variant);
  json_decref(root);
  struct said said = command_say("bench", conv, "--variant", variant, "--verify");
  CHECK(said.code == 0 && strstr(said.out, variant) && strstr(said.out, "right"));
  said_free(&said);
}

TEST(bench_refuses_what_is_no_problem, "") {
  command_fails(2, "`q`", "bench", "gemm m1 q");
  command_fails(2, "one problem is needed", "bench", "gemm", "m1", "n1", "k1");
  command_fails(2, "one problem is needed", "bench");
  command_fails(2, "no-such-tactic", "bench", problem, "--variant", "no-such-tactic");
  command_fails(2, "exclude", "bench", problem, "--time", "--tune");
  command_fails(2, "--layout", "bench", problem, "--layout", "chwn");
  command_fails(2, "--threads 1000: there are", "bench", problem, "--threads", "1000");
  command_fails(5, "no operands of its own", "bench", "op Erf-13 in:f32[2] out:f32[2]");
}

/* ---- variants that misbehave, checked in this process ---- */

static bool softmax_only(const struct problem *of) { return of->kind == PROBLEM_SOFTMAX; }
static double no_cost(const struct problem *of, const struct variant *variant, const struct device_class *device_class,
                      int threads) {
  (void)of, (void)variant, (void)device_class, (void)threads;
  return 1e9;
}
static enum farm_status run_crash(const struct kernel_call *call) {
  (void)call;
  signal(SIGSEGV, SIG_DFL); // a sanitizer would end the process politely
  raise(SIGSEGV);
  return FARM_OK;
}
static enum farm_status run_nothing(const struct kernel_call *call) {
  (void)call;
  return FARM_OK;
}
static const struct tactic crashing = {.id = "softmax__crash__test",
                                       .kind = PROBLEM_SOFTMAX,
                                       .source = "test",
                                       .packed_operand = -1,
                                       .applicable = softmax_only,
                                       .cost = no_cost,
                                       .run = run_crash};
static const struct tactic lazy = {.id = "softmax__nothing__test",
                                   .kind = PROBLEM_SOFTMAX,
                                   .source = "test",
                                   .packed_operand = -1,
                                   .applicable = softmax_only,
                                   .cost = no_cost,
                                   .run = run_nothing};

TEST(bench_verify_survives_variants_that_crash_or_do_nothing, "") {
  struct bench bench = {.threads = 1};
  struct variant reference[64];
  REQUIRE_OK(catalogue_add(&crashing));
  REQUIRE_OK(catalogue_add(&lazy));
  REQUIRE_OK(problem_parse("softmax outer4 len16 f32", &bench.arena, &bench.problem));
  REQUIRE_OK(cpu_device_class(&bench.device_class));
  int count = catalogue_variants(&bench.problem, &bench.device_class, LAYOUT_ANY, reference, 64);
  REQUIRE(count > 2);
  struct bench_row rows[3] = {{.variant = {.tactic = &crashing}}, {.variant = {.tactic = &lazy}}, {.variant = reference[0]}};
  for (int i = 0; i < 3; i++) variant_print(&rows[i].variant, rows[i].text);
  bench.rows = rows;
  bench.row_count = 3;
  REQUIRE_OK(bench_verify(&bench));
  CHECK(rows[0].known && rows[0].entry.status == FARM_TACTIC_CRASHED && strstr(rows[0].entry.message, "signal"));
  CHECK(rows[1].known && rows[1].entry.status == FARM_TACTIC_WRONG && rows[1].entry.message[0]);
  CHECK(rows[2].known && rows[2].entry.status == FARM_OK && rows[2].verdict.compared == 4 * 16);
  json_t *root = bench_describe(&bench);
  CHECK_TEXT(text_at(json_array_get(json_object_get(root, "variants"), 0), "status"), "OK"); // what is right comes first
  CHECK(json_is_null(json_object_get(root, "winner")));                                      // nothing was timed
  json_decref(root);
  arena_free(&bench.arena);
}
