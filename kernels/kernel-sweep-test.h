/* Tests only: all variants of a problem against its reference, guard zones included.
 *
 * Instances for 16 lanes cannot run on a CPU without AVX-512; with `wide` their tactics run with the tiles that were compiled
 * from the same source for AVX2 (tiles-wide-avx2.c) in place of their own.
 */
#ifndef KERNELS_KERNEL_SWEEP_TEST_H
#define KERNELS_KERNEL_SWEEP_TEST_H

#include "../tests/kit/test.h"
#include "cpu/conv/dw-nchw.h"
#include "cpu/conv/dw.h"
#include "kernel-check.h"

#include <string.h>

enum { SWEEP_MOST_VARIANTS = 2048 };

struct sweep {
  struct device_class device_class;
  struct thread_pool *pool;
  const char *only; // part of the tactics' ids; NULL: all that are no reference
  bool wide;
  int checked;
};

/* The class of this machine, no better than `isa`. */
static inline struct sweep sweep_for(enum isa isa, const char *only) {
  struct sweep sweep = {.only = only};
  REQUIRE_OK(cpu_device_class(&sweep.device_class));
  if (sweep.device_class.isa > isa) sweep.device_class.isa = isa;
  return sweep;
}

/* AVX-512's tactics on AVX2. Skips the test without that. */
static inline struct sweep sweep_wide(void) {
  struct sweep sweep = sweep_for(ISA_AVX512, "__avx512");
  if (sweep.device_class.isa < ISA_AVX2) SKIP("needs AVX2");
  sweep.device_class.isa = ISA_AVX512;
  sweep.wide = true;
  return sweep;
}

static inline const void *sweep_wide_detail(const struct tactic *tactic) {
  static const struct {
    const void *own, *stand_in;
  } pairs[] = {{&dw__avx512, &dw__wide},
               {&dw_nchw__avx512, &dw_nchw__wide},
#define X(mr, nr) {&tile_##mr##x##nr##__avx512, &tile_##mr##x##nr##__wide},
               TILE_LIST_WIDE(X)
#undef X
  };
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
    if (tactic->detail == pairs[i].own) return pairs[i].stand_in;
  return NULL;
}

static inline void sweep_variant(struct sweep *sweep, const char *text, struct kernel_case *made, struct variant variant) {
  if (strstr(variant.tactic->id, "__reference__") || (sweep->only && !strstr(variant.tactic->id, sweep->only))) return;
  struct tactic tactic = *variant.tactic;
  if (sweep->wide) {
    tactic.detail = sweep_wide_detail(variant.tactic);
    if (!tactic.detail) return;
    variant.tactic = &tactic;
  }
  struct kernel_trial *trial;
  struct kernel_verdict verdict;
  REQUIRE_OK(kernel_trial_make(made, &variant, thread_pool_size(sweep->pool), 1, &trial));
  enum farm_status status = kernel_trial_check(trial, sweep->pool, &verdict);
  CHECK_MESSAGE(status == FARM_OK, "%s: %s", text, status_message());
  kernel_trial_free(&trial);
  sweep->checked++;
}

static inline void sweep_problem(struct sweep *sweep, const char *text) {
  static struct variant variants[SWEEP_MOST_VARIANTS];
  struct arena arena = {0};
  struct problem problem;
  struct kernel_case *made;
  REQUIRE_OK(problem_parse(text, &arena, &problem));
  REQUIRE_OK(kernel_case_make(&problem, &made));
  int count = catalogue_variants(&problem, &sweep->device_class, LAYOUT_ANY, variants, SWEEP_MOST_VARIANTS);
  REQUIRE(count <= SWEEP_MOST_VARIANTS);
  for (int i = 0; i < count; i++) sweep_variant(sweep, text, made, variants[i]);
  kernel_case_free(&made);
  arena_free(&arena);
}

#endif
