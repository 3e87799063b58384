/* What the files of one device share: its handles, and what an error of the driver does to it. */
#ifndef DEVICE_CUDA_INTERNAL_H
#define DEVICE_CUDA_INTERNAL_H

#include "cuda-api.h"

struct cuda_device {
  const struct cuda_api *api;
  struct cuda_properties about;
  cuda_context context;
  cuda_stream stream;
  cuda_event marks[2]; // begin, end
  unsigned marked;     // bit per mark
  bool capturing;
  enum farm_status capture_failed; // the first error since cuda_capture_begin
  enum farm_status stuck;          // the error that sticks, or FARM_OK
  char stuck_message[512], capture_message[512];
};

/* Every call begins so: repeats the error that sticks, makes the context current on this thread. */
enum farm_status cuda_enter(struct cuda_device *device);
/* The driver's answer to `call` (printf style) as a status, with its own name and words; makes it stick where it does. */
enum farm_status cuda_check(struct cuda_device *device, cuda_result result, const char *call, ...)
    __attribute__((format(printf, 3, 4)));
/* Makes `status` with the message that is set stick. Returns it. */
enum farm_status cuda_stick(struct cuda_device *device, enum farm_status status);
/* A call that refused by itself; spoils a capture as the driver's errors do. Returns `status`. */
enum farm_status cuda_note(struct cuda_device *device, enum farm_status status);
/* Before handles are given back: makes the context current; false when nothing can be given back any more, because the driver
 * would wait for a kernel that does not end, or is gone. Errors of giving back are of no interest. */
bool cuda_leave(struct cuda_device *device);
/* For what is asked before there is a context: what would stick to one is FARM_DEVICE_LOST here. */
enum farm_status cuda_result_status(const struct cuda_api *api, cuda_result result, const char *call);

#endif
