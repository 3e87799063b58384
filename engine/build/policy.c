/* Effort: how many variants are tried and how carefully they are timed. docs/measuring.md explains the policies. */
#include "build.h"

static const struct {
  const char *policy;
  int variants_most;
} efforts[5] = {
    {"none", 0}, {"cold/1 effort1", 6}, {"cold/1 effort2", 16}, {"cold/1 effort3", 64}, {"cold/1 effort4", 512},
};

const char *build_policy(int effort) { return efforts[effort < 0 ? 0 : effort > 4 ? 4 : effort].policy; }
int build_variants_most(int effort) { return efforts[effort < 0 ? 0 : effort > 4 ? 4 : effort].variants_most; }
