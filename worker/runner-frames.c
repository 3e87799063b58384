/* What the child says, checked, and what becomes of it: events and records. See job-runner.h. */
#include "job-runner-internal.h"

#include "../base/clock.h"
#include "../problem/artefact.h"
#include "compile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAST_BREATH_NS 2e9

/* ---- records ---- */

static void record_fill(struct job_runner *runner, enum record_kind kind, uint32_t entry_count, const char *clocks) {
  const struct wire_job *job = runner->job;
  uint64_t now = clock_now_ns();
  runner->record = (struct record){.kind = kind,
                                   .problem = job->problem,
                                   .device_class = job->device_class,
                                   .policy = job->policy,
                                   .threads = job->threads,
                                   .device = runner->options.device,
                                   .build = runner->options.build,
                                   .clocks = clocks,
                                   .unix_s = clock_unix_s(),
                                   .device_s = (double)(now - runner->begun_ns) * 1e-9,
                                   .entry_count = entry_count,
                                   .entries = runner->record_entries};
  if (kind == RECORD_SCREEN) runner->begun_ns = now; // each screen record carries its own share
}

static void entry_event(struct job_runner *runner, const struct record_entry *entry, const char *clocks,
                        struct runner_event *out) {
  runner->record_entries[0] = *entry;
  runner->record_entries[0].finalist = false; // a screen record has none
  runner->record_entries[0].rank = RECORD_RANK_NONE;
  record_fill(runner, RECORD_SCREEN, 1, clocks);
  *out = (struct runner_event){.kind = RUNNER_ENTRY, .status = FARM_OK, .message = "", .record = &runner->record};
}

/* Sorted by text, as records are. */
static void final_record(struct job_runner *runner) {
  uint32_t count = runner->job->variants_count;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t at = i;
    for (; at > 0 && strcmp(runner->record_entries[at - 1].variant, runner->results[i].variant) > 0; at--)
      runner->record_entries[at] = runner->record_entries[at - 1];
    runner->record_entries[at] = runner->results[i];
  }
  record_fill(runner, RECORD_FINAL, count, runner->clocks ? runner->clocks : "");
}

void runner_done(struct job_runner *runner, enum farm_status status, const char *message, struct runner_event *out) {
  snprintf(runner->message, sizeof runner->message, "%s", message);
  *out = (struct runner_event){.kind = RUNNER_DONE,
                               .status = status,
                               .message = runner->message,
                               .report = runner->report,
                               .artefacts = runner->artefact_list.data,
                               .artefact_bytes = runner->artefact_list.length};
  if (status == FARM_OK && runner->job->kind == WIRE_JOB_FINAL) {
    final_record(runner);
    out->record = &runner->record;
  }
  runner->due_ns = UINT64_MAX;
  runner->over = true;
}

enum farm_status runner_convict(struct job_runner *runner, int variant, enum farm_status cause, struct runner_event *out) {
  const struct wire_variant *v = &runner->job->variants[variant];
  const char *message = arena_string(&runner->arena, status_message(), strlen(status_message()));
  FAIL_IF(!message, FARM_NO_MEMORY, "out of memory for a failed entry");
  runner->results[variant] = (struct record_entry){.variant = v->text,
                                                   .source_digest = v->source,
                                                   .status = cause,
                                                   .message = message,
                                                   .rank = RECORD_RANK_NONE,
                                                   .is_default = (uint32_t)variant == runner->job->default_index};
  if (runner->job->kind == WIRE_JOB_SCREEN) entry_event(runner, &runner->results[variant], "", out);
  return FARM_OK;
}

/* ---- frames ---- */

static enum farm_status running_take(struct job_runner *runner, struct bytes_reader *reader) {
  int running = (int)bytes_get_u32(reader);
  double allowed = bytes_get_f64(reader);
  int most = runner->job->kind == WIRE_JOB_EXECUTE ? (int)runner->job->blobs_count : runner->batch_count;
  FAIL_IF(!bytes_reader_finished(reader) || running < -1 || running >= most, FARM_INVALID,
          "the measuring child sent a malformed sign of life");
  runner->running = running;
  runner_deadline_set(runner, allowed);
  if (running < 0 || runner->job->kind == WIRE_JOB_EXECUTE) return FARM_OK;
  int variant = runner->batch[running];
  if (runner->first_ran < 0) runner->first_ran = variant;
  runner->others_ran |= runner->first_ran != variant;
  return FARM_OK;
}

