/* The dialect of our kernels (kernels/cuda/dialect.cuh) for a host compiler: what stands there as machine instructions is here a call
 * to the emulator in the fake driver. Comes in after the dialect's own types (f16, u32, …).
 *
 * Everything is checked that the dialect promises; what fails ends the launch with a message that names kernel, line, block and
 * thread. `auto x = name[i]` makes a reference to the element, not a value: write the type.
 */
#ifndef DEVICE_FAKE_SIMT_H
#define DEVICE_FAKE_SIMT_H

#include "simt-abi.h"

#define SIMT_EXPORT __attribute__((visibility("default"), used))
/* For what instruments a kernel, or works before it can. */
#define SIMT_UNTOUCHED __attribute__((no_sanitize("undefined"), no_sanitize("kernel-address"), optimize("O2")))
#define SIMT_LINE int line = __builtin_LINE()

static simt_services simt_table; // a copy: within what a kernel may read
static const simt_services *const simt = &simt_table;
static simt_thread *simt_now;

extern "C" SIMT_EXPORT SIMT_UNTOUCHED simt_thread **farm_simt_bind(const simt_services *services) {
  if (services->abi != SIMT_ABI) return nullptr;
  simt_table = *services;
  return &simt_now;
}

#define __device__
#define __global__
#define __host__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __constant__ static const
#define __shared__ static_assert(false, "shared arrays are declared with FARM_SHARED");
#define FARM_DEVICE static inline

#define threadIdx (simt_now->thread)
#define blockIdx (simt_now->block)
#define blockDim (simt_now->block_dim)
#define gridDim (simt_now->grid_dim)
#define warpSize 32

#define SIMT_KERNEL(kernel, arguments, threads)                                                                      \
  static void kernel##_body(const arguments args);                                                                   \
  static void kernel##_entry(const void *bytes) { kernel##_body(*static_cast<const arguments *>(bytes)); }           \
  extern "C" {                                                                                                       \
  SIMT_EXPORT extern const simt_entry kernel;                                                                                    \
  const simt_entry kernel = {#kernel, kernel##_entry, sizeof(arguments), threads};                       \
  }                                                                                                                  \
  static void kernel##_body(const arguments args)
#define FARM_KERNEL(kernel, arguments, threads) SIMT_KERNEL(kernel, arguments, threads)

#include "simt-undefined.h"
#include "simt-touch.h"
#include "simt-types.h"
#include "simt-math.h"
#include "simt-shared.h"
#include "simt-warp.h"

#endif
