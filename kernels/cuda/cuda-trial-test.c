/* Trials on a device: that they find every way to err, with kernels of their own in the emulator. */
#include "cuda-launch.h"
#include "cuda-sweep-test.h"

struct err_args {
  FARM_POINTER(const float) x;
  FARM_POINTER(float) y, workspace;
  long long elems;
};

/* y = -x, but for what ERR says. */
static const char *const text = "struct err_args { FARM_POINTER(float) x; FARM_POINTER(float) y; FARM_POINTER(float) workspace;"
                                " i64 elems; };\n"
                                "FARM_KERNEL(err, err_args, 128) {\n"
                                "  for (i64 i = threadIdx.x; i < args.elems; i += 128) args.y[i] = -args.x[i];\n"
                                "  __syncthreads();\n"
                                "  if (threadIdx.x == 0) { ERR; }\n"
                                "}\n";
static const char *mistake;

static enum farm_status err_source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  (void)problem, (void)variant;
  cuda_source_begin(out);
  strbuf_printf(out, "#define ERR %s\n%s", mistake, text);
  return FARM_OK;
}

static enum farm_status err_launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  struct err_args args = {call->inputs[0], call->outputs[0], call->workspace, call->problem->dims[0]};
  cuda_launch_line(out, "err", 1, 128, &args, sizeof args);
  *out_count = 1;
  return FARM_OK;
}

static bool always(const struct problem *problem) { return problem->kind == PROBLEM_MAP; }
static size_t sixteen(const struct problem *problem, const struct variant *variant, int threads) {
  (void)problem, (void)variant, (void)threads;
  return 16;
}

static const struct cuda_tactic err_cuda = {.least_sm = 75, .source = err_source, .launches = err_launches};
static const struct tactic err_tactic = {.id = "map__err__sm75",
                                         .kind = PROBLEM_MAP,
                                         .device = DEVICE_CUDA,
                                         .source = "cuda-map",
                                         .packed_operand = -1,
                                         .detail = &err_cuda,
                                         .applicable = always,
                                         .workspace = sixteen};

static enum farm_status attempt(struct cuda_sweep *sweep, const char *err, struct kernel_verdict *out_verdict) {
  struct arena arena = {0};
  struct problem problem;
  struct kernel_case *made = NULL;
  struct cuda_trial *trial = NULL;
  const struct variant variant = {.tactic = &err_tactic};
  const struct cuda_trial_options options = {.cubin = cuda_sweep_cubin, .context = sweep, .copies = 3};
  mistake = err;
  REQUIRE_OK(problem_parse("map d300 in:f32[0] out:f32 {%1=neg %0;out %1}", &arena, &problem));
  REQUIRE_OK(kernel_case_make(&problem, &made));
  enum farm_status status = cuda_trial_make(sweep->device, made, &variant, &options, &trial);
  if (status == FARM_OK) status = cuda_trial_check(trial, out_verdict);
  if (trial && status == FARM_OK) {
    REQUIRE_OK(cuda_trial_run(trial, 7));
    REQUIRE_OK(cuda_trial_guards(trial));
  }
  cuda_trial_free(&trial);
  kernel_case_free(&made);
  arena_free(&arena);
  return status;
}

TEST(cuda_trials_find_every_way_to_err, "timeout:120") {
  static const struct {
    const char *err, *words;
    enum farm_status status;
  } ways[] = {{"args.workspace[3] = 1", "", FARM_OK},
              {"args.y[299] += 1", "element 299", FARM_TACTIC_WRONG},
              {"args.y[17] = to_float(f16{0x7e00})", "element 17", FARM_TACTIC_WRONG},
              {"args.y[300] = 1", "outside output 0", FARM_TACTIC_OVERRAN},
              {"args.y[-1] = 1", "outside output 0", FARM_TACTIC_OVERRAN},
              {"args.workspace[4] = 1", "outside workspace 0", FARM_TACTIC_OVERRAN},
              {"args.x[-2] = 1", "outside input 0", FARM_TACTIC_OVERRAN},
              {"args.x[5] = 9", "into input 0", FARM_TACTIC_OVERRAN},
              {"args.y[0] = args.x[300]", "element 0", FARM_TACTIC_WRONG}};
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, 1, 75);
  cuda_sweep_open(&sweep);
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    struct kernel_verdict verdict = {0};
    enum farm_status status = attempt(&sweep, ways[i].err, &verdict);
    CHECK_MESSAGE(status == ways[i].status && (status == FARM_OK || strstr(status_message(), ways[i].words)), "%s: %s: %s",
                  ways[i].err, status_name(status), status == FARM_OK ? "" : status_message());
    CHECK(verdict.compared == 300);
  }
  cuda_sweep_end(&sweep);
}

