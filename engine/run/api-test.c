#include "run-case-test.h"

#include "../../base/file.h"
#include "../../base/random.h"

#include <limits.h>

static struct plan_builder *doubling(void) {
  struct plan_builder *b = builder_new();
  builder_symbol(b, "n", 1, 4, 8);
  uint32_t x = builder_input(b, "x", F32(-2)), y = builder_output(b, "y", F32(-2));
  op(b, 0, STEP_KERNEL, "Add", 14, IDS(x, x), IDS(y));
  return b;
}

TEST(api_refuses_misuse_without_crashing, "") {
  struct run_case run = case_of(doubling());
  farm_engine_t *engine = NULL;
  farm_context_t *context = NULL;
  farm_tensor_t tensor = {.size = sizeof tensor};
  farm_binding_t binding = {.size = sizeof binding};
  farm_engine_info_t info = {.size = sizeof info};
  CHECK(farm_engine_load(NULL, NULL, &engine) == FARM_USAGE && farm_engine_load("x", NULL, NULL) == FARM_USAGE);
  CHECK(farm_engine_load("/does/not/exist", NULL, &engine) == FARM_NOT_FOUND && strstr(farm_last_message(), "/does/not/exist"));
  CHECK(farm_engine_load_bytes(NULL, 0, NULL, &engine) == FARM_USAGE &&
        farm_engine_load_bytes(run.bytes + 1, 9, NULL, &engine) == FARM_USAGE);
  farm_engine_options_t unsized = {0};
  CHECK(farm_engine_load_bytes(run.bytes, 9, &unsized, &engine) == FARM_USAGE);
  CHECK(!engine);
  farm_engine_free(NULL);
  farm_context_free(NULL);
  CHECK(farm_engine_info(NULL, &info) == FARM_USAGE && farm_engine_info(run.engine, NULL) == FARM_USAGE);
  CHECK(farm_engine_input_count(NULL) == 0 && farm_engine_output_count(NULL) == 0);
  CHECK(farm_engine_input(NULL, 0, &binding) == FARM_USAGE && farm_engine_input(run.engine, 1, &binding) == FARM_USAGE);
  CHECK(farm_engine_output(run.engine, -1, &binding) == FARM_USAGE && farm_engine_output(run.engine, 0, NULL) == FARM_USAGE);
  CHECK(farm_context_create(NULL, NULL, &context) == FARM_USAGE && farm_context_create(run.engine, NULL, NULL) == FARM_USAGE);
  farm_context_options_t options = {.size = sizeof options, .threads = -3};
  CHECK(farm_context_create(run.engine, &options, &context) == FARM_USAGE && !context);
  CHECK(farm_context_set_input(NULL, 0, &tensor) == FARM_USAGE && farm_context_set_input(run.context, 0, NULL) == FARM_USAGE);
  CHECK(farm_context_set_input(run.context, 7, &tensor) == FARM_USAGE &&
        farm_context_set_output(run.context, 7, NULL) == FARM_USAGE);
  CHECK(farm_context_set_output(run.context, 0, &tensor) == FARM_USAGE);                      // no data
  CHECK(farm_context_run(NULL) == FARM_USAGE && farm_context_run(run.context) == FARM_USAGE); // nothing bound
  CHECK(farm_context_get_output(run.context, 0, &tensor) == FARM_USAGE);                      // nothing run
  CHECK(farm_context_step_count(NULL) == 0 && farm_context_profile(run.context, 0, NULL) == FARM_USAGE &&
        farm_context_memory(NULL) == 0);
  CHECK(farm_last_message() && farm_version());
  case_free(&run);
}

TEST(api_checks_what_is_bound, "") {
  struct run_case run = case_of(doubling());
  float data[8] = {0};
  farm_tensor_t good = tensor_to_farm(F32(4), data), bad = good;
  bad.dtype = 7;
  CHECK(farm_context_set_input(run.context, 0, &bad) == FARM_USAGE);
  bad = good, bad.dtype = 4711;
  CHECK(farm_context_set_input(run.context, 0, &bad) == FARM_USAGE);
  bad = good, bad.rank = 2;
  CHECK(farm_context_set_input(run.context, 0, &bad) == FARM_USAGE);
  bad = good, bad.rank = 1000;
  CHECK(farm_context_set_input(run.context, 0, &bad) == FARM_USAGE);
  bad = good, bad.bytes = 15;
  CHECK(farm_context_set_input(run.context, 0, &bad) == FARM_USAGE);
  bad = good, bad.data = NULL;
  CHECK(farm_context_set_input(run.context, 0, &bad) == FARM_USAGE);
  bad = good, bad.dims[0] = -1;
  CHECK(farm_context_set_input(run.context, 0, &bad) == FARM_USAGE);
  bad = good, bad.size = 8;
  CHECK(farm_context_set_input(run.context, 0, &bad) == FARM_USAGE);
  REQUIRE_OK(farm_context_set_input(run.context, 0, &good));
  REQUIRE_OK(farm_context_run(run.context));
  case_free(&run);
}

