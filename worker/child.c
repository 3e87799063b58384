/* See child.h. Everything a kernel could ruin is in here; what it says goes out as it lands. */
#include "child.h"

#include "child-protocol.h"
#include "compile.h"
#include "execute.h"
#include "gpu-bench.h"
#include "measure.h"

#include "../base/log.h"
#include "../cluster/wire/messages.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <signal.h>

struct child {
  int fd;
  cpu_set_t cores;
  const char *gpu_name; // NULL: measures on the cores
  size_t cold_bytes;
  struct bench bench;          // its pool is of the last job's size, its GPU is opened by the first measuring job
  struct artefact_shelf shelf; // of the job that comes
  struct arena case_arena;     // problem of the case
  struct problem problem;
  char *case_text;
  const struct wire_job *job; // current
  struct arena arena;         // of the current job
};

/* ---- signs of life ---- */

static void running_send(void *context, int variant, double allowed) {
  struct child *child = context;
  struct bytes_writer body = {0};
  bytes_put_u32(&body, (uint32_t)variant);
  bytes_put_f64(&body, allowed);
  if (!body.failed) child_frame_send(child->fd, CHILD_RUNNING, body.data, body.length);
  bytes_writer_free(&body);
}

static enum farm_status entry_send(void *context, int variant, const struct record_entry *entry, const char *clocks) {
  struct child *child = context;
  struct record_entry copy = *entry;
  struct record record = {.kind = RECORD_SCREEN,
                          .problem = child->job->problem,
                          .device_class = child->job->device_class,
                          .policy = child->job->policy,
                          .threads = child->job->threads,
                          .device = "",
                          .build = "",
                          .clocks = clocks,
                          .entry_count = 1,
                          .entries = &copy};
  struct bytes_writer body = {0};
  bytes_put_u32(&body, (uint32_t)variant);
  bytes_put_u32(&body, entry->finalist);
  bytes_put_u32(&body, entry->rank);
  copy.finalist = false; // a screen record has none; the parent puts them back into the final
  copy.rank = UINT32_MAX;
  enum farm_status status = record_encode(&record, &body);
  if (status == FARM_OK)
    status = body.failed ? status_set(FARM_NO_MEMORY, "out of memory for a record")
                         : child_frame_send(child->fd, CHILD_ENTRY, body.data, body.length);
  bytes_writer_free(&body);
  return status;
}

/* Why this process ends: the error of a device that is of no use any more. */
static void last_words_send(struct child *child, enum farm_status status) {
  struct bytes_writer body = {0};
  bytes_put_string(&body, status_name(status));
  bytes_put_string(&body, status_message());
  if (!body.failed) (void)child_frame_send(child->fd, CHILD_LAST_WORDS, body.data, body.length);
}

static enum farm_status done_send(struct child *child, enum farm_status status) {
  struct bytes_writer body = {0};
  bytes_put_string(&body, status_name(status));
  bytes_put_string(&body, status == FARM_OK ? "" : status_message());
  enum farm_status sent = body.failed ? FARM_NO_MEMORY : child_frame_send(child->fd, CHILD_DONE, body.data, body.length);
  bytes_writer_free(&body);
  return sent;
}

static enum farm_status artefact_send(void *context, const void *envelope, size_t length) {
  return child_frame_send(((struct child *)context)->fd, CHILD_ARTEFACT, envelope, length);
}

static enum farm_status report_send(struct child *child, const char *report) {
  struct bytes_writer body = {0};
  bytes_put_string(&body, report);
  enum farm_status sent = body.failed ? FARM_NO_MEMORY : child_frame_send(child->fd, CHILD_REPORT, body.data, body.length);
  bytes_writer_free(&body);
  return sent;
}

/* ---- a job ---- */

static void case_drop(struct child *child) {
  kernel_case_free(&child->bench.kernel_case);
  arena_free(&child->case_arena);
  free(child->case_text);
  child->case_text = NULL;
}

/* Operands and expected results of the last problem are kept: the final follows the screens. */
static enum farm_status case_prepare(struct child *child) {
  if (child->case_text && strcmp(child->case_text, child->job->problem) == 0) return FARM_OK;
  case_drop(child);
  TRY(problem_parse(child->job->problem, &child->case_arena, &child->problem));
  TRY(kernel_case_make(&child->problem, &child->bench.kernel_case));
  child->case_text = strdup(child->job->problem);
  FAIL_IF(!child->case_text, FARM_NO_MEMORY, "out of memory for a problem");
  return FARM_OK;
}

/* The device: threads of the asked number, or the GPU. */
static enum farm_status bench_prepare(struct child *child) {
  struct bench *bench = &child->bench;
  if (child->gpu_name) {
    if (bench->gpu) return FARM_OK;
    TRY(gpu_bench_open(child->gpu_name, &bench->gpu));
    bench->gpu->shelf = &child->shelf;
    child->cold_bytes = gpu_bench_cold_bytes(bench->gpu);
    return FARM_OK;
  }
  if (bench->pool && thread_pool_size(bench->pool) == (int)child->job->threads) return FARM_OK;
  thread_pool_destroy(&bench->pool);
  return thread_pool_create((int)child->job->threads, &bench->pool);
}

