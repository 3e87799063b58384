/* How every call of the fake driver begins and ends; errors that stick; the device's own calls. See fake-driver.h. */
#include "fake-driver.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct fake_spec fake_spec;
_Thread_local cuda_context fake_current;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool initialised, lost;
static pid_t owner; // a process that was forked off after cuInit can do nothing with the driver, cuInit included
static cuda_result broken_error;
static char broken_text[SIMT_MESSAGE_MAX];

void fake_lock(void) { pthread_mutex_lock(&lock); }
void fake_unlock(void) { pthread_mutex_unlock(&lock); }

uint64_t fake_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void fake_pause(void) {
  fake_unlock();
  nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
  fake_lock();
}

/* ---- entering and leaving ---- */

cuda_result fake_enter(enum fake_need need) {
  fake_lock();
  if (lost) return CUDA_ERROR_DEVICE_UNAVAILABLE;
  if (initialised && owner != getpid()) return CUDA_ERROR_NOT_INITIALIZED;
  if (need == FAKE_NOTHING) return CUDA_SUCCESS;
  if (!initialised) return CUDA_ERROR_NOT_INITIALIZED;
  if (need == FAKE_INITIALISED) return CUDA_SUCCESS;
  if (fake_current == NULL) return CUDA_ERROR_INVALID_CONTEXT;
  if (!fake_context_known(fake_current)) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
  return fake_current->error;
}

