/* Memory of a device, copies, and waiting for them. See cuda-device.h. */
#include "cuda-internal.h"

#include "../base/clock.h"

#include <sched.h>

enum { LEAST_BYTES = 256 }; // the driver refuses 0
static const uint64_t SPIN_NS = 2000000, SLEEP_LEAST_NS = 20000, SLEEP_MOST_NS = 1000000;

enum farm_status cuda_alloc(struct cuda_device *device, size_t bytes, cuda_address *out_address) {
  cuda_address address = 0;
  TRY(cuda_enter(device));
  if (bytes < LEAST_BYTES) bytes = LEAST_BYTES;
  TRY(cuda_check(device, device->api->cuMemAlloc_v2(&address, bytes), "allocating %zu bytes", bytes));
  *out_address = address;
  return FARM_OK;
}

void cuda_free(struct cuda_device *device, cuda_address *address) {
  if (*address && cuda_leave(device)) device->api->cuMemFree_v2(*address);
  *address = 0;
}

enum farm_status cuda_host_alloc(struct cuda_device *device, size_t bytes, void **out_data) {
  void *data = NULL;
  TRY(cuda_enter(device));
  if (bytes < LEAST_BYTES) bytes = LEAST_BYTES;
  TRY(cuda_check(device, device->api->cuMemHostAlloc(&data, bytes, 0), "allocating %zu bytes of pinned memory", bytes));
  *out_data = data;
  return FARM_OK;
}

void cuda_host_free(struct cuda_device *device, void **data) {
  if (*data && cuda_leave(device)) device->api->cuMemFreeHost(*data);
  *data = NULL;
}

/* ---- copies ---- */

enum farm_status cuda_copy_in(struct cuda_device *device, cuda_address to, const void *from, size_t bytes) {
  TRY(cuda_enter(device));
  if (!bytes) return FARM_OK;
  return cuda_check(device, device->api->cuMemcpyHtoDAsync_v2(to, from, bytes, device->stream), "copying %zu bytes in", bytes);
}

enum farm_status cuda_copy_out(struct cuda_device *device, void *to, cuda_address from, size_t bytes) {
  TRY(cuda_enter(device));
  if (!bytes) return FARM_OK;
  return cuda_check(device, device->api->cuMemcpyDtoHAsync_v2(to, from, bytes, device->stream), "copying %zu bytes out", bytes);
}

enum farm_status cuda_copy_on(struct cuda_device *device, cuda_address to, cuda_address from, size_t bytes) {
  TRY(cuda_enter(device));
  if (!bytes) return FARM_OK;
  return cuda_check(device, device->api->cuMemcpyDtoDAsync_v2(to, from, bytes, device->stream), "copying %zu bytes", bytes);
}

enum farm_status cuda_fill(struct cuda_device *device, cuda_address to, uint8_t value, size_t bytes) {
  TRY(cuda_enter(device));
  if (!bytes) return FARM_OK;
  return cuda_check(device, device->api->cuMemsetD8Async(to, value, bytes, device->stream), "filling %zu bytes", bytes);
}

/* ---- waiting ---- */

static enum farm_status wait_begin(struct cuda_device *device) {
  TRY(cuda_enter(device));
  if (device->capturing) return cuda_note(device, status_set(FARM_USAGE, "waiting for a device while its work is captured"));
  return FARM_OK;
}

enum farm_status cuda_wait(struct cuda_device *device) {
  TRY(wait_begin(device));
  return cuda_check(device, device->api->cuStreamSynchronize(device->stream), "waiting for its work");
}

/* Spins for what takes about as long as an inference does, whose latency a sleep would add to; then sleeps for a small share of the time
 * that has passed. */
static void pause_after(uint64_t passed_ns, uint64_t left_ns) {
  if (passed_ns < SPIN_NS) {
    sched_yield();
    return;
  }
  uint64_t sleep = passed_ns / 64;
  if (sleep < SLEEP_LEAST_NS) sleep = SLEEP_LEAST_NS;
  if (sleep > SLEEP_MOST_NS) sleep = SLEEP_MOST_NS;
  clock_sleep_ns(sleep < left_ns ? sleep : left_ns);
}

enum farm_status cuda_wait_for(struct cuda_device *device, uint64_t ns) {
  TRY(wait_begin(device));
  uint64_t begin = clock_now_ns();
  for (;;) {
    cuda_result result = device->api->cuStreamQuery(device->stream);
    if (result != CUDA_ERROR_NOT_READY) return cuda_check(device, result, "waiting for its work");
    uint64_t passed = clock_now_ns() - begin;
    if (passed >= ns) break;
    pause_after(passed, ns - passed);
  }
  status_set(FARM_TIMED_OUT, "GPU %d (%s): its work did not end within %.3g s", device->about.ordinal, device->about.name,
             (double)ns * 1e-9);
  return cuda_stick(device, FARM_TIMED_OUT);
}
