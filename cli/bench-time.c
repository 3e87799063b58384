/* `bench --time` and `--tune`: the worker's own job runner and measuring child, without a farm. The CPU's peaks are measured
 * before, between and after, on the same cores, while the child is idle. */
#include "bench.h"

#include "local-farm.h"

#include "../base/clock.h"
#include "../include/tunefarm.h"
#include "../kernels/cpu/peak.h"
#include "../worker/job-runner.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PEAK_MS = 120, NO_DEFAULT = 4095, CHUNKS = 4, CHUNK_LEAST = 24 };

/* ---- peaks ---- */

static enum farm_status peak_take(struct bench *bench) {
  struct thread_pool *pool = NULL;
  struct device_locks locks = {.count = 0};
  if (bench->peak_count == BENCH_MOST_PEAKS) return FARM_OK;
  TRY(thread_pool_create(bench->threads, &pool));
  enum farm_status status = cores_lock(&bench->cores, NULL, NULL, &locks);
  if (status == FARM_OK) {
    bench->peak_gflops[bench->peak_count++] = cpu_fma_peak_gflops(bench->device_class.isa, pool, PEAK_MS);
    if (bench->read_gbs <= 0) bench->read_gbs = cpu_read_bandwidth_gbs(&bench->device_class, pool, 0, PEAK_MS);
    device_unlock(&locks);
  }
  thread_pool_destroy(&pool);
  return status;
}

/* ---- jobs ---- */

static struct bench_row *row_find(struct bench *bench, const char *text) {
  for (int i = 0; i < bench->row_count; i++)
    if (strcmp(bench->rows[i].text, text) == 0) return &bench->rows[i];
  return NULL;
}

/* What a record says of a variant; its texts do not outlive the event. */
static enum farm_status entry_keep(struct bench *bench, const struct record_entry *entry) {
  struct bench_row *row = row_find(bench, entry->variant);
  FAIL_IF(!row, FARM_INVALID, "the measuring child spoke of %s", entry->variant);
  row->entry = *entry;
  row->entry.variant = row->text;
  row->entry.source_digest = tactic_source_digest(row->variant.tactic);
  row->entry.message = arena_string(&bench->arena, entry->message, strlen(entry->message));
  row->known = true;
  FAIL_IF(!row->entry.message, FARM_NO_MEMORY, "out of memory for a message");
  return FARM_OK;
}

static enum farm_status record_keep(struct bench *bench, const struct record *record) {
  for (uint32_t i = 0; i < record->entry_count; i++) TRY(entry_keep(bench, &record->entries[i]));
  bench->clocks = arena_string(&bench->arena, record->clocks, strlen(record->clocks));
  FAIL_IF(!bench->clocks, FARM_NO_MEMORY, "out of memory for a record");
  return FARM_OK;
}

/* Like a build's: redrawn on a terminal, else a line each ten seconds. */
static void progress_show(const char *phase, int done, int total, uint64_t begun_ns, uint64_t *last_ns) {
  bool terminal = isatty(STDERR_FILENO) == 1;
  uint64_t now = clock_now_ns();
  if (now - *last_ns < (terminal ? 200000000u : 10000000000u)) return;
  *last_ns = now;
  char left[32] = "";
  if (done) snprintf(left, sizeof left, ", %.0f s left", (double)(now - begun_ns) * 1e-9 / done * (total - done));
  fprintf(stderr, terminal ? "\r\033[K%s %d/%d%s" : "%s %d/%d%s\n", phase, done, total, left);
}

static void progress_end(void) {
  if (isatty(STDERR_FILENO) == 1) fputs("\r\033[K", stderr);
}

static int wait_ms(const struct job_runner *runner) {
  uint64_t due = job_runner_due_ns(runner), now = clock_now_ns();
  return due <= now ? 0 : due - now > 500000000u ? 500 : (int)((due - now) / 1000000) + 1;
}

