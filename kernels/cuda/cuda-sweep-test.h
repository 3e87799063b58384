/* Tests only: CUDA variants of problems, compiled by NVRTC for every architecture, or run in the emulator against the reference.
 *
 *   cuda_sweep_problem(&sweep, "gemm …"), cuda_pick_run(&sweep, &pick)    what is to be checked is collected
 *   cuda_sweep_go(&sweep)                                                 checked, by a process per core (cuda-shares-test.h)
 *
 * One text serves many variants and problems, and is what takes time: it is compiled once per sweep, by the process that then runs all
 * that it serves. What the emulator's compiler made is kept in build/fake-cubins for the next run. A covering sweep is for `make test`:
 * it takes each tactic when it is first met, and on a device one variant, another one each time, of every other problem. With a stride
 * above 1 a sweep takes each stride-th variant instead.
 */
#ifndef KERNELS_CUDA_CUDA_SWEEP_TEST_H
#define KERNELS_CUDA_CUDA_SWEEP_TEST_H

#include "../../device/nvrtc.h"
#include "../../tests/kit/test.h"
#include "cuda-trial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  CUDA_SWEEP_MOST_VARIANTS = 1024, // of one problem
  CUDA_SWEEP_MOST_PROBLEMS = 256,
  CUDA_SWEEP_MOST_ITEMS = 16384,
  CUDA_SWEEP_MOST_TEXTS = 8192,
  CUDA_SWEEP_MOST_SEEN = 256,
  CUDA_SWEEP_COVERING = 0
};

struct cuda_sweep_problem {
  const char *text;
  struct arena arena;
  struct problem problem;
};
struct cuda_sweep_item {
  int problem, sm, text; // places in the sweep's lists; sm: what it is compiled for
  bool run;              // on the device, not only compiled
  struct variant variant;
};

