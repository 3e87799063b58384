/* See worker.h. One loop: the link's events, the child's signs of life, deadlines. */
#include "worker.h"

#include "../base/clock.h"
#include "../base/log.h"
#include "../device/nvrtc.h"
#include "../kernels/tactic.h"
#include "artefact-supply.h"
#include "child-protocol.h"
#include "cores.h"
#include "job-runner.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BLOB_WAIT_MS = 120000 };
#define BLOB_MOST_BYTES ((size_t)8 << 30)

struct worker {
  struct worker_link *link;
  struct job_runner *runner;
  struct wire_lease lease;        // of the running job
  bool executes;                  // is it an execute job?
  int blob_fds[CHILD_BLOBS_MOST]; // its blobs; -1 none
  bool draining, device_lost;
  char class_text[DEVICE_CLASS_TEXT_MAX], device[300], cores[256];
  char build[200]; // for the records: with the driver's version where there is one
  uint32_t threads;
  bool is_gpu;
  struct artefact_supply supply; // of a GPU
};

static volatile sig_atomic_t told_to_end;
static void end_note(int signal_number) {
  (void)signal_number;
  told_to_end = 1;
}

static bool same_lease(const struct wire_lease *a, const struct wire_lease *b) {
  return a->epoch == b->epoch && a->counter == b->counter;
}

/* Variants that this build does not have, or has from other sources. */
static uint32_t unknown_find(const struct wire_job *job, struct wire_variant *out) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < job->variants_count; i++) {
    struct variant variant;
    bool known = variant_parse(job->variants[i].text, &variant) == FARM_OK &&
                 strcmp(tactic_source_digest(variant.tactic), job->variants[i].source) == 0;
    if (!known) out[count++] = job->variants[i];
  }
  return count;
}

static enum farm_status ready_again(struct worker *worker) {
  return worker->draining || worker->device_lost || told_to_end ? FARM_OK : worker_link_ready(worker->link, 1);
}

static void blobs_close(struct worker *worker) {
  for (int i = 0; i < CHILD_BLOBS_MOST; i++) {
    if (worker->blob_fds[i] >= 0) close(worker->blob_fds[i]);
    worker->blob_fds[i] = -1;
  }
}

/* What a compile job made goes to the coordinator as a blob before the job ends. */
static enum farm_status executed_tell(struct worker *worker, const struct runner_event *end) {
  struct wire_blob_ref made = {.name = "artefacts", .length = end->artefact_bytes};
  bool some = end->status == FARM_OK && end->artefact_bytes > 0;
  enum farm_status status = end->status;
  char message[512];
  snprintf(message, sizeof message, "%s", end->message);
  if (some) status = worker_link_blob_put(worker->link, end->artefacts, end->artefact_bytes, BLOB_WAIT_MS, &made.digest);
  if (some && status != FARM_OK) snprintf(message, sizeof message, "%s", status_message());
  return worker_link_executed(worker->link, worker->lease, status, message, status == FARM_OK ? end->report : "", &made,
                              some && status == FARM_OK ? 1 : 0);
}

static enum farm_status job_return(struct worker *worker, struct wire_lease lease, const char *why,
                                   const struct wire_variant *unknown, uint32_t count);

static enum farm_status job_end(struct worker *worker, const struct runner_event *end) {
  bool final = end->status == FARM_OK && end->record;
  blobs_close(worker);
  if (status_loses(end->status) == LOSES_DEVICE) { // nobody's fault: another worker's, or a later one's
    log_error("%s", end->message);
    worker->device_lost = true;
    return job_return(worker, worker->lease, end->message, NULL, 0);
  }
  if (worker->executes)
    TRY(executed_tell(worker, end));
  else
    TRY(worker_link_finished(worker->link, worker->lease, end->status, end->message, final ? end->record : NULL, final ? 1 : 0));
  worker->lease = (struct wire_lease){0};
  return ready_again(worker);
}

static enum farm_status job_fail(struct worker *worker, enum farm_status status) {
  char message[512];
  snprintf(message, sizeof message, "%s", status_message());
  return job_end(worker, &(struct runner_event){.status = status, .message = message});
}

/* Blameless: variants that this build does not have; none: not here, not now. */
static enum farm_status job_return(struct worker *worker, struct wire_lease lease, const char *why,
                                   const struct wire_variant *unknown, uint32_t count) {
  TRY(worker_link_return(worker->link, lease, why, unknown, count));
  return ready_again(worker);
}

