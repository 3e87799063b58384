/* See random.h. */
#include "random.h"

uint64_t random_u64(uint64_t seed, uint64_t index) {
  uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

double random_uniform(uint64_t seed, uint64_t index) { return (double)(random_u64(seed, index) >> 11) * 0x1p-53; }

double random_normal(uint64_t seed, uint64_t index) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < 3; i++) {
    uint64_t bits = random_u64(seed, index * 3 + i);
    sum += (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
  }
  return ((double)sum + 6.0) * 0x1p-16 - 6.0; // each 16-bit part is the centre of its interval
}
