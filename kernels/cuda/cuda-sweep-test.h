/* Tests only: CUDA variants of a problem, compiled by NVRTC for every architecture, and run in the emulator against the
 * reference.
 *
 * One text serves many variants and problems, so each is compiled once per sweep. A covering sweep is for `make test`: it takes
 * each tactic when it is first met, and on a device one variant, another one each time, of every other problem. With a stride
 * above 1 a sweep takes each stride-th variant instead.
 */
#ifndef KERNELS_CUDA_CUDA_SWEEP_TEST_H
#define KERNELS_CUDA_CUDA_SWEEP_TEST_H

#include "../../device/nvrtc.h"
#include "../../tests/kit/test.h"
#include "cuda-trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CUDA_SWEEP_MOST_VARIANTS = 1024, CUDA_SWEEP_MOST_TEXTS = 4096, CUDA_SWEEP_MOST_SEEN = 256, CUDA_SWEEP_COVERING = 0 };

struct cuda_sweep {
  const char *only; // part of the tactics' ids; NULL: all
  int stride;       // 1: every variant; CUDA_SWEEP_COVERING
  struct cuda_device *device;
  struct device_class device_class;
  const int *sms; // to compile for, 0 ends; when there is no device
  int problems, checked, compiled, text_count, seen_count;
  const struct tactic *seen[CUDA_SWEEP_MOST_SEEN]; // by a covering sweep
  struct {
    struct digest key;
    struct bytes_writer cubin;
  } * texts;
};

/* For compiling alone: SKIPs without NVRTC. */
static inline struct cuda_sweep cuda_sweep_compiler(const char *only, int stride, const int *sms) {
  char version[64];
  if (nvrtc_version(version, sizeof version) != FARM_OK) SKIP("%s", status_message());
  struct cuda_sweep sweep = {.only = only, .stride = stride, .sms = sms, .device_class = {.kind = DEVICE_CUDA}};
  sweep.texts = test_keep(calloc(CUDA_SWEEP_MOST_TEXTS, sizeof *sweep.texts));
  REQUIRE(sweep.texts);
  return sweep;
}

/* The library beside this test's binary, in the build's folder. */
static inline void cuda_sweep_library(const char *variable, const char *name) {
  char path[4096];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 64);
  REQUIRE(length > 0);
  path[length] = 0;
  for (int i = 0; i < 2; i++) *strrchr(path, '/') = 0; // BUILD/test/kernels
  snprintf(path + strlen(path), 64, "/%s", name);
  if (access(path, R_OK) != 0) SKIP("%s is not built", path);
  setenv(variable, path, 1);
}

/* A device of that SM version in the emulator. */
static inline struct cuda_sweep cuda_sweep_emulator(const char *only, int stride, int sm) {
  char about[64];
  cuda_sweep_library("TUNEFARM_LIBCUDA", "libfakecuda.so");
  cuda_sweep_library("TUNEFARM_LIBNVRTC", "libfakenvrtc.so");
  snprintf(about, sizeof about, "sm=%d,product=fake,mem=2g", sm);
  setenv("TUNEFARM_FAKE_CUDA", about, 1);
  struct cuda_sweep sweep = cuda_sweep_compiler(only, stride, NULL);
  REQUIRE_OK(cuda_device_open(NULL, &sweep.device));
  cuda_device_class(cuda_device_about(sweep.device), &sweep.device_class);
  return sweep;
}

static inline void cuda_sweep_end(struct cuda_sweep *sweep) {
  for (int i = 0; i < sweep->text_count; i++) bytes_writer_free(&sweep->texts[i].cubin);
  cuda_device_close(&sweep->device);
}

static inline enum farm_status cuda_sweep_cubin(void *context, const char *source, int sm, struct bytes_writer *out_cubin) {
  struct cuda_sweep *sweep = context;
  struct digest key;
  TRY(cuda_artefact_key(source, sm, "test", &key));
  int i = 0;
  while (i < sweep->text_count && !digest_equal(&sweep->texts[i].key, &key)) i++;
  if (i == sweep->text_count) {
    REQUIRE(i < CUDA_SWEEP_MOST_TEXTS);
    struct strbuf log = {0};
    enum farm_status status = nvrtc_compile("kernel.cu", source, sm, &sweep->texts[i].cubin, &log);
    if (status != FARM_OK) printf("%s\n", strbuf_text(&log));
    if (status == FARM_OK && log.length > 0 && strstr(log.data, "warning")) printf("%s\n", log.data);
    strbuf_free(&log);
    TRY(status);
    sweep->texts[i].key = key;
    sweep->text_count++;
    sweep->compiled++;
  }
  bytes_put(out_cubin, sweep->texts[i].cubin.data, sweep->texts[i].cubin.length);
  return FARM_OK;
}

