/* Device classes as text. See device-class.h. Exactly canonical: what is not the printed form of something is refused. */
#include "device-class.h"

#include "number-text.h"

#include <stdio.h>
#include <string.h>

static const char *const isa_names[ISA_COUNT] = {
#define X(name, text) text,
    ISA_LIST(X)
#undef X
};

const char *isa_name(enum isa isa) { return (unsigned)isa < ISA_COUNT ? isa_names[isa] : "?"; }

enum farm_status isa_parse(const char *text, enum isa *out) {
  for (int i = 0; i < ISA_COUNT; i++)
    if (!strcmp(text, isa_names[i])) return *out = (enum isa)i, FARM_OK;
  return status_set(FARM_USAGE, "instruction set `%.32s`: expected baseline, avx2 or avx512", text);
}

/* The largest unit that divides it: "32k", "1m", "24g", "1000". */
static void size_print(int64_t bytes, char out[NUMBER_TEXT_MAX]) {
  static const char units[] = {'g', 'm', 'k'};
  for (int i = 0; i < 3; i++) {
    int shift = 30 - 10 * i;
    if (bytes == 0 || bytes & ((INT64_C(1) << shift) - 1)) continue;
    snprintf(out, NUMBER_TEXT_MAX, "%lld%c", (long long)(bytes >> shift), units[i]);
    return;
  }
  snprintf(out, NUMBER_TEXT_MAX, "%lld", (long long)bytes);
}

static bool size_parse(const char *text, int64_t *out) {
  size_t length = strlen(text);
  int shift = !length ? 0 : text[length - 1] == 'k' ? 10 : text[length - 1] == 'm' ? 20 : text[length - 1] == 'g' ? 30 : 0;
  int64_t number;
  if (!number_parse_int(text, length - (shift != 0), &number) || number < 0 || number > INT64_MAX >> shift) return false;
  *out = number << shift;
  return true;
}

void device_class_print(const struct device_class *device_class, char out[DEVICE_CLASS_TEXT_MAX]) {
  char sizes[4][NUMBER_TEXT_MAX];
  const int64_t bytes[4] = {device_class->l1d_bytes, device_class->l2_bytes, device_class->l3_bytes, device_class->memory_bytes};
  for (int i = 0; i < 4; i++) size_print(bytes[i], sizes[i]);
  snprintf(out, DEVICE_CLASS_TEXT_MAX, "%s vendor:%.15s family:%d model:%d isa:%s l1d:%s l2:%s l3:%s mem:%s",
           device_class->kind == DEVICE_CPU ? "cpu" : "cuda", device_class->vendor, device_class->family, device_class->model,
           isa_name(device_class->isa), sizes[0], sizes[1], sizes[2], sizes[3]);
}

struct field {
  const char *name;
  char text[NUMBER_TEXT_MAX];
};

/* "name:text" at *at, with one space before; moves past it. */
static enum farm_status take_field(const char **at, struct field *field) {
  size_t name = strlen(field->name);
  FAIL_IF(strncmp(*at, " ", 1) || strncmp(*at + 1, field->name, name) || (*at)[1 + name] != ':', FARM_USAGE,
          "device class: expected ` %s:` before `%.32s`", field->name, *at);
  *at += name + 2;
  size_t length = strcspn(*at, " ");
  FAIL_IF(!length || length >= sizeof field->text, FARM_USAGE, "device class: %s has no value, or too long a one", field->name);
  memcpy(field->text, *at, length);
  field->text[length] = 0;
  *at += length;
  return FARM_OK;
}

static enum farm_status fields_read(const struct field *fields, struct device_class *out) {
  int64_t family = -1, model = -1;
  size_t vendor = strlen(fields[0].text);
  FAIL_IF(vendor >= sizeof out->vendor || strspn(fields[0].text, "abcdefghijklmnopqrstuvwxyz0123456789") != vendor, FARM_USAGE,
          "device class: vendor `%s`", fields[0].text);
  memcpy(out->vendor, fields[0].text, vendor + 1);
  FAIL_IF(!number_parse_int(fields[1].text, strlen(fields[1].text), &family) || family < 0 || family > 1 << 20 ||
              !number_parse_int(fields[2].text, strlen(fields[2].text), &model) || model < 0 || model > 1 << 20,
          FARM_USAGE, "device class: family `%s`, model `%s`", fields[1].text, fields[2].text);
  out->family = (int)family;
  out->model = (int)model;
  TRY(isa_parse(fields[3].text, &out->isa));
  int64_t *const bytes[] = {&out->l1d_bytes, &out->l2_bytes, &out->l3_bytes, &out->memory_bytes};
  for (int i = 0; i < 4; i++)
    FAIL_IF(!size_parse(fields[4 + i].text, bytes[i]), FARM_USAGE, "device class: %s `%s`", fields[4 + i].name,
            fields[4 + i].text);
  return FARM_OK;
}

enum farm_status device_class_parse(const char *text, struct device_class *out) {
  struct field fields[] = {{"vendor", ""}, {"family", ""}, {"model", ""}, {"isa", ""},
                           {"l1d", ""},    {"l2", ""},     {"l3", ""},    {"mem", ""}};
  struct device_class result = {.kind = DEVICE_CPU};
  char again[DEVICE_CLASS_TEXT_MAX];
  FAIL_IF(!strncmp(text, "cuda ", 5), FARM_UNSUPPORTED, "device class `%.64s`: this build knows no CUDA devices", text);
  FAIL_IF(strncmp(text, "cpu", 3), FARM_USAGE, "device class `%.64s`: expected cpu or cuda", text);
  const char *at = text + 3;
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) TRY(take_field(&at, &fields[i]));
  TRY(fields_read(fields, &result));
  device_class_print(&result, again);
  FAIL_IF(strcmp(text, again), FARM_USAGE, "device class `%.100s` is not in canonical form: `%s`", text, again);
  *out = result;
  return FARM_OK;
}
