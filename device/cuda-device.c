/* Which GPUs there are, and one of them opened. See cuda-device.h. */
#include "cuda-internal.h"

#include "library-search.h"

#include "../base/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- what is known without a context ---- */

enum farm_status cuda_device_count(int *out_count) {
  const struct cuda_api *api;
  int count = 0;
  TRY(cuda_api(&api));
  TRY(cuda_result_status(api, api->cuDeviceGetCount(&count), "counting GPUs"));
  FAIL_IF(count <= 0, FARM_UNSUPPORTED, "there is a CUDA driver (%s) but no GPU", library_file(LIBRARY_CUDA));
  *out_count = count;
  return FARM_OK;
}

static enum farm_status attributes_read(const struct cuda_api *api, cuda_ordinal device, struct cuda_properties *out) {
  int major = 0, minor = 0, clock_khz = 0, memory_clock_khz = 0, l2 = 0;
  const struct {
    int attribute, *out;
  } rows[] = {
      {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, &major},
      {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, &minor},
      {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, &out->multiprocessors},
      {CU_DEVICE_ATTRIBUTE_CLOCK_RATE, &clock_khz},
      {CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE, &memory_clock_khz},
      {CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, &l2},
      {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, &out->shared_bytes},
      {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, &out->shared_optin_bytes},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    TRY(cuda_result_status(api, api->cuDeviceGetAttribute(rows[i].out, rows[i].attribute, device), "asking for an attribute"));
  out->sm = 10 * major + minor;
  out->clock_mhz = clock_khz / 1000;
  out->memory_clock_mhz = memory_clock_khz / 1000;
  out->l2_bytes = l2;
  return FARM_OK;
}

static void uuid_print(const cuda_uuid *uuid, char out[CUDA_UUID_TEXT_MAX]) {
  const unsigned char *b = (const unsigned char *)uuid->bytes;
  snprintf(out, CUDA_UUID_TEXT_MAX, "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
           b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

static enum farm_status properties_read(const struct cuda_api *api, int ordinal, struct cuda_properties *out) {
  cuda_ordinal device = 0;
  cuda_uuid uuid = {{0}};
  size_t memory = 0;
  TRY(cuda_result_status(api, api->cuDeviceGet(&device, ordinal), "finding a GPU"));
  TRY(cuda_result_status(api, api->cuDeviceGetName(out->name, (int)sizeof out->name, device), "asking for a GPU's name"));
  TRY(cuda_result_status(api, api->cuDeviceGetUuid_v2(&uuid, device), "asking for a GPU's UUID"));
  TRY(cuda_result_status(api, api->cuDeviceTotalMem_v2(&memory, device), "asking for a GPU's memory"));
  TRY(cuda_result_status(api, api->cuDriverGetVersion(&out->driver_version), "asking for the driver's version"));
  TRY(attributes_read(api, device, out));
  out->name[sizeof out->name - 1] = 0;
  out->ordinal = ordinal;
  out->memory_bytes = (int64_t)memory;
  uuid_print(&uuid, out->uuid);
  return FARM_OK;
}

enum farm_status cuda_device_properties(int ordinal, struct cuda_properties *out) {
  const struct cuda_api *api;
  struct cuda_properties properties = {0};
  int count;
  TRY(cuda_api(&api));
  TRY(cuda_device_count(&count));
  FAIL_IF(ordinal < 0 || ordinal >= count, FARM_NOT_FOUND, "there is no GPU %d: there are %d", ordinal, count);
  enum farm_status status = properties_read(api, ordinal, &properties);
  if (status != FARM_OK) return status_prefix(status, "GPU %d", ordinal);
  *out = properties;
  return FARM_OK;
}

/* "NVIDIA H100 80GB HBM3": "h10080gbhbm3". */
static void product_of(const char *name, char *out, size_t bytes) {
  size_t length = 0;
  if (strncasecmp(name, "nvidia ", 7) == 0) name += 7;
  for (; *name && length + 1 < bytes; name++) {
    if (*name >= 'A' && *name <= 'Z') out[length++] = (char)(*name - 'A' + 'a');
    if ((*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9')) out[length++] = *name;
  }
  out[length] = 0;
  if (!length) snprintf(out, bytes, "unknown");
}

void cuda_device_class(const struct cuda_properties *properties, struct device_class *out) {
  const int64_t gib = INT64_C(1) << 30;
  *out = (struct device_class){.kind = DEVICE_CUDA,
                               .sm = properties->sm,
                               .sms = properties->multiprocessors,
                               .clock_mhz = properties->clock_mhz,
                               .memory_clock_mhz = properties->memory_clock_mhz,
                               .memory_bytes = (properties->memory_bytes + gib / 2) / gib * gib};
  product_of(properties->name, out->product, sizeof out->product);
}

/* ---- opening ---- */

static enum farm_status none_such(const char *which, int count) {
  struct strbuf list = {0};
  for (int i = 0; i < count; i++) {
    struct cuda_properties one;
    if (cuda_device_properties(i, &one) == FARM_OK) strbuf_printf(&list, "%s%d %s %s", i ? ", " : "", i, one.uuid, one.name);
  }
  enum farm_status status = status_set(FARM_NOT_FOUND, "there is no GPU `%.64s` here; there are: %s", which, strbuf_text(&list));
  strbuf_free(&list);
  return status;
}

static enum farm_status device_find(const char *which, struct cuda_properties *out) {
  int count;
  TRY(cuda_device_count(&count));
  if (!which) return cuda_device_properties(0, out);
  size_t digits = strspn(which, "0123456789");
  if (digits && digits < 5 && !which[digits] && atoi(which) < count) return cuda_device_properties(atoi(which), out);
  for (int i = 0; i < count; i++) {
    struct cuda_properties one;
    TRY(cuda_device_properties(i, &one));
    if (strcasecmp(which, one.uuid)) continue;
    *out = one;
    return FARM_OK;
  }
  return none_such(which, count);
}

static enum farm_status contents_make(struct cuda_device *device) {
  const struct cuda_api *api = device->api;
  TRY(cuda_check(device, api->cuStreamCreate(&device->stream, CU_STREAM_NON_BLOCKING), "making a stream"));
  for (int i = 0; i < 2; i++) TRY(cuda_check(device, api->cuEventCreate(&device->marks[i], CU_EVENT_DEFAULT), "making an event"));
  return FARM_OK;
}

/* Making a context puts it on the thread's stack of contexts, and there it does not stay. */
static enum farm_status context_make(struct cuda_device *device) {
  const struct cuda_api *api = device->api;
  cuda_context popped;
  TRY(cuda_check(device, api->cuCtxCreate_v2(&device->context, CU_CTX_SCHED_AUTO, device->about.ordinal), "making a context"));
  enum farm_status status = contents_make(device);
  api->cuCtxPopCurrent_v2(&popped);
  return status;
}

void *cuda_thread_take(const struct cuda_device *device) {
  cuda_context current = NULL;
  return device->api->cuCtxGetCurrent(&current) == CUDA_SUCCESS ? current : NULL;
}

void cuda_thread_give(const struct cuda_device *device, void *before) { device->api->cuCtxSetCurrent(before); }

enum farm_status cuda_device_open(const char *which, struct cuda_device **out_device) {
  const struct cuda_api *api;
  struct cuda_properties about;
  TRY(cuda_api(&api));
  TRY(device_find(which, &about));
  struct cuda_device *device = calloc(1, sizeof *device);
  FAIL_IF(!device, FARM_NO_MEMORY, "out of memory for a device");
  device->api = api;
  device->about = about;
  enum farm_status status = context_make(device);
  if (status == FARM_OK) {
    *out_device = device;
    return FARM_OK;
  }
  cuda_device_close(&device); // sets no message
  return status == FARM_WORKER_LOST ? FARM_DEVICE_LOST : status;
}

/* Destroying the context gives back all that was allocated in it. After a time-out it would wait for the kernel: what is left
 * then goes with the process. */
void cuda_device_close(struct cuda_device **device) {
  struct cuda_device *closing = *device;
  *device = NULL;
  if (!closing) return;
  const struct cuda_api *api = closing->api;
  void *before = cuda_thread_take(closing);
  if (closing->context && cuda_leave(closing)) {
    cuda_graph_handle graph = NULL;
    if (closing->capturing && api->cuStreamEndCapture(closing->stream, &graph) == CUDA_SUCCESS && graph)
      api->cuGraphDestroy(graph);
    for (int i = 0; i < 2; i++)
      if (closing->marks[i]) api->cuEventDestroy_v2(closing->marks[i]);
    if (closing->stream) api->cuStreamDestroy_v2(closing->stream);
    cuda_thread_give(closing, before); // destroying what is current would take one more from the thread's stack
    api->cuCtxDestroy_v2(closing->context);
  }
  free(closing);
}

const struct cuda_properties *cuda_device_about(const struct cuda_device *device) { return &device->about; }
void *cuda_device_stream(struct cuda_device *device) { return device->stream; }

enum farm_status cuda_device_state(const struct cuda_device *device) {
  FAIL_IF(device->stuck != FARM_OK, device->stuck, "%s", device->stuck_message);
  return FARM_OK;
}