/* Blobs as files without names, which the child inherits. */
static enum farm_status blob_fetch(struct worker *worker, const struct wire_blob_ref *blob, int *out_fd) {
  uint8_t *data;
  size_t length, at = 0;
  TRY(worker_link_blob_get(worker->link, &blob->digest, BLOB_MOST_BYTES, BLOB_WAIT_MS, &data, &length));
  int fd = memfd_create("tunefarm-blob", MFD_CLOEXEC);
  while (fd >= 0 && at < length) {
    ssize_t wrote = write(fd, data + at, length - at);
    if (wrote <= 0) break;
    at += (size_t)wrote;
  }
  free(data);
  *out_fd = fd;
  FAIL_IF(fd < 0 || at < length, FARM_NO_MEMORY, "no room for blob %s of %zu bytes", blob->name, length);
  return FARM_OK;
}

static enum farm_status blobs_fetch(struct worker *worker, const struct wire_job *job) {
  FAIL_IF(job->blobs_count > CHILD_BLOBS_MOST, FARM_UNSUPPORTED, "an execute job with %u blobs", job->blobs_count);
  for (uint32_t i = 0; i < job->blobs_count; i++) TRY(blob_fetch(worker, &job->blobs[i], &worker->blob_fds[i]));
  return FARM_OK;
}

static enum farm_status supply_variant(void *context, const struct wire_job *job, uint32_t variant, int child_fd) {
  return artefact_supply_send(&((struct worker *)context)->supply, job, variant, child_fd);
}

/* What nobody has compiled yet goes back, blamelessly. */
static enum farm_status artefacts_fetch(struct worker *worker, const struct wire_job *job, bool *out_returned) {
  struct wire_variant *missing = calloc(job->variants_count + 1, sizeof *missing);
  FAIL_IF(!missing, FARM_NO_MEMORY, "out of memory for a job");
  uint32_t count = 0;
  enum farm_status status = artefact_supply_fetch(&worker->supply, job, missing, &count);
  *out_returned = status == FARM_OK && count > 0;
  if (*out_returned) status = job_return(worker, job->lease, "no compiled kernel in the store", missing, count);
  free(missing);
  return status;
}

static enum farm_status job_begin(struct worker *worker, const struct wire_job *job) {
  bool returned = false;
  worker->lease = job->lease;
  worker->executes = job->kind == WIRE_JOB_EXECUTE;
  TRY(worker_link_started(worker->link, job->lease));
  enum farm_status status = worker->executes ? blobs_fetch(worker, job) : FARM_OK;
  if (status == FARM_OK && worker->is_gpu && !worker->executes) status = artefacts_fetch(worker, job, &returned);
  if (returned) return FARM_OK;
  if (status == FARM_OK) status = job_runner_start(worker->runner, job, worker->executes ? worker->blob_fds : NULL);
  return status == FARM_OK ? FARM_OK : job_fail(worker, status);
}

static enum farm_status job_take(struct worker *worker, const struct wire_job *job) {
  if (job_runner_busy(worker->runner) || told_to_end) return job_return(worker, job->lease, "not now", NULL, 0);
  if (strcmp(job->device_class, worker->class_text) != 0 || job->threads > worker->threads)
    return job_return(worker, job->lease, "this is another device", NULL, 0);
  struct wire_variant *unknown = calloc(job->variants_count + 1, sizeof *unknown);
  FAIL_IF(!unknown, FARM_NO_MEMORY, "out of memory for a job");
  uint32_t count = unknown_find(job, unknown);
  enum farm_status status =
      count ? job_return(worker, job->lease, "this build has other tactics", unknown, count) : job_begin(worker, job);
  free(unknown);
  return status;
}

static enum farm_status job_stop(struct worker *worker) {
  if (!job_runner_busy(worker->runner)) return FARM_OK;
  job_runner_stop(worker->runner);
  return job_end(worker, &(struct runner_event){.status = FARM_CANCELLED, .message = "stopped by the coordinator"});
}

static enum farm_status job_hand_back(struct worker *worker) {
  if (!job_runner_busy(worker->runner)) return FARM_OK;
  job_runner_stop(worker->runner);
  blobs_close(worker);
  return job_return(worker, worker->lease, "the worker was told to end", NULL, 0);
}

static enum farm_status event_handle(struct worker *worker, const struct worker_event *event) {
  switch (event->kind) {
  case WORKER_EVENT_JOB:
    return job_take(worker, event->job);
  case WORKER_EVENT_STOP:
    return same_lease(&event->lease, &worker->lease) ? job_stop(worker) : FARM_OK;
  case WORKER_EVENT_DRAIN:
    worker->draining = true;
    return FARM_OK;
  case WORKER_EVENT_NONE:
  case WORKER_EVENT_FD:
    return FARM_OK;
  }
  return FARM_OK;
}

static enum farm_status runner_pump(struct worker *worker) {
  struct runner_event event;
  do {
    enum farm_status status = job_runner_step(worker->runner, clock_now_ns(), &event);
    if (status != FARM_OK) {
      job_runner_stop(worker->runner);
      return job_fail(worker, status);
    }
    if (event.kind == RUNNER_ENTRY) TRY(worker_link_partial(worker->link, worker->lease, event.record, 1));
    if (event.kind == RUNNER_DONE) TRY(job_end(worker, &event));
  } while (event.kind != RUNNER_NONE);
  return FARM_OK;
}

