/* No two buffers that live together overlap; the arena stays near the bound on networks' shapes and on random ones. */
#include "memory-plan.h"

#include "../../base/random.h"
#include "../../tests/kit/test.h"

static void check_disjoint(const struct memory_buffer *buffers, int count, uint64_t arena) {
  for (int i = 0; i < count; i++) {
    CHECK(buffers[i].offset % MEMORY_ALIGNMENT == 0 && buffers[i].offset + buffers[i].bytes <= arena);
    for (int j = 0; j < i; j++) {
      const struct memory_buffer *a = &buffers[i], *b = &buffers[j];
      bool together = a->first <= b->last && b->first <= a->last;
      CHECK(!together || a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset);
    }
  }
}

/* Chains with skips, as residual networks have: value i lives to step i + 1, every third one two steps longer. */
TEST(memory_plan_meets_the_bound_on_residual_chains, "") {
  struct memory_buffer buffers[120];
  for (uint64_t seed = 0; seed < 50; seed++) {
    for (int i = 0; i < 120; i++)
      buffers[i] = (struct memory_buffer){
          .bytes = 64 * (1 + random_u64(seed, (uint64_t)i) % 4096), .first = i, .last = i + (i % 3 ? 1 : 3)};
    uint64_t arena, bound;
    REQUIRE_OK(memory_plan(buffers, 120, &arena, &bound));
    check_disjoint(buffers, 120, arena);
    CHECK_MESSAGE((double)arena <= 1.05 * (double)bound, "seed %d: %.3f of the bound", (int)seed, (double)arena / (double)bound);
  }
}

TEST(memory_plan_is_valid_on_random_lives, "") {
  struct memory_buffer buffers[200];
  double worst = 1;
  for (uint64_t seed = 0; seed < 20; seed++) {
    for (int i = 0; i < 200; i++) {
      int first = (int)(random_u64(seed, 3 * (uint64_t)i) % 100);
      buffers[i] = (struct memory_buffer){.bytes = random_u64(seed, 3 * (uint64_t)i + 1) % 100000,
                                          .first = first,
                                          .last = first + (int)(random_u64(seed, 3 * (uint64_t)i + 2) % 12)};
    }
    uint64_t arena, bound;
    REQUIRE_OK(memory_plan(buffers, 200, &arena, &bound));
    check_disjoint(buffers, 200, arena);
    CHECK(arena >= bound);
    if ((double)arena / (double)bound > worst) worst = (double)arena / (double)bound;
  }
  CHECK_MESSAGE(worst < 1.10, "worst %.3f of the bound", worst);
}

TEST(memory_plan_of_nothing_is_empty, "") {
  uint64_t arena = 1, bound = 1;
  REQUIRE_OK(memory_plan(NULL, 0, &arena, &bound));
  CHECK(arena == 0 && bound == 0);
}
