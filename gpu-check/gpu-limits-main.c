/* `tunefarm-gpu-limits`: bandwidth over sizes, matrix products, launches on one GPU. See limits.h. */
#include "limits.h"

#include "../base/clock.h"
#include "../base/file.h"
#include "../base/options.h"
#include "../device/cublaslt.h"
#include "../device/nvml.h"
#include "../device/nvrtc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct limits_command {
  const char *device, *json;
  double seconds;
  int64_t largest_mib, product, repeats;
};

static void versions_put(json_t *root) {
  char text[96];
  int number;
  json_object_set_new(root, "nvrtc", nvrtc_version(text, sizeof text) == FARM_OK ? json_string(text) : json_null());
  json_object_set_new(root, "kernel_driver", nvml_driver_version(text, sizeof text) == FARM_OK ? json_string(text) : json_null());
  json_object_set_new(root, "cublaslt", cublaslt_version(&number) == FARM_OK ? json_integer(number) : json_null());
}

static json_t *clocks_now(const char *uuid) {
  struct nvml_reading r;
  char reasons[160];
  if (nvml_read(uuid, &r) != FARM_OK) return json_null();
  return json_pack("{s:i,s:i,s:i,s:i,s:s}", "sm_mhz", r.sm_mhz, "memory_mhz", r.memory_mhz, "power_mw", r.power_mw,
                   "temperature_c", r.temperature_c, "held_by", nvml_reasons_text(r.reasons, reasons, sizeof reasons));
}

static json_t *device_describe(const struct cuda_properties *about) {
  struct device_class device_class;
  char text[DEVICE_CLASS_TEXT_MAX];
  cuda_device_class(about, &device_class);
  device_class_print(&device_class, text);
  json_t *device = json_pack("{s:s,s:s,s:s,s:i,s:i,s:i,s:I,s:I,s:i}", "name", about->name, "uuid", about->uuid, "class", text,
                             "multiprocessors", about->multiprocessors, "clock_mhz", about->clock_mhz, "memory_clock_mhz",
                             about->memory_clock_mhz, "memory_bytes", (json_int_t)about->memory_bytes, "l2_bytes",
                             (json_int_t)about->l2_bytes, "driver", about->driver_version);
  if (device) versions_put(device);
  return device;
}

static enum farm_status measure(struct limits *limits) {
  TRY(limits_image_make(limits));
  TRY(limits_launches(limits));
  TRY(limits_memory(limits));
  return limits_products(limits);
}

static enum farm_status root_write(json_t *root, const char *path) {
  char *text = root ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
  FAIL_IF(!text, FARM_NO_MEMORY, "out of memory for a report");
  enum farm_status status = FARM_OK;
  if (path)
    status = file_write_atomic(path, text, strlen(text));
  else if (puts(text) < 0 || fflush(stdout) != 0)
    status = status_set(FARM_FAILURE, "the report cannot be written");
  free(text);
  return status;
}

static enum farm_status limits_run(const struct limits_command *c) {
  struct limits limits = {.rows = json_array(),
                          .missing = json_array(),
                          .repeats = (int)c->repeats,
                          .largest_bytes = c->largest_mib << 20,
                          .largest_product = c->product,
                          .end_ns = clock_now_ns() + (uint64_t)(c->seconds * 1e9)};
  json_t *root = json_object();
  enum farm_status status = cuda_device_open(c->device, &limits.device);
  if (status == FARM_OK) {
    const struct cuda_properties *about = cuda_device_about(limits.device);
    json_object_set_new(root, "device", device_describe(about));
    json_object_set_new(root, "clocks_before", clocks_now(about->uuid));
    status = measure(&limits);
  }
  const struct status_kept measured = status_keep(status); // what was measured is given out all the same
  if (limits.device) json_object_set_new(root, "clocks_after", clocks_now(cuda_device_about(limits.device)->uuid));
  json_object_set_new(root, "error", status == FARM_OK ? json_null() : json_string(measured.message));
  json_object_set(root, "rows", limits.rows);
  json_object_set(root, "missing", limits.missing);
  enum farm_status said = root_write(root, c->json);
  if (limits.device) cuda_image_unload(&limits.image);
  cuda_device_close(&limits.device);
  bytes_writer_free(&limits.cubin);
  json_decref(limits.rows);
  json_decref(limits.missing);
  json_decref(root);
  return status == FARM_OK ? said : status_restore(&measured);
}

int main(int argc, char **argv) {
  struct limits_command c = {.seconds = 300, .largest_mib = 4096, .product = 8192, .repeats = 50};
  const struct option rows[] = {
      {"device", OPTION_TEXT, &c.device, 0, 0, "GPU", "UUID or number (0)", false},
      {"seconds", OPTION_NUMBER, &c.seconds, 1, 86400, "S", "begin nothing new after so long (300)", false},
      {"largest", OPTION_INTEGER, &c.largest_mib, 1, 1 << 20, "MIB", "largest copy (4096; a quarter of the memory at most)",
       false},
      {"product", OPTION_INTEGER, &c.product, 16, 32768, "N", "rows of the largest matrix product (8192)", false},
      {"repeats", OPTION_INTEGER, &c.repeats, 1, 1000, "N", "samples of each figure (50)", false},
      {"json", OPTION_TEXT, &c.json, 0, 0, "FILE", "where the report goes (stdout)", false},
      {0},
  };
  const struct options options = {"tunefarm-gpu-limits", "[options]",
                                  "What a GPU can do at best: bandwidth, matrix products, launches.",
                                  "  tunefarm-gpu-limits --json limits.json\n", rows};
  struct option_list positional = {0};
  bool help;
  enum farm_status status = options_parse(&options, argc - 1, argv + 1, &positional, &help);
  if (status == FARM_OK && !help && positional.count) status = status_set(FARM_USAGE, "`%s` is left over", positional.items[0]);
  if (status == FARM_OK && !help) status = limits_run(&c);
  option_list_free(&positional);
  if (status != FARM_OK) fprintf(stderr, "tunefarm-gpu-limits: %s\n", status_message());
  return status_exit_code(status);
}
