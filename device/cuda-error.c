/* What the driver's errors mean: one table. An error that is not in it loses the call and nothing else. */
#include "cuda-internal.h"

#include <stdarg.h>
#include <stdio.h>

static const struct meaning {
  cuda_result result;
  enum farm_status status;
  bool sticks; // the context is of no use any more
} meanings[] = {
    {CUDA_ERROR_OUT_OF_MEMORY, FARM_NO_MEMORY, false},
    {CUDA_ERROR_NOT_INITIALIZED, FARM_WORKER_LOST, true},
    {CUDA_ERROR_DEINITIALIZED, FARM_WORKER_LOST, true},
    {CUDA_ERROR_DEVICE_UNAVAILABLE, FARM_WORKER_LOST, true},
    {CUDA_ERROR_NO_DEVICE, FARM_WORKER_LOST, true},
    {CUDA_ERROR_INVALID_DEVICE, FARM_NOT_FOUND, false},
    {CUDA_ERROR_INVALID_IMAGE, FARM_INVALID, false},
    {CUDA_ERROR_NO_BINARY_FOR_GPU, FARM_MISMATCH, false},
    {CUDA_ERROR_ECC_UNCORRECTABLE, FARM_WORKER_LOST, true},
    {CUDA_ERROR_INVALID_PTX, FARM_INVALID, false},
    {CUDA_ERROR_NVLINK_UNCORRECTABLE, FARM_WORKER_LOST, true},
    {CUDA_ERROR_UNSUPPORTED_PTX_VERSION, FARM_MISMATCH, false},
    {CUDA_ERROR_CONTAINED, FARM_WORKER_LOST, true},
    {CUDA_ERROR_NOT_FOUND, FARM_NOT_FOUND, false},
    {CUDA_ERROR_NOT_READY, FARM_AGAIN, false},
    {CUDA_ERROR_ILLEGAL_ADDRESS, FARM_WORKER_LOST, true},
    {CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, FARM_TACTIC_REFUSED, false},
    {CUDA_ERROR_LAUNCH_TIMEOUT, FARM_WORKER_LOST, true},
    {CUDA_ERROR_CONTEXT_IS_DESTROYED, FARM_WORKER_LOST, true},
    {CUDA_ERROR_ASSERT, FARM_WORKER_LOST, true},
    {CUDA_ERROR_HARDWARE_STACK_ERROR, FARM_WORKER_LOST, true},
    {CUDA_ERROR_ILLEGAL_INSTRUCTION, FARM_WORKER_LOST, true},
    {CUDA_ERROR_MISALIGNED_ADDRESS, FARM_WORKER_LOST, true},
    {CUDA_ERROR_INVALID_ADDRESS_SPACE, FARM_WORKER_LOST, true},
    {CUDA_ERROR_INVALID_PC, FARM_WORKER_LOST, true},
    {CUDA_ERROR_LAUNCH_FAILED, FARM_WORKER_LOST, true},
    {CUDA_ERROR_TENSOR_MEMORY_LEAK, FARM_WORKER_LOST, true},
    {CUDA_ERROR_SYSTEM_NOT_READY, FARM_UNSUPPORTED, false},
    {CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, FARM_UNSUPPORTED, false},
    {CUDA_ERROR_MPS_CLIENT_TERMINATED, FARM_WORKER_LOST, true},
    {CUDA_ERROR_UNKNOWN, FARM_WORKER_LOST, true}, // a device that fell off its bus says no more than this
};

static struct meaning meaning_of(cuda_result result) {
  for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
    if (meanings[i].result == result) return meanings[i];
  return (struct meaning){result, FARM_FAILURE, false};
}

static enum farm_status result_tell(const struct cuda_api *api, cuda_result result, const char *call) {
  const char *name = NULL, *text = NULL;
  if (api->cuGetErrorName(result, &name) != CUDA_SUCCESS || !name) name = "unknown error";
  if (api->cuGetErrorString(result, &text) != CUDA_SUCCESS || !text) text = "no text";
  const char *fork = result == CUDA_ERROR_NOT_INITIALIZED && cuda_api_forked()
                         ? "; this process was forked off by one that had started the driver: fork first, then load engines"
                         : "";
  return status_set(meaning_of(result).status, "%s: %s (%d): %s%s", call, name, result, text, fork);
}

enum farm_status cuda_result_status(const struct cuda_api *api, cuda_result result, const char *call) {
  if (result == CUDA_SUCCESS) return FARM_OK;
  enum farm_status status = result_tell(api, result, call);
  return status == FARM_WORKER_LOST ? FARM_DEVICE_LOST : status;
}

enum farm_status cuda_note(struct cuda_device *device, enum farm_status status) {
  if (!device->capturing || status == FARM_OK || device->capture_failed != FARM_OK) return status;
  device->capture_failed = status;
  snprintf(device->capture_message, sizeof device->capture_message, "%s", status_message());
  return status;
}

enum farm_status cuda_stick(struct cuda_device *device, enum farm_status status) {
  device->stuck = status;
  snprintf(device->stuck_message, sizeof device->stuck_message, "%s", status_message());
  return status;
}

enum farm_status cuda_check(struct cuda_device *device, cuda_result result, const char *call, ...) {
  char what[256];
  if (result == CUDA_SUCCESS) return FARM_OK;
  va_list arguments;
  va_start(arguments, call);
  vsnprintf(what, sizeof what, call, arguments);
  va_end(arguments);
  enum farm_status status = result_tell(device->api, result, what);
  status_prefix(status, "GPU %d (%s)", device->about.ordinal, device->about.name);
  return meaning_of(result).sticks ? cuda_stick(device, status) : cuda_note(device, status);
}

bool cuda_leave(struct cuda_device *device) {
  return device->stuck != FARM_TIMED_OUT && device->api->cuCtxSetCurrent(device->context) == CUDA_SUCCESS;
}

enum farm_status cuda_enter(struct cuda_device *device) {
  FAIL_IF(device->stuck != FARM_OK, device->stuck, "%s", device->stuck_message);
  return cuda_check(device, device->api->cuCtxSetCurrent(device->context), "making its context current");
}
