/* `tunefarm bench`: one problem in the grammar of problem texts: its variants listed, verified, timed, tuned. */
#include "bench.h"

#include "local-farm.h"

#include "../engine/build/build.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_VARIANTS = 4096 };

struct bench_command {
  bool verify, time, tune;
  int64_t threads, effort;
  const char *cores, *layout;
  struct option_list variants;
  struct option_optional json;
  struct bench bench;
};

static enum farm_status layout_parse(const char *text, enum tactic_layout *out) {
  static const char *const names[] = {"any", "nchw", "nhwc"};
  for (int i = 0; i < 3; i++)
    if (strcmp(text, names[i]) == 0) {
      *out = (enum tactic_layout)i;
      return FARM_OK;
    }
  return status_set(FARM_USAGE, "--layout: `%s` is none of any, nchw, nhwc", text);
}

/* A whole variant text, or a tactic's id. */
static bool is_wanted(const struct option_list *wanted, const struct variant *variant, const char *text) {
  for (size_t i = 0; i < wanted->count; i++)
    if (strcmp(wanted->items[i], text) == 0 || strcmp(wanted->items[i], variant->tactic->id) == 0) return true;
  return wanted->count == 0;
}

static enum farm_status wanted_check(const struct bench_command *c) {
  for (size_t i = 0; i < c->variants.count; i++) {
    const struct option_list one = {.items = &c->variants.items[i], .count = 1};
    bool found = false;
    for (int k = 0; k < c->bench.row_count; k++) found |= is_wanted(&one, &c->bench.rows[k].variant, c->bench.rows[k].text);
    FAIL_IF(!found, FARM_USAGE, "--variant %s: no such variant of this problem here", c->variants.items[i]);
  }
  return FARM_OK;
}

static enum farm_status rows_make(struct bench_command *c, enum tactic_layout layout) {
  struct bench *bench = &c->bench;
  char default_text[VARIANT_TEXT_MAX];
  struct variant preferred = catalogue_default(&bench->problem, &bench->device_class, layout, bench->threads);
  struct variant *all = arena_alloc_array(&bench->arena, MOST_VARIANTS, sizeof *all);
  FAIL_IF(!all, FARM_NO_MEMORY, "out of memory for variants");
  int count = catalogue_variants(&bench->problem, &bench->device_class, layout, all, MOST_VARIANTS);
  if (count > MOST_VARIANTS) count = MOST_VARIANTS;
  bench->rows = arena_alloc_array(&bench->arena, (size_t)count + 1, sizeof *bench->rows);
  FAIL_IF(!bench->rows, FARM_NO_MEMORY, "out of memory for variants");
  variant_print(&preferred, default_text);
  bench->default_row = -1;
  for (int i = 0; i < count; i++) {
    struct bench_row row = {.variant = all[i], .entry = {.status = FARM_OK, .message = "", .rank = RECORD_RANK_NONE}};
    variant_print(&all[i], row.text);
    if (!is_wanted(&c->variants, &all[i], row.text)) continue;
    row.estimated_ns = variant_cost(&bench->problem, &all[i], &bench->device_class, bench->threads);
    if (strcmp(row.text, default_text) == 0) bench->default_row = bench->row_count;
    bench->rows[bench->row_count++] = row;
  }
  return wanted_check(c);
}

static enum farm_status prepare(struct bench_command *c, const char *problem) {
  struct bench *bench = &c->bench;
  enum tactic_layout layout = LAYOUT_ANY;
  TRY(layout_parse(c->layout, &layout));
  TRY(problem_parse(problem, &bench->arena, &bench->problem));
  FAIL_IF(bench->problem.kind == PROBLEM_OP, FARM_UNSUPPORTED,
          "an `op` problem has no operands of its own: only a model can run it");
  bench->text = problem_print(&bench->problem, &bench->arena);
  FAIL_IF(!bench->text, FARM_NO_MEMORY, "out of memory for a problem");
  TRY(cpu_device_class(&bench->device_class));
  device_class_print(&bench->device_class, bench->class_text);
  TRY(local_farm_cores(c->cores, (int)c->threads, bench->cores_text, sizeof bench->cores_text));
  TRY(cores_parse(bench->cores_text, &bench->cores));
  TRY(cores_bind(&bench->cores)); // before any thread is made
  bench->threads = CPU_COUNT(&bench->cores);
  bench->policy = build_policy((int)c->effort);
  bench->clocks = "";
  return rows_make(c, layout);
}

