/* Bandwidth over sizes: the driver's copy, our copy, our read. Of a copy the bytes read and the bytes written count. */
#include "limits.h"

#include <string.h>

enum { CHECKED_BYTES = 4096, GRAPH_BYTES = 256 << 20, CALLS_MOST = 64 };
static const int64_t MIB = 1 << 20;

struct buffers {
  struct limits *limits;
  cuda_address from, to;
  int64_t bytes; // of this size
};

static enum farm_status driver_copy(void *context) {
  struct buffers *b = context;
  return cuda_copy_on(b->limits->device, b->to, b->from, (size_t)b->bytes);
}

static enum farm_status kernel_put(struct buffers *b, const char *entry) {
  struct limits_args args = {.from = b->from, .to = b->to, .count = b->bytes / 16, .force = 0x9e3779b9u};
  struct cuda_launch launch = limits_launch(b->limits, entry, &args);
  return cuda_launch(b->limits->device, b->limits->image, &launch);
}
static enum farm_status our_copy(void *context) { return kernel_put(context, "limits_copy"); }
static enum farm_status our_read(void *context) { return kernel_put(context, "limits_read"); }

static const struct {
  const char *what;
  enum farm_status (*put)(void *context);
  int passes; // over the bytes
} kinds[] = {{"copy by the driver", driver_copy, 2}, {"copy by a kernel", our_copy, 2}, {"read by a kernel", our_read, 1}};

/* The last bytes of either buffer are the same after a copy, and are not what they were before. */
static enum farm_status copy_check(struct buffers *b, const char *what) {
  unsigned char from[CHECKED_BYTES], to[CHECKED_BYTES];
  int64_t at = b->bytes - CHECKED_BYTES;
  TRY(cuda_copy_out(b->limits->device, from, b->from + (cuda_address)at, sizeof from));
  TRY(cuda_copy_out(b->limits->device, to, b->to + (cuda_address)at, sizeof to));
  TRY(cuda_wait(b->limits->device));
  FAIL_IF(memcmp(from, to, sizeof from) != 0, FARM_VERIFY_FAILED, "%s: the copy of %lld bytes is another one", what,
          (long long)b->bytes);
  return FARM_OK;
}

static enum farm_status size_measure(struct buffers *b, int kind) {
  struct limits_work work = {kinds[kind].put, b, (int)(GRAPH_BYTES / b->bytes)};
  struct limits_time time;
  if (work.calls < 1) work.calls = 1;
  if (work.calls > CALLS_MOST) work.calls = CALLS_MOST;
  TRY(cuda_fill(b->limits->device, b->to, 0xa5, (size_t)b->bytes));
  TRY(limits_sample(b->limits, &work, &time));
  if (kinds[kind].passes == 2) TRY(copy_check(b, kinds[kind].what));
  return limits_row(b->limits, kinds[kind].what, b->bytes, &time,
                    time.us > 0 ? (double)b->bytes * kinds[kind].passes / time.us * 1e-3 : 0, "GB/s");
}

static enum farm_status sizes_measure(struct buffers *b, int64_t largest) {
  TRY(limits_fill(b->limits, b->from, largest, 0xffffffffu, 0));
  for (b->bytes = MIB; b->bytes <= largest; b->bytes *= 4)
    for (int kind = 0; kind < 3; kind++) {
      if (!limits_has_time(b->limits)) return limits_missing(b->limits, kinds[kind].what, "the time was over");
      TRY(size_measure(b, kind));
    }
  return FARM_OK;
}

enum farm_status limits_memory(struct limits *limits) {
  struct buffers b = {.limits = limits};
  int64_t largest = limits->largest_bytes;
  int64_t most = cuda_device_about(limits->device)->memory_bytes / 4;
  while (largest > most && largest > MIB) largest /= 4;
  TRY(cuda_alloc(limits->device, (size_t)largest, &b.from));
  enum farm_status status = cuda_alloc(limits->device, (size_t)largest, &b.to);
  if (status == FARM_OK) status = sizes_measure(&b, largest);
  cuda_free(limits->device, &b.to);
  cuda_free(limits->device, &b.from);
  return status;
}
