/* See nvml.h. */
#include "nvml.h"

#include "library-search.h"

#include <stdio.h>
#include <string.h>

typedef int nvml_result; // nvmlReturn_t
typedef struct nvmlDevice_st *nvml_device;
enum { NVML_SUCCESS = 0, NVML_CLOCK_SM = 1, NVML_CLOCK_MEM = 2, NVML_TEMPERATURE_GPU = 0 };

#define NVML_API(X)                                                                                                              \
  X(nvmlInit_v2, nvml_result, (void))                                                                                            \
  X(nvmlErrorString, const char *, (nvml_result result))                                                                         \
  X(nvmlSystemGetDriverVersion, nvml_result, (char *out_text, unsigned int bytes))                                               \
  X(nvmlDeviceGetHandleByUUID, nvml_result, (const char *uuid, nvml_device *out_device))                                         \
  X(nvmlDeviceGetClockInfo, nvml_result, (nvml_device device, int clock, unsigned int *out_mhz))                                 \
  X(nvmlDeviceGetPowerUsage, nvml_result, (nvml_device device, unsigned int *out_mw))                                            \
  X(nvmlDeviceGetTemperature, nvml_result, (nvml_device device, int sensor, unsigned int *out_c))                                \
  X(nvmlDeviceGetCurrentClocksThrottleReasons, nvml_result, (nvml_device device, unsigned long long *out_reasons))

static struct nvml_api {
#define X(name, result, arguments) result(*name) arguments;
  NVML_API(X)
#undef X
} api;

static const struct library_function functions[] = {
#define X(name, result, arguments) LIBRARY_FUNCTION(nvml_api, name)
    NVML_API(X)
#undef X
};

static enum farm_status check(nvml_result result, const char *what) {
  if (result == NVML_SUCCESS) return FARM_OK;
  const char *text = api.nvmlErrorString(result);
  return status_set(FARM_UNSUPPORTED, "NVML, %s: %s (%d)", what, text ? text : "unknown error", result);
}

static enum farm_status begin(void) { return check(api.nvmlInit_v2(), "starting"); }

static enum farm_status nvml_open(void) {
  static const struct library_table table = {LIBRARY_NVML, functions, sizeof functions / sizeof *functions, &api, begin};
  return library_once(&table);
}

enum farm_status nvml_driver_version(char *out, size_t out_bytes) {
  char text[96] = "";
  TRY(nvml_open());
  TRY(check(api.nvmlSystemGetDriverVersion(text, sizeof text), "asking for the driver's version"));
  text[sizeof text - 1] = 0;
  snprintf(out, out_bytes, "%s", text);
  return FARM_OK;
}

static int told(nvml_result result, unsigned int value) { return result == NVML_SUCCESS && value < 1u << 30 ? (int)value : -1; }

enum farm_status nvml_read(const char *uuid, struct nvml_reading *out) {
  nvml_device device = NULL;
  unsigned int value = 0;
  unsigned long long reasons = 0;
  TRY(nvml_open());
  TRY(check(api.nvmlDeviceGetHandleByUUID(uuid, &device), uuid));
  struct nvml_reading reading = {0};
  nvml_result result = api.nvmlDeviceGetClockInfo(device, NVML_CLOCK_SM, &value);
  reading.sm_mhz = told(result, value);
  result = api.nvmlDeviceGetClockInfo(device, NVML_CLOCK_MEM, &value);
  reading.memory_mhz = told(result, value);
  result = api.nvmlDeviceGetPowerUsage(device, &value);
  reading.power_mw = told(result, value);
  result = api.nvmlDeviceGetTemperature(device, NVML_TEMPERATURE_GPU, &value);
  reading.temperature_c = told(result, value);
  if (api.nvmlDeviceGetCurrentClocksThrottleReasons(device, &reasons) == NVML_SUCCESS) reading.reasons = reasons;
  *out = reading;
  return FARM_OK;
}

const char *nvml_reasons_text(uint64_t reasons, char *out, size_t out_bytes) {
  static const struct {
    uint64_t bit;
    const char *text;
  } rows[] = {{0x2, "set by an application"}, {0x4, "power cap"},     {0x8, "slowed down by hardware"},
              {0x10, "synchronised boost"},   {0x20, "hot"},          {0x40, "too hot"},
              {0x80, "power brake"},          {0x100, "display mode"}};
  size_t at = 0;
  if (out_bytes) out[0] = 0;
  for (size_t i = 0; i < sizeof rows / sizeof *rows && at < out_bytes; i++)
    if (reasons & rows[i].bit) at += (size_t)snprintf(out + at, out_bytes - at, "%s%s", at ? ", " : "", rows[i].text);
  return out;
}
