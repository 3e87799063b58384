/* See case-runner.h. */
#include "case-runner.h"

#include "output-rule.h"

#include "../base/log.h"
#include "../engine/build/build.h"
#include "../include/tunefarm.h"
#include "../optimizer/onnx/import.h"
#include "../optimizer/onnx/tensor-proto.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_OPERANDS = 64, MOST_SETS = 16 };

const char *case_verdict_name(enum case_verdict verdict) {
  static const char *const names[] = {"pass", "wrong", "unsupported", "error"};
  return names[verdict];
}

struct data_set {
  struct tensor inputs[MOST_OPERANDS], outputs[MOST_OPERANDS];
  int input_count, output_count;
};

static enum farm_status tensors_read(const char *folder, int set, const char *kind, struct arena *arena, struct tensor *out,
                                     int *out_count) {
  char path[PATH_MAX];
  for (*out_count = 0; *out_count < MOST_OPERANDS; ++*out_count) {
    snprintf(path, sizeof path, "%s/test_data_set_%d/%s_%d.pb", folder, set, kind, *out_count);
    if (access(path, R_OK) != 0) return FARM_OK;
    TRY(onnx_tensor_read(path, arena, &out[*out_count], NULL));
  }
  return status_set(FARM_UNSUPPORTED, "%s: more than %d tensors", folder, MOST_OPERANDS);
}

/* Inputs bind by position; their shapes are the data's. */
static enum farm_status shapes_from_data(const struct model *model, const struct data_set *data, struct arena *arena,
                                         struct build_shape *shapes, int *out_count) {
  *out_count = 0;
  for (int i = 0; i < model->graph->input_count && i < data->input_count; i++) {
    const struct value *input = model->graph->inputs[i];
    if (tensor_elems(&input->type) >= 0 || input->type.rank != data->inputs[i].rank) continue;
    struct build_shape *shape = &shapes[(*out_count)++];
    shape->input = arena_string(arena, input->name, strlen(input->name));
    shape->rank = input->type.rank;
    memcpy(shape->min, data->inputs[i].dims, sizeof shape->min);
    memcpy(shape->opt, data->inputs[i].dims, sizeof shape->opt);
    memcpy(shape->max, data->inputs[i].dims, sizeof shape->max);
    FAIL_IF(!shape->input, FARM_NO_MEMORY, "out of memory for shapes");
  }
  return FARM_OK;
}

static enum farm_status engine_make(const struct model *model, const struct data_set *data, const struct case_options *options,
                                    const char *engine_path) {
  struct arena arena = {0};
  struct build_shape shapes[MOST_OPERANDS];
  struct build_report report = {0};
  struct trial_facts facts;
  const char *const targets[] = {options->target, NULL};
  struct build_options build = {.model_path = model->path,
                                .output_path = engine_path,
                                .targets = targets,
                                .shapes = shapes,
                                .threads = options->threads,
                                .cache_mode = CACHE_OFF};
  enum farm_status status = shapes_from_data(model, data, &arena, shapes, &build.shape_count);
  if (status == FARM_OK && options->trial) status = trial_facts_make(options->trial, &facts, &build.facts);
  if (status == FARM_OK) status = build_run(&build, &report);
  build_report_free(&report);
  arena_free(&arena);
  return status;
}

static enum farm_status inputs_set(farm_context_t *context, const struct data_set *data) {
  for (int i = 0; i < data->input_count; i++) {
    const struct tensor *t = &data->inputs[i];
    farm_tensor_t given = {
        .size = sizeof given, .dtype = (int32_t)t->dtype, .rank = t->rank, .data = t->data, .bytes = tensor_bytes(t)};
    memcpy(given.dims, t->dims, sizeof given.dims);
    enum farm_status status = farm_context_set_input(context, i, &given);
    FAIL_IF(status != FARM_OK, status, "%s", farm_last_message());
  }
  return FARM_OK;
}