static enum farm_status variants_read(struct child *child, struct measure_job *job) {
  const struct wire_job *wire = child->job;
  struct variant *variants = arena_alloc_array(&child->arena, wire->variants_count, sizeof *variants);
  const char **texts = arena_alloc_array(&child->arena, wire->variants_count, sizeof *texts);
  const char **sources = arena_alloc_array(&child->arena, wire->variants_count, sizeof *sources);
  FAIL_IF(!variants || !texts || !sources, FARM_NO_MEMORY, "out of memory for %u variants", wire->variants_count);
  for (uint32_t i = 0; i < wire->variants_count; i++) {
    texts[i] = wire->variants[i].text;
    sources[i] = wire->variants[i].source;
    TRY(variant_parse(texts[i], &variants[i]));
  }
  *job = (struct measure_job){.problem = &child->problem,
                              .variants = variants,
                              .texts = texts,
                              .sources = sources,
                              .variant_count = (int)wire->variants_count,
                              .default_index = (int)wire->default_index,
                              .threads = (int)wire->threads,
                              .estimated_ns = wire->estimated_ns,
                              .cold_bytes = child->cold_bytes};
  return measure_policy_parse(wire->policy, &job->policy);
}

static enum farm_status execute_run(struct child *child) {
  struct strbuf report = {0};
  const struct execute_events events = {child, running_send};
  const struct compile_events compiling = {child, running_send, artefact_send};
  enum farm_status status = compile_is_spec(child->job->spec)
                                ? compile_job(child->job, CHILD_BLOB_FD, &compiling, &report)
                                : execute_job(child->job, CHILD_BLOB_FD, &child->cores, child->gpu_name, &events, &report);
  if (status == FARM_OK) status = report_send(child, report.data ? report.data : "");
  strbuf_free(&report);
  return status;
}

static enum farm_status job_run(struct child *child, const uint8_t *body, size_t length) {
  struct wire_message message;
  struct measure_job job;
  const struct measure_events events = {child, running_send, entry_send};
  TRY(wire_decode(body, length, &child->arena, &message));
  FAIL_IF(message.type != WIRE_JOB, FARM_INVALID, "not a job");
  child->job = &message.job;
  if (message.job.kind == WIRE_JOB_EXECUTE) return execute_run(child);
  FAIL_IF(message.job.variants_count == 0 || message.job.threads == 0, FARM_INVALID, "not a measuring job");
  running_send(child, -1, 600e9); // large operands take their time
  TRY(case_prepare(child));
  TRY(bench_prepare(child));
  TRY(variants_read(child, &job));
  if (message.job.kind == WIRE_JOB_SCREEN) return measure_screen(&child->bench, &job, &events);
  FAIL_IF(message.job.kind != WIRE_JOB_FINAL, FARM_INVALID, "a job of kind %d", message.job.kind);
  return measure_final(&child->bench, &job, &events);
}

/* Frees nothing: the heap may be broken, and freeing on a device that hangs takes for ever. */
static _Noreturn void end_at_once(struct child *child) {
  enum farm_status blame = child->bench.gpu ? gpu_bench_blame(child->bench.gpu) : FARM_OK;
  if (blame != FARM_OK) last_words_send(child, blame);
  _Exit(blame != FARM_OK ? CHILD_EXIT_DEVICE : CHILD_EXIT_HEAP);
}

static enum farm_status frame_take(struct child *child, const struct child_frame *frame) {
  if (frame->type == CHILD_ARTEFACT) return artefact_frame_take(frame->body, frame->length, &child->shelf);
  FAIL_IF(frame->type != CHILD_JOB, FARM_INVALID, "a frame of type %d from the worker", frame->type);
  enum farm_status result = job_run(child, frame->body, frame->length);
  if (result == FARM_WORKER_LOST) end_at_once(child);
  enum farm_status sent = done_send(child, result);
  arena_free(&child->arena);
  artefact_shelf_clear(&child->shelf);
  return sent;
}

static enum farm_status child_begin(struct child *child, const char *cores) {
  struct device_class device_class;
  prctl(PR_SET_PDEATHSIG, SIGKILL);               // nobody measures for a dead worker
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); // crashing is part of the work
  TRY(cores_parse(cores, &child->cores));
  TRY(cores_bind(&child->cores));
  TRY(cpu_device_class(&device_class));
  child->cold_bytes = measure_cold_bytes(&device_class);
  child->bench = (struct bench){.kind = child->gpu_name ? &trial_kind_cuda : &trial_kind_cpu, .cores = &child->cores};
  return FARM_OK;
}

int measuring_child_main(int fd, const char *cores, const char *gpu) {
  struct child child = {.fd = fd, .gpu_name = gpu};
  struct child_reader reader = {0};
  int exit_code = 0;
  enum farm_status status = child_begin(&child, cores);
  while (status == FARM_OK) {
    struct child_frame frame;
    if (child_reader_next(&reader, &frame, &status))
      status = frame_take(&child, &frame);
    else if (status == FARM_OK)
      status = child_reader_fill(&reader, fd);
  }
  if (status != FARM_WORKER_LOST) {
    log_error("measuring child: %s", status_message());
    exit_code = 1;
  }
  case_drop(&child);
  thread_pool_destroy(&child.bench.pool);
  gpu_bench_close(&child.bench.gpu);
  artefact_shelf_clear(&child.shelf);
  child_reader_free(&reader);
  return exit_code;
}
