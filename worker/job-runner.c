/* See job-runner.h. */
#include "job-runner.h"

#include "../base/array.h"
#include "../base/clock.h"
#include "../base/strbuf.h"
#include "child-process.h"
#include "child-protocol.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { MOST_DEATHS = 2, MOST_FINAL_TRIES = 4, MOST_REFERENCE_DEATHS = 2, NO_DEFAULT = 4095 };

enum phase { PHASE_IDLE, PHASE_SCREEN, PHASE_FINAL, PHASE_VERIFY /* a final's variants alone, to find who breaks the heap */ };

struct candidate {
  int deaths;
  bool done;     // its entry is out (screen), or is settled as failed (final)
  bool verified; // screened alone without harm in this PHASE_VERIFY
  bool has_entry;
  struct record_entry entry; // texts in the job's arena
};

struct job_runner {
  struct job_runner_options options;
  struct child_process child;
  struct child_reader reader;
  const struct wire_job *job; // NULL: idle
  enum phase phase;
  struct candidate *candidates;
  int *batch; // indices of the variants the child has been given
  int batch_count, running; // running: index in the batch, -1 the reference
  int reference_deaths, final_tries;
  uint64_t due_ns, begun_ns, silent_since_ns;
  struct arena arena;      // of the job: entries kept for the final
  struct arena event_arena;
  struct record record;    // of the last event
  struct record_entry *record_entries;
  char message[512];
};

enum farm_status job_runner_create(const struct job_runner_options *options, struct job_runner **out_runner) {
  struct job_runner *runner = calloc(1, sizeof *runner);
  FAIL_IF(!runner, FARM_NO_MEMORY, "out of memory for a job runner");
  runner->options = *options;
  runner->child.fd = -1;
  runner->due_ns = UINT64_MAX;
  *out_runner = runner;
  return FARM_OK;
}

static void job_forget(struct job_runner *runner) {
  runner->job = NULL;
  runner->phase = PHASE_IDLE;
  runner->due_ns = UINT64_MAX;
  free(runner->candidates);
  free(runner->batch);
  free(runner->record_entries);
  runner->candidates = NULL;
  runner->batch = NULL;
  runner->record_entries = NULL;
  arena_free(&runner->arena);
}

