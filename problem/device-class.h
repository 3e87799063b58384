/* A device class: what makes the timings of two devices comparable. Derived from the device, never typed by a user.
 *
 * Canonical text, words in this order:
 *   cpu:  `cpu vendor:amd family:25 model:17 isa:avx2 l1d:32k l2:1m l3:32m mem:24g`
 *   cuda: `cuda sm:90 product:h200 sms:132 clock:1980 memclock:3201 mem:141g`
 *         `cuda sm:90`: of no product, for sections that nobody measured; fits every device of that SM version
 * The text is the identity; a build keeps classes apart by its digest.
 */
#ifndef PROBLEM_DEVICE_CLASS_H
#define PROBLEM_DEVICE_CLASS_H

#include "../base/digest.h"
#include "../base/status.h"

#include <stdbool.h>
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
  enum isa isa; // of CPUs; a GPU has the least one
  char vendor[16];
  int family, model;                                   // CPUID, as the display family and model
  int64_t l1d_bytes, l2_bytes, l3_bytes, memory_bytes; // memory rounded to GiB; a GPU has only that
  /* CUDA: zeros and "" but for `sm` in a class that stands for every device of an SM version. */
  int sm;           // 10 * major + minor
  char product[64]; // letters and digits of the device's name
  int sms, clock_mhz, memory_clock_mhz;
};

enum { DEVICE_CLASS_TEXT_MAX = 256 };
void device_class_print(const struct device_class *device_class, char out[DEVICE_CLASS_TEXT_MAX]);
/* FARM_USAGE for anything that device_class_print does not write. */
enum farm_status device_class_parse(const char *text, struct device_class *out);
/* Does what was made for one class run on a device of another? CPUs: the instruction set is there. GPUs: the SM version is the
 * same, since images are made for one. Whether measured times hold is another question: they do for equal texts. */
bool device_class_fits(const struct device_class *made_for, const struct device_class *machine);
const char *isa_name(enum isa isa);
enum farm_status isa_parse(const char *text, enum isa *out);

#endif
