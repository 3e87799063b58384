/* Variants on a GPU through the job runner and real children: the fake driver's device, good tactics and bad ones. What a variant
 * does to the device costs the variant, and what happens to the device by itself costs nobody. */
#include "fault-tactics-test.h"

#include "../device/nvrtc.h"
#include "../kernels/cuda/cuda-artefact.h"
#include "../kernels/cuda/cuda-launch.h"
#include "artefact-shelf.h"
#include "child-protocol.h"
#include "gpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(list) ((int)(sizeof(list) / sizeof *(list)))
#define GPU_GOOD "gemm_f32__test_gpu_good__sm75"
#define GPU_SLOW "gemm_f32__test_gpu_slow__sm75"
#define GPU_WRONG "gemm_f32__test_gpu_wrong__sm75"
#define GPU_PAST "gemm_f32__test_gpu_past__sm75"
#define GPU_LATE_PAST "gemm_f32__test_gpu_late_past__sm75" // not while it is checked: then outputs are NaN
#define GPU_ILLEGAL "gemm_f32__test_gpu_illegal__sm75"
#define GPU_SPIN "gemm_f32__test_gpu_spin__sm75"
#define GPU_MALFORMED "gemm_f32__test_gpu_malformed__sm75"

/* ---- tactics: a plain product, with something in front of it ---- */

struct plain_args {
  cuda_address a, b, y;
};

static const char plain_text[] = "struct plain_args { const float *a; const float *b; float *y; };\n"
                                 "FARM_KERNEL(plain, plain_args, 256) {\n"
                                 "  const int i = threadIdx.x / 16, j = threadIdx.x % 16;\n"
                                 "  const float was = args.y[threadIdx.x];\n"
                                 "  float sum = 0;\n"
                                 "  for (int turn = 0; turn < TURNS; turn++) {\n"
                                 "    sum = 0;\n"
                                 "    for (int k = 0; k < 16; k++) sum += args.a[i * 16 + k] * args.b[k * 16 + j];\n"
                                 "  }\n"
                                 "  args.y[i * 16 + j] = sum;\n"
                                 "  FAULT\n"
                                 "}\n";

static enum farm_status text_make(struct strbuf *out, int turns, const char *fault) {
  cuda_source_begin(out);
  strbuf_printf(out, "#define TURNS %d\n#define FAULT %s\n%s", turns, fault, plain_text);
  return FARM_OK;
}

static enum farm_status plain_launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  const struct plain_args args = {call->inputs[0], call->inputs[1], call->outputs[0]};
  cuda_launch_line(out, "plain", 1, 256, &args, sizeof args);
  *out_count = 1;
  return FARM_OK;
}

#define CUDA_TACTIC(name, turns, fault)                                                                                          \
  static enum farm_status name##_source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {      \
    (void)problem, (void)variant;                                                                                                \
    return text_make(out, turns, fault);                                                                                         \
  }                                                                                                                              \
  static const struct cuda_tactic name##_cuda = {.least_sm = 75, .source = name##_source, .launches = plain_launches}
CUDA_TACTIC(good, 1, "");
CUDA_TACTIC(slow, 40, "");
CUDA_TACTIC(wrong, 1, "if (threadIdx.x == 7) args.y[7] = 100.0f;");
CUDA_TACTIC(past, 1, "if (threadIdx.x == 7) args.y[256] = 1.0f;");
CUDA_TACTIC(late_past, 1, "if (threadIdx.x == 7 && was == was) args.y[256] = 1.0f;");
CUDA_TACTIC(illegal, 1, "if (threadIdx.x == 7) *(volatile float *)16 = 1.0f;");
CUDA_TACTIC(spin, 1, "for (volatile int turn = 0; turn >= 0; turn = 0) continue;");
CUDA_TACTIC(malformed, 1, "this is no statement");

static bool is_test_problem(const struct problem *problem) {
  return problem->kind == PROBLEM_GEMM && problem->dims[GEMM_M] == 16;
}
static double cost_any(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                       int threads) {
  (void)problem, (void)variant, (void)device_class, (void)threads;
  return 1e12;
}

#define TACTIC(text, name)                                                                                                       \
  {                                                                                                                              \
    .id = text, .kind = PROBLEM_GEMM, .device = DEVICE_CUDA, .source = "reference", .packed_operand = -1,                        \
    .detail = &name##_cuda, .applicable = is_test_problem, .cost = cost_any                                                      \
  }
static const struct tactic gpu_tactics[] = {
    TACTIC(GPU_GOOD, good),           TACTIC(GPU_SLOW, slow),       TACTIC(GPU_WRONG, wrong), TACTIC(GPU_PAST, past),
    TACTIC(GPU_LATE_PAST, late_past), TACTIC(GPU_ILLEGAL, illegal), TACTIC(GPU_SPIN, spin),   TACTIC(GPU_MALFORMED, malformed)};

__attribute__((constructor(101))) static void gpu_tactics_add(void) { // before this binary plays a part
  for (int i = 0; i < COUNT(gpu_tactics); i++)
    if (catalogue_add(&gpu_tactics[i]) != FARM_OK) abort();
}

