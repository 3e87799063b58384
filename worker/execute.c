/* See execute.h. Engines are run through the public library, as a user would. */
#include "execute.h"

#include "../base/clock.h"
#include "../base/random.h"
#include "../include/tunefarm.h"
#include "../problem/compare.h"
#include "statistics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { PAIRS_MOST = 20000, PAIRS_LEAST = 5, LOAD_ALLOWED_S = 300 };
#define TOLERANCE                                                                                                                \
  1e-2 // of the largest value: two sound engines of one model may sum in another order and choose other precisions

struct engine_under_test {
  int blob; // index in the job's list
  const uint8_t *data;
  size_t length;
  farm_engine_t *engine;
  farm_context_t *context;
  double *samples, longest_ns;
};

struct comparison {
  const struct execute_events *events;
  const cpu_set_t *cores;
  const char *gpu;
  struct arena arena; // inputs
  double seconds, worst;
  int threads;
  struct engine_under_test sides[2]; // a, b
  double *ratios;
  uint32_t count;
};

static enum farm_status said(enum farm_status status) {
  return status == FARM_OK ? FARM_OK : status_set(status, "%s", farm_last_message());
}

/* ---- loading ---- */

static enum farm_status spec_parse(const char *spec, struct comparison *c) {
  int end = 0;
  int got = sscanf(spec, "time-engines/1 seconds=%lf threads=%d%n", &c->seconds, &c->threads, &end);
  FAIL_IF(strncmp(spec, "time-engines/1 ", 15) != 0, FARM_UNSUPPORTED, "unknown execute job `%.100s`", spec);
  bool sane = got == 2 && !spec[end] && c->seconds > 0 && c->seconds <= 600 && c->threads >= 1 && c->threads <= 4096;
  FAIL_IF(!sane, FARM_INVALID, "execute job `%.100s`: wants seconds=S threads=T", spec);
  return FARM_OK;
}

static enum farm_status blob_map(int fd, struct engine_under_test *side) {
  struct stat info;
  FAIL_IF(fstat(fd, &info) != 0 || info.st_size <= 0, FARM_INVALID, "an engine is not there");
  void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  FAIL_IF(data == MAP_FAILED, FARM_NO_MEMORY, "cannot map an engine of %lld bytes", (long long)info.st_size);
  side->data = data;
  side->length = (size_t)info.st_size;
  return FARM_OK;
}

static enum farm_status side_load(struct comparison *c, const struct wire_job *job, const char *name, int first_fd,
                                  struct engine_under_test *side) {
  side->blob = -1;
  for (uint32_t i = 0; i < job->blobs_count; i++)
    if (strcmp(job->blobs[i].name, name) == 0) side->blob = (int)i;
  FAIL_IF(side->blob < 0, FARM_INVALID, "execute job: there is no blob `%s`", name);
  c->events->running(c->events->context, side->blob, LOAD_ALLOWED_S * 1e9);
  TRY(blob_map(first_fd + side->blob, side));
  farm_engine_options_t engine_options = {.size = sizeof engine_options,
                                          .threads = c->threads,
                                          .verify = 1,
                                          .section = c->gpu ? "cuda" : "cpu", // this worker's, whatever else is in the machine
                                          .device = c->gpu};
  farm_context_options_t context_options = {.size = sizeof context_options, .threads = c->threads};
  enum farm_status status = said(farm_engine_load_bytes(side->data, side->length, &engine_options, &side->engine));
  if (status == FARM_OK) status = said(farm_context_create(side->engine, &context_options, &side->context));
  side->samples = calloc(PAIRS_MOST, sizeof *side->samples);
  FAIL_IF(!side->samples, FARM_NO_MEMORY, "out of memory for samples");
  return status == FARM_OK ? FARM_OK : status_prefix(status, "engine `%s`", name);
}

static void side_free(struct engine_under_test *side) {
  farm_context_free(side->context);
  farm_engine_free(side->engine);
  if (side->data) munmap((void *)(uintptr_t)side->data, side->length);
  free(side->samples);
}

/* ---- inputs and outputs ---- */