/* The entry of a frame: of the variant that it names, and of no other. */
static enum farm_status entry_read(struct job_runner *runner, struct bytes_reader *reader, int *out_variant,
                                   struct record_entry *out, const char **out_clocks) {
  struct record record;
  uint32_t index = bytes_get_u32(reader), finalist = bytes_get_u32(reader), rank = bytes_get_u32(reader);
  FAIL_IF(!bytes_reader_ok(reader) || index >= (uint32_t)runner->batch_count, FARM_INVALID,
          "the measuring child sent a malformed entry");
  int variant = runner->batch[index];
  const struct wire_variant *v = &runner->job->variants[variant];
  bool keep = runner->job->kind == WIRE_JOB_FINAL;
  if (!keep) arena_free(&runner->event_arena);
  TRY(record_decode(reader->data + reader->at, reader->length - reader->at, keep ? &runner->arena : &runner->event_arena,
                    &record));
  bool same = record.entry_count == 1 && strcmp(record.entries[0].variant, v->text) == 0 &&
              strcmp(record.entries[0].source_digest, v->source) == 0;
  FAIL_IF(!same, FARM_INVALID, "the measuring child sent an entry of another variant");
  *out_variant = variant;
  *out = record.entries[0];
  out->finalist = finalist != 0;
  out->rank = rank;
  out->is_default = (uint32_t)variant == runner->job->default_index;
  *out_clocks = record.clocks;
  return FARM_OK;
}

static enum farm_status entry_take(struct job_runner *runner, struct bytes_reader *reader, struct runner_event *out) {
  int variant = 0;
  struct record_entry entry;
  const char *clocks = "";
  FAIL_IF(runner->job->kind == WIRE_JOB_EXECUTE, FARM_INVALID, "the measuring child sent an entry of an execute job");
  TRY(entry_read(runner, reader, &variant, &entry, &clocks));
  FAIL_IF(runner->blame.variants[variant].out, FARM_INVALID, "the measuring child sent an entry twice");
  bool final = runner->job->kind == WIRE_JOB_FINAL, ok = entry.status == FARM_OK;
  if (final && runner->trial == TRIAL_COMPANY) {
    runner->results[variant] = entry; // settled when the whole final is
    runner->clocks = clocks;
    return FARM_OK;
  }
  bool alone = runner->first_ran < 0 || (!runner->others_ran && runner->first_ran == variant);
  bool stands = blame_result(&runner->blame, variant, ok, alone);
  entry.finalist = false;
  entry.rank = RECORD_RANK_NONE;
  if (final && stands && !ok) runner->results[variant] = entry;
  if (!final && stands) entry_event(runner, &entry, clocks, out);
  return FARM_OK;
}

static enum farm_status final_take(struct job_runner *runner, struct runner_event *out) {
  uint32_t count = runner->job->variants_count;
  bool *failed = calloc(count, sizeof *failed);
  FAIL_IF(!failed, FARM_NO_MEMORY, "out of memory for a final");
  const char *left_out = NULL;
  for (uint32_t i = 0; i < count; i++) {
    if (!runner->results[i].variant) left_out = runner->job->variants[i].text;
    failed[i] = runner->results[i].status != FARM_OK;
  }
  bool taken = !left_out && blame_final_taken(&runner->blame, failed);
  free(failed);
  FAIL_IF(left_out, FARM_INVALID, "the measuring child left %s out", left_out);
  if (!taken) return runner_next(runner, out);
  runner_done(runner, FARM_OK, "", out);
  return FARM_OK;
}

static enum farm_status status_named(const char *name) {
  for (int s = 0; s < FARM_STATUS_COUNT; s++)
    if (strcmp(status_name((enum farm_status)s), name) == 0) return (enum farm_status)s;
  return FARM_FAILURE;
}

