/* One GPU through the CUDA driver API: memory, streams, events, images, graphs.
 *
 *   process ──cuda_driver()──► libcuda (opened at run time; TUNEFARM_LIBCUDA names another one)
 *              └─ cuda_device_open ─► context, stream ─► cuda_image (a cubin) ─► launches ─► cuda_graph (captured) ─► replays
 *
 * Nothing here needs CUDA to be built. Every call returns a status and leaves the driver's own words in the message. Errors after
 * which a context is of no use any more (an illegal address, a launch that failed or timed out, a lost device) are FARM_WORKER_LOST
 * and stick: every later call on the device says so again; the cure is another process. FARM_NO_MEMORY does not stick.
 *
 * A device belongs to one thread at a time. Opening and closing one leave the thread's current context as it was; all other calls
 * leave the device's own: who is a guest on a thread stands between cuda_thread_take and cuda_thread_give.
 */
#ifndef DEVICE_CUDA_DEVICE_H
#define DEVICE_CUDA_DEVICE_H

#include "../problem/device-class.h"

#include <stdbool.h>

typedef uint64_t cuda_address; // of device memory; 0: none

enum { CUDA_UUID_TEXT_MAX = 48, CUDA_ARGUMENTS_MOST = 1024 };

/* What is known of a GPU without a context. */
struct cuda_properties {
  int ordinal;
  char uuid[CUDA_UUID_TEXT_MAX]; // "GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
  char name[128];                // "NVIDIA H200"
  int sm;                        // 10 * major + minor
  int multiprocessors, clock_mhz, memory_clock_mhz;
  int64_t memory_bytes, l2_bytes;
  int shared_bytes, shared_optin_bytes; // per block: without and with opting in
  int driver_version;                   // 13000 is 13.0
};

/* FARM_UNSUPPORTED with the reason when there is no driver library or no device. */
enum farm_status cuda_device_count(int *out_count);
enum farm_status cuda_device_properties(int ordinal, struct cuda_properties *out);
void cuda_device_class(const struct cuda_properties *properties, struct device_class *out);

struct cuda_device;
/* By UUID text, or by a decimal ordinal; NULL: device 0. Makes a context of its own. FARM_NOT_FOUND: no such device here.
 * FARM_DEVICE_LOST: it does not let a context be made. */
enum farm_status cuda_device_open(const char *which, struct cuda_device **out_device);
/* Also after an error that sticks. Images and graphs of the device go before it; its memory goes with it. After FARM_TIMED_OUT what
 * the driver holds stays until the process ends: giving it back would wait for the kernel. */
void cuda_device_close(struct cuda_device **device);
const struct cuda_properties *cuda_device_about(const struct cuda_device *device);
enum farm_status cuda_device_state(const struct cuda_device *device); // the error that sticks, or FARM_OK
/* Which context the calling thread has current (NULL: none), and that one again after calls on the device. */
void *cuda_thread_take(const struct cuda_device *device);
void cuda_thread_give(const struct cuda_device *device, void *before);

/* ---- memory: 256-byte aligned ---- */
enum farm_status cuda_alloc(struct cuda_device *device, size_t bytes, cuda_address *out_address);
void cuda_free(struct cuda_device *device, cuda_address *address); // 0 is allowed
/* Host memory that copies run from at full speed. */
enum farm_status cuda_host_alloc(struct cuda_device *device, size_t bytes, void **out_data);
void cuda_host_free(struct cuda_device *device, void **data);
/* In order with all else on the device's stream. `_in` may return before the data has left pinned memory; `_out` has only arrived
 * after cuda_wait. Into other than pinned memory the driver itself waits for all before it, patiently: cuda_wait_for goes first where a
 * kernel may hang. */
enum farm_status cuda_copy_in(struct cuda_device *device, cuda_address to, const void *from, size_t bytes);
enum farm_status cuda_copy_out(struct cuda_device *device, void *to, cuda_address from, size_t bytes);
enum farm_status cuda_copy_on(struct cuda_device *device, cuda_address to, cuda_address from, size_t bytes);
enum farm_status cuda_fill(struct cuda_device *device, cuda_address to, uint8_t value, size_t bytes);
enum farm_status cuda_wait(struct cuda_device *device); // for everything on the stream; here errors of kernels come to light
/* The same, giving up after `ns`: FARM_TIMED_OUT, which sticks, since a kernel cannot be stopped. */
enum farm_status cuda_wait_for(struct cuda_device *device, uint64_t ns);

/* ---- kernels ---- */
struct cuda_image; // a loaded cubin
enum farm_status cuda_image_load(struct cuda_device *device, const void *cubin, size_t bytes, struct cuda_image **out_image);
void cuda_image_unload(struct cuda_image **image);

/* One launch. Kernels take one argument, a struct by value (kernels/cuda/cuda-tactic.h says why). */
struct cuda_launch {
  const char *entry; // name of the kernel in its image; lives as long as the tactic
  uint32_t grid[3], block[3];
  uint32_t argument_bytes;
  _Alignas(16) unsigned char arguments[CUDA_ARGUMENTS_MOST];
};
/* FARM_TACTIC_REFUSED: the device cannot launch it so (too many threads, no such entry). */
enum farm_status cuda_launch(struct cuda_device *device, struct cuda_image *image, const struct cuda_launch *launch);

/* ---- graphs: what is put on the stream between begin and end is recorded instead of run ---- */
struct cuda_graph;
enum farm_status cuda_capture_begin(struct cuda_device *device);
enum farm_status cuda_capture_end(struct cuda_device *device, struct cuda_graph **out_graph); // after an error in between: frees it
enum farm_status cuda_graph_launch(struct cuda_device *device, struct cuda_graph *graph);
void cuda_graph_free(struct cuda_graph **graph);

/* ---- time: two marks on the stream; elapsed after cuda_wait ---- */
enum farm_status cuda_mark_begin(struct cuda_device *device);
enum farm_status cuda_mark_end(struct cuda_device *device);
enum farm_status cuda_marked_ns(struct cuda_device *device, double *out_ns);

/* The raw handle of the stream (CUstream), for libraries. */
void *cuda_device_stream(struct cuda_device *device);

#endif