TEST(api_describes_engine_and_bindings, "") {
  struct run_case run = case_of(doubling());
  farm_engine_info_t info = {.size = sizeof info};
  REQUIRE_OK(farm_engine_info(run.engine, &info));
  CHECK_TEXT(info.model, "hand-made");
  CHECK(info.threads == 1 && info.section_count == 1 && info.other_class && strlen(info.digest) == 64);
  farm_binding_t binding = {.size = sizeof binding};
  REQUIRE_OK(farm_engine_input(run.engine, 0, &binding));
  CHECK_TEXT(binding.name, "x");
  CHECK(binding.tensor.dtype == 1 && binding.tensor.rank == 1 && binding.tensor.dims[0] == -1);
  CHECK(binding.min[0] == 1 && binding.opt[0] == 4 && binding.max[0] == 8);
  struct { // an older caller's struct: shorter; nothing is written past it
    size_t size;
    const char *model;
    const char *guard;
  } old = {.size = 2 * sizeof(size_t), .guard = "untouched"};
  REQUIRE_OK(farm_engine_info(run.engine, (farm_engine_info_t *)&old));
  CHECK_TEXT(old.model, "hand-made");
  CHECK_TEXT(old.guard, "untouched");
  case_free(&run);
}

TEST(api_runs_an_engine_from_a_file, "") {
  struct plan_builder *b = doubling();
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/d.engine", test_folder());
  REQUIRE_OK(engine_write(&b->engine, path));
  struct run_case run = {.builder = b};
  farm_engine_options_t options = {.size = sizeof options, .section = "cpu", .verify = 1};
  REQUIRE_OK(farm_engine_load(path, &options, &run.engine));
  REQUIRE_OK(farm_context_create(run.engine, NULL, &run.context));
  float in[2] = {1, 2};
  case_input(&run, 0, F32(2), in);
  REQUIRE_OK(farm_context_run(run.context));
  case_expect(&run, 0, F32(2), ((float[]){2, 4}));
  case_free(&run);
}

/* ---- sections ---- */

/* An engine with a section per (class, threads), loaded with options; returns the section's index or minus the status. */
static int section_of(const char *const *classes, const int *threads, int count, const char *wanted, int wanted_threads,
                      bool *out_warns) {
  struct plan_builder *b = doubling();
  struct engine_section sections[4];
  for (int i = 0; i < count; i++) {
    sections[i] = b->section;
    sections[i].device_class = classes[i];
    sections[i].threads = threads[i];
  }
  b->engine.sections = sections;
  b->engine.section_count = count;
  size_t length;
  uint8_t *bytes = builder_bytes(b, &length);
  farm_engine_options_t options = {.size = sizeof options, .section = wanted, .threads = wanted_threads};
  farm_engine_t *engine = NULL;
  enum farm_status status = farm_engine_load_bytes(bytes, length, &options, &engine);
  int result = -(int)status;
  if (status == FARM_OK) {
    farm_engine_info_t info = {.size = sizeof info};
    REQUIRE_OK(farm_engine_info(engine, &info));
    result = info.section;
    *out_warns = info.other_class || info.other_threads;
  }
  farm_engine_free(engine);
  free(bytes);
  builder_free(b);
  return result;
}

static const char other_class[] = "cpu vendor:other family:1 model:2 isa:baseline l1d:32k l2:1m l3:32m mem:1g";
static const char gpu_class[] = "cuda sm:90 product:h200 sms:132";

TEST(section_of_this_class_then_of_this_kind, "") {
  struct device_class machine;
  char here[DEVICE_CLASS_TEXT_MAX];
  bool warns = false;
  REQUIRE_OK(cpu_device_class(&machine));
  device_class_print(&machine, here);
  CHECK(section_of((const char *[]){gpu_class, other_class, here}, (int[]){2, 2, 2}, 3, NULL, 2, &warns) == 2 && !warns);
  CHECK(section_of((const char *[]){gpu_class, other_class}, (int[]){2, 2}, 2, NULL, 2, &warns) == 1 && warns);
  CHECK(section_of((const char *[]){here, here, here}, (int[]){1, 4, 8}, 3, NULL, 4, &warns) == 1 && !warns);
  CHECK(section_of((const char *[]){here, here, here}, (int[]){1, 4, 8}, 3, NULL, 7, &warns) == 2 && warns);
  CHECK(section_of((const char *[]){here, other_class}, (int[]){1, 4}, 2, other_class, 1, &warns) == 1 && warns);
  CHECK(section_of((const char *[]){here}, (int[]){1}, 1, "cpu", 1, &warns) == 0 && !warns);
  CHECK(section_of((const char *[]){gpu_class}, (int[]){1}, 1, NULL, 1, &warns) == -FARM_MISMATCH);
  CHECK(strstr(farm_last_message(), gpu_class) && strstr(farm_last_message(), here)); // both are named
  CHECK(section_of((const char *[]){here}, (int[]){1}, 1, "cuda", 1, &warns) == -FARM_MISMATCH &&
        strstr(farm_last_message(), "cuda"));
  CHECK(section_of((const char *[]){"nonsense"}, (int[]){1}, 1, NULL, 1, &warns) == -FARM_MISMATCH);
}