/* Normal numbers for floats; 0 or 1 for integers, which are valid as ids, masks and lengths. */
static void fill(struct tensor *tensor, uint64_t seed) {
  int64_t elems = tensor_elems(tensor);
  for (int64_t i = 0; i < elems; i++) {
    if (dtype_is_float(tensor->dtype))
      dtype_store_f64(tensor->dtype, tensor->data, i, random_normal(seed, (uint64_t)i));
    else
      dtype_store_i64(tensor->dtype, tensor->data, i, (int64_t)(random_u64(seed, (uint64_t)i) & 1));
  }
}

static enum farm_status input_feed(struct comparison *c, int32_t index) {
  farm_binding_t of[2] = {{.size = sizeof of[0]}, {.size = sizeof of[1]}};
  for (int k = 0; k < 2; k++) TRY(said(farm_engine_input(c->sides[k].engine, index, &of[k])));
  bool same = strcmp(of[0].name, of[1].name) == 0 && of[0].tensor.dtype == of[1].tensor.dtype &&
              of[0].tensor.rank == of[1].tensor.rank &&
              memcmp(of[0].opt, of[1].opt, sizeof of[0].opt[0] * (size_t)of[0].tensor.rank) == 0;
  FAIL_IF(!same, FARM_MISMATCH, "the engines differ in input %s", of[0].name);
  struct tensor tensor = {.dtype = (enum dtype)of[0].tensor.dtype, .rank = of[0].tensor.rank};
  memcpy(tensor.dims, of[0].opt, sizeof tensor.dims);
  size_t bytes = tensor_bytes(&tensor);
  FAIL_IF(bytes == SIZE_MAX, FARM_INVALID, "input %s has an impossible shape", of[0].name);
  tensor.data = arena_alloc(&c->arena, bytes + 1);
  FAIL_IF(!tensor.data, FARM_NO_MEMORY, "out of memory for input %s", of[0].name);
  fill(&tensor, (uint64_t)index + 1);
  farm_tensor_t given = {
      .size = sizeof given, .dtype = (int32_t)tensor.dtype, .rank = tensor.rank, .data = tensor.data, .bytes = bytes};
  memcpy(given.dims, tensor.dims, sizeof given.dims);
  for (int k = 0; k < 2; k++) TRY(said(farm_context_set_input(c->sides[k].context, index, &given)));
  return FARM_OK;
}

static enum farm_status inputs_feed(struct comparison *c) {
  int32_t count = farm_engine_input_count(c->sides[0].engine);
  FAIL_IF(count != farm_engine_input_count(c->sides[1].engine), FARM_MISMATCH, "the engines have other numbers of inputs");
  FAIL_IF(farm_engine_output_count(c->sides[0].engine) != farm_engine_output_count(c->sides[1].engine), FARM_MISMATCH,
          "the engines have other numbers of outputs");
  for (int32_t i = 0; i < count; i++) TRY(input_feed(c, i));
  return FARM_OK;
}

static enum farm_status output_of(const struct engine_under_test *side, int32_t index, struct tensor *out) {
  farm_tensor_t tensor = {.size = sizeof tensor};
  TRY(said(farm_context_get_output(side->context, index, &tensor)));
  *out = (struct tensor){.dtype = (enum dtype)tensor.dtype, .rank = tensor.rank, .data = tensor.data};
  memcpy(out->dims, tensor.dims, sizeof out->dims);
  return FARM_OK;
}

static enum farm_status outputs_compare(struct comparison *c) {
  const struct compare_rule rule = {.rtol = 0, .atol = TOLERANCE, .relative_to_max = true};
  for (int32_t i = 0; i < farm_engine_output_count(c->sides[0].engine); i++) {
    struct tensor a, b;
    struct compare_result result;
    TRY(output_of(&c->sides[0], i, &a));
    TRY(output_of(&c->sides[1], i, &b));
    tensor_compare(&a, &b, &rule, &result);
    if (result.max_rel_to_max > c->worst) c->worst = result.max_rel_to_max;
    FAIL_IF(!result.passed, FARM_VERIFY_FAILED, "output %d of the two engines differs: %s", (int)i, result.why);
  }
  return FARM_OK;
}

