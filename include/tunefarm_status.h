/* Status codes of tunefarm: one list, from which the enum, the names and the process exit codes are made.
 *
 * The third column is the exit code of the command (the contract of `tunefarm --help`), the fourth says what is lost
 * when it happens, so that a retry policy follows from the code alone:
 *   NOTHING  go on          TACTIC  this variant is out     JOB    hand the job out again
 *   WORKER   respawn it     DEVICE  set the device aside    BUILD  the user's request ends here
 */
#ifndef TUNEFARM_STATUS_H
#define TUNEFARM_STATUS_H

#define FARM_STATUS_LIST(X)                                                                                  \
  X(OK, "ok", 0, NOTHING)                                                                                    \
  X(FAILURE, "failure", 1, BUILD)                                                                            \
  X(INVALID, "malformed input", 1, BUILD)                                                                    \
  X(NOT_FOUND, "not found", 1, BUILD)                                                                        \
  X(IO, "input or output error", 1, BUILD)                                                                   \
  X(CANCELLED, "cancelled", 1, BUILD)                                                                        \
  X(USAGE, "wrong usage", 2, BUILD)                                                                          \
  X(LOCKED_MISS, "locked build with a miss", 3, BUILD)                                                       \
  X(MISMATCH, "engine, device or version do not match", 4, BUILD)                                            \
  X(UNSUPPORTED, "model not supported", 5, BUILD)                                                            \
  X(TIMED_OUT, "timed out", 6, JOB)                                                                          \
  X(CONNECTION, "connection failed", 7, JOB)                                                                 \
  X(DENIED, "authentication or authorisation failed", 7, BUILD)                                              \
  X(NO_MEMORY, "out of memory", 8, JOB)                                                                      \
  X(NO_SPACE, "out of storage", 8, BUILD)                                                                    \
  X(VERIFY_FAILED, "verification failed", 9, BUILD)                                                          \
  X(AGAIN, "try again", 75, NOTHING)                                                                         \
  X(TACTIC_WRONG, "tactic computed a wrong result", 9, TACTIC)                                               \
  X(TACTIC_CRASHED, "tactic crashed", 9, TACTIC)                                                             \
  X(TACTIC_HUNG, "tactic did not return in time", 6, TACTIC)                                                 \
  X(TACTIC_OVERRAN, "tactic wrote outside its buffers", 9, TACTIC)                                           \
  X(TACTIC_REFUSED, "tactic does not apply here", 9, TACTIC)                                                 \
  X(WORKER_LOST, "worker lost", 7, WORKER)                                                                   \
  X(DEVICE_LOST, "device lost", 8, DEVICE)

enum farm_status {
#define X(name, text, exit_code, loses) FARM_##name,
  FARM_STATUS_LIST(X)
#undef X
  FARM_STATUS_COUNT
};

#ifdef __cplusplus
extern "C" {
#endif

/* A short English text for a code; never NULL, also for a number that is no code. */
__attribute__((visibility("default"))) const char *farm_status_text(enum farm_status status);

#ifdef __cplusplus
}
#endif
#endif
