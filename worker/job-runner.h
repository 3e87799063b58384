/* Runs one job in a measuring child and finds out who is to blame when the child dies (the rules: blame.h).
 *
 * A variant that crashes, hangs or breaks the heap costs itself: the child says which variant it is about to run, so when it dies
 * that one is suspected and tried again alone in a fresh child. Everything else goes on as if nothing was.
 *
 * Driven from the worker's loop: `job_runner_fd` becomes readable or `job_runner_due_ns` passes -> `job_runner_step` until it
 * says NONE.
 */
#ifndef WORKER_JOB_RUNNER_H
#define WORKER_JOB_RUNNER_H

#include "../cluster/wire/messages.h"
#include "../problem/record.h"

struct job_runner;

struct job_runner_options {
  const char *const *child_argv; // NULL-terminated; the child's socket is descriptor 3
  const char *device, *build;    // for the records
  uint64_t hang_ns;              // longest silence of a variant believed, whatever the child says; 0: what the child says
  /* Called for each variant that the child is about to be given, in front of the job; may send it frames. NULL: nothing. */
  enum farm_status (*supply)(void *context, const struct wire_job *job, uint32_t variant, int child_fd);
  void *context;
};

enum runner_event_kind { RUNNER_NONE, RUNNER_ENTRY, RUNNER_DONE };
struct runner_event {
  enum runner_event_kind kind;
  enum farm_status status; // DONE
  const char *message;
  const struct record *record; // ENTRY: a screen record; DONE of a final that is OK: the final record. Valid until the next step
  const char *report;          // DONE of an execute job that is OK: JSON
  const void *artefacts;       // DONE of a compile job that is OK: a list of artefacts, of
  size_t artefact_bytes;
};

enum farm_status job_runner_create(const struct job_runner_options *options, struct job_runner **out_runner);
void job_runner_destroy(struct job_runner **runner); // kills the child
/* The job must live until DONE. Execute jobs: blob_fds are its blobs in order, open for reading until DONE; else NULL. */
enum farm_status job_runner_start(struct job_runner *runner, const struct wire_job *job, const int *blob_fds);
void job_runner_stop(struct job_runner *runner); // gives the job up, kills the child
bool job_runner_busy(const struct job_runner *runner);
int job_runner_fd(const struct job_runner *runner);          // -1: no child
uint64_t job_runner_due_ns(const struct job_runner *runner); // when to step though nothing was heard; UINT64_MAX: never
enum farm_status job_runner_step(struct job_runner *runner, uint64_t now_ns, struct runner_event *out_event);
int job_runner_child(const struct job_runner *runner); // its process; 0: none

#endif
