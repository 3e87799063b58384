/* A library's variants in engines: chosen by their records alone, with an own kernel beside them for where the library is absent or
 * of another version. A process asks for a library once, so every case runs in one of its own. */
#include "gpu-net-test.h"

#include "../../base/file.h"
#include "../../kernels/cuda/cuda-tactic.h"
#include "../link/choose.h"

#include <fcntl.h>
#include <sys/wait.h>

#define GPU "sm=90,product=fake,mem=512m"
#define MEASURED_WITH "cublaslt 990000, tactic 2"

enum { MOST_OWN = 1024 };

/* ---- cases ---- */

enum library { HERE, ABSENT, OTHER_VERSION };

static void library_set(enum library library) {
  if (library == ABSENT)
    setenv("TUNEFARM_LIBCUBLASLT", "/does/not/exist.so", 1);
  else
    net_library("TUNEFARM_LIBCUBLASLT", "libfakecublaslt.so");
  if (library == OTHER_VERSION) setenv("TUNEFARM_FAKE_CUBLASLT_VERSION", "990001", 1);
}

struct script {
  struct net *net;
  char path[1024], lock[1200]; // of one build; lock "": none
  int rank;                  // of the library's algorithms
  bool own_records;
  int lost, refused; // steps of the run whose library is not here, or refuses
  int64_t batch;
  const char *says; // of a build that is refused
};

/* fn in a process where the library is, or not; its failed checks are this test's. */
static void apart(enum library library, void (*fn)(struct script *script), struct script *script) {
  fflush(NULL);
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    setenv("TUNEFARM_KEEP", "1", 1); // the folder is the parent's
    library_set(library);
    fn(script);
    test_stop();
  }
  int code;
  REQUIRE(waitpid(child, &code, 0) == child);
  CHECK_MESSAGE(code == 0, "case with library state %d", (int)library);
}

/* ---- records: the library first; of own variants the last of the catalogue before the first ---- */

static const struct device_class sm90 = {.kind = DEVICE_CUDA, .sm = 90};

static int own_variants(const struct problem *problem, struct variant *out) {
  static struct variant found[MOST_OWN];
  struct problem variables = problem_of_variables(problem);
  int count = catalogue_variants(&variables, &sm90, LAYOUT_ANY, found, MOST_OWN), own = 0;
  REQUIRE(count <= MOST_OWN);
  for (int i = 0; i < count; i++)
    if (link_is_own(NULL, &found[i])) out[own++] = found[i];
  REQUIRE(own > 1);
  return own;
}

static void entry_fill(struct arena *arena, const struct variant *variant, uint32_t rank, struct record_entry *out) {
  char text[VARIANT_TEXT_MAX];
  variant_print(variant, text);
  *out = (struct record_entry){.variant = arena_string(arena, text, strlen(text)),
                               .source_digest = tactic_source_digest(variant->tactic),
                               .message = "",
                               .rank = rank,
                               .finalist = true,
                               .times = {.n = 9, .median = 1000 + rank, .ci_low = 999 + rank, .ci_high = 1001 + rank}};
}

static struct arena facts_arena; // lives as long as the process

static const struct record *facts_record(void *context, const char *text) {
  static struct variant own[MOST_OWN];
  static char measured_with[DIGEST_HEX_BYTES];
  const struct script *script = context;
  struct problem problem;
  REQUIRE_OK(problem_parse(text, &facts_arena, &problem));
  if (problem.kind != PROBLEM_GEMM) return NULL;
  struct digest digest = digest_of_text(MEASURED_WITH);
  digest_to_hex(&digest, measured_with);
  struct record *record = arena_alloc(&facts_arena, sizeof *record);
  record->entries = arena_alloc_array(&facts_arena, 3, sizeof *record->entries);
  struct variant library = {.tactic = catalogue_find("gemm_f32__cublaslt__cuda"), .params = {(int16_t)script->rank}};
  entry_fill(&facts_arena, &library, 0, &record->entries[record->entry_count++]);
  record->entries[0].source_digest = measured_with;
  if (!script->own_records) return record;
  int count = own_variants(&problem, own);
  entry_fill(&facts_arena, &own[0], 2, &record->entries[record->entry_count++]);
  entry_fill(&facts_arena, &own[count - 1], 1, &record->entries[record->entry_count++]);
  return record;
}