TEST(cuda_trials_refuse_what_is_for_another_device, "") {
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, 1, 75);
  cuda_sweep_open(&sweep);
  struct arena arena = {0};
  struct problem problem;
  struct kernel_case *made = NULL;
  struct cuda_trial *trial = NULL;
  const struct cuda_tactic later = {.least_sm = 80, .source = err_source, .launches = err_launches};
  struct tactic tactic = err_tactic;
  const struct variant variant = {.tactic = &tactic};
  const struct cuda_trial_options options = {.cubin = cuda_sweep_cubin, .context = &sweep, .copies = 1};
  tactic.detail = &later;
  REQUIRE_OK(problem_parse("map d300 in:f32[0] out:f32 {%1=neg %0;out %1}", &arena, &problem));
  REQUIRE_OK(kernel_case_make(&problem, &made));
  CHECK(cuda_trial_make(sweep.device, made, &variant, &options, &trial) == FARM_TACTIC_REFUSED && !trial);
  struct kernel_trial *on_cpu = NULL;
  CHECK(kernel_trial_make(made, &variant, 1, 1, &on_cpu) == FARM_TACTIC_REFUSED && !on_cpu);
  mistake = "this is no C";
  tactic.detail = &err_cuda;
  CHECK(cuda_trial_make(sweep.device, made, &variant, &options, &trial) == FARM_INVALID && !trial);
  kernel_case_free(&made);
  arena_free(&arena);
  cuda_sweep_end(&sweep);
}

void __lsan_disable(void) __attribute__((weak));

/* The second run hangs: looking at the guards behind it gives up as waiting does. */
TEST(cuda_trials_give_up_a_run_that_hangs, "timeout:20") {
  cuda_sweep_cache();
  cuda_sweep_library("TUNEFARM_LIBCUDA", "libfakecuda.so");
  cuda_sweep_library("TUNEFARM_LIBNVRTC", "libfakenvrtc.so");
  setenv("TUNEFARM_FAKE_CUDA", "sm=75,fault=hang@2", 1);
  if (__lsan_disable) __lsan_disable(); // a driver keeps what a kernel that never ends has
  struct cuda_sweep sweep = cuda_sweep_compiler(NULL, 1, NULL);
  REQUIRE_OK(cuda_device_open(NULL, &sweep.device));
  struct arena arena = {0};
  struct problem problem;
  struct kernel_case *made = NULL;
  struct cuda_trial *trial = NULL;
  struct kernel_verdict verdict;
  const struct variant variant = {.tactic = &err_tactic};
  const struct cuda_trial_options options = {
      .cubin = cuda_sweep_cubin, .context = &sweep, .copies = 1, .patience_ns = 300000000};
  mistake = "args.workspace[3] = 1";
  REQUIRE_OK(problem_parse("map d300 in:f32[0] out:f32 {%1=neg %0;out %1}", &arena, &problem));
  REQUIRE_OK(kernel_case_make(&problem, &made));
  REQUIRE_OK(cuda_trial_make(sweep.device, made, &variant, &options, &trial));
  REQUIRE_OK(cuda_trial_check(trial, &verdict));
  REQUIRE_OK(cuda_trial_run(trial, 1));
  CHECK(cuda_trial_guards(trial) == FARM_TIMED_OUT);
  cuda_trial_free(&trial);
  kernel_case_free(&made);
  arena_free(&arena);
  cuda_sweep_end(&sweep);
}