static enum farm_status verdict(const struct bench *bench) {
  int wrong = 0;
  for (int i = 0; i < bench->row_count; i++) wrong += bench->rows[i].known && bench->rows[i].entry.status != FARM_OK;
  FAIL_IF(wrong, FARM_VERIFY_FAILED, "%d of %d variants failed", wrong, bench->row_count);
  return FARM_OK;
}

static enum farm_status bench_run(struct bench_command *c, const char *problem) {
  FAIL_IF(c->verify + c->time + c->tune > 1, FARM_USAGE, "--verify, --time and --tune exclude one another");
  TRY(prepare(c, problem));
  if (c->verify) TRY(bench_verify(&c->bench));
  if (c->time || c->tune) TRY(bench_time(&c->bench, c->tune));
  TRY(report_give(&c->json, bench_describe(&c->bench), bench_show));
  return verdict(&c->bench);
}

static enum farm_status run(int argc, char **argv) {
  struct bench_command c = {.layout = "any", .effort = 2};
  const struct option rows[] = {
      {"verify", OPTION_FLAG, &c.verify, 0, 0, NULL, "check every variant against the reference", false},
      {"time", OPTION_FLAG, &c.time, 0, 0, NULL, "check and time every variant, as a worker screens", false},
      {"tune", OPTION_FLAG, &c.tune, 0, 0, NULL, "the same, then the best interleaved until they separate", false},
      {"threads", OPTION_INTEGER, &c.threads, 1, 1024, "N", "cores to run on (all this process may use)", true},
      {"cores", OPTION_TEXT, &c.cores, 0, 0, "LIST", "which ones, such as 0-3,6", false},
      {"effort", OPTION_INTEGER, &c.effort, 1, 4, "1..4", "how carefully it is timed (2)", false},
      {"variant", OPTION_LIST, &c.variants, 0, 0, "V", "only this variant, or this tactic's; may be repeated", false},
      {"layout", OPTION_TEXT, &c.layout, 0, 0, "L", "any, nchw or nhwc (any)", false},
      {"json", OPTION_OPTIONAL, &c.json, 0, 0, "FILE", "all of it as one JSON object", false},
      {0},
  };
  const struct options options = {
      "bench", "'PROBLEM' [--verify|--time|--tune] [options]",
      "Lists the variants of one problem with their estimates; verifies, times or tunes them.",
      "  tunefarm bench 'gemm m128 n3072 k768 f32 acc:f32 w:const +bias +gelu' --tune --threads 1\n"
      "  tunefarm bench 'conv2d n1 c64 h56 w56 k64 r3 s3 pad1 f32 acc:f32 w:const' --verify --layout nhwc\n"
      "  tunefarm bench 'softmax outer96 len128 f32' --time --json | jq .winner\n",
      rows};
  struct option_list positional = {0};
  bool help;
  enum farm_status status = options_parse(&options, argc, argv, &positional, &help);
  if (status == FARM_OK && !help && positional.count != 1)
    status = status_set(FARM_USAGE, "one problem is needed, %zu were given: put its words between quotes", positional.count);
  if (status == FARM_OK && !help) status = bench_run(&c, positional.items[0]);
  option_list_free(&positional);
  option_list_free(&c.variants);
  arena_free(&c.bench.arena);
  return status;
}

const struct command command_bench = {"bench", "verify, time or tune one problem", run};
