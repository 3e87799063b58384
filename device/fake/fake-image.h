/* What the fake compiler gives in the place of a cubin, and the fake driver takes: a shared library of the host, an ELF file as a
 * cubin is, and behind its end this. The driver is told no length: it follows from the ELF header, whose section table is last.
 */
#ifndef DEVICE_FAKE_FAKE_IMAGE_H
#define DEVICE_FAKE_FAKE_IMAGE_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

enum { FAKE_IMAGE_FLAGS = 0x544d4953 }; // e_flags: "SIMT"
struct fake_image {
  char magic[8];     // "FARMSIMT"
  uint32_t abi, sm;  // SIMT_ABI; 90
  uint32_t specific; // 1: for "sm_90a", runs on no other
  uint32_t reserved;
  uint64_t sum; // fake_image_sum
};
#define FAKE_IMAGE_MAGIC "FARMSIMT"

/* FNV-1a over the library and the tail's fields before `sum`. */
static inline uint64_t fake_image_sum(const void *library, size_t bytes, const struct fake_image *tail) {
  const unsigned char *parts[2] = {(const unsigned char *)library, (const unsigned char *)tail};
  const size_t counts[2] = {bytes, offsetof(struct fake_image, sum)};
  uint64_t sum = 14695981039346656037u;
  for (int part = 0; part < 2; part++)
    for (size_t i = 0; i < counts[part]; i++) sum = (sum ^ parts[part][i]) * 1099511628211u;
  return sum;
}

#endif
