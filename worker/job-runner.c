/* See job-runner.h. Batches go to the child, frames come back; blame.c says what follows from them. */
#include "job-runner-internal.h"

#include "../base/clock.h"
#include "compile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { NO_DEFAULT = 4095, EXECUTE_DEATHS_MOST = 2 };
#define START_NS 60e9
#define LONGEST_NS 1200e9

enum farm_status job_runner_create(const struct job_runner_options *options, struct job_runner **out_runner) {
  struct job_runner *runner = calloc(1, sizeof *runner);
  FAIL_IF(!runner, FARM_NO_MEMORY, "out of memory for a job runner");
  runner->options = *options;
  runner->child.fd = -1;
  runner->due_ns = UINT64_MAX;
  *out_runner = runner;
  return FARM_OK;
}

static void child_end(struct job_runner *runner, int *out_wait_status) {
  child_process_end(&runner->child, out_wait_status);
  runner->reader.length = runner->reader.consumed = 0;
  runner->first_ran = -1;
  runner->others_ran = false;
  runner->last_words = FARM_OK;
}

static void artefacts_forget(struct job_runner *runner) {
  bytes_writer_free(&runner->artefacts);
  bytes_writer_free(&runner->artefact_list);
  runner->artefacts = runner->artefact_list = (struct bytes_writer){0};
  runner->artefact_count = 0;
}

static void job_forget(struct job_runner *runner) {
  int ignored;
  if (runner->blob_fds) child_end(runner, &ignored); // it holds blobs
  runner->blob_fds = NULL;
  runner->job = NULL;
  runner->over = false;
  runner->due_ns = UINT64_MAX;
  blame_free(&runner->blame);
  free(runner->results);
  free(runner->batch);
  free(runner->record_entries);
  runner->results = NULL;
  runner->batch = NULL;
  runner->record_entries = NULL;
  arena_free(&runner->arena);
  artefacts_forget(runner);
}

void job_runner_stop(struct job_runner *runner) {
  int ignored;
  if (runner->job) child_end(runner, &ignored);
  job_forget(runner);
}

void job_runner_destroy(struct job_runner **runner) {
  int ignored;
  if (!*runner) return;
  child_end(*runner, &ignored);
  job_forget(*runner);
  child_reader_free(&(*runner)->reader);
  arena_free(&(*runner)->event_arena);
  free(*runner);
  *runner = NULL;
}

bool job_runner_busy(const struct job_runner *runner) { return runner->job != NULL; }
int job_runner_fd(const struct job_runner *runner) { return runner->child.pid ? runner->child.fd : -1; }
int job_runner_child(const struct job_runner *runner) { return (int)runner->child.pid; }
uint64_t job_runner_due_ns(const struct job_runner *runner) { return runner->due_ns; }

/* ---- handing batches to the child ---- */

static bool is_execute(const struct job_runner *runner) { return runner->job->kind == WIRE_JOB_EXECUTE; }

void runner_deadline_set(struct job_runner *runner, double allowed_ns) {
  bool capped = runner->options.hang_ns && runner->running >= 0; // start and reference may be slow
  double most = capped ? (double)runner->options.hang_ns : LONGEST_NS;
  double allowed = allowed_ns > 0 && allowed_ns < most ? allowed_ns : most;
  runner->due_ns = clock_now_ns() + (uint64_t)allowed;
}

static enum farm_status batch_encode(const struct job_runner *runner, struct bytes_writer *out) {
  struct wire_message message = {.type = WIRE_JOB, .job = *runner->job};
  if (is_execute(runner)) return wire_encode(&message, out);
  struct wire_variant *variants = calloc((size_t)runner->batch_count, sizeof *variants);
  FAIL_IF(!variants, FARM_NO_MEMORY, "out of memory for a batch");
  message.job.kind = runner->trial == TRIAL_COMPANY ? runner->job->kind : WIRE_JOB_SCREEN;
  message.job.default_index = NO_DEFAULT;
  for (int i = 0; i < runner->batch_count; i++) {
    variants[i] = runner->job->variants[runner->batch[i]];
    if ((uint32_t)runner->batch[i] == runner->job->default_index) message.job.default_index = (uint32_t)i;
  }
  message.job.variants = variants;
  message.job.variants_count = (uint32_t)runner->batch_count;
  enum farm_status status = wire_encode(&message, out);
  free(variants);
  return status;
}

