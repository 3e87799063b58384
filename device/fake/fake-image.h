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
  uint64_t sum; // of the library's bytes
};
#define FAKE_IMAGE_MAGIC "FARMSIMT"

static inline uint64_t fake_image_sum(const void *bytes, size_t count) { // FNV-1a
  const unsigned char *at = bytes;
  uint64_t sum = 14695981039346656037u;
  for (size_t i = 0; i < count; i++) sum = (sum ^ at[i]) * 1099511628211u;
  return sum;
}

#endif
