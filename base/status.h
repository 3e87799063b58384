/* Errors inside tunefarm: every function that can fail returns an enum farm_status and, where it decides what the error
 * is, leaves one message for its thread. Callers pass the code on (TRY, TRY_OR); only the outermost one prints the message.
 *
 * Rules: outputs are set only after success; one cleanup path per function, its labels named for what they undo; a
 * message names the file, node, option or key at fault; no library code exits or aborts.
 */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include "../include/tunefarm_status.h"

enum status_loses { LOSES_NOTHING, LOSES_TACTIC, LOSES_JOB, LOSES_WORKER, LOSES_DEVICE, LOSES_BUILD };

/* Set this thread's message (printf style, at most 1 KiB kept) and return `status`. */
enum farm_status status_set(enum farm_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Put `prefix: ` before this thread's message; returns `status` unchanged. Use it to add the place to an error on its way up. */
enum farm_status status_prefix(enum farm_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* This thread's last message; "" before the first. Valid until the next status_set on the thread. */
const char *status_message(void);

/* An error across what must still be done, whose own errors would take its message: kept = status_keep(status); …; return
 * status_restore(&kept). */
struct status_kept {
  enum farm_status status;
  char message[1024];
};
struct status_kept status_keep(enum farm_status status);
enum farm_status status_restore(const struct status_kept *kept);

const char *status_name(enum farm_status status); // "NO_MEMORY"; "?" for a number that is no code
int status_exit_code(enum farm_status status);
enum status_loses status_loses(enum farm_status status);

/* Pass an error on; go to a cleanup label with `status` set (a local `enum farm_status status` is needed); set and return one. */
#define TRY(expression)                                                                                                          \
  do {                                                                                                                           \
    enum farm_status try_status_ = (expression);                                                                                 \
    if (try_status_ != FARM_OK) return try_status_;                                                                              \
  } while (0)
#define TRY_OR(expression, label)                                                                                                \
  do {                                                                                                                           \
    status = (expression);                                                                                                       \
    if (status != FARM_OK) goto label;                                                                                           \
  } while (0)
#define FAIL_IF(condition, code, ...)                                                                                            \
  do {                                                                                                                           \
    if (condition) return status_set(code, __VA_ARGS__);                                                                         \
  } while (0)

#endif