/* ---- timing ---- */

static enum farm_status side_run(struct comparison *c, struct engine_under_test *side, double *out_ns) {
  double allowed = side->longest_ns > 0 ? 10e9 + 30 * side->longest_ns : LOAD_ALLOWED_S * 1e9;
  c->events->running(c->events->context, side->blob, allowed);
  uint64_t begin = clock_now_ns();
  TRY(said(farm_context_run(side->context)));
  *out_ns = (double)(clock_now_ns() - begin);
  if (*out_ns > side->longest_ns) side->longest_ns = *out_ns;
  return FARM_OK;
}

static enum farm_status pair_time(struct comparison *c) {
  double ns[2];
  for (int k = 0; k < 2; k++) { // who goes first changes
    int side = (k + (int)c->count) % 2;
    TRY(side_run(c, &c->sides[side], &ns[side]));
  }
  c->sides[0].samples[c->count] = ns[0], c->sides[1].samples[c->count] = ns[1];
  c->ratios[c->count++] = ns[1] > 0 ? ns[0] / ns[1] : 1;
  return FARM_OK;
}

static void lock_sign(void *context) {
  const struct comparison *c = context;
  c->events->running(c->events->context, -1, 60e9);
}

static enum farm_status pairs_time(struct comparison *c) {
  struct device_locks locks;
  double ignored;
  enum farm_status status = FARM_OK;
  TRY(c->gpu ? gpu_hold(c->gpu, lock_sign, c, &locks) : cores_lock(c->cores, lock_sign, c, &locks));
  for (int k = 0; k < 4 && status == FARM_OK; k++) status = side_run(c, &c->sides[k % 2], &ignored); // warm-up
  uint64_t begin = clock_now_ns();
  while (status == FARM_OK && c->count < PAIRS_MOST &&
         (c->count < PAIRS_LEAST || (double)(clock_now_ns() - begin) < c->seconds * 1e9))
    status = pair_time(c);
  device_unlock(&locks);
  return status;
}

static enum farm_status report_make(struct comparison *c, struct strbuf *out) {
  struct record_times a, b, ratio;
  times_of(c->sides[0].samples, c->count, &a);
  times_of(c->sides[1].samples, c->count, &b);
  times_of(c->ratios, c->count, &ratio);
  strbuf_printf(
      out,
      "{\"a_ms\":%.9g,\"b_ms\":%.9g,\"ratio\":%.9g,\"ci95_low\":%.9g,\"ci95_high\":%.9g,\"n\":%u,\"max_rel_difference\":%.9g}",
      a.median * 1e-6, b.median * 1e-6, ratio.median, ratio.ci_low, ratio.ci_high, c->count,
      isfinite(c->worst) ? c->worst : 1e300);
  FAIL_IF(out->failed, FARM_NO_MEMORY, "out of memory for a report");
  return FARM_OK;
}

static enum farm_status compare_run(struct comparison *c, const struct wire_job *job, int first_fd) {
  double ignored;
  TRY(side_load(c, job, "a", first_fd, &c->sides[0]));
  TRY(side_load(c, job, "b", first_fd, &c->sides[1]));
  TRY(inputs_feed(c));
  for (int k = 0; k < 2; k++) TRY(side_run(c, &c->sides[k], &ignored));
  TRY(outputs_compare(c));
  return pairs_time(c);
}

enum farm_status execute_job(const struct wire_job *job, int first_fd, const cpu_set_t *cores, const char *gpu,
                             const struct execute_events *events, struct strbuf *out_report) {
  struct comparison c = {.events = events, .cores = cores, .gpu = gpu};
  TRY(spec_parse(job->spec, &c));
  c.ratios = calloc(PAIRS_MOST, sizeof *c.ratios);
  FAIL_IF(!c.ratios, FARM_NO_MEMORY, "out of memory for samples");
  enum farm_status status = compare_run(&c, job, first_fd);
  if (status == FARM_OK) status = report_make(&c, out_report);
  for (int k = 0; k < 2; k++) side_free(&c.sides[k]);
  free(c.ratios);
  arena_free(&c.arena);
  return status;
}
