/* What the fake driver pretends to be, from the environment, and its log.
 *
 *   TUNEFARM_FAKE_CUDA="sm=90,product=fake,mem=2g,devices=1,order=forward|backward|shuffled,fault=KIND@N,..."
 *     also sms=, clock=, memclock= (MHz), l2=, driver= (13000 is 13.0) and quiet=1 (errors go to the log and
 *     cuGetErrorString only, not to stderr); several faults are allowed
 *   TUNEFARM_FAKE_CUDA_LOG=FILE gets a line per call, per kernel that ran, and per error
 *
 *   oom@N       the N-th allocation of device memory finds none
 *   launch@N    the N-th kernel that runs fails (CUDA_ERROR_LAUNCH_FAILED, sticks)
 *   illegal@N   the same with CUDA_ERROR_ILLEGAL_ADDRESS
 *   hang@N      the N-th kernel never ends: queries say "not ready", waiting lasts for ever, also in cuMemFree and cuCtxDestroy
 *   lost@N      with the N-th kernel the device is gone: every call says CUDA_ERROR_DEVICE_UNAVAILABLE
 *   nodevice    cuInit finds none
 */
#ifndef DEVICE_FAKE_SPEC_H
#define DEVICE_FAKE_SPEC_H

#include "simt-grid.h"

enum fake_fault { FAULT_OOM, FAULT_LAUNCH, FAULT_ILLEGAL, FAULT_HANG, FAULT_LOST, FAULT_NODEVICE, FAULT_KINDS };

struct fake_spec {
  int sm, devices, sms, clock, memclock, driver, quiet;
  uint64_t memory_bytes, l2_bytes;
  char product[64];
  enum simt_order order;
  uint64_t faults[FAULT_KINDS]; // which allocation or launch; 0: none
};

/* false: the text is no description; `out_error` says why. NULL or "": all as by default. */
bool fake_spec_parse(const char *text, struct fake_spec *out, char *out_error, size_t error_bytes);
void fake_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