static enum farm_status batch_supply(const struct job_runner *runner) {
  const struct job_runner_options *options = &runner->options;
  for (int i = 0; i < runner->batch_count && options->supply && !is_execute(runner); i++)
    TRY(options->supply(options->context, runner->job, (uint32_t)runner->batch[i], runner->child.fd));
  return FARM_OK;
}

/* A child that dies before it has all of this is found dead by the next step. */
static enum farm_status batch_send(struct job_runner *runner) {
  struct bytes_writer body = {0};
  enum farm_status status;
  int ignored;
  bool fresh = runner->trial == TRIAL_ALONE ? runner->first_ran >= 0 : is_execute(runner);
  if (fresh) child_end(runner, &ignored);
  int blobs = is_execute(runner) ? (int)runner->job->blobs_count : 0;
  if (!runner->child.pid) TRY(child_process_start(runner->options.child_argv, runner->blob_fds, blobs, &runner->child));
  runner->running = -1;
  runner_deadline_set(runner, START_NS);
  TRY_OR(batch_encode(runner, &body), free_body);
  status = batch_supply(runner);
  if (status == FARM_OK) status = child_frame_send(runner->child.fd, CHILD_JOB, body.data, body.length);
  if (status == FARM_WORKER_LOST) status = FARM_OK;
free_body:
  bytes_writer_free(&body);
  return status;
}

enum farm_status runner_next(struct job_runner *runner, struct runner_event *out) {
  runner->trial = is_execute(runner) ? TRIAL_COMPANY : blame_next(&runner->blame, runner->batch, &runner->batch_count);
  if (runner->trial != TRIAL_NONE) return batch_send(runner);
  runner_done(runner, FARM_OK, "", out);
  return FARM_OK;
}

static enum farm_status job_room(struct job_runner *runner, const struct wire_job *job) {
  size_t count = job->variants_count + 1;
  runner->results = calloc(count, sizeof *runner->results);
  runner->batch = calloc(count, sizeof *runner->batch);
  runner->record_entries = calloc(count, sizeof *runner->record_entries);
  FAIL_IF(!runner->results || !runner->batch || !runner->record_entries, FARM_NO_MEMORY, "out of memory for a job");
  return blame_make((int)count, job->kind == WIRE_JOB_FINAL, &runner->blame);
}

enum farm_status job_runner_start(struct job_runner *runner, const struct wire_job *job, const int *blob_fds) {
  struct runner_event ignored;
  FAIL_IF(runner->job, FARM_FAILURE, "the runner is busy");
  FAIL_IF(job->variants_count == 0 && job->kind != WIRE_JOB_EXECUTE, FARM_INVALID, "a job without variants");
  FAIL_IF(job->kind == WIRE_JOB_EXECUTE && (!blob_fds || job->blobs_count > CHILD_BLOBS_MOST), FARM_INVALID,
          "an execute job with %u blobs", job->blobs_count);
  enum farm_status status = job_room(runner, job);
  runner->job = job;
  runner->blob_fds = blob_fds;
  runner->blame.count = (int)job->variants_count;
  runner->execute_deaths = 0;
  runner->report = "";
  runner->begun_ns = clock_now_ns();
  if (status == FARM_OK) status = runner_next(runner, &ignored);
  if (status != FARM_OK) job_runner_stop(runner);
  return status;
}

/* ---- death of the child ---- */