static void child_end(struct job_runner *runner, int *out_wait_status) {
  child_process_end(&runner->child, out_wait_status);
  runner->reader.length = runner->reader.consumed = 0;
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
uint64_t job_runner_due_ns(const struct job_runner *runner) { return runner->due_ns; }

/* ---- handing batches to the child ---- */

static void deadline_set(struct job_runner *runner, double allowed_ns) {
  double most = runner->options.hang_ns ? (double)runner->options.hang_ns : 1200e9;
  if (runner->running < 0 && runner->options.hang_ns) most = 600e9; // the reference may be slow
  double allowed = allowed_ns > 0 && allowed_ns < most ? allowed_ns : most;
  runner->due_ns = clock_now_ns() + (uint64_t)allowed;
}

/* What is left to do: alone what died once, else all that is not done. */
static void batch_choose(struct job_runner *runner) {
  int count = (int)runner->job->variants_count;
  runner->batch_count = 0;
  for (int i = 0; i < count; i++) {
    struct candidate *c = &runner->candidates[i];
    bool alone = !c->done && (runner->phase == PHASE_SCREEN ? c->deaths > 0 : runner->phase == PHASE_VERIFY && !c->verified);
    if (!alone) continue;
    runner->batch[runner->batch_count++] = i;
    return;
  }
  if (runner->phase == PHASE_VERIFY) runner->phase = PHASE_FINAL;
  for (int i = 0; i < count; i++)
    if (!runner->candidates[i].done) runner->batch[runner->batch_count++] = i;
}

static enum farm_status batch_encode(const struct job_runner *runner, struct bytes_writer *out) {
  struct wire_message message = {.type = WIRE_JOB, .job = *runner->job};
  struct wire_variant *variants = calloc((size_t)runner->batch_count, sizeof *variants);
  FAIL_IF(!variants, FARM_NO_MEMORY, "out of memory for a batch");
  message.job.kind = runner->phase == PHASE_FINAL ? WIRE_JOB_FINAL : WIRE_JOB_SCREEN;
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

static enum farm_status batch_send(struct job_runner *runner) {
  struct bytes_writer body = {0};
  enum farm_status status;
  if (!runner->child.pid) TRY(child_process_start(runner->options.child_argv, &runner->child));
  TRY_OR(batch_encode(runner, &body), free_body);
  status = child_frame_send(runner->child.fd, CHILD_JOB, body.data, body.length);
  runner->running = -1;
  deadline_set(runner, 60e9);
free_body:
  bytes_writer_free(&body);
  return status;
}

enum farm_status job_runner_start(struct job_runner *runner, const struct wire_job *job) {
  FAIL_IF(runner->job, FARM_FAILURE, "the runner is busy");
  FAIL_IF(job->variants_count == 0, FARM_INVALID, "a job without variants");
  runner->candidates = calloc(job->variants_count, sizeof *runner->candidates);
  runner->batch = calloc(job->variants_count, sizeof *runner->batch);
  runner->record_entries = calloc(job->variants_count, sizeof *runner->record_entries);
  if (!runner->candidates || !runner->batch || !runner->record_entries) {
    job_forget(runner);
    return status_set(FARM_NO_MEMORY, "out of memory for a job");
  }
  runner->job = job;
  runner->phase = job->kind == WIRE_JOB_FINAL ? PHASE_FINAL : PHASE_SCREEN;
  runner->reference_deaths = runner->final_tries = 0;
  runner->begun_ns = clock_now_ns();
  batch_choose(runner);
  enum farm_status status = batch_send(runner);
  if (status == FARM_WORKER_LOST) return FARM_OK; // step finds the child dead and starts another
  if (status != FARM_OK) job_runner_stop(runner);
  return status;
}

/* ---- records ---- */

static void record_fill(struct job_runner *runner, enum record_kind kind, uint32_t entry_count) {
  const struct wire_job *job = runner->job;
  uint64_t now = clock_now_ns();
  runner->record = (struct record){.kind = kind, .problem = job->problem, .device_class = job->device_class, .policy = job->policy, .threads = job->threads,
                                   .device = runner->options.device, .build = runner->options.build, .clocks = "", .unix_s = clock_unix_s(),
                                   .device_s = (double)(now - runner->begun_ns) * 1e-9, .entry_count = entry_count, .entries = runner->record_entries};
  if (kind == RECORD_SCREEN) runner->begun_ns = now; // each screen record carries its own share
}

static struct record_entry failed_entry(const struct job_runner *runner, int variant, enum farm_status status, const char *message) {
  const struct wire_variant *v = &runner->job->variants[variant];
  return (struct record_entry){.variant = v->text, .source_digest = v->source, .status = status, .message = message,
                               .is_default = (uint32_t)variant == runner->job->default_index, .rank = UINT32_MAX};
}

static void entry_event(struct job_runner *runner, const struct record_entry *entry, struct runner_event *out) {
  runner->record_entries[0] = *entry;
  record_fill(runner, RECORD_SCREEN, 1);
  *out = (struct runner_event){.kind = RUNNER_ENTRY, .status = FARM_OK, .message = "", .record = &runner->record};
}

static void done_event(struct job_runner *runner, enum farm_status status, const char *message, struct runner_event *out) {
  snprintf(runner->message, sizeof runner->message, "%s", message);
  *out = (struct runner_event){.kind = RUNNER_DONE, .status = status, .message = runner->message};
  if (status == FARM_OK && runner->job->kind == WIRE_JOB_FINAL) {
    uint32_t count = runner->job->variants_count;
    for (uint32_t i = 0; i < count; i++) { // sorted by text, as records are
      struct record_entry entry = runner->candidates[i].entry;
      uint32_t at = i;
      for (; at > 0 && strcmp(runner->record_entries[at - 1].variant, entry.variant) > 0; at--) runner->record_entries[at] = runner->record_entries[at - 1];
      runner->record_entries[at] = entry;
    }
    record_fill(runner, RECORD_FINAL, count);
    out->record = &runner->record;
  }
  runner->due_ns = UINT64_MAX;
  runner->phase = PHASE_IDLE;
}

static bool all_done(const struct job_runner *runner) {
  for (uint32_t i = 0; i < runner->job->variants_count; i++)
    if (!runner->candidates[i].done) return false;
  return true;
}

/* ---- death of the child ---- */

static enum farm_status death_describe(struct job_runner *runner, int wait_status, bool hung) {
  if (hung) return status_set(FARM_TACTIC_HUNG, "no sign of life within its time");
  if (wait_status != -1 && WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == CHILD_EXIT_HEAP)
    return status_set(FARM_TACTIC_OVERRAN, "wrote into memory that is not its own: the heap was found broken");
  if (wait_status != -1 && WIFSIGNALED(wait_status))
    return status_set(FARM_TACTIC_CRASHED, "killed the measuring child by signal %d (%s)", WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
  if (wait_status != -1 && WIFEXITED(wait_status)) return status_set(FARM_TACTIC_CRASHED, "ended the measuring child with exit code %d", WEXITSTATUS(wait_status));
  (void)runner;
  return status_set(FARM_TACTIC_CRASHED, "the measuring child is gone");
}

/* The suspect gets another chance alone, or its failed entry. */
static bool suspect_judge(struct job_runner *runner, int variant, enum farm_status cause, struct runner_event *out) {
  struct candidate *c = &runner->candidates[variant];
  if (++c->deaths < MOST_DEATHS) return false;
  const char *message = arena_string(&runner->arena, status_message(), strlen(status_message()));
  c->done = c->has_entry = true;
  c->entry = failed_entry(runner, variant, cause, message ? message : "");
  if (runner->job->kind == WIRE_JOB_FINAL) return false; // comes with the final's record
  entry_event(runner, &c->entry, out);
  return true;
}

static enum farm_status child_died(struct job_runner *runner, bool hung, struct runner_event *out) {
  int wait_status;
  child_end(runner, &wait_status);
  enum farm_status cause = death_describe(runner, hung ? -1 : wait_status, hung);
  bool nobody = runner->running < 0 || runner->running >= runner->batch_count;
  bool heap_at_end = runner->phase == PHASE_FINAL && cause == FARM_TACTIC_OVERRAN;
  if (heap_at_end) {
    for (uint32_t i = 0; i < runner->job->variants_count; i++) runner->candidates[i].verified = false;
    runner->phase = PHASE_VERIFY;
  } else if (nobody) {
    if (++runner->reference_deaths >= MOST_REFERENCE_DEATHS) {
      char why[300];
      snprintf(why, sizeof why, "the reference or the start of the job %s", status_message());
      done_event(runner, FARM_FAILURE, why, out);
      return FARM_OK;
    }
  }
  bool too_often = runner->job->kind == WIRE_JOB_FINAL && ++runner->final_tries > MOST_FINAL_TRIES + 2 * (int)runner->job->variants_count;
  if (too_often) {
    done_event(runner, FARM_FAILURE, "the final kills its child again and again", out);
    return FARM_OK;
  }
  bool said = !heap_at_end && !nobody && suspect_judge(runner, runner->batch[runner->running], cause, out);
  if (all_done(runner)) {
    if (!said) done_event(runner, FARM_OK, "", out); // a screen's DONE follows its last entry
    return FARM_OK;
  }
  batch_choose(runner);
  enum farm_status status = batch_send(runner);
  return status == FARM_WORKER_LOST ? FARM_OK : status;
}

/* ---- frames of the child ---- */

static enum farm_status entry_take(struct job_runner *runner, const struct child_frame *frame, struct runner_event *out) {
  struct bytes_reader reader = bytes_reader_of(frame->body, frame->length);
  struct record record;
  uint32_t index = bytes_get_u32(&reader), finalist = bytes_get_u32(&reader), rank = bytes_get_u32(&reader);
  FAIL_IF(!bytes_reader_ok(&reader) || index >= (uint32_t)runner->batch_count, FARM_INVALID, "the measuring child sent a malformed entry");
  arena_free(&runner->event_arena);
  TRY(record_decode(reader.data + reader.at, reader.length - reader.at, runner->phase == PHASE_FINAL ? &runner->arena : &runner->event_arena, &record));
  int variant = runner->batch[index];
  FAIL_IF(record.entry_count != 1 || strcmp(record.entries[0].variant, runner->job->variants[variant].text) != 0, FARM_INVALID,
          "the measuring child sent an entry of another variant");
  struct candidate *c = &runner->candidates[variant];
  if (runner->phase == PHASE_VERIFY) {
    c->verified = true;
    return FARM_OK; // a failure shows again in the final
  }
  c->entry = record.entries[0];
  c->has_entry = c->done = true;
  if (runner->phase == PHASE_SCREEN) {
    entry_event(runner, &c->entry, out);
    return FARM_OK;
  }
  c->entry.finalist = finalist != 0;
  c->entry.rank = rank;
  c->done = false; // settled only when the whole final is
  return FARM_OK;
}

static enum farm_status done_take(struct job_runner *runner, const struct child_frame *frame, struct runner_event *out) {
  struct bytes_reader reader = bytes_reader_of(frame->body, frame->length);
  arena_free(&runner->event_arena);
  const char *name = bytes_get_string(&reader, &runner->event_arena), *message = bytes_get_string(&reader, &runner->event_arena);
  FAIL_IF(!bytes_reader_finished(&reader), FARM_INVALID, "the measuring child sent a malformed end");
  enum farm_status result = FARM_FAILURE;
  for (int s = 0; s < FARM_STATUS_COUNT; s++)
    if (strcmp(status_name((enum farm_status)s), name) == 0) result = (enum farm_status)s;
  if (result != FARM_OK) {
    done_event(runner, result, message, out);
    return FARM_OK;
  }
  if (runner->phase == PHASE_FINAL) {
    for (uint32_t i = 0; i < runner->job->variants_count; i++)
      FAIL_IF(!runner->candidates[i].has_entry, FARM_INVALID, "the measuring child left %s out", runner->job->variants[i].text);
    done_event(runner, FARM_OK, "", out);
    return FARM_OK;
  }
  if (runner->phase == PHASE_SCREEN && all_done(runner)) {
    done_event(runner, FARM_OK, "", out);
    return FARM_OK;
  }
  batch_choose(runner);
  return batch_send(runner);
}

static enum farm_status frame_take(struct job_runner *runner, const struct child_frame *frame, struct runner_event *out) {
  if (frame->type == CHILD_ENTRY) return entry_take(runner, frame, out);
  if (frame->type == CHILD_DONE) return done_take(runner, frame, out);
  FAIL_IF(frame->type != CHILD_RUNNING, FARM_INVALID, "the measuring child sent a frame of type %d", frame->type);
  struct bytes_reader reader = bytes_reader_of(frame->body, frame->length);
  int running = (int)bytes_get_u32(&reader);
  double allowed = bytes_get_f64(&reader);
  FAIL_IF(!bytes_reader_finished(&reader) || running < -1 || running >= runner->batch_count, FARM_INVALID, "the measuring child sent a malformed sign of life");
  runner->running = running;
  deadline_set(runner, allowed);
  return FARM_OK;
}

enum farm_status job_runner_step(struct job_runner *runner, uint64_t now_ns, struct runner_event *out_event) {
  *out_event = (struct runner_event){.kind = RUNNER_NONE, .message = ""};
  if (!runner->job) return FARM_OK;
  if (runner->phase == PHASE_IDLE) { // DONE was told: the job is over
    job_forget(runner);
    return FARM_OK;
  }
  if (runner->phase == PHASE_SCREEN && all_done(runner) && !runner->child.pid) { // the last entry was a failure
    done_event(runner, FARM_OK, "", out_event);
    return FARM_OK;
  }
  while (out_event->kind == RUNNER_NONE) {
    struct child_frame frame;
    enum farm_status status;
    if (runner->child.pid && child_reader_next(&runner->reader, &frame, &status)) {
      status = frame_take(runner, &frame, out_event);
    } else if (runner->child.pid && status == FARM_OK) {
      status = child_reader_fill(&runner->reader, runner->child.fd);
      if (status == FARM_OK) continue;
      if (status == FARM_AGAIN && now_ns < runner->due_ns) return FARM_OK;
      if (status == FARM_AGAIN || status == FARM_WORKER_LOST) return child_died(runner, status == FARM_AGAIN, out_event);
    } else if (!runner->child.pid) {
      return child_died(runner, false, out_event);
    }
    if (status == FARM_INVALID) return child_died(runner, false, out_event); // what speaks nonsense has gone wrong itself
    TRY(status);
  }
  return FARM_OK;
}