/* ---- the model: a weight whose rows own kernels want padded, and one that they take as it is ---- */

static struct net model(int64_t batch_most) {
  static struct build_shape shape = {.input = "x", .rank = 2, .min = {1, 20}, .opt = {3, 20}, .max = {3, 20}};
  struct net net = net_begin("library");
  net_input(&net, "x", batch_most > 3 ? "batch 20" : "3 20");
  NET_WEIGHT(&net, "w", 20, 21);
  NET_WEIGHT(&net, "b", 21);
  NET_WEIGHT(&net, "v", 21, 20);
  net_node(&net, "MatMul", "x w", "xw");
  net_node(&net, "Add", "xw b", "xwb");
  net_node(&net, "Relu", "xwb", "r");
  net_node(&net, "MatMul", "r v", "rv");
  net_node(&net, "Add", "rv x", "y");
  net_output(&net, "y", batch_most > 3 ? "batch 20" : "3 20");
  shape.max[0] = batch_most;
  net.shapes = batch_most > 3 ? &shape : NULL;
  net.shape_count = batch_most > 3;
  net_write(&net);
  return net;
}

static void build(struct script *script) {
  struct build_report report;
  script->net->facts = (struct link_facts){facts_record, script};
  REQUIRE_OK(net_build_as(script->net, script->path, CACHE_OFF, script->lock[0] ? script->lock : NULL, &report));
  build_report_free(&report);
}

static void build_without_facts(struct script *script) {
  struct build_report report;
  script->net->facts = (struct link_facts){0};
  REQUIRE_OK(net_build_as(script->net, script->path, CACHE_OFF, script->lock, &report));
  build_report_free(&report);
}

static struct script script_begin(struct net *net, int rank, bool own_records) {
  struct script script = {.net = net, .rank = rank, .own_records = own_records};
  snprintf(script.path, sizeof script.path, "%s", net->engine);
  return script;
}

/* ---- what is in the engine ---- */

static void fallback_check(const struct plan_step *step, bool own_records) {
  static struct variant own[MOST_OWN];
  struct arena arena = {0};
  struct problem problem;
  char expected[VARIANT_TEXT_MAX];
  REQUIRE_OK(problem_parse(step->problem, &arena, &problem));
  int count = own_variants(&problem, own), best = count - 1;
  struct problem variables = problem_of_variables(&problem);
  for (int i = own_records ? count : 0; i < count; i++) // without records the cheapest, the first of equals
    if (i == 0 || variant_cost(&variables, &own[i], &sm90, 1) < variant_cost(&variables, &own[best], &sm90, 1)) best = i;
  variant_print(&own[best], expected);
  CHECK_TEXT(step->fallback, expected);
  arena_free(&arena);
}

static void engine_check(struct script *script) {
  struct engine *engine;
  char hex[DIGEST_HEX_BYTES];
  struct digest digest = digest_of_text(MEASURED_WITH);
  digest_to_hex(&digest, hex);
  REQUIRE_OK(engine_open(script->path, true, &engine));
  const struct plan_block *block = &engine->sections[1].plan.blocks[0];
  REQUIRE(section_is_cuda(&engine->sections[1]) && block->step_count == 2);
  for (int i = 0; i < block->step_count; i++) {
    const struct plan_step *step = &block->steps[i];
    char variant[64];
    snprintf(variant, sizeof variant, "gemm_f32__cublaslt__cuda{rank=%d}", script->rank);
    CHECK_TEXT(step->variant, variant);
    CHECK_TEXT(step->library, hex);
    CHECK(step->image == PLAN_NO_INDEX && step->fallback_image != PLAN_NO_INDEX && step->packed_weight == PLAN_NO_INDEX);
    CHECK(step->workspace_bytes >= 8 << 20);
    fallback_check(step, script->own_records);
  }
  for (int b = 0; b < engine->sections[0].plan.blocks[0].step_count; b++)
    CHECK(!engine->sections[0].plan.blocks[0].steps[b].library[0]);
  engine_close(&engine);
}

/* ---- running ---- */

