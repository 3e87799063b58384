/* What a kernel on a GPU should take, from the words of a device class: a roofline with a launch in front.
 *
 *   launches * LAUNCH + depth * LATENCY + max(bytes over bandwidth + bytes over what the blocks can draw, waves of computing)
 *
 * Few blocks draw less than the memory gives; the last wave of blocks computes as long as a whole one: that is what orders block
 * sizes. Monotone in bytes, operations, depth and, with equal work per block, in blocks.
 */
#ifndef KERNELS_CUDA_CUDA_COST_H
#define KERNELS_CUDA_CUDA_COST_H

#include "../../problem/device-class.h"

struct cuda_work {
  double bytes;      // moved to and from memory, the waste of narrow accesses included
  double operations; // of all threads together
  double per_clock;  // how many of these one multiprocessor does per clock: 128 f32 multiply-adds, 1024 and more on tensor cores
  double blocks;     // of the largest launch
  int threads;       // per block
  double depth;      // trips to memory and barriers that wait for each other, in one block
  int launches;
};

enum { CUDA_F32_PER_CLOCK = 128, CUDA_SPECIAL_PER_CLOCK = 16 }; // multiply-adds; exp, log, sin and the like

double cuda_bandwidth(const struct device_class *device_class);                          // bytes per nanosecond
double cuda_cost(const struct device_class *device_class, const struct cuda_work *work); // nanoseconds

#endif
