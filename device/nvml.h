/* How a GPU fares while it is measured: clocks, power, temperature and what holds the clocks down, through NVML opened at run
 * time. Never needed: FARM_UNSUPPORTED where it is absent or does not know the device (a slice of one, another driver's
 * container). */
#ifndef DEVICE_NVML_H
#define DEVICE_NVML_H

#include "../base/status.h"

#include <stddef.h>
#include <stdint.h>

struct nvml_reading {
  int sm_mhz, memory_mhz;      // at this moment; -1: the device does not tell
  int power_mw, temperature_c; // -1: the same
  uint64_t reasons;            // why clocks are lower than they could be, as bits; 0: nothing, or not told
};

/* "580.95.05", the kernel driver's version. */
enum farm_status nvml_driver_version(char *out, size_t out_bytes);
/* Of the device with this UUID text (cuda_properties.uuid). Takes up to some milliseconds: not between two timings. */
enum farm_status nvml_read(const char *uuid, struct nvml_reading *out);
/* "power cap, hot" of the bits that make times incomparable; "" when there are none (idle is none). Returns `out`. */
const char *nvml_reasons_text(uint64_t reasons, char *out, size_t out_bytes);

#endif