static inline void cuda_sweep_compile(struct cuda_sweep *sweep, const char *text, const struct problem *problem,
                                      const struct variant *variant, int sm) {
  char name[VARIANT_TEXT_MAX];
  struct strbuf source = {0};
  struct bytes_writer cubin = {0};
  variant_print(variant, name);
  REQUIRE_OK(cuda_tactic_of(variant->tactic)->source(problem, variant, &source));
  enum farm_status status = cuda_sweep_cubin(sweep, strbuf_text(&source), sm, &cubin);
  CHECK_MESSAGE(status == FARM_OK && cubin.length > 0, "%s: %s for sm_%d: %s", text, name, sm, status_message());
  strbuf_free(&source);
  bytes_writer_free(&cubin);
  sweep->checked++;
}

static inline void cuda_sweep_run(struct cuda_sweep *sweep, const char *text, struct kernel_case *made,
                                  const struct variant *variant) {
  struct cuda_trial_options options = {.cubin = cuda_sweep_cubin, .context = sweep, .copies = 2};
  struct cuda_trial *trial = NULL;
  struct kernel_verdict verdict = {0};
  char name[VARIANT_TEXT_MAX];
  variant_print(variant, name);
  enum farm_status status = cuda_trial_make(sweep->device, made, variant, &options, &trial);
  if (status == FARM_OK) status = cuda_trial_check(trial, &verdict);
  CHECK_MESSAGE(status == FARM_OK, "%s: %s: %s", text, name, status_message());
  REQUIRE_OK(cuda_device_state(sweep->device));
  cuda_trial_free(&trial);
  sweep->checked++;
}

static inline void cuda_sweep_variant(struct cuda_sweep *sweep, const char *text, const struct problem *problem,
                                      struct kernel_case *made, const struct variant *variant) {
  if (made)
    cuda_sweep_run(sweep, text, made, variant);
  else
    cuda_sweep_compile(sweep, text, problem, variant, sweep->device_class.sm);
}

/* Notes it, too. */
static inline bool cuda_sweep_first(struct cuda_sweep *sweep, const struct tactic *tactic) {
  for (int i = 0; i < sweep->seen_count; i++)
    if (sweep->seen[i] == tactic) return false;
  REQUIRE(sweep->seen_count < CUDA_SWEEP_MOST_SEEN);
  sweep->seen[sweep->seen_count++] = tactic;
  return true;
}

static inline bool cuda_sweep_own(const struct cuda_sweep *sweep, const struct variant *variant) {
  return cuda_tactic_of(variant->tactic)->source && (!sweep->only || strstr(variant->tactic->id, sweep->only));
}

static inline bool cuda_sweep_wanted(struct cuda_sweep *sweep, const struct variant *variant, int index) {
  if (sweep->stride != CUDA_SWEEP_COVERING) return (index + sweep->problems) % sweep->stride == 0;
  return cuda_sweep_first(sweep, variant->tactic);
}

static inline void cuda_sweep_variants(struct cuda_sweep *sweep, const char *text, const struct problem *problem,
                                       struct kernel_case *made) {
  static struct variant variants[CUDA_SWEEP_MOST_VARIANTS];
  int count = catalogue_variants(problem, &sweep->device_class, LAYOUT_ANY, variants, CUDA_SWEEP_MOST_VARIANTS);
  CHECK_MESSAGE(count > 0 && count <= CUDA_SWEEP_MOST_VARIANTS, "%s has %d variants", text, count);
  int own = 0, wanted = 0;
  for (int i = 0; i < count && i < CUDA_SWEEP_MOST_VARIANTS; i++)
    if (cuda_sweep_own(sweep, &variants[i])) variants[own++] = variants[i];
  CHECK_MESSAGE(own > 0, "%s has no variant to check", text);
  for (int i = 0; i < own; i++) {
    if (!cuda_sweep_wanted(sweep, &variants[i], i)) continue;
    cuda_sweep_variant(sweep, text, problem, made, &variants[i]);
    wanted++;
  }
  if (sweep->stride == CUDA_SWEEP_COVERING && made && wanted == 0 && own > 0 && sweep->problems % 2 == 0)
    cuda_sweep_variant(sweep, text, problem, made, &variants[sweep->problems % own]);
}

/* All (or each stride-th) variants of one problem: run on the device, or compiled for every architecture. There must be one. */
static inline void cuda_sweep_problem(struct cuda_sweep *sweep, const char *text) {
  struct arena arena = {0};
  struct problem problem;
  struct kernel_case *made = NULL;
  REQUIRE_OK(problem_parse(text, &arena, &problem));
  if (sweep->device) {
    REQUIRE_OK(kernel_case_make(&problem, &made));
    cuda_sweep_variants(sweep, text, &problem, made);
  }
  for (const int *sm = sweep->sms; sm && *sm; sm++) {
    if (!nvrtc_supports(*sm)) continue;
    sweep->device_class.sm = *sm;
    cuda_sweep_variants(sweep, text, &problem, NULL);
  }
  sweep->problems++;
  kernel_case_free(&made);
  arena_free(&arena);
}

#define CUDA_SWEEP_PROBLEMS(sweep, list)                                                                                         \
  for (size_t p_ = 0; p_ < sizeof(list) / sizeof *(list); p_++) cuda_sweep_problem(&(sweep), (list)[p_])

#endif