static enum farm_status death_describe(const struct job_runner *runner, int wait_status, bool hung) {
  if (runner->last_words != FARM_OK) return status_set(runner->last_words, "%s", runner->last_message);
  if (hung) return status_set(FARM_TACTIC_HUNG, "no sign of life within its time");
  if (wait_status != -1 && WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == CHILD_EXIT_HEAP)
    return status_set(FARM_TACTIC_OVERRAN, "wrote into memory that is not its own: heap or operands were found broken");
  if (wait_status != -1 && WIFSIGNALED(wait_status))
    return status_set(FARM_TACTIC_CRASHED, "killed the measuring child by signal %d (%s)", WTERMSIG(wait_status),
                      strsignal(WTERMSIG(wait_status)));
  if (wait_status != -1 && WIFEXITED(wait_status))
    return status_set(FARM_TACTIC_CRASHED, "ended the measuring child with exit code %d", WEXITSTATUS(wait_status));
  return status_set(FARM_TACTIC_CRASHED, "spoke nonsense in the measuring child");
}

static enum farm_status execute_died(struct job_runner *runner, enum farm_status cause, struct runner_event *out) {
  artefacts_forget(runner);
  if (++runner->execute_deaths < EXECUTE_DEATHS_MOST) return runner_next(runner, out);
  char why[300];
  snprintf(why, sizeof why, "%s %.250s", compile_is_spec(runner->job->spec) ? "the compiler" : "an engine", status_message());
  runner_done(runner, cause, why, out);
  return FARM_OK;
}

static enum farm_status child_died(struct job_runner *runner, bool hung, struct runner_event *out) {
  int wait_status;
  int variant = runner->running >= 0 && runner->running < runner->batch_count ? runner->batch[runner->running] : -1;
  bool ran = runner->first_ran >= 0, alone = !runner->others_ran;
  enum farm_status words = runner->last_words;
  child_end(runner, &wait_status);
  runner->last_words = words;
  enum farm_status cause = death_describe(runner, hung ? -1 : wait_status, hung);
  runner->last_words = FARM_OK;
  if (is_execute(runner)) return execute_died(runner, cause, out);
  enum blame_verdict verdict = blame_death(&runner->blame, variant, alone, ran);
  if (verdict == BLAME_GIVE_UP) {
    char why[400];
    snprintf(why, sizeof why, "%s %.300s", ran ? "somebody unknown" : "the reference or the start of the job", status_message());
    runner_done(runner, FARM_FAILURE, why, out);
    return FARM_OK;
  }
  if (verdict == BLAME_CONVICTED) TRY(runner_convict(runner, variant, cause, out));
  return out->kind == RUNNER_NONE ? runner_next(runner, out) : FARM_OK;
}

/* ---- steps ---- */

static enum farm_status child_listen(struct job_runner *runner, uint64_t now_ns, bool *out_nothing, struct runner_event *out) {
  struct child_frame frame;
  enum farm_status status;
  if (child_reader_next(&runner->reader, &frame, &status))
    status = runner_frame(runner, &frame, out);
  else if (status == FARM_OK) {
    status = child_reader_fill(&runner->reader, runner->child.fd);
    *out_nothing = status == FARM_AGAIN && now_ns < runner->due_ns;
    if (*out_nothing) return FARM_OK;
    if (status == FARM_AGAIN || status == FARM_WORKER_LOST) return child_died(runner, status == FARM_AGAIN, out);
  }
  return status == FARM_INVALID ? child_died(runner, false, out) : status; // what speaks nonsense has gone wrong itself
}

enum farm_status job_runner_step(struct job_runner *runner, uint64_t now_ns, struct runner_event *out_event) {
  *out_event = (struct runner_event){.kind = RUNNER_NONE, .message = ""};
  if (runner->over) job_forget(runner); // DONE was told
  if (!runner->job) return FARM_OK;
  for (bool nothing = false; !nothing && out_event->kind == RUNNER_NONE;) {
    if (runner->child.pid)
      TRY(child_listen(runner, now_ns, &nothing, out_event));
    else
      TRY(runner_next(runner, out_event)); // a convict's entry was told in between
  }
  return FARM_OK;
}