static int poll_timeout_ms(const struct worker *worker) {
  uint64_t due = job_runner_due_ns(worker->runner), now = clock_now_ns();
  if (due == UINT64_MAX || due > now + 400000000u) return 400;
  return due <= now ? 0 : (int)((due - now) / 1000000u) + 1;
}

static enum farm_status serve(struct worker *worker) {
  TRY(worker_link_ready(worker->link, 1));
  while (!(worker->draining && !job_runner_busy(worker->runner))) {
    struct worker_event event;
    if (told_to_end) return job_hand_back(worker);
    FAIL_IF(worker->device_lost, FARM_DEVICE_LOST, "%s: the device is lost to this worker", worker->device);
    TRY(worker_link_poll(worker->link, job_runner_fd(worker->runner), poll_timeout_ms(worker), &event));
    TRY(event_handle(worker, &event));
    TRY(runner_pump(worker));
  }
  return FARM_OK;
}

/* ---- what this worker is ---- */

static enum farm_status be_cores(struct worker *worker, const struct worker_options *options) {
  struct device_class device_class;
  cpu_set_t cores;
  TRY(cores_parse(options->cores, &cores));
  TRY(cpu_device_class(&device_class));
  device_class_print(&device_class, worker->class_text);
  cores_print(&cores, worker->cores, sizeof worker->cores);
  snprintf(worker->device, sizeof worker->device, "cores %s", worker->cores);
  worker->threads = (uint32_t)CPU_COUNT(&cores);
  return FARM_OK;
}

static enum farm_status be_gpu(struct worker *worker, const struct worker_options *options) {
  struct device_class device_class;
  FAIL_IF(!options->gpu, FARM_USAGE, "a GPU's worker without a GPU");
  cuda_device_class(options->gpu, &device_class);
  device_class_print(&device_class, worker->class_text);
  snprintf(worker->device, sizeof worker->device, "%s", options->gpu->uuid);
  int driver = options->gpu->driver_version;
  snprintf(worker->build, sizeof worker->build, "%.150s driver %d.%d", options->build, driver / 1000, driver % 1000 / 10);
  worker->threads = 1;
  worker->is_gpu = true;
  worker->supply = (struct artefact_supply){.sm = options->gpu->sm};
  return FARM_OK;
}

static enum farm_status be_compiler(struct worker *worker, const struct worker_options *options) {
  char compiler[64];
  (void)options;
  TRY(nvrtc_version(compiler, sizeof compiler));
  snprintf(worker->class_text, sizeof worker->class_text, "compiler %s", compiler);
  snprintf(worker->device, sizeof worker->device, "compiler %d", (int)getpid()); // any number of them on a machine
  worker->threads = 1;
  return FARM_OK;
}

static enum farm_status link_up(struct worker *worker, const struct worker_options *options) {
  char host[128] = "host";
  gethostname(host, sizeof host - 1);
  struct worker_link_options link = {.endpoint = options->endpoint,
                                     .build = options->build,
                                     .catalogue = catalogue_digest(),
                                     .host = host,
                                     .device_class = worker->class_text,
                                     .device = worker->device,
                                     .cores = worker->cores,
                                     .threads = worker->threads,
                                     .keys = options->keys};
  TRY(worker_link_open(&link, &worker->link));
  worker->supply.link = worker->link;
  return FARM_OK;
}

enum farm_status worker_run(const struct worker_options *options) {
  static enum farm_status (*const be[])(struct worker *, const struct worker_options *) = {
      [WORKER_CORES] = be_cores, [WORKER_GPU] = be_gpu, [WORKER_COMPILER] = be_compiler};
  struct worker worker = {.blob_fds = {-1, -1}};
  snprintf(worker.build, sizeof worker.build, "%.199s", options->build);
  TRY(be[options->part](&worker, options));
  struct job_runner_options runner = {.child_argv = options->child_argv,
                                      .device = worker.device,
                                      .build = worker.build,
                                      .hang_ns = options->hang_ns,
                                      .supply = worker.is_gpu ? supply_variant : NULL,
                                      .context = &worker};
  signal(SIGPIPE, SIG_IGN);
  sigaction(SIGTERM, &(struct sigaction){.sa_handler = end_note}, NULL);
  sigaction(SIGINT, &(struct sigaction){.sa_handler = end_note}, NULL);
  TRY(job_runner_create(&runner, &worker.runner));
  enum farm_status status = link_up(&worker, options);
  if (status == FARM_OK) {
    status = serve(&worker);
    worker_link_close(&worker.link);
  }
  job_runner_destroy(&worker.runner);
  artefact_supply_free(&worker.supply);
  return status;
}