static const struct {
  const char *name;
  cuda_result value;
} numbers[] = {
#define X(name, value) {#name, value},
    CUDA_NUMBERS(X)
#undef X
        {"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED},
    {"CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", CUDA_ERROR_STREAM_CAPTURE_INVALIDATED},
    {"CUDA_ERROR_ILLEGAL_STATE", CUDA_ERROR_ILLEGAL_STATE}};

static const char *error_name(cuda_result error) {
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    if (numbers[i].value == error && (error == CUDA_SUCCESS || strncmp(numbers[i].name, "CUDA_ERROR_", 11) == 0))
      return numbers[i].name;
  return NULL;
}

cuda_result fake_leave(cuda_result result, const char *call, const char *format, ...) {
  char values[400];
  va_list list;
  va_start(list, format);
  vsnprintf(values, sizeof values, format, list);
  va_end(list);
  const char *name = error_name(result);
  fake_log("%s %s -> %s", call, values, name == NULL ? "?" : name);
  fake_unlock();
  return result;
}

cuda_result cuGetErrorName(cuda_result error, const char **out_text) {
  *out_text = error_name(error);
  return *out_text == NULL ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

/* "illegal address" of CUDA_ERROR_ILLEGAL_ADDRESS. */
static void words_of(const char *name, char *out) {
  snprintf(out, 64, "%s", name + strlen("CUDA_ERROR_"));
  for (char *c = out; *c != '\0'; c++) *c = *c == '_' ? ' ' : (char)(*c >= 'A' && *c <= 'Z' ? *c + 'a' - 'A' : *c);
}

/* What the emulator found, when that is the error asked for; else its name in words. */
cuda_result cuGetErrorString(cuda_result error, const char **out_text) {
  static _Thread_local char text[SIMT_MESSAGE_MAX];
  const char *name = error_name(error);
  *out_text = NULL;
  if (name == NULL) return CUDA_ERROR_INVALID_VALUE;
  *out_text = "no error";
  if (error == CUDA_SUCCESS) return CUDA_SUCCESS;
  fake_lock();
  if (error == broken_error)
    snprintf(text, sizeof text, "%s", broken_text);
  else
    words_of(name, text);
  fake_unlock();
  *out_text = text;
  return CUDA_SUCCESS;
}

cuda_result fake_break(cuda_context context, cuda_result error, const char *text) {
  if (context->error != CUDA_SUCCESS) return context->error;
  context->error = broken_error = error;
  snprintf(broken_text, sizeof broken_text, "%s", text);
  if (!fake_spec.quiet) fprintf(stderr, "fake cuda: %s\n", text);
  fake_log("# %s", text);
  return error;
}

bool fake_strikes(enum fake_fault kind, uint64_t count) { return fake_spec.faults[kind] != 0 && fake_spec.faults[kind] == count; }
void fake_device_lose(void) {
  lost = true;
  fake_log("# the device is gone");
}

/* ---- the device ---- */

cuda_result cuInit(unsigned int flags) {
  char error[256];
  cuda_result result = fake_enter(FAKE_NOTHING);
  if (result == CUDA_SUCCESS && flags != 0) result = CUDA_ERROR_INVALID_VALUE;
  if (result == CUDA_SUCCESS && !initialised) {
    if (!fake_spec_parse(getenv("TUNEFARM_FAKE_CUDA"), &fake_spec, error, sizeof error)) {
      fprintf(stderr, "fake cuda: %s\n", error);
      result = CUDA_ERROR_INVALID_VALUE;
    } else if (fake_spec.faults[FAULT_NODEVICE] != 0 || fake_spec.devices == 0)
      result = CUDA_ERROR_NO_DEVICE;
    initialised = result == CUDA_SUCCESS;
    owner = getpid();
  }
  return fake_leave(result, "cuInit", "%u", flags);
}

cuda_result cuDriverGetVersion(int *out_version) {
  char error[256];
  struct fake_spec spec;
  cuda_result result = fake_enter(FAKE_NOTHING); // before cuInit, too
  if (result == CUDA_SUCCESS && !fake_spec_parse(getenv("TUNEFARM_FAKE_CUDA"), &spec, error, sizeof error))
    result = CUDA_ERROR_INVALID_VALUE;
  if (result == CUDA_SUCCESS) *out_version = spec.driver;
  return fake_leave(result, "cuDriverGetVersion", " ");
}

cuda_result cuDeviceGetCount(int *out_count) {
  cuda_result result = fake_enter(FAKE_INITIALISED);
  if (result == CUDA_SUCCESS) *out_count = fake_spec.devices;
  return fake_leave(result, "cuDeviceGetCount", " ");
}

static cuda_result enter_device(cuda_ordinal device) {
  cuda_result result = fake_enter(FAKE_INITIALISED);
  return result == CUDA_SUCCESS && (device < 0 || device >= fake_spec.devices) ? CUDA_ERROR_INVALID_DEVICE : result;
}

cuda_result cuDeviceGet(cuda_ordinal *out_device, int ordinal) {
  cuda_result result = enter_device(ordinal);
  if (result == CUDA_SUCCESS) *out_device = ordinal;
  return fake_leave(result, "cuDeviceGet", "%d", ordinal);
}

cuda_result cuDeviceGetName(char *out_name, int bytes, cuda_ordinal device) {
  cuda_result result = enter_device(device);
  if (result == CUDA_SUCCESS && bytes <= 0) result = CUDA_ERROR_INVALID_VALUE;
  if (result == CUDA_SUCCESS) snprintf(out_name, (size_t)bytes, "NVIDIA %s", fake_spec.product);
  return fake_leave(result, "cuDeviceGetName", "%d", device);
}

/* "GPU-66616b65-6375-6461-0000-00000000000N". */
cuda_result cuDeviceGetUuid_v2(cuda_uuid *out_uuid, cuda_ordinal device) {
  cuda_result result = enter_device(device);
  if (result == CUDA_SUCCESS) {
    *out_uuid = (cuda_uuid){"fakecuda"};
    out_uuid->bytes[15] = (unsigned char)device;
  }
  return fake_leave(result, "cuDeviceGetUuid_v2", "%d", device);
}

cuda_result cuDeviceTotalMem_v2(size_t *out_bytes, cuda_ordinal device) {
  cuda_result result = enter_device(device);
  if (result == CUDA_SUCCESS) *out_bytes = fake_spec.memory_bytes;
  return fake_leave(result, "cuDeviceTotalMem_v2", "%d", device);
}

cuda_result cuDeviceGetAttribute(int *out_value, int attribute, cuda_ordinal device) {
  const struct {
    int attribute, value;
  } values[] = {{1, SIMT_THREADS_MOST},
                {2, 1024},
                {3, 1024},
                {4, 64},
                {5, 0x7fffffff},
                {6, 65535},
                {7, 65535},
                {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, SIMT_SHARED_MOST},
                {10, SIMT_WARP},
                {CU_DEVICE_ATTRIBUTE_CLOCK_RATE, fake_spec.clock * 1000},
                {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, fake_spec.sms},
                {CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE, fake_spec.memclock * 1000},
                {CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, (int)(fake_spec.l2_bytes < 0x7fffffff ? fake_spec.l2_bytes : 0x7fffffff)},
                {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, fake_spec.sm / 10},
                {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, fake_spec.sm % 10},
                {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, SIMT_SHARED_MOST}};
  cuda_result result = enter_device(device);
  if (result == CUDA_SUCCESS) {
    result = CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
      if (values[i].attribute == attribute) {
        *out_value = values[i].value;
        result = CUDA_SUCCESS;
      }
  }
  return fake_leave(result, "cuDeviceGetAttribute", "%d %d", attribute, device);
}
