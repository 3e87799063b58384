/* Shared by job-runner.c (batches, deaths) and runner-frames.c (what the child says, records). */
#ifndef WORKER_JOB_RUNNER_INTERNAL_H
#define WORKER_JOB_RUNNER_INTERNAL_H

#include "blame.h"
#include "child-process.h"
#include "child-protocol.h"
#include "job-runner.h"

struct job_runner {
  struct job_runner_options options;
  struct child_process child;
  struct child_reader reader;
  const struct wire_job *job; // NULL: idle
  bool over;                  // DONE was told; forgotten by the next step
  const int *blob_fds;
  struct blame blame;
  enum blame_trial trial;
  int *batch;               // variants the child has been given
  int batch_count, running; // running: index in the batch, -1 the reference or none
  int first_ran;            // first variant that ran in this child; -1 none
  bool others_ran;          // and others
  int execute_deaths;
  uint64_t due_ns, begun_ns;
  struct record_entry *results; // of a final, by variant: those that are out, and those of the company trial
  struct arena arena;           // of the job: texts of results
  struct arena event_arena;
  const char *clocks, *report; // of the last company trial of a final; of an execute job
  struct record record;        // of the last event
  struct record_entry *record_entries;
  struct bytes_writer artefacts; // of a compile job: envelopes as blobs
  uint32_t artefact_count;
  struct bytes_writer artefact_list;
  enum farm_status last_words; // of the child: what it dies of; FARM_OK: it said none
  char last_message[400];
  char message[512];
};

void runner_deadline_set(struct job_runner *runner, double allowed_ns);
/* The next trial, or the end of the job. */
enum farm_status runner_next(struct job_runner *runner, struct runner_event *out);
enum farm_status runner_frame(struct job_runner *runner, const struct child_frame *frame, struct runner_event *out);
/* The convict's failed entry; an event when the job is a screen. */
enum farm_status runner_convict(struct job_runner *runner, int variant, enum farm_status cause, struct runner_event *out);
void runner_done(struct job_runner *runner, enum farm_status status, const char *message, struct runner_event *out);

#endif
