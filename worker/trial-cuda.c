/* Variants on a GPU: see trial-kind.h.
 *
 *   warm-up and long runs    launches one by one
 *   short runs               graphs of `repeats` runs each, so many that together they use every copy of the weights:
 *                            [ 0 1 2 ] [ 3 4 0 ] …      played in turn
 *
 * Before each timed graph the one before it in turn is played untimed: while the device is busy with it, mark, graph and mark are
 * put on the stream, so that the time between the marks has no gap in which the device waits for the host.
 */
#include "trial-kind.h"

#include "../device/nvml.h"
#include "../kernels/cuda/cuda-trial.h"
#include "gpu-bench.h"

#include <stdio.h>
#include <stdlib.h>

enum { GRAPHS_MOST = 512 };

struct gpu_trial {
  struct cuda_trial *trial;
  uint64_t patience_ns;
  int copies;
  int repeats; // of each graph
  struct cuda_graph *graphs[GRAPHS_MOST];
  int graph_count;
};

/* A device that is of no use any more is this process's end, whatever the call says. */
static enum farm_status judged(const struct bench *bench, enum farm_status status) {
  if (status == FARM_OK || cuda_device_state(bench->gpu->device) == FARM_OK) return status;
  return FARM_WORKER_LOST;
}

/* ---- trials ---- */

static enum farm_status cubin_find(void *context, const char *source, int sm, struct bytes_writer *out_cubin) {
  const struct artefact_shelf *shelf = context;
  struct digest text = digest_of_text(source);
  const struct artefact_on_shelf *found = artefact_shelf_find(shelf, &text);
  FAIL_IF(!found, FARM_NOT_FOUND, "its compiled kernel for sm_%d is not at hand", sm);
  FAIL_IF(found->status != FARM_OK, FARM_TACTIC_REFUSED, "does not compile: %s", found->message);
  bytes_put(out_cubin, found->data, found->length);
  return FARM_OK;
}

static void graphs_free(struct gpu_trial *trial) {
  for (int i = 0; i < trial->graph_count; i++) cuda_graph_free(&trial->graphs[i]);
  trial->graph_count = 0;
}

static void trial_free(struct bench *bench, void *made) {
  struct gpu_trial *trial = made;
  (void)bench;
  graphs_free(trial);
  cuda_trial_free(&trial->trial);
  free(trial);
}

static enum farm_status make(struct bench *bench, const struct trial_request *request, void **out_trial) {
  struct gpu_trial *trial = calloc(1, sizeof *trial);
  FAIL_IF(!trial, FARM_NO_MEMORY, "out of memory for a trial");
  trial->patience_ns = (uint64_t)(0.9 * request->patience_ns); // before the worker gives up, so that it hears why
  trial->copies = request->copies;
  const struct cuda_trial_options options = {.cubin = cubin_find,
                                             .context = (void *)(uintptr_t)bench->gpu->shelf,
                                             .copies = request->copies,
                                             .patience_ns = trial->patience_ns};
  enum farm_status status =
      judged(bench, cuda_trial_make(bench->gpu->device, bench->kernel_case, request->variant, &options, &trial->trial));
  if (status != FARM_OK) {
    free(trial);
    return status;
  }
  *out_trial = trial;
  return FARM_OK;
}

static enum farm_status check(struct bench *bench, void *made, struct kernel_verdict *out_verdict) {
  return judged(bench, cuda_trial_check(((struct gpu_trial *)made)->trial, out_verdict));
}

static enum farm_status guards(struct bench *bench, void *made) {
  return judged(bench, cuda_trial_guards(((struct gpu_trial *)made)->trial));
}

/* ---- time ---- */

static enum farm_status runs_enqueue(struct gpu_trial *trial, int64_t turn, int count) {
  for (int i = 0; i < count; i++) TRY(cuda_trial_run(trial->trial, turn + i));
  return FARM_OK;
}

static enum farm_status graph_capture(struct bench *bench, struct gpu_trial *trial, int index) {
  TRY(cuda_capture_begin(bench->gpu->device));
  enum farm_status status = runs_enqueue(trial, (int64_t)index * trial->repeats, trial->repeats);
  enum farm_status ended = cuda_capture_end(bench->gpu->device, &trial->graphs[index]);
  if (status == FARM_OK) status = ended;
  if (status == FARM_OK) trial->graph_count = index + 1;
  return status;
}

