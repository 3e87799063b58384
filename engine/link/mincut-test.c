/* The cut against exhaustive search on random small instances. */
#include "mincut.h"

#include "../../base/random.h"
#include "../../tests/kit/test.h"

#include <string.h>

enum { VARIABLES = 9, PAIRS = 14 };

TEST(mincut_is_exact_on_random_instances, "") {
  for (uint64_t seed = 1; seed <= 300; seed++) {
    uint64_t unary[VARIABLES][2], cost[PAIRS];
    int a[PAIRS], b[PAIRS];
    struct mincut *cut;
    REQUIRE_OK(mincut_create(VARIABLES, &cut));
    for (int v = 0; v < VARIABLES; v++) {
      unary[v][0] = random_u64(seed, (uint64_t)v) % 20;
      unary[v][1] = random_u64(seed, 100 + (uint64_t)v) % 20;
      REQUIRE_OK(mincut_unary(cut, v, unary[v][0], unary[v][1]));
    }
    for (int p = 0; p < PAIRS; p++) {
      a[p] = (int)(random_u64(seed, 200 + (uint64_t)p) % VARIABLES);
      b[p] = (int)(random_u64(seed, 300 + (uint64_t)p) % VARIABLES);
      cost[p] = random_u64(seed, 400 + (uint64_t)p) % 12;
      if (a[p] != b[p]) REQUIRE_OK(mincut_pair(cut, a[p], b[p], cost[p]));
    }
    uint64_t best = UINT64_MAX, found, sum_of_found = 0;
    uint8_t labels[VARIABLES];
    for (unsigned bits = 0; bits <= 1u << VARIABLES; bits++) {
      bool last = bits == 1u << VARIABLES; // the labels found, evaluated the same way
      if (last) REQUIRE_OK(mincut_solve(cut, labels, &found));
      uint64_t sum = 0;
      for (int v = 0; v < VARIABLES; v++) sum += unary[v][last ? labels[v] : (bits >> v & 1)];
      for (int p = 0; p < PAIRS; p++) {
        int la = last ? labels[a[p]] : (int)(bits >> a[p] & 1), lb = last ? labels[b[p]] : (int)(bits >> b[p] & 1);
        if (a[p] != b[p] && la == 0 && lb == 1) sum += cost[p];
      }
      if (last)
        sum_of_found = sum;
      else if (sum < best)
        best = sum;
    }
    CHECK_MESSAGE(found == best && sum_of_found == best, "seed %d: best %d, said %d, labels cost %d", (int)seed, (int)best,
                  (int)found, (int)sum_of_found);
    mincut_destroy(&cut);
  }
}

TEST(mincut_refuses_what_is_forbidden_everywhere, "") {
  struct mincut *cut;
  REQUIRE_OK(mincut_create(2, &cut));
  REQUIRE_OK(mincut_unary(cut, 0, 0, UINT64_MAX));
  REQUIRE_OK(mincut_unary(cut, 1, UINT64_MAX, 0));
  uint8_t labels[2];
  uint64_t cost;
  REQUIRE_OK(mincut_pair(cut, 0, 1, 5));
  REQUIRE_OK(mincut_solve(cut, labels, &cost));
  CHECK(labels[0] == 0 && labels[1] == 1 && cost == 5);
  mincut_destroy(&cut);
  REQUIRE_OK(mincut_create(2, &cut));
  REQUIRE_OK(mincut_unary(cut, 0, 0, UINT64_MAX));
  REQUIRE_OK(mincut_unary(cut, 1, UINT64_MAX, 0));
  REQUIRE_OK(mincut_pair(cut, 0, 1, UINT64_MAX));
  CHECK(mincut_solve(cut, labels, &cost) == FARM_FAILURE);
  mincut_destroy(&cut);
}
