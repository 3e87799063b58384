/* The fake driver's description of itself. See fake-spec.h. */
#include "fake-spec.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const fault_names[FAULT_KINDS] = {"oom", "launch", "illegal", "hang", "lost", "nodevice"};
static const char *const order_names[] = {"forward", "backward", "shuffled"};

/* A number with k, m or g behind it for powers of 1024. */
static bool number_read(const char *text, uint64_t most, uint64_t *out) {
  static const char units[] = "kmg";
  char *end;
  if (*text < '0' || *text > '9') return false;
  unsigned long long value = strtoull(text, &end, 10);
  const char *unit = *end == '\0' ? NULL : strchr(units, *end);
  unsigned shift = unit == NULL ? 0 : 10 * (unsigned)(unit - units + 1);
  if (*end != '\0' && (unit == NULL || end[1] != '\0')) return false;
  if (value > most >> shift) return false;
  *out = (uint64_t)value << shift;
  return true;
}

static bool fault_read(const char *text, struct fake_spec *out) {
  size_t length = strcspn(text, "@");
  uint64_t at = 1;
  if (text[length] == '@' && (!number_read(text + length + 1, UINT64_MAX, &at) || at == 0)) return false;
  for (int kind = 0; kind < FAULT_KINDS; kind++)
    if (strlen(fault_names[kind]) == length && memcmp(text, fault_names[kind], length) == 0) {
      out->faults[kind] = at;
      return true;
    }
  return false;
}

static bool order_read(const char *text, struct fake_spec *out) {
  for (unsigned i = 0; i < sizeof order_names / sizeof *order_names; i++)
    if (strcmp(text, order_names[i]) == 0) {
      out->order = (enum simt_order)i;
      return true;
    }
  return false;
}

static bool word_read(const char *name, const char *value, struct fake_spec *out) {
  const struct {
    const char *name;
    int *to;
    uint64_t most;
  } numbers[] = {{"sm", &out->sm, 999},          {"devices", &out->devices, 16},       {"sms", &out->sms, 4096},
                 {"clock", &out->clock, 100000}, {"memclock", &out->memclock, 100000}, {"driver", &out->driver, 99999},
                 {"quiet", &out->quiet, 1}};
  uint64_t number;
  if (strcmp(name, "fault") == 0) return fault_read(value, out);
  if (strcmp(name, "order") == 0) return order_read(value, out);
  if (strcmp(name, "mem") == 0) return number_read(value, (uint64_t)1 << 50, &out->memory_bytes);
  if (strcmp(name, "l2") == 0) return number_read(value, (uint64_t)1 << 30, &out->l2_bytes);
  if (strcmp(name, "product") == 0) {
    if (*value == '\0' || strlen(value) >= sizeof out->product) return false;
    strcpy(out->product, value);
    return true;
  }
  for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
    if (strcmp(name, numbers[i].name) == 0) {
      if (!number_read(value, numbers[i].most, &number)) return false;
      *numbers[i].to = (int)number;
      return true;
    }
  return false;
}

bool fake_spec_parse(const char *text, struct fake_spec *out, char *out_error, size_t error_bytes) {
  *out = (struct fake_spec){.sm = 90,
                            .devices = 1,
                            .sms = 4,
                            .clock = 1000,
                            .memclock = 1000,
                            .driver = 13000,
                            .memory_bytes = (uint64_t)2 << 30,
                            .l2_bytes = 1 << 20,
                            .product = "Fake"};
  char word[160];
  for (const char *at = text == NULL ? "" : text; *at != '\0';) {
    size_t length = strcspn(at, ",");
    snprintf(word, sizeof word, "%.*s", (int)(length < sizeof word ? length : sizeof word - 1), at);
    char *value = strchr(word, '=');
    if (value != NULL) *value++ = '\0';
    if (length >= sizeof word || value == NULL || !word_read(word, value, out)) {
      snprintf(out_error, error_bytes, "TUNEFARM_FAKE_CUDA: \"%.*s\" is no word of it", (int)length, at);
      return false;
    }
    at += length;
    if (*at == ',') at++;
  }
  return true;
}

/* Each line in one write, so that processes may share the file. */
void fake_log(const char *format, ...) {
  const char *path = getenv("TUNEFARM_FAKE_CUDA_LOG");
  char line[1024];
  va_list values;
  if (path == NULL || *path == '\0') return;
  va_start(values, format);
  int used = vsnprintf(line, sizeof line - 1, format, values);
  va_end(values);
  size_t length = used < 0 ? 0 : (size_t)used < sizeof line - 1 ? (size_t)used : sizeof line - 2;
  line[length++] = '\n';
  int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return;
  ssize_t written = write(file, line, length);
  (void)written; // a log that is full is no error of the device
  close(file);
}
