/* The device class of the CPU this process runs on.
 *
 * Enters: CPUID, the extended control register, sysfs, TUNEFARM_ISA. Leaves: vendor, family, model, usable instruction set, cache
 * sizes of one core's view, memory. An instruction set counts only when the kernel saves its registers (XCR0), else its first use
 * would fault.
 */
#include "../tactic.h"

#include "../../base/file.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>

struct leaf {
  unsigned a, b, c, d;
};

static struct leaf leaf_read(unsigned number, unsigned sub) {
  struct leaf leaf = {0};
  __get_cpuid_count(number, sub, &leaf.a, &leaf.b, &leaf.c, &leaf.d);
  return leaf;
}

/* Which register files the operating system saves; 0 when it saves none beyond SSE. */
static uint64_t saved_registers(void) {
  if (!(leaf_read(1, 0).c & bit_OSXSAVE)) return 0;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

static enum isa isa_of_cpu(void) {
  enum { AVX_STATE = 0x6, AVX512_STATE = 0xe6 };
  uint64_t saved = saved_registers();
  struct leaf one = leaf_read(1, 0), seven = leaf_read(7, 0);
  bool avx2 =
      (saved & AVX_STATE) == AVX_STATE && (one.c & bit_FMA) && (one.c & bit_F16C) && (seven.b & bit_AVX2) && (seven.b & bit_BMI2);
  unsigned wide = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
  if (avx2 && (saved & AVX512_STATE) == AVX512_STATE && (seven.b & wide) == wide) return ISA_AVX512;
  return avx2 ? ISA_AVX2 : ISA_BASELINE;
}

static void vendor_of_cpu(char out[16]) {
  struct leaf zero = leaf_read(0, 0);
  char text[13];
  memcpy(text, &zero.b, 4);
  memcpy(text + 4, &zero.d, 4);
  memcpy(text + 8, &zero.c, 4);
  text[12] = 0;
  if (strcmp(text, "AuthenticAMD") == 0) {
    strcpy(out, "amd");
  } else if (strcmp(text, "GenuineIntel") == 0) {
    strcpy(out, "intel");
  } else {
    int length = 0;
    for (int i = 0; i < 12; i++)
      if (isalnum((unsigned char)text[i])) out[length++] = (char)tolower((unsigned char)text[i]);
    strcpy(out + length, length ? "" : "unknown");
  }
}

static void model_of_cpu(struct device_class *out) {
  unsigned a = leaf_read(1, 0).a;
  unsigned family = a >> 8 & 15, model = a >> 4 & 15;
  if (family == 6 || family == 15) model |= (a >> 16 & 15) << 4;
  if (family == 15) family += a >> 20 & 255;
  out->family = (int)family;
  out->model = (int)model;
}

/* Deterministic cache parameters: leaf 4 (Intel) and 0x8000001d (AMD) share their layout. */
static void caches_of_cpu(struct device_class *out) {
  unsigned number = strcmp(out->vendor, "amd") == 0 ? 0x8000001du : 4u;
  for (unsigned sub = 0; sub < 8; sub++) {
    struct leaf cache = leaf_read(number, sub);
    unsigned type = cache.a & 31, level = cache.a >> 5 & 7;
    if (type == 0) return;
    int64_t bytes =
        (int64_t)((cache.b >> 22) + 1) * ((cache.b >> 12 & 1023) + 1) * ((cache.b & 4095) + 1) * ((int64_t)cache.c + 1);
    if (level == 1 && type == 1) out->l1d_bytes = bytes;
    if (level == 2 && type != 2) out->l2_bytes = bytes;
    if (level == 3 && type != 2) out->l3_bytes = bytes;
  }
}
#else
static enum isa isa_of_cpu(void) { return ISA_BASELINE; }
static void vendor_of_cpu(char out[16]) { strcpy(out, "unknown"); }
static void model_of_cpu(struct device_class *out) { (void)out; }
static void caches_of_cpu(struct device_class *out) { (void)out; }
#endif

static bool read_word(const char *path, char *out, size_t out_bytes) {
  FILE *file = fopen(path, "re");
  if (!file) return false;
  bool ok = fgets(out, (int)out_bytes, file) != NULL;
  fclose(file);
  if (ok) out[strcspn(out, "\n")] = 0;
  return ok;
}

/* sysfs, for what CPUID left unknown (some hypervisors mask the cache leaves). */
static void caches_of_sysfs(struct device_class *out) {
  for (int index = 0; index < 8; index++) {
    char path[96], level[16], type[32], size[32];
    static const char *const base = "/sys/devices/system/cpu/cpu0/cache/index";
    snprintf(path, sizeof path, "%s%d/level", base, index);
    if (!read_word(path, level, sizeof level)) return;
    snprintf(path, sizeof path, "%s%d/type", base, index);
    if (!read_word(path, type, sizeof type) || strcmp(type, "Instruction") == 0) continue;
    snprintf(path, sizeof path, "%s%d/size", base, index);
    if (!read_word(path, size, sizeof size)) continue;
    char *unit;
    int64_t bytes = strtoll(size, &unit, 10) * (*unit == 'M' ? 1 << 20 : *unit == 'K' ? 1 << 10 : 1);
    int64_t *slot = level[0] == '1' ? &out->l1d_bytes : level[0] == '2' ? &out->l2_bytes : &out->l3_bytes;
    if (*slot == 0 && bytes > 0) *slot = bytes;
  }
}

/* Whole GiB, rounded up: firmware and kernel keep a little of what was bought. */
static int64_t memory_of_system(void) {
  int64_t bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
  return bytes <= 0 ? 0 : (bytes + (1 << 30) - 1) >> 30 << 30;
}

static enum farm_status cap_isa(enum isa *isa) {
  const char *text = getenv("TUNEFARM_ISA");
  if (!text || !*text) return FARM_OK;
  static const char *const names[] = {
#define X(name, text) text,
      ISA_LIST(X)
#undef X
  };
  for (int cap = 0; cap < ISA_COUNT; cap++)
    if (strcmp(names[cap], text) == 0) {
      if ((int)*isa > cap) *isa = (enum isa)cap;
      return FARM_OK;
    }
  return status_set(FARM_USAGE, "TUNEFARM_ISA=%.32s: expected baseline, avx2 or avx512", text);
}

enum farm_status cpu_device_class(struct device_class *out) {
  struct device_class found = {.kind = DEVICE_CPU, .isa = isa_of_cpu()};
  TRY(cap_isa(&found.isa));
  vendor_of_cpu(found.vendor);
  model_of_cpu(&found);
  caches_of_cpu(&found);
  caches_of_sysfs(&found);
  found.memory_bytes = memory_of_system();
  *out = found;
  return FARM_OK;
}
