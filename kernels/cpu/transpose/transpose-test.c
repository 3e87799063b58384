/* Transpositions against index arithmetic: every element size, ranks up to 6, extents around the squares and blocks. */
#include "../probe-test.h"

#include "../../../tests/kit/test.h"

#include <stdio.h>

extern const struct tactic transpose__rows__baseline, transpose__blocks__baseline, transpose__rows__avx2, transpose__blocks__avx2;
static const struct tactic *const tactics[] = {&transpose__rows__baseline, &transpose__blocks__baseline, &transpose__rows__avx2,
                                               &transpose__blocks__avx2};

static void reference(struct probe *probe) {
  const struct problem *problem = &probe->problem;
  const int rank = problem->dim_count;
  for (int64_t at = 0; at < tensor_elems(&probe->tensors[1]); at++) {
    int64_t rest = at, point[TENSOR_MAX_RANK], from = 0;
    for (int o = rank - 1; o >= 0; o--) {
      point[problem->perm[o]] = rest % problem->dims[problem->perm[o]];
      rest /= problem->dims[problem->perm[o]];
    }
    for (int d = 0; d < rank; d++) from = from * problem->dims[d] + point[d];
    probe->wanted[0][at] = probe_get(probe, 0, from);
  }
}

TEST(transpose_agrees_with_index_arithmetic, "") {
  static const char *const shapes[] = {"d3 d5 perm10",           "d8 d8 perm10",         "d64 d3136 perm10",
                                       "d3137 d67 perm10",       "d130 d3 perm10",       "d2 d3 d129 perm102",
                                       "d5 d12 d7 perm021",      "d9 d5 d17 perm210",    "d2 d12 d33 d8 perm0213",
                                       "d2 d19 d3 d70 perm0231", "d3 d4 d5 d6 perm3210", "d2 d3 d2 d5 d3 d4 perm420513"};
  static const char *const types[] = {"u8", "i16", "f32", "i64"};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
    for (int t = 0; t < 4; t++) {
      struct probe probe;
      char text[128];
      int count = 0;
      snprintf(text, sizeof text, "transpose %s %s", shapes[s], types[t]);
      probe_open(&probe, text, (uint32_t)s);
      reference(&probe);
      for (size_t k = 0; k < sizeof tactics / sizeof *tactics; k++) count += probe_check(&probe, tactics[k], 0, 0);
      CHECK_MESSAGE(count, "%s: no variant", text);
      probe_close(&probe);
    }
}