TEST(section_for_a_greater_instruction_set_is_refused, "") {
  setenv("TUNEFARM_ISA", "baseline", 1);
  bool warns;
  static const char avx2[] = "cpu vendor:other family:1 model:2 isa:avx2 l1d:32k l2:1m l3:32m mem:1g";
  CHECK(section_of((const char *[]){avx2}, (int[]){1}, 1, NULL, 1, &warns) == -FARM_MISMATCH);
  CHECK(section_of((const char *[]){avx2, other_class}, (int[]){1, 1}, 2, NULL, 1, &warns) == 1);
}

/* ---- what this build lacks is refused by the step's name ---- */

static enum farm_status load_spoiled(void (*spoil)(struct plan_builder *b)) {
  struct plan_builder *b = doubling();
  spoil(b);
  size_t length;
  uint8_t *bytes = builder_bytes(b, &length);
  farm_engine_t *engine = NULL;
  enum farm_status status = farm_engine_load_bytes(bytes, length, NULL, &engine);
  farm_engine_free(engine);
  free(bytes);
  builder_free(b);
  return status;
}

static void spoil_variant(struct plan_builder *b) { b->steps[0][0].variant = "map_f32__by_magic__avx9"; }
static void spoil_operator(struct plan_builder *b) { b->steps[0][0].op = "Sum2"; }
static void spoil_since(struct plan_builder *b) { b->steps[0][0].since_version = 12; }
static void spoil_kind(struct plan_builder *b) { b->steps[0][0].op = "If", b->steps[0][0].since_version = 16; }
static void spoil_inputs(struct plan_builder *b) { b->steps[0][0].input_count = 1; }

TEST(load_names_the_step_it_cannot_run, "") {
  CHECK(load_spoiled(spoil_variant) == FARM_MISMATCH && strstr(farm_last_message(), "step Add") &&
        strstr(farm_last_message(), "by_magic"));
  CHECK(load_spoiled(spoil_operator) == FARM_MISMATCH && strstr(farm_last_message(), "Sum2-14"));
  CHECK(load_spoiled(spoil_since) == FARM_MISMATCH);
  CHECK(load_spoiled(spoil_kind) != FARM_OK);
  CHECK(load_spoiled(spoil_inputs) == FARM_INVALID);
}

/* ---- packed weights: every gemm tactic that packs ---- */

/* y[n, 4] = x[n, 8] w, planned with a variant for n = 4; run for other n. */
static struct plan_builder *packed_gemm(const struct variant *variant, const struct problem *problem, const float *w,
                                        void *packed, bool row_major) {
  static char text[VARIANT_TEXT_MAX];
  struct plan_builder *b = builder_new();
  builder_symbol(b, "n", 1, 4, 8);
  uint32_t x = builder_input(b, "x", F32(-2, 8)), y = builder_output(b, "y", F32(-2, 16));
  uint32_t c = row_major ? builder_constant(b, "w", F32(8, 16), w) : builder_value(b, "w", VALUE_NONE, F32(8, 16));
  size_t bytes = variant_packed_bytes(problem, variant);
  variant->tactic->pack(problem, variant, w, packed);
  struct plan_step *step = op(b, 0, STEP_KERNEL, "MatMul", 13, IDS(x, c), IDS(y));
  variant_print(variant, text);
  step->variant = text;
  step->packed_weight = builder_weight(b, packed, bytes);
  step->packed_input = 1;
  step->packing_revision = (uint32_t)variant->tactic->packing_revision;
  return b;
}

static void gemm_check(struct run_case *run, int64_t n, const float *w) {
  float x[64], y[128];
  for (int i = 0; i < 64; i++) x[i] = (float)(i % 5 - 2);
  for (int64_t i = 0; i < n; i++)
    for (int j = 0; j < 16; j++) {
      y[i * 16 + j] = 0;
      for (int k = 0; k < 8; k++) y[i * 16 + j] += x[i * 8 + k] * w[k * 16 + j]; // small integers: exact in any order
    }
  case_input(run, 0, F32(n, 8), x);
  REQUIRE_OK(farm_context_run(run->context));
  case_expect(run, 0, F32(n, 16), y);
}