struct cuda_sweep {
  const char *only; // part of the tactics' ids; NULL: all
  int stride;       // 1: every variant; CUDA_SWEEP_COVERING
  bool emulated;              // what is collected is to be run
  struct cuda_device *device; // open in this process
  struct device_class device_class;
  const int *sms; // to compile for, 0 ends; when nothing is emulated
  int problem_count, item_count, text_count, seen_count;
  int checked, compiled, gone; // items and texts; items that cuda_sweep_go has been through
  struct cuda_sweep_problem *problems;
  struct cuda_sweep_item *items;
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
  sweep.problems = test_keep(calloc(CUDA_SWEEP_MOST_PROBLEMS, sizeof *sweep.problems));
  sweep.items = test_keep(calloc(CUDA_SWEEP_MOST_ITEMS, sizeof *sweep.items));
  REQUIRE(sweep.texts && sweep.problems && sweep.items);
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

/* Where the emulator's compiler keeps what it made, but for a folder that was named outside. */
static inline void cuda_sweep_cache(void) {
  char build[4096], path[4200];
  if (!realpath("build", build)) return;
  snprintf(path, sizeof path, "%s/fake-cubins", build);
  setenv("TUNEFARM_FAKE_CACHE", path, 0);
}

/* Opens the device in this process, which can then not be forked any more: a driver once started serves no copy of its process. */
static inline void cuda_sweep_open(struct cuda_sweep *sweep) {
  REQUIRE_OK(cuda_device_open(NULL, &sweep->device));
  cuda_device_class(cuda_device_about(sweep->device), &sweep->device_class);
}

/* The class of the device, as another process finds it. */
static inline void cuda_sweep_class(struct cuda_sweep *sweep) {
  struct device_class *found = mmap(NULL, sizeof *found, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int state = -1;
  REQUIRE(found != MAP_FAILED);
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    cuda_sweep_open(sweep);
    *found = sweep->device_class;
    _exit(0);
  }
  REQUIRE(child > 0);
  while (waitpid(child, &state, 0) < 0) REQUIRE(errno == EINTR);
  REQUIRE(state == 0);
  sweep->device_class = *found;
  munmap(found, sizeof *found);
}

/* A device of that SM version in the emulator; whoever runs something on it opens it. */
static inline struct cuda_sweep cuda_sweep_emulator(const char *only, int stride, int sm) {
  cuda_sweep_cache();
  char about[64];
  cuda_sweep_library("TUNEFARM_LIBCUDA", "libfakecuda.so");
  cuda_sweep_library("TUNEFARM_LIBNVRTC", "libfakenvrtc.so");
  snprintf(about, sizeof about, "sm=%d,product=fake,mem=2g", sm);
  setenv("TUNEFARM_FAKE_CUDA", about, 1);
  struct cuda_sweep sweep = cuda_sweep_compiler(only, stride, NULL);
  sweep.emulated = true;
  cuda_sweep_class(&sweep);
  return sweep;
}

static inline void cuda_sweep_end(struct cuda_sweep *sweep) {
  CHECK(sweep->gone == sweep->item_count);
  for (int i = 0; i < sweep->text_count; i++) bytes_writer_free(&sweep->texts[i].cubin);
  for (int i = 0; i < sweep->problem_count; i++) arena_free(&sweep->problems[i].arena);
  cuda_device_close(&sweep->device);
}

/* ---- texts ---- */

/* Its place in the list, where it is added when it is new. */
static inline int cuda_sweep_text(struct cuda_sweep *sweep, const char *source, int sm) {
  struct digest key;
  int i = 0;
  REQUIRE_OK(cuda_artefact_key(source, sm, "test", &key));
  while (i < sweep->text_count && !digest_equal(&sweep->texts[i].key, &key)) i++;
  if (i < sweep->text_count) return i;
  REQUIRE(i < CUDA_SWEEP_MOST_TEXTS);
  sweep->texts[sweep->text_count++].key = key;
  return i;
}

static inline enum farm_status cuda_sweep_cubin(void *context, const char *source, int sm, struct bytes_writer *out_cubin) {
  struct cuda_sweep *sweep = context;
  struct bytes_writer *cubin = &sweep->texts[cuda_sweep_text(sweep, source, sm)].cubin;
  if (cubin->length == 0) {
    struct strbuf log = {0};
    enum farm_status status = nvrtc_compile("kernel.cu", source, sm, cubin, &log);
    if (log.length > 0 && (status != FARM_OK || strstr(log.data, "warning"))) printf("%s\n", log.data);
    strbuf_free(&log);
    TRY(status);
    sweep->compiled++;
  }
  bytes_put(out_cubin, cubin->data, cubin->length);
  return FARM_OK;
}

/* ---- one variant, at once ---- */

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

/* ---- collecting ---- */

static inline int cuda_sweep_problem_add(struct cuda_sweep *sweep, const char *text) {
  REQUIRE(sweep->problem_count < CUDA_SWEEP_MOST_PROBLEMS);
  struct cuda_sweep_problem *added = &sweep->problems[sweep->problem_count];
  added->text = text;
  REQUIRE_OK(problem_parse(text, &added->arena, &added->problem));
  return sweep->problem_count++;
}

static inline void cuda_sweep_add(struct cuda_sweep *sweep, int problem, const struct variant *variant, int sm, bool run) {
  struct strbuf source = {0};
  REQUIRE(sweep->item_count < CUDA_SWEEP_MOST_ITEMS);
  REQUIRE_OK(cuda_tactic_of(variant->tactic)->source(&sweep->problems[problem].problem, variant, &source));
  const int text = cuda_sweep_text(sweep, strbuf_text(&source), sm);
  sweep->items[sweep->item_count++] = (struct cuda_sweep_item){problem, sm, text, run, *variant};
  strbuf_free(&source);
}

static inline bool cuda_sweep_same(const struct variant *a, const struct variant *b) {
  return a->tactic == b->tactic && memcmp(a->params, b->params, sizeof a->params) == 0;
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
  if (sweep->stride != CUDA_SWEEP_COVERING) return (index + sweep->problem_count) % sweep->stride == 0;
  return cuda_sweep_first(sweep, variant->tactic);
}

static inline void cuda_sweep_variants(struct cuda_sweep *sweep, int problem, bool run) {
  static struct variant variants[CUDA_SWEEP_MOST_VARIANTS];
  const struct cuda_sweep_problem *of = &sweep->problems[problem];
  int count = catalogue_variants(&of->problem, &sweep->device_class, LAYOUT_ANY, variants, CUDA_SWEEP_MOST_VARIANTS);
  CHECK_MESSAGE(count > 0 && count <= CUDA_SWEEP_MOST_VARIANTS, "%s has %d variants", of->text, count);
  int own = 0, wanted = 0;
  for (int i = 0; i < count && i < CUDA_SWEEP_MOST_VARIANTS; i++)
    if (cuda_sweep_own(sweep, &variants[i])) variants[own++] = variants[i];
  CHECK_MESSAGE(own > 0, "%s has no variant to check", of->text);
  for (int i = 0; i < own; i++) {
    if (!cuda_sweep_wanted(sweep, &variants[i], i)) continue;
    cuda_sweep_add(sweep, problem, &variants[i], sweep->device_class.sm, run);
    wanted++;
  }
  if (sweep->stride == CUDA_SWEEP_COVERING && run && wanted == 0 && own > 0 && problem % 2 == 0)
    cuda_sweep_add(sweep, problem, &variants[problem % own], sweep->device_class.sm, run);
}

/* All (or each stride-th) variants of one problem: to be run on the device, or compiled for every architecture. There must be one. */
static inline void cuda_sweep_problem(struct cuda_sweep *sweep, const char *text) {
  const int problem = cuda_sweep_problem_add(sweep, text);
  if (sweep->emulated) cuda_sweep_variants(sweep, problem, true);
  for (const int *sm = sweep->sms; sm && *sm; sm++) {
    if (!nvrtc_supports(*sm)) continue;
    sweep->device_class.sm = *sm;
    cuda_sweep_variants(sweep, problem, false);
  }
}

#define CUDA_SWEEP_PROBLEMS(sweep, list)                                                                                         \
  for (size_t p_ = 0; p_ < sizeof(list) / sizeof *(list); p_++) cuda_sweep_problem(&(sweep), (list)[p_])

/* Nothing is run of this problem: each of its own variants must have been collected, with whatever problem. */
static inline void cuda_sweep_covers(struct cuda_sweep *sweep, const char *text) {
  static struct variant variants[CUDA_SWEEP_MOST_VARIANTS];
  struct arena arena = {0};
  struct problem problem;
  char name[VARIANT_TEXT_MAX];
  REQUIRE_OK(problem_parse(text, &arena, &problem));
  int count = catalogue_variants(&problem, &sweep->device_class, LAYOUT_ANY, variants, CUDA_SWEEP_MOST_VARIANTS);
  CHECK_MESSAGE(count > 0 && count <= CUDA_SWEEP_MOST_VARIANTS, "%s has %d variants", text, count);
  for (int i = 0; i < count && i < CUDA_SWEEP_MOST_VARIANTS; i++) {
    int at = 0;
    if (!cuda_sweep_own(sweep, &variants[i])) continue;
    while (at < sweep->item_count && !cuda_sweep_same(&sweep->items[at].variant, &variants[i])) at++;
    variant_print(&variants[i], name);
    CHECK_MESSAGE(at < sweep->item_count, "%s may be solved by %s, which no problem tries", text, name);
  }
  arena_free(&arena);
}

#include "cuda-shares-test.h"

#endif
