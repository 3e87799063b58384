/* Reproducible random numbers: the same on every machine and compiler (integer arithmetic; exact float operations only).
 * SplitMix64 (Steele, Lea, Flood 2014) over a counter, so that element i can be made without the ones before it. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

uint64_t random_u64(uint64_t seed, uint64_t index);
double random_uniform(uint64_t seed, uint64_t index); // [0, 1), 53 bits
/* Mean 0, variance 1: the sum of twelve uniforms less six (Irwin-Hall), each of 16 bits; exact, within [-6, 6]. */
double random_normal(uint64_t seed, uint64_t index);

#endif
