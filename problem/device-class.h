/* A device class: what makes the timings of two devices comparable. Derived from the device, never typed by a user.
 *
 * Canonical text, words in this order:
 *   cpu:  `cpu vendor:amd family:25 model:17 isa:avx2 l1d:32k l2:1m l3:32m mem:24g`
 *   cuda: `cuda sm:90 product:h200 sms:132 clock:1980 memclock:… mem:141g` (its words are fixed when CUDA lands)
 * The text is the identity; a build keeps classes apart by its digest.
 */
#ifndef PROBLEM_DEVICE_CLASS_H
#define PROBLEM_DEVICE_CLASS_H

#include "../base/digest.h"
#include "../base/status.h"

#include <stddef.h>
#include <stdint.h>

enum device_kind { DEVICE_CPU, DEVICE_CUDA };

/* CPU instruction sets in rising order; a tactic names the least one it needs. */
#define ISA_LIST(X) X(BASELINE, "baseline") X(AVX2, "avx2") X(AVX512, "avx512")
enum isa {
#define X(name, text) ISA_##name,
  ISA_LIST(X)
#undef X
  ISA_COUNT
};

struct device_class {
  enum device_kind kind;
  enum isa isa;
  char vendor[16];
  int family, model; // CPUID, as the display family and model
  int64_t l1d_bytes, l2_bytes, l3_bytes, memory_bytes; // memory rounded to GiB
};

enum { DEVICE_CLASS_TEXT_MAX = 256 };
void device_class_print(const struct device_class *device_class, char out[DEVICE_CLASS_TEXT_MAX]);
enum farm_status device_class_parse(const char *text, struct device_class *out);
const char *isa_name(enum isa isa);
enum farm_status isa_parse(const char *text, enum isa *out);

#endif
