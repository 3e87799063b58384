/* GPUs, and the libraries of theirs that are opened at run time. None of it has to be there. */
#include "doctor.h"

#include "../device/cublaslt.h"
#include "../device/cuda-device.h"
#include "../device/library-search.h"
#include "../device/nvml.h"
#include "../device/nvrtc.h"

#include <stdio.h>
#include <string.h>

/* ---- libraries: a version each, or why there is none ---- */

static enum farm_status driver_version(char *out, size_t bytes) {
  int count;
  struct cuda_properties first;
  TRY(cuda_device_count(&count));
  TRY(cuda_device_properties(0, &first));
  snprintf(out, bytes, "%d.%d", first.driver_version / 1000, first.driver_version % 1000 / 10);
  return FARM_OK;
}

static enum farm_status matrix_library_version(char *out, size_t bytes) {
  int version;
  TRY(cublaslt_version(&version));
  snprintf(out, bytes, "%d.%d.%d", version / 10000, version / 100 % 100, version % 100);
  return FARM_OK;
}

static const struct {
  const char *key;
  enum library library;
  enum farm_status (*version)(char *out, size_t bytes);
} rows[] = {
    {"cuda", LIBRARY_CUDA, driver_version},
    {"nvrtc", LIBRARY_NVRTC, nvrtc_version},
    {"cublaslt", LIBRARY_CUBLASLT, matrix_library_version},
    {"nvml", LIBRARY_NVML, nvml_driver_version},
};

static json_t *library_describe(size_t row, bool *out_found) {
  char version[64] = "";
  *out_found = rows[row].version(version, sizeof version) == FARM_OK;
  if (!*out_found)
    return json_pack("{s:s,s:b,s:n,s:n,s:o}", "title", library_title(rows[row].library), "found", 0, "version", "file", "why",
                     report_text(status_message()));
  return json_pack("{s:s,s:b,s:o,s:o,s:n}", "title", library_title(rows[row].library), "found", 1, "version",
                   report_text(version), "file", report_text(library_file(rows[row].library)), "why");
}

/* ---- devices ---- */

static json_t *told(int value) { return value >= 0 ? json_integer(value) : json_null(); }

static void state_describe(struct doctor *doctor, json_t *device, const struct cuda_properties *about) {
  struct nvml_reading reading;
  char reasons[160];
  if (nvml_read(about->uuid, &reading) != FARM_OK) return;
  nvml_reasons_text(reading.reasons, reasons, sizeof reasons);
  json_object_set_new(device, "sm_mhz", told(reading.sm_mhz));
  json_object_set_new(device, "power_mw", told(reading.power_mw));
  json_object_set_new(device, "temperature_c", told(reading.temperature_c));
  json_object_set_new(device, "clocks_held_by", report_text(reasons));
  if (*reasons)
    doctor_problem(doctor, DOCTOR_WARNING, "look at nvidia-smi -q -d PERFORMANCE before tuning",
                   "the clocks of GPU %d are held down: %s", about->ordinal, reasons);
}

static json_t *device_describe(struct doctor *doctor, int ordinal) {
  struct cuda_properties about;
  struct device_class device_class;
  char text[DEVICE_CLASS_TEXT_MAX];
  if (cuda_device_properties(ordinal, &about) != FARM_OK) {
    doctor_problem(doctor, DOCTOR_WARNING, "look at nvidia-smi and dmesg", "%s", status_message());
    return NULL;
  }
  cuda_device_class(&about, &device_class);
  device_class_print(&device_class, text);
  json_t *device =
      json_pack("{s:i,s:s,s:o,s:s,s:I,s:I}", "ordinal", ordinal, "uuid", about.uuid, "name", report_text(about.name),
                "device_class", text, "memory_bytes", (json_int_t)about.memory_bytes, "l2_bytes", (json_int_t)about.l2_bytes);
  state_describe(doctor, device, &about);
  return device;
}

enum farm_status doctor_gpu(struct doctor *doctor) {
  json_t *gpu = json_object(), *libraries = json_object(), *devices = json_array();
  bool found[sizeof rows / sizeof *rows];
  int count = 0;
  json_object_set_new(doctor->root, "gpu", gpu);
  json_object_set_new(gpu, "libraries", libraries);
  json_object_set_new(gpu, "devices", devices);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    json_object_set_new(libraries, rows[i].key, library_describe(i, &found[i]));
  json_object_set_new(gpu, "driver", json_string(found[0] ? "found" : "not found"));
  if (!found[0] || cuda_device_count(&count) != FARM_OK) return FARM_OK;
  for (int i = 0; i < count; i++) {
    json_t *device = device_describe(doctor, i);
    if (device) json_array_append_new(devices, device);
  }
  if (!found[1])
    doctor_problem(doctor, DOCTOR_NOTE, "install the toolkit's or the Python wheel's NVRTC, or let another worker compile",
                   "there is a GPU and no NVRTC: kernels cannot be compiled here");
  return FARM_OK;
}

/* ---- for people ---- */

void doctor_gpu_show(const json_t *root) {
  const json_t *gpu = json_object_get(root, "gpu"), *devices = json_object_get(gpu, "devices");
  size_t i;
  json_t *device;
  for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
    const json_t *library = json_object_get(json_object_get(gpu, "libraries"), rows[row].key);
    if (json_is_true(json_object_get(library, "found")))
      report_line("gpu      %s: %s, %s", report_get(library, "title"), report_get(library, "version"),
                  report_get(library, "file"));
    else
      report_line("gpu      %s", report_get(library, "why"));
  }
  json_array_foreach(devices, i, device) {
    report_line("gpu %-4.0f %s, %s", report_number(device, "ordinal"), report_get(device, "name"), report_get(device, "uuid"));
    report_line("class    %s", report_get(device, "device_class"));
  }
}
