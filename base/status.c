/* Status names, exit codes and the per-thread message. */
#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[sizeof((struct status_kept *)0)->message];

static const struct {
  const char *name, *text;
  int exit_code;
  enum status_loses loses;
} rows[FARM_STATUS_COUNT] = {
#define X(name, text, exit_code, loses) {#name, text, exit_code, LOSES_##loses},
    FARM_STATUS_LIST(X)
#undef X
};

static int known(enum farm_status status) { return (unsigned)status < FARM_STATUS_COUNT; }

enum farm_status status_set(enum farm_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  char text[sizeof message]; // the arguments may point into `message`
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  memcpy(message, text, sizeof message);
  return status;
}

enum farm_status status_prefix(enum farm_status status, const char *format, ...) {
  char prefix[sizeof message];
  va_list args;
  va_start(args, format);
  vsnprintf(prefix, sizeof prefix, format, args);
  va_end(args);
  char text[sizeof message];
  memcpy(text, message, sizeof text);
  size_t length = strlen(prefix);
  if (length > sizeof message - 3) length = sizeof message - 3;
  memcpy(message, prefix, length);
  memcpy(message + length, ": ", 2);
  size_t rest = strnlen(text, sizeof message - length - 3);
  memcpy(message + length + 2, text, rest);
  message[length + 2 + rest] = 0;
  return status;
}

struct status_kept status_keep(enum farm_status status) {
  struct status_kept kept = {.status = status};
  memcpy(kept.message, message, sizeof message);
  return kept;
}

enum farm_status status_restore(const struct status_kept *kept) {
  memcpy(message, kept->message, sizeof message);
  return kept->status;
}

const char *status_message(void) { return message; }
const char *farm_status_text(enum farm_status status) { return known(status) ? rows[status].text : "unknown status"; }
const char *status_name(enum farm_status status) { return known(status) ? rows[status].name : "?"; }
int status_exit_code(enum farm_status status) { return known(status) ? rows[status].exit_code : 1; }
enum status_loses status_loses(enum farm_status status) { return known(status) ? rows[status].loses : LOSES_BUILD; }