static void difference_print(int output, const struct compare_result *result, char *why, size_t why_bytes) {
  if (result->wrong <= 1 || result->worst < 0) {
    snprintf(why, why_bytes, "output %d: %s", output, result->why);
    return;
  }
  snprintf(why, why_bytes, "output %d: element %lld is %.9g, expected %.9g; the worst of %lld", output, (long long)result->worst,
           result->worst_actual, result->worst_expected, (long long)result->wrong);
}

static enum farm_status outputs_compare(farm_context_t *context, const struct model *model, const struct data_set *data,
                                        const struct compare_rule *asked, char *why, size_t why_bytes) {
  for (int i = 0; i < data->output_count; i++) {
    farm_tensor_t got = {.size = sizeof got};
    enum farm_status status = farm_context_get_output(context, i, &got);
    FAIL_IF(status != FARM_OK, status, "%s", farm_last_message());
    struct tensor actual = {.dtype = (enum dtype)got.dtype, .rank = got.rank, .data = got.data};
    memcpy(actual.dims, got.dims, sizeof actual.dims);
    struct compare_rule rule = *asked;
    if (i < model->graph->output_count) rule = output_rule(asked, model->graph->outputs[i], &data->outputs[i]);
    struct compare_result result;
    tensor_compare(&actual, &data->outputs[i], &rule, &result);
    if (result.passed) continue;
    difference_print(i, &result, why, why_bytes);
    return status_set(FARM_VERIFY_FAILED, "%s", why);
  }
  return FARM_OK;
}

static enum farm_status engine_run(const char *engine_path, const struct model *model, const struct data_set *data,
                                   const struct case_options *options, char *why, size_t why_bytes) {
  farm_engine_t *engine = NULL;
  farm_context_t *context = NULL;
  const farm_engine_options_t engine_options = {.size = sizeof engine_options, .threads = options->threads};
  enum farm_status status = farm_engine_load(engine_path, &engine_options, &engine);
  if (status == FARM_OK) status = farm_context_create(engine, NULL, &context);
  if (status != FARM_OK) status_set(status, "%s", farm_last_message());
  if (status == FARM_OK) status = inputs_set(context, data);
  if (status == FARM_OK && (status = farm_context_run(context)) != FARM_OK) status_set(status, "%s", farm_last_message());
  if (status == FARM_OK) status = outputs_compare(context, model, data, &options->rule, why, why_bytes);
  farm_context_free(context);
  farm_engine_free(engine);
  return status;
}

/* `placed`: whether a trial's variant stands in the engine; without that there is nothing to run. */
static enum farm_status set_run(const char *folder, int set, const struct case_options *options, bool *placed, char *why,
                                size_t why_bytes) {
  struct arena arena = {0};
  struct model *model = NULL;
  char model_path[PATH_MAX], engine_path[PATH_MAX];
  snprintf(model_path, sizeof model_path, "%s/model.onnx", folder);
  case_engine_path(options->engine_folder, set, engine_path, sizeof engine_path);
  struct data_set *data = arena_alloc(&arena, sizeof *data);
  enum farm_status status =
      data ? onnx_import(model_path, &model) : FARM_NO_MEMORY; // first: the files may hold sequences where it has some
  if (status == FARM_OK) status = tensors_read(folder, set, "input", &arena, data->inputs, &data->input_count);
  if (status == FARM_OK) status = tensors_read(folder, set, "output", &arena, data->outputs, &data->output_count);
  if (status == FARM_OK) status = engine_make(model, data, options, engine_path);
  *placed = true;
  if (status == FARM_OK && options->trial) status = trial_is_placed(engine_path, options->trial, placed);
  if (status == FARM_OK && *placed) status = engine_run(engine_path, model, data, options, why, why_bytes);
  model_free(&model);
  arena_free(&arena);
  return status;
}

static enum farm_status sets_run(const char *folder, const struct case_options *options, char *why, size_t why_bytes) {
  char set_folder[PATH_MAX];
  int sets = 0, placed_sets = 0;
  for (; sets < MOST_SETS; sets++) {
    bool placed;
    snprintf(set_folder, sizeof set_folder, "%s/test_data_set_%d", folder, sets);
    if (access(set_folder, R_OK) != 0) break;
    TRY(set_run(folder, sets, options, &placed, why, why_bytes));
    placed_sets += placed;
  }
  FAIL_IF(sets == 0, FARM_NOT_FOUND, "no test_data_set_0");
  FAIL_IF(placed_sets == 0, FARM_UNSUPPORTED, "%s cannot stand in this model", options->trial->variant);
  return FARM_OK;
}

