/* Checksum of a case: what a stray write of a kernel would change. Fast rather than strong; four sums side by side. */
#include "kernel-case.h"

#include <string.h>

static uint64_t mixed(uint64_t sum, uint64_t word) { return (sum ^ word) * 0x9e3779b97f4a7c15u + (sum >> 29); }

static uint64_t bytes_sum(uint64_t seed, const void *data, size_t length) {
  const unsigned char *at = data;
  uint64_t sums[4] = {seed, seed + 1, seed + 2, seed + 3}, words[4];
  if (!data) return seed;
  for (; length >= sizeof words; at += sizeof words, length -= sizeof words) {
    memcpy(words, at, sizeof words);
    for (int i = 0; i < 4; i++) sums[i] = mixed(sums[i], words[i]);
  }
  memset(words, 0, sizeof words);
  memcpy(words, at, length);
  for (int i = 0; i < 4; i++) sums[i] = mixed(sums[i], words[i]);
  return mixed(mixed(sums[0], sums[1]), mixed(sums[2], sums[3]));
}

uint64_t kernel_case_sum(const struct kernel_case *kernel_case) {
  const struct kernel_samples *samples = &kernel_case->samples;
  uint64_t sum = bytes_sum(1, kernel_case->types, sizeof kernel_case->types);
  for (int i = 0; i < kernel_case->operand_count; i++) {
    const struct tensor *type = &kernel_case->types[i];
    if (type->data) sum = bytes_sum(sum, type->data, tensor_bytes(type));
  }
  sum = bytes_sum(sum, samples->index, samples->index ? (size_t)samples->count * sizeof *samples->index : 0);
  sum = bytes_sum(sum, samples->expected, samples->expected ? (size_t)samples->count * sizeof *samples->expected : 0);
  return bytes_sum(sum, samples->projection,
                   samples->projection ? (size_t)samples->projections * sizeof *samples->projection : 0);
}