/* As many graphs as it takes until every copy has had its turn. */
static enum farm_status graphs_make(struct bench *bench, struct gpu_trial *trial, int repeats) {
  if (trial->graph_count && trial->repeats == repeats) return FARM_OK;
  graphs_free(trial);
  trial->repeats = repeats;
  int count = (trial->copies + repeats - 1) / repeats;
  if (count > GRAPHS_MOST) count = GRAPHS_MOST;
  for (int i = 0; i < count; i++) TRY(graph_capture(bench, trial, i));
  return FARM_OK;
}

static enum farm_status graph_play(struct bench *bench, struct gpu_trial *trial, int64_t turn) {
  int64_t index = turn / trial->repeats % trial->graph_count;
  return cuda_graph_launch(bench->gpu->device, trial->graphs[index]);
}

static enum farm_status marked_run(struct bench *bench, struct gpu_trial *trial, int repeats, int64_t turn, double *out_ns) {
  struct cuda_device *device = bench->gpu->device;
  if (repeats > 1) {
    TRY(graphs_make(bench, trial, repeats));
    TRY(graph_play(bench, trial, turn + (int64_t)(trial->graph_count - 1) * repeats));
  }
  TRY(cuda_mark_begin(device));
  TRY(repeats > 1 ? graph_play(bench, trial, turn) : runs_enqueue(trial, turn, 1));
  TRY(cuda_mark_end(device));
  TRY(trial->patience_ns ? cuda_wait_for(device, trial->patience_ns) : cuda_wait(device));
  return cuda_marked_ns(device, out_ns);
}

static enum farm_status time_runs(struct bench *bench, void *made, int repeats, int64_t turn, double *out_ns,
                                  bool *out_disturbed) {
  *out_disturbed = false; // nobody takes a GPU away in the middle of a kernel
  return judged(bench, marked_run(bench, made, repeats, turn, out_ns));
}

static enum farm_status lock(struct bench *bench, void (*waiting)(void *context), void *context, struct device_locks *out_locks) {
  return gpu_hold(cuda_device_about(bench->gpu->device)->uuid, waiting, context, out_locks);
}

/* ---- noise: what NVML says before and after; nothing where there is none ---- */

static void look(struct bench *bench, struct noise *noise) {
  struct nvml_reading now;
  const struct status_kept before = status_keep(FARM_OK); // a run that failed is to be told of, not a missing NVML
  const bool is_read = nvml_read(cuda_device_about(bench->gpu->device)->uuid, &now) == FARM_OK;
  (void)status_restore(&before);
  if (!is_read) return;
  if (now.sm_mhz > 0 && (noise->mhz_low == 0 || now.sm_mhz < noise->mhz_low)) noise->mhz_low = now.sm_mhz;
  if (now.sm_mhz > noise->mhz_high) noise->mhz_high = now.sm_mhz;
  if (now.power_mw > noise->power_mw) noise->power_mw = now.power_mw;
  if (now.temperature_c > noise->temperature_c) noise->temperature_c = now.temperature_c;
  noise->reasons |= now.reasons;
}

static void window(struct bench *bench, struct noise *noise) { look(bench, noise); }

static void print(const struct noise *noise, char out[NOISE_TEXT_MAX]) {
  char reasons[64];
  int at = 0;
  out[0] = 0;
  if (noise->mhz_high > 0) at = snprintf(out, NOISE_TEXT_MAX, "mhz %.0f-%.0f", noise->mhz_low, noise->mhz_high);
  if (noise->power_mw > 0) at += snprintf(out + at, NOISE_TEXT_MAX - (size_t)at, " power %d", noise->power_mw / 1000);
  if (noise->temperature_c > 0) at += snprintf(out + at, NOISE_TEXT_MAX - (size_t)at, " celsius %d", noise->temperature_c);
  nvml_reasons_text(noise->reasons, reasons, sizeof reasons);
  if (reasons[0]) snprintf(out + at, NOISE_TEXT_MAX - (size_t)at, " held by %s", reasons);
}

const struct trial_kind trial_kind_cuda = {.sample_ns = 200e3, // marks are good to half a microsecond
                                           .weight_bytes = cuda_trial_weight_bytes_of,
                                           .make = make,
                                           .free = trial_free,
                                           .check = check,
                                           .guards = guards,
                                           .time = time_runs,
                                           .lock = lock,
                                           .noise_begin = window,
                                           .noise_end = window,
                                           .noise_print = print};