void case_engine_path(const char *engine_folder, int set, char *out, size_t out_bytes) {
  snprintf(out, out_bytes, "%s/%d.engine", engine_folder, set);
}

enum farm_status case_folder_make(char *out, size_t out_bytes) {
  int length = snprintf(out, out_bytes, "%s/tunefarm-case-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
  FAIL_IF(length < 0 || (size_t)length >= out_bytes, FARM_USAGE, "TMPDIR is too long");
  FAIL_IF(!mkdtemp(out), FARM_IO, "no temporary folder %s: %s", out, strerror(errno));
  return FARM_OK;
}

void case_folder_remove(const char *engine_folder) {
  char path[PATH_MAX];
  for (int set = 0; set < MOST_SETS; set++) {
    case_engine_path(engine_folder, set, path, sizeof path);
    unlink(path);
  }
  rmdir(engine_folder);
}

/* Options with an engine folder: the caller's, or one in `made`, which is "" otherwise. */
static enum farm_status folder_settle(const struct case_options *options, struct case_options *out, char made[PATH_MAX]) {
  *out = *options;
  *made = 0;
  if (options->engine_folder) return FARM_OK;
  enum farm_status status = case_folder_make(made, PATH_MAX);
  if (status != FARM_OK) *made = 0;
  out->engine_folder = made;
  return status;
}

enum case_verdict case_run(const char *folder, const struct case_options *options, char *out_why, size_t why_bytes) {
  struct case_options settled;
  char made[PATH_MAX];
  *out_why = 0;
  enum farm_status status = folder_settle(options, &settled, made);
  if (status == FARM_OK) status = sets_run(folder, &settled, out_why, why_bytes);
  if (*made) case_folder_remove(made);
  if (status == FARM_OK) return CASE_PASS;
  if (!*out_why) snprintf(out_why, why_bytes, "%s", status_message());
  return status == FARM_VERIFY_FAILED ? CASE_WRONG : status == FARM_UNSUPPORTED ? CASE_UNSUPPORTED : CASE_ERROR;
}

enum case_verdict case_run_apart(const char *folder, const struct case_options *options, int timeout_s, char *out_why,
                                 size_t why_bytes) {
  struct shared {
    enum case_verdict verdict;
    char why[512];
  } *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int done[2] = {-1, -1}, status = 0;
  enum case_verdict verdict = CASE_ERROR;
  struct case_options settled;
  char made[PATH_MAX]; // by this process: a child that crashes removes nothing
  snprintf(out_why, why_bytes, "cannot start a child for the case");
  if (folder_settle(options, &settled, made) != FARM_OK || shared == MAP_FAILED || pipe(done) != 0) goto unmap;
  pid_t child = fork();
  if (child == 0) {
    close(done[0]);
    log_set_level(LOG_ERROR);
    shared->verdict = case_run(folder, &settled, shared->why, sizeof shared->why);
    _exit(0);
  }
  close(done[1]);
  if (child < 0) goto close_pipe;
  bool hung = poll(&(struct pollfd){.fd = done[0], .events = POLLIN}, 1, timeout_s * 1000) == 0; // its end closes when it ends
  if (hung) kill(child, SIGKILL);
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (hung)
    snprintf(out_why, why_bytes, "no end after %d s", timeout_s);
  else if (WIFSIGNALED(status))
    snprintf(out_why, why_bytes, "crashed: signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
  else {
    verdict = shared->verdict;
    snprintf(out_why, why_bytes, "%s", shared->why);
  }
close_pipe:
  close(done[0]);
unmap:
  if (*made) case_folder_remove(made);
  if (shared != MAP_FAILED) munmap(shared, sizeof *shared);
  return verdict;
}