TEST(run_packed_weights_of_every_gemm_variant, "") {
  struct device_class machine;
  struct arena arena = {0};
  struct problem problem;
  static struct variant variants[4096];
  static _Alignas(64) uint8_t packed[1 << 16];
  float w[128];
  for (int i = 0; i < 128; i++) w[i] = (float)(i % 7 - 3);
  REQUIRE_OK(cpu_device_class(&machine));
  REQUIRE_OK(problem_parse("gemm m4 n16 k8 f32 acc:f32 w:const", &arena, &problem));
  int count = catalogue_variants(&problem, &machine, LAYOUT_ANY, variants, 4096), packs = 0;
  for (int i = 0; i < count; i += 1 + count / 60) {
    size_t bytes = variant_packed_bytes(&problem, &variants[i]);
    if (!bytes || bytes > sizeof packed || variants[i].tactic->packed_operand != 1) continue;
    struct run_case run = case_of(packed_gemm(&variants[i], &problem, w, packed, true));
    for (int64_t n = 1; n <= 8; n++) gemm_check(&run, n, w); // where it is not legal another steps in, with row-major weights
    case_free(&run);
    run = case_of(packed_gemm(&variants[i], &problem, w, packed, false));
    gemm_check(&run, 4, w); // what it was planned for needs the packed form only
    case_free(&run);
    packs++;
  }
  CHECK(packs > 0);
  arena_free(&arena);
}

/* Packed weights that do not fit the problem are never read: row-major ones step in, or the step says what is missing. */
TEST(run_packed_weights_that_do_not_fit, "") {
  struct device_class machine;
  struct arena arena = {0};
  struct problem problem;
  static struct variant variants[4096];
  static _Alignas(64) uint8_t packed[1 << 16];
  float w[128], x[64] = {0};
  for (int i = 0; i < 128; i++) w[i] = (float)(i % 7 - 3);
  REQUIRE_OK(cpu_device_class(&machine));
  REQUIRE_OK(problem_parse("gemm m4 n16 k8 f32 acc:f32 w:const", &arena, &problem));
  int count = catalogue_variants(&problem, &machine, LAYOUT_ANY, variants, 4096), i = 0;
  while (i < count && !variant_packed_bytes(&problem, &variants[i])) i++;
  REQUIRE(i < count);
  size_t bytes = variant_packed_bytes(&problem, &variants[i]) + 64;
  REQUIRE(bytes <= sizeof packed);
  for (int row_major = 0; row_major < 2; row_major++) {
    struct plan_builder *b = packed_gemm(&variants[i], &problem, w, packed, row_major);
    memset(packed, 0xff, bytes); // NaN, should anything read it
    b->steps[0][0].packed_weight = builder_weight(b, packed, bytes);
    struct run_case run = case_of(b);
    case_input(&run, 0, F32(4, 8), x);
    if (row_major)
      gemm_check(&run, 4, w);
    else
      CHECK(farm_context_run(run.context) == FARM_MISMATCH && strstr(farm_last_message(), "step MatMul"));
    case_free(&run);
  }
  arena_free(&arena);
}

static struct plan_builder *wrong_revision(void) {
  struct device_class machine;
  struct arena arena = {0};
  struct problem problem;
  static _Alignas(64) uint8_t packed[1 << 16];
  static float w[128];
  static struct variant variants[4096];
  REQUIRE_OK(cpu_device_class(&machine));
  REQUIRE_OK(problem_parse("gemm m4 n16 k8 f32 acc:f32 w:const", &arena, &problem));
  int count = catalogue_variants(&problem, &machine, LAYOUT_ANY, variants, 4096), i = 0;
  while (i < count && !variant_packed_bytes(&problem, &variants[i])) i++;
  if (i == count) SKIP("no gemm tactic packs");
  struct plan_builder *b = packed_gemm(&variants[i], &problem, w, packed, true);
  b->steps[0][0].packing_revision++;
  arena_free(&arena);
  return b;
}

TEST(load_refuses_another_packing_revision, "") {
  struct plan_builder *b = wrong_revision();
  size_t length;
  uint8_t *bytes = builder_bytes(b, &length);
  farm_engine_t *engine = NULL;
  CHECK(farm_engine_load_bytes(bytes, length, NULL, &engine) == FARM_MISMATCH && strstr(farm_last_message(), "revision"));
  farm_engine_free(engine);
  free(bytes);
  builder_free(b);
}