/* What it said, in lines that hold `words`. */
static int lines_with(const char *path, const char *words) {
  char *text;
  size_t length;
  int count = 0;
  REQUIRE_OK(file_read_all(path, 1 << 20, &text, &length));
  for (const char *at = text; (at = strstr(at, words)); at++) count++;
  free(text);
  return count;
}

static void run_and_compare(struct script *script) {
  struct net_run gpu, cpu;
  farm_engine_info_t info = {.size = sizeof info};
  REQUIRE_OK(net_open(script->net, "cuda", true, &gpu));
  REQUIRE_OK(net_open(script->net, "cpu", false, &cpu));
  for (int64_t batch = script->batch ? 1 : 0; batch <= script->batch; batch++) {
    REQUIRE_OK(net_feed(&gpu, 1, batch));
    REQUIRE_OK(net_feed(&cpu, 1, batch));
    REQUIRE_OK(farm_context_run(cpu.context));
    for (int i = 0; i < 2; i++) {
      REQUIRE_OK(farm_context_run(gpu.context));
      net_compare(&gpu, &cpu);
    }
  }
  REQUIRE_OK(farm_engine_info(gpu.engine, &info));
  CHECK(info.host_steps == 0 && info.fallback_steps == script->lost);
  for (int i = 0; i < farm_context_step_count(gpu.context); i++) {
    farm_step_profile_t p = {.size = sizeof p};
    REQUIRE_OK(farm_context_profile(gpu.context, i, &p));
    CHECK_MESSAGE(p.calls && p.calls == p.device_calls, "%s ran %d of %d times on the device", p.name, (int)p.device_calls,
                  (int)p.calls);
    CHECK_MESSAGE((strstr(p.variant, "__cublaslt__") != NULL) == !(script->lost || script->refused), "%s ran", p.variant);
  }
  net_close(&gpu);
  net_close(&cpu);
}

static void run(struct script *script) {
  char said[1200];
  int before = dup(STDERR_FILENO);
  snprintf(said, sizeof said, "%s.said", script->path);
  int to = open(said, O_CREAT | O_TRUNC | O_RDWR, 0600);
  REQUIRE(before >= 0 && to >= 0 && dup2(to, STDERR_FILENO) >= 0);
  run_and_compare(script);
  REQUIRE(dup2(before, STDERR_FILENO) >= 0);
  close(before);
  close(to);
  CHECK(lines_with(said, "not here in that version") == (script->lost > 0));
  CHECK(lines_with(said, "another kernel runs instead") == (script->refused > 0));
  CHECK(lines_with(said, "\n") == (script->lost > 0) + (script->refused > 0));
}

static void run_as(struct script *script, enum library library, int lost, int refused) {
  script->lost = lost;
  script->refused = refused;
  apart(library, run, script);
}

TEST(gpu_library_has_a_fallback_that_runs_in_its_place, "timeout:240") {
  net_gpu(GPU);
  for (int own_records = 0; own_records < 2; own_records++) {
    struct net net = model(3);
    struct script script = script_begin(&net, 1, own_records);
    apart(HERE, build, &script);
    apart(ABSENT, engine_check, &script);
    run_as(&script, HERE, 0, 0);
    run_as(&script, ABSENT, 2, 0);
    run_as(&script, OTHER_VERSION, 2, 0);
  }
}

/* An algorithm that the library of the right version does not offer for this device. */
TEST(gpu_library_that_refuses_gives_way_to_the_fallback, "timeout:120") {
  net_gpu(GPU);
  struct net net = model(3);
  struct script script = script_begin(&net, 3, false);
  apart(HERE, build, &script);
  run_as(&script, HERE, 0, 2);
}

/* Its image serves all batches, though the records' best own variant has another text for each. */
TEST(gpu_library_has_a_fallback_for_any_batch, "timeout:240") {
  net_gpu(GPU);
  struct net net = model(6);
  struct script script = script_begin(&net, 0, false);
  script.batch = 6;
  apart(HERE, build, &script);
  run_as(&script, HERE, 0, 0);
  run_as(&script, ABSENT, 2, 0);
}