/* ---- the device and its artefacts ---- */

static void library_named(const char *variable, const char *name) {
  char path[4096];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 64);
  REQUIRE(length > 0);
  path[length] = 0;
  for (int i = 0; i < 2; i++) *strrchr(path, '/') = 0; // BUILD/test/worker
  snprintf(path + strlen(path), 64, "/%s", name);
  if (access(path, R_OK) != 0) SKIP("%s is not built", path);
  setenv(variable, path, 1);
}

static void gpu_begin(const char *about) {
  struct cuda_properties gpu;
  if (under_asan() || under_tsan()) SKIP("the emulator's threads have stacks that sanitizers know nothing of");
  library_named("TUNEFARM_LIBCUDA", "libfakecuda.so");
  library_named("TUNEFARM_LIBNVRTC", "libfakenvrtc.so");
  setenv("TUNEFARM_FAKE_CUDA", about, 1);
  REQUIRE_OK(gpus_find("0", &gpu));
  setenv("TUNEFARM_TEST_GPU", gpu.uuid, 1);
}
#define PLAIN_GPU "sm=90,product=fake,mem=256m,l2=4096"

static int supplied; // calls of compiled_supply

/* What a GPU's worker does with the coordinator's store, done with the compiler itself. */
static enum farm_status compiled_supply(void *context, const struct wire_job *job, uint32_t index, int child_fd) {
  (void)context;
  supplied++;
  if (!getenv("TUNEFARM_TEST_FAULT_STAYS")) setenv("TUNEFARM_FAKE_CUDA", PLAIN_GPU, 1); // a fault is of the first child alone
  struct variant variant;
  struct strbuf source = {0};
  struct bytes_writer image = {0}, body = {0};
  REQUIRE_OK(variant_parse(job->variants[index].text, &variant));
  REQUIRE_OK(cuda_tactic_of(variant.tactic)->source(NULL, &variant, &source));
  enum farm_status status = nvrtc_compile("test.cu", strbuf_text(&source), 90, &image, NULL);
  char why[400] = "";
  if (status != FARM_OK) snprintf(why, sizeof why, "%.399s", status_message());
  const struct artefact_on_shelf artefact = {digest_of_text(strbuf_text(&source)),
                                             status == FARM_OK ? FARM_OK : FARM_TACTIC_REFUSED, why, image.data, image.length};
  artefact_frame_put(&body, &artefact);
  status = child_frame_send(child_fd, CHILD_ARTEFACT, body.data, body.length);
  strbuf_free(&source);
  bytes_writer_free(&image), bytes_writer_free(&body);
  return status;
}

static void gpu_job(enum wire_job_kind kind, const char *const *variants, int count, struct job_outcome *outcome) {
  job_run_to_end(&(struct job_plan){.kind = kind,
                                    .variants = variants,
                                    .count = count,
                                    .hang_ns = 3000000000u,
                                    .role = "gpu-child",
                                    .supply = compiled_supply},
                 outcome);
}

static void expect(const struct job_outcome *outcome, const char *variant, enum farm_status status) {
  const struct job_entry *entry = entry_of(outcome, variant);
  CHECK_MESSAGE(entry && entry->entry.status == status, "%s: %s (%s) instead of %s", variant,
                entry ? status_name(entry->entry.status) : "no entry", entry ? entry->message : "", status_name(status));
  if (entry) CHECK((status == FARM_OK) == (entry->entry.times.n > 0));
}

TEST(gpu_final_ranks_what_is_slow_behind_what_is_fast, "timeout:120") {
  const char *const variants[] = {GPU_SLOW, GPU_GOOD};
  struct job_outcome outcome;
  gpu_begin(PLAIN_GPU);
  gpu_job(WIRE_JOB_FINAL, variants, 2, &outcome);
  CHECK_MESSAGE(outcome.status == FARM_OK && outcome.count == 2, "%s", outcome.message);
  expect(&outcome, GPU_GOOD, FARM_OK);
  expect(&outcome, GPU_SLOW, FARM_OK);
  CHECK(entry_of(&outcome, GPU_GOOD)->entry.rank == 0 && entry_of(&outcome, GPU_SLOW)->entry.rank == 1);
  CHECK(entry_of(&outcome, GPU_GOOD)->entry.finalist);
}