static enum farm_status runner_drive(struct bench *bench, const struct wire_job *job, struct job_runner *runner) {
  uint64_t begun_ns = clock_now_ns(), last_ns = begun_ns;
  for (int done = 0;;) {
    struct runner_event event;
    TRY(job_runner_step(runner, clock_now_ns(), &event));
    if (event.kind == RUNNER_ENTRY) TRY(record_keep(bench, event.record));
    done += event.kind == RUNNER_ENTRY;
    progress_show(job->kind == WIRE_JOB_FINAL ? "final" : "screen", done, (int)job->variants_count, begun_ns, &last_ns);
    if (event.kind == RUNNER_DONE) {
      FAIL_IF(event.status != FARM_OK, event.status, "%s", event.message);
      return event.record ? record_keep(bench, event.record) : FARM_OK;
    }
    struct pollfd readable = {.fd = job_runner_fd(runner), .events = POLLIN};
    if (event.kind == RUNNER_NONE) poll(&readable, 1, wait_ms(runner));
  }
}

/* Of rows first to end - 1, in a final only of those that are finalists. */
static enum farm_status job_do(struct bench *bench, enum wire_job_kind kind, int first, int end, struct job_runner *runner) {
  struct wire_variant *variants = arena_alloc_array(&bench->arena, (size_t)bench->row_count, sizeof *variants);
  FAIL_IF(!variants, FARM_NO_MEMORY, "out of memory for a job");
  struct wire_job job = {.kind = (uint8_t)kind,
                         .problem = bench->text,
                         .device_class = bench->class_text,
                         .threads = (uint32_t)bench->threads,
                         .policy = bench->policy,
                         .default_index = NO_DEFAULT,
                         .estimated_ns = bench->rows[0].estimated_ns,
                         .spec = "",
                         .variants = variants};
  for (int i = first; i < end; i++) {
    const struct bench_row *row = &bench->rows[i];
    if (kind == WIRE_JOB_FINAL && !row->entry.finalist) continue;
    if (i == bench->default_row) job.default_index = job.variants_count;
    variants[job.variants_count++] = (struct wire_variant){row->text, tactic_source_digest(row->variant.tactic)};
  }
  if (job.variants_count == 0) return FARM_OK; // nothing survived
  TRY(job_runner_start(runner, &job, NULL));
  enum farm_status status = runner_drive(bench, &job, runner);
  progress_end();
  struct runner_event event;
  if (status == FARM_OK) status = job_runner_step(runner, clock_now_ns(), &event); // lets go of the job
  return status;
}

/* The coordinator's rule: what is within reach of the best, and the default. */
static enum farm_status finalists_mark(struct bench *bench) {
  struct record_entry *entries = arena_alloc_array(&bench->arena, (size_t)bench->row_count, sizeof *entries);
  FAIL_IF(!entries, FARM_NO_MEMORY, "out of memory for finalists");
  for (int i = 0; i < bench->row_count; i++) {
    entries[i] = bench->rows[i].entry;
    entries[i].is_default = i == bench->default_row;
  }
  record_pick_finalists(entries, (uint32_t)bench->row_count);
  for (int i = 0; i < bench->row_count; i++) bench->rows[i].entry.finalist = entries[i].finalist;
  return FARM_OK;
}

static enum farm_status measure(struct bench *bench, bool finals, struct job_runner *runner) {
  int chunk = (bench->row_count + CHUNKS - 1) / CHUNKS;
  if (chunk < CHUNK_LEAST) chunk = CHUNK_LEAST;
  TRY(peak_take(bench));
  for (int first = 0; first < bench->row_count; first += chunk) {
    TRY(job_do(bench, WIRE_JOB_SCREEN, first, first + chunk < bench->row_count ? first + chunk : bench->row_count, runner));
    TRY(peak_take(bench));
  }
  if (!finals) return FARM_OK;
  TRY(finalists_mark(bench));
  TRY(job_do(bench, WIRE_JOB_FINAL, 0, bench->row_count, runner));
  bench->finals = true;
  return peak_take(bench);
}

enum farm_status bench_time(struct bench *bench, bool finals) {
  char program[PATH_MAX];
  struct job_runner *runner = NULL;
  TRY(local_farm_program(program));
  const char *const child[] = {program, "worker", "--measuring-child", "3", "--cores", bench->cores_text, NULL};
  struct job_runner_options options = {.child_argv = child, .device = bench->cores_text, .build = farm_version()};
  TRY(job_runner_create(&options, &runner));
  enum farm_status status = measure(bench, finals, runner);
  job_runner_destroy(&runner);
  bench->timed = status == FARM_OK;
  return status;
}