static void same_bytes(const struct script *a, const struct script *b) {
  struct file_map one, other;
  REQUIRE_OK(file_map_open(a->path, &one));
  REQUIRE_OK(file_map_open(b->path, &other));
  CHECK_MESSAGE(one.length == other.length && memcmp(one.data, other.data, one.length) == 0, "%s has other bytes", b->path);
  file_map_close(&one);
  file_map_close(&other);
}

/* Whatever library the linking machine has. */
TEST(gpu_library_is_linked_to_the_same_bytes, "timeout:240") {
  net_gpu(GPU);
  struct net net = model(3);
  struct script first = script_begin(&net, 2, true);
  apart(HERE, build, &first);
  for (int library = HERE; library <= OTHER_VERSION; library++) {
    struct script again = first;
    snprintf(again.path, sizeof again.path, "%s.again", net.engine);
    snprintf(again.lock, sizeof again.lock, "%s.lock", net.engine);
    remove(again.lock);
    apart((enum library)library, build, &again); // writes the lock
    same_bytes(&first, &again);
    for (int other = HERE; other <= OTHER_VERSION; other++) {
      apart((enum library)other, build_without_facts, &again);
      same_bytes(&first, &again);
    }
  }
}

/* ---- locks that do not fit ---- */

static void lock_change(const char *path, const char *from, const char *to) {
  char *text, *at;
  size_t length;
  REQUIRE_OK(file_read_all(path, 1 << 20, &text, &length));
  struct strbuf out = {0};
  char *body = test_keep(strndup(text, length)), *end = strstr(body, "digest\t");
  free(text);
  REQUIRE(end);
  *end = 0;
  for (const char *rest = body;; rest = at + strlen(from)) {
    at = strstr(rest, from);
    strbuf_add_bytes(&out, rest, at ? (size_t)(at - rest) : strlen(rest));
    if (!at) break;
    strbuf_add(&out, to);
  }
  struct digest digest = digest_of(out.data, out.length);
  char hex[DIGEST_HEX_BYTES];
  digest_to_hex(&digest, hex);
  strbuf_printf(&out, "digest\t%s\n", hex);
  REQUIRE_OK(file_write_atomic(path, out.data, out.length));
  strbuf_free(&out);
}

/* The line of its first library, without its end. */
static const char *library_line(const char *path) {
  char *text;
  size_t length;
  REQUIRE_OK(file_read_all(path, 1 << 20, &text, &length));
  char *all = test_keep(strndup(text, length)), *line = strstr(all, "library\t");
  free(text);
  REQUIRE(line);
  line[strcspn(line, "\n")] = 0;
  return line;
}

static void build_refused(struct script *script) {
  struct build_report report;
  script->net->facts = (struct link_facts){0};
  CHECK(net_build_as(script->net, script->path, CACHE_OFF, script->lock, &report) == FARM_MISMATCH);
  CHECK_MESSAGE(strstr(status_message(), script->says), "%s, not %s", status_message(), script->says);
  build_report_free(&report);
}

TEST(gpu_library_pinned_with_what_does_not_fit_is_refused, "timeout:120") {
  static const char library[] = "gemm_f32__cublaslt__cuda{rank=2}", other[] = "gemm_f32__cublaslt__cuda{rank=1}";
  net_gpu(GPU);
  struct net net = model(3);
  for (int i = 0; i < 4; i++) {
    struct script script = script_begin(&net, 2, true);
    snprintf(script.lock, sizeof script.lock, "%s.lock", net.engine);
    remove(script.lock);
    apart(HERE, build, &script);
    const char *line = library_line(script.lock), *fallback = strrchr(line, '\t') + 1;
    char lines[512];
    snprintf(lines, sizeof lines, "%s\n", line);
    const struct {
      const char *from, *to, *says;
    } changes[] = {
        {fallback, "gemm__no_such__sm75", "gemm__no_such__sm75, which this tunefarm does not know"},
        {fallback, other, "which does not apply here"},
        {library, fallback, "which is no library's"},
        {lines, "", "without the library's version"},
    };
    lock_change(script.lock, changes[i].from, changes[i].to);
    if (!*changes[i].to) lock_change(script.lock, "tunefarm-lock\t2", "tunefarm-lock\t1");
    script.says = changes[i].says;
    apart(ABSENT, build_refused, &script);
  }
}