static enum farm_status artefact_take(struct job_runner *runner, const struct child_frame *frame) {
  struct arena arena = {0};
  struct artefact artefact;
  FAIL_IF(runner->job->kind != WIRE_JOB_EXECUTE || !compile_is_spec(runner->job->spec), FARM_INVALID,
          "the measuring child sent an artefact that nobody asked for");
  enum farm_status status = artefact_decode(frame->body, frame->length, &arena, &artefact);
  arena_free(&arena);
  TRY(status);
  FAIL_IF(runner->artefacts.length + frame->length > CHILD_ARTEFACTS_MOST_BYTES, FARM_INVALID,
          "the measuring child sent too many artefacts");
  bytes_put_blob(&runner->artefacts, frame->body, frame->length);
  runner->artefact_count++;
  return FARM_OK;
}

static enum farm_status artefacts_list(struct job_runner *runner) {
  if (runner->artefact_count == 0) return FARM_OK;
  bytes_put_u32(&runner->artefact_list, runner->artefact_count);
  bytes_put(&runner->artefact_list, runner->artefacts.data, runner->artefacts.length);
  FAIL_IF(runner->artefacts.failed || runner->artefact_list.failed, FARM_NO_MEMORY, "out of memory for artefacts");
  return FARM_OK;
}

/* The child ends by itself, or is ended, soon after. */
static enum farm_status last_words_take(struct job_runner *runner, struct bytes_reader *reader) {
  struct arena arena = {0};
  enum farm_status cause = status_named(bytes_get_string(reader, &arena));
  snprintf(runner->last_message, sizeof runner->last_message, "%s", bytes_get_string(reader, &arena));
  bool whole = bytes_reader_finished(reader) && (cause == FARM_TACTIC_CRASHED || cause == FARM_TACTIC_HUNG);
  arena_free(&arena);
  for (char *c = runner->last_message; *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
  FAIL_IF(!whole || !runner->last_message[0], FARM_INVALID, "the measuring child sent malformed last words");
  runner->last_words = cause;
  runner_deadline_set(runner, LAST_BREATH_NS);
  return FARM_OK;
}

static enum farm_status done_take(struct job_runner *runner, struct bytes_reader *reader, struct runner_event *out) {
  struct arena arena = {0};
  const char *name = bytes_get_string(reader, &arena), *message = bytes_get_string(reader, &arena);
  bool whole = bytes_reader_finished(reader);
  enum farm_status result = status_named(name);
  if (whole && result != FARM_OK) runner_done(runner, result, message, out);
  arena_free(&arena);
  FAIL_IF(!whole, FARM_INVALID, "the measuring child sent a malformed end");
  if (result != FARM_OK) return FARM_OK;
  if (runner->job->kind == WIRE_JOB_FINAL && runner->trial == TRIAL_COMPANY) return final_take(runner, out);
  if (runner->job->kind != WIRE_JOB_EXECUTE) return runner_next(runner, out);
  TRY(artefacts_list(runner));
  runner_done(runner, FARM_OK, "", out);
  return FARM_OK;
}

static enum farm_status report_take(struct job_runner *runner, struct bytes_reader *reader) {
  runner->report = bytes_get_string(reader, &runner->arena);
  FAIL_IF(!bytes_reader_finished(reader) || strlen(runner->report) > CHILD_REPORT_MOST_BYTES, FARM_INVALID,
          "the measuring child sent a malformed report");
  return FARM_OK;
}

enum farm_status runner_frame(struct job_runner *runner, const struct child_frame *frame, struct runner_event *out) {
  struct bytes_reader reader = bytes_reader_of(frame->body, frame->length);
  switch (frame->type) {
  case CHILD_RUNNING:
    return running_take(runner, &reader);
  case CHILD_ENTRY:
    return entry_take(runner, &reader, out);
  case CHILD_REPORT:
    return report_take(runner, &reader);
  case CHILD_DONE:
    return done_take(runner, &reader, out);
  case CHILD_ARTEFACT:
    return artefact_take(runner, frame);
  case CHILD_LAST_WORDS:
    return last_words_take(runner, &reader);
  default:
    return status_set(FARM_INVALID, "the measuring child sent a frame of type %d", frame->type);
  }
}
