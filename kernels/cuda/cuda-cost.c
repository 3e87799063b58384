/* See cuda-cost.h. The class tells no bus width: clocks below GDDR_CLOCK are stacked memory with its thousands of lines. */
#include "cuda-cost.h"

enum {
  USUAL_SMS = 108,
  USUAL_CLOCK = 1700,
  USUAL_MEMORY_CLOCK = 2600, // for `cuda sm:90`, a class without the other words
  GDDR_CLOCK = 4500,
  STACKED_BUS_BYTES = 640,
  GDDR_BUS_BYTES = 40,           // 5120 and 320 lines
  SM_BYTES_PER_CLOCK = 48,       // what one multiprocessor can draw
  SM_THREADS_FOR_BANDWIDTH = 256 // fewer do not have enough loads under way
};
static const double LAUNCH_NS = 2200, LATENCY_NS = 700, REACHED = 0.85;

static double or_usual(double value, double usual) { return value > 0 ? value : usual; }
static double sms_of(const struct device_class *device_class) { return or_usual(device_class->sms, USUAL_SMS); }
static double clocks_per_ns(const struct device_class *device_class) {
  return or_usual(device_class->clock_mhz, USUAL_CLOCK) * 1e-3;
}

double cuda_bandwidth(const struct device_class *device_class) {
  double clock = or_usual(device_class->memory_clock_mhz, USUAL_MEMORY_CLOCK);
  return clock * 1e-3 * 2 * (clock < GDDR_CLOCK ? STACKED_BUS_BYTES : GDDR_BUS_BYTES) * REACHED;
}

double cuda_cost(const struct device_class *device_class, const struct cuda_work *work) {
  const double sms = sms_of(device_class), clocks = clocks_per_ns(device_class), blocks = work->blocks < 1 ? 1 : work->blocks;
  const double waves = (double)(long long)((blocks + sms - 1) / sms);
  const double crowd = work->threads < SM_THREADS_FOR_BANDWIDTH ? (double)SM_THREADS_FOR_BANDWIDTH / work->threads : 1;
  const double drawing = (blocks < sms * crowd ? blocks : sms * crowd) / crowd; // multiprocessors' worth of loads under way
  const double moving = work->bytes / cuda_bandwidth(device_class) + work->bytes / (drawing * SM_BYTES_PER_CLOCK * clocks);
  const double computing = work->operations / blocks * waves / (or_usual(work->per_clock, CUDA_F32_PER_CLOCK) * clocks);
  return LAUNCH_NS * (work->launches < 1 ? 1 : work->launches) + LATENCY_NS * work->depth +
         (moving > computing ? moving : computing);
}
