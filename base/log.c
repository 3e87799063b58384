/* See log.h. One write(2) per line, so that lines of several processes do not mix. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Atomic int current = -1; // whichever thread is first asks the environment
static const char *name = "tunefarm";

static int level_from_environment(void) {
  static const char *const names[] = {"error", "warning", "info", "debug"};
  const char *asked = getenv("TUNEFARM_LOG");
  for (int i = 0; asked && i < 4; i++)
    if (strcmp(asked, names[i]) == 0) return i;
  return LOG_INFO;
}

void log_set_level(enum log_level level) { current = level; }
void log_set_name(const char *new_name) { name = new_name; }

void log_write(enum log_level level, const char *format, ...) {
  static const char *const marks[] = {"error: ", "warning: ", "", "debug: "};
  int most = current;
  if (most < 0) current = most = level_from_environment();
  if ((int)level > most) return;
  char line[2048];
  int at = snprintf(line, sizeof line, "%s: %s", name, marks[level]);
  va_list args;
  va_start(args, format);
  int more = vsnprintf(line + at, sizeof line - (size_t)at - 1, format, args);
  va_end(args);
  size_t length = (size_t)at + (more < 0 ? 0 : (size_t)more);
  if (length > sizeof line - 2) length = sizeof line - 2;
  line[length++] = '\n';
  if (write(STDERR_FILENO, line, length) < 0) return; // nowhere left to say it
}