/* Every fault costs its own variant; the others are measured in the same job. */
TEST(gpu_faults_cost_their_variants, "timeout:120") {
  const char *const variants[] = {GPU_ILLEGAL,   GPU_GOOD, GPU_WRONG, GPU_PAST, GPU_LATE_PAST,
                                  GPU_MALFORMED, GPU_SPIN, GPU_SLOW};
  struct job_outcome outcome;
  gpu_begin(PLAIN_GPU);
  gpu_job(WIRE_JOB_SCREEN, variants, COUNT(variants), &outcome);
  CHECK_MESSAGE(outcome.status == FARM_OK && outcome.count == COUNT(variants), "%d entries: %s", outcome.count, outcome.message);
  expect(&outcome, GPU_GOOD, FARM_OK);
  expect(&outcome, GPU_SLOW, FARM_OK);
  expect(&outcome, GPU_WRONG, FARM_TACTIC_WRONG);
  expect(&outcome, GPU_PAST, FARM_TACTIC_OVERRAN);
  expect(&outcome, GPU_LATE_PAST, FARM_TACTIC_OVERRAN);
  expect(&outcome, GPU_ILLEGAL, FARM_TACTIC_CRASHED);
  CHECK(entry_of(&outcome, GPU_ILLEGAL) &&
        !strstr(entry_of(&outcome, GPU_ILLEGAL)->message, "measuring child")); // the device's words
  expect(&outcome, GPU_SPIN, FARM_TACTIC_HUNG);
  expect(&outcome, GPU_MALFORMED, FARM_TACTIC_REFUSED);
  CHECK(entry_of(&outcome, GPU_MALFORMED) && strstr(entry_of(&outcome, GPU_MALFORMED)->message, "does not compile"));
}

/* An error of the device that no variant makes by itself: the suspect is tried alone and is innocent. */
TEST(gpu_errors_from_outside_blame_nobody, "timeout:120") {
  const char *const variants[] = {GPU_GOOD, GPU_SLOW};
  static const char *const faults[] = {"launch@12", "illegal@12", "lost@12", "hang@12"};
  struct job_outcome outcome;
  for (int i = 0; i < COUNT(faults); i++) {
    char about[128];
    snprintf(about, sizeof about, "%s,fault=%s", PLAIN_GPU, faults[i]);
    gpu_begin(about);
    supplied = 0;
    gpu_job(WIRE_JOB_SCREEN, variants, 2, &outcome);
    CHECK_MESSAGE(outcome.status == FARM_OK && outcome.count == 2, "%s: %s", faults[i], outcome.message);
    CHECK_MESSAGE(supplied > 2, "%s: no child died of it", faults[i]);
    expect(&outcome, GPU_GOOD, FARM_OK);
    expect(&outcome, GPU_SLOW, FARM_OK);
  }
}

/* A kernel that does not end, and a worker with patience: the child itself finds it, says so and ends. */
TEST(gpu_child_finds_a_hang_by_itself, "slow timeout:240") {
  const char *const variants[] = {GPU_GOOD, GPU_SLOW};
  struct job_outcome outcome;
  gpu_begin(PLAIN_GPU ",fault=hang@3");
  setenv("TUNEFARM_TEST_FAULT_STAYS", "1", 1);
  job_run_to_end(&(struct job_plan){.kind = WIRE_JOB_SCREEN,
                                    .variants = variants,
                                    .count = 1,
                                    .hang_ns = 60000000000u,
                                    .role = "gpu-child",
                                    .supply = compiled_supply},
                 &outcome);
  expect(&outcome, GPU_GOOD, FARM_TACTIC_HUNG);
  CHECK_MESSAGE(!strstr(entry_of(&outcome, GPU_GOOD)->message, "no sign of life"), "%s", entry_of(&outcome, GPU_GOOD)->message);
}

/* kill -9 of the child in mid-run. */
TEST(gpu_child_killed_from_outside_blames_nobody, "timeout:120") {
  const char *const variants[] = {GPU_GOOD, GPU_SLOW};
  struct job_outcome outcome;
  gpu_begin(PLAIN_GPU);
  for (uint64_t ms = 30; ms < 200; ms += 80) {
    job_run_to_end(&(struct job_plan){.kind = WIRE_JOB_FINAL,
                                      .variants = variants,
                                      .count = 2,
                                      .kill_after_ns = ms * 1000000,
                                      .kills = 1,
                                      .hang_ns = 10000000000u,
                                      .role = "gpu-child",
                                      .supply = compiled_supply},
                   &outcome);
    CHECK_MESSAGE(outcome.status == FARM_OK && outcome.count == 2, "%s", outcome.message);
    expect(&outcome, GPU_GOOD, FARM_OK);
    expect(&outcome, GPU_SLOW, FARM_OK);
  }
}

/* A device that cannot be opened is the device's trouble: the job fails as such, and no variant has an entry. */
TEST(gpu_that_is_gone_blames_nobody, "timeout:120") {
  const char *const variants[] = {GPU_GOOD};
  struct job_outcome outcome;
  gpu_begin(PLAIN_GPU);
  setenv("TUNEFARM_TEST_GPU", "GPU-00000000-0000-0000-0000-000000000000", 1);
  gpu_job(WIRE_JOB_SCREEN, variants, 1, &outcome);
  CHECK_MESSAGE(outcome.status == FARM_DEVICE_LOST && outcome.count == 0 && strstr(outcome.message, "GPU-00000000"), "%s: %s",
                status_name(outcome.status), outcome.message);
  struct cuda_properties gpu;
  CHECK(gpus_find("7", &gpu) == FARM_NOT_FOUND && gpus_find("GPU-0", &gpu) == FARM_NOT_FOUND);
  setenv("TUNEFARM_FAKE_CUDA", PLAIN_GPU ",fault=nodevice@1", 1);
  CHECK(gpus_find("0", &gpu) == FARM_NOT_FOUND);
}
