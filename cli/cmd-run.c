/* `tunefarm run`: runs an engine through the public API, checks its outputs, times it. */
#include "command.h"

#include "tensor-io.h"
#include "timing.h"

#include "../base/array.h"
#include "../base/clock.h"
#include "../base/file.h"
#include "../base/log.h"
#include "../base/random.h"
#include "../include/tunefarm.h"
#include "../optimizer/ir/evaluate.h"
#include "../optimizer/onnx/import.h"
#include "../problem/compare.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct run_command {
  const char *engine_path, *output_folder, *expect_folder, *reference_path, *target, *device;
  struct option_list inputs, shapes;
  struct compare_rule rule;
  int64_t threads, ranks, iterations;
  double warmup_ms, duration_s;
  bool profile;
  struct option_optional json;
  struct arena arena;
  farm_engine_t *engine;
  farm_context_t *context;
  struct tensor *bound; // the inputs as given, by index
  double load_ms, first_output_ms, foreign;
  struct timing timing;
  int64_t timed;
  struct compare_result check; // worst over outputs
  bool checked;
};

static double ms_since(uint64_t begin) { return (double)(clock_now_ns() - begin) * 1e-6; }

/* ---- inputs ---- */

static const char *named_value(const struct option_list *list, const char *name) { // NAME=VALUE; the last one counts
  size_t length = strlen(name);
  for (size_t i = list->count; i-- > 0;)
    if (strncmp(list->items[i], name, length) == 0 && list->items[i][length] == '=') return list->items[i] + length + 1;
  return NULL;
}

static enum farm_status names_check(const struct run_command *c, const struct option_list *list, const char *option) {
  for (size_t i = 0; i < list->count; i++) {
    const char *equals = strchr(list->items[i], '=');
    FAIL_IF(!equals, FARM_USAGE, "--%s %s: no NAME=VALUE", option, list->items[i]);
    bool known = false;
    for (int32_t k = 0; k < farm_engine_input_count(c->engine); k++) {
      farm_binding_t binding = {.size = sizeof binding};
      TRY(farm_engine_input(c->engine, k, &binding));
      known |= strlen(binding.name) == (size_t)(equals - list->items[i]) &&
               strncmp(binding.name, list->items[i], strlen(binding.name)) == 0;
    }
    FAIL_IF(!known, FARM_USAGE, "--%s %s: the engine has no such input", option, list->items[i]);
  }
  return FARM_OK;
}

static enum farm_status dims_from_option(const char *name, const char *text, struct tensor *tensor) {
  int rank = 0;
  for (const char *at = text;; at++) {
    char *end;
    long long dim = strtoll(at, &end, 10);
    FAIL_IF(end == at || dim < 0 || rank == TENSOR_MAX_RANK, FARM_USAGE, "--shape %s=%s: not a shape like 1x3x224x224", name,
            text);
    tensor->dims[rank++] = dim;
    at = end;
    if (*at != 'x') {
      FAIL_IF(*at, FARM_USAGE, "--shape %s=%s: `%s` is left over", name, text, at);
      break;
    }
  }
  FAIL_IF(rank != tensor->rank, FARM_USAGE, "--shape %s=%s: the input has %d dimensions", name, text, tensor->rank);
  return FARM_OK;
}

/* Normal numbers for floats; for integers 0 or 1, which are valid as ids, masks and lengths. */
static void fill_random(struct tensor *tensor, uint64_t seed) {
  int64_t elems = tensor_elems(tensor);
  for (int64_t i = 0; i < elems; i++) {
    if (dtype_is_float(tensor->dtype))
      dtype_store_f64(tensor->dtype, tensor->data, i, random_normal(seed, (uint64_t)i));
    else
      dtype_store_i64(tensor->dtype, tensor->data, i, (int64_t)(random_u64(seed, (uint64_t)i) & 1));
  }
}

static enum farm_status input_make(struct run_command *c, int32_t index, const farm_binding_t *binding) {
  struct tensor tensor = {.dtype = (enum dtype)binding->tensor.dtype, .rank = binding->tensor.rank};
  const char *path = named_value(&c->inputs, binding->name), *shape = named_value(&c->shapes, binding->name);
  memcpy(tensor.dims, binding->opt, sizeof tensor.dims);
  if (path)
    TRY(tensor_file_read(path, &c->arena, &tensor));
  else if (shape)
    TRY(dims_from_option(binding->name, shape, &tensor));
  size_t bytes = tensor_bytes(&tensor);
  FAIL_IF(bytes == SIZE_MAX, FARM_USAGE, "--shape %s=%s: too large", binding->name, shape ? shape : "");
  if (!path) {
    tensor.data = arena_alloc(&c->arena, bytes);
    FAIL_IF(!tensor.data, FARM_NO_MEMORY, "%s: out of memory for %zu bytes", binding->name, bytes);
    fill_random(&tensor, (uint64_t)index + 1);
  }
  c->bound[index] = tensor;
  farm_tensor_t given = {
      .size = sizeof given, .dtype = (int32_t)tensor.dtype, .rank = tensor.rank, .data = tensor.data, .bytes = bytes};
  memcpy(given.dims, tensor.dims, sizeof given.dims);
  enum farm_status status = farm_context_set_input(c->context, index, &given);
  return status == FARM_OK ? FARM_OK : status_set(status, "%s", farm_last_message());
}

/* input_0.pb … of a test folder stand for inputs that no --input names. */
static enum farm_status expected_inputs_use(struct run_command *c) {
  for (int32_t k = 0; c->expect_folder && k < farm_engine_input_count(c->engine); k++) {
    farm_binding_t binding = {.size = sizeof binding};
    TRY(farm_engine_input(c->engine, k, &binding));
    char *text = arena_printf(&c->arena, "%s=%s/input_%d.pb", binding.name, c->expect_folder, (int)k);
    FAIL_IF(!text, FARM_NO_MEMORY, "out of memory for inputs");
    if (named_value(&c->inputs, binding.name) || access(text + strlen(binding.name) + 1, R_OK) != 0) continue;
    TRY(array_reserve(&c->inputs.items, &c->inputs.capacity, c->inputs.count + 1));
    c->inputs.items[c->inputs.count++] = text;
  }
  return FARM_OK;
}

static enum farm_status inputs_bind(struct run_command *c) {
  TRY(names_check(c, &c->inputs, "input"));
  TRY(names_check(c, &c->shapes, "shape"));
  TRY(expected_inputs_use(c));
  c->bound = arena_alloc_array(&c->arena, (size_t)farm_engine_input_count(c->engine) + 1, sizeof *c->bound);
  FAIL_IF(!c->bound, FARM_NO_MEMORY, "out of memory for inputs");
  for (int32_t k = 0; k < farm_engine_input_count(c->engine); k++) {
    farm_binding_t binding = {.size = sizeof binding};
    TRY(farm_engine_input(c->engine, k, &binding));
    TRY(input_make(c, k, &binding));
  }
  return FARM_OK;
}

/* ---- outputs ---- */

static enum farm_status output_get(struct run_command *c, int32_t index, struct tensor *out, farm_binding_t *out_binding) {
  farm_tensor_t tensor = {.size = sizeof tensor};
  *out_binding = (farm_binding_t){.size = sizeof *out_binding};
  TRY(farm_engine_output(c->engine, index, out_binding));
  TRY(farm_context_get_output(c->context, index, &tensor));
  *out = (struct tensor){.dtype = (enum dtype)tensor.dtype, .rank = tensor.rank, .data = tensor.data};
  memcpy(out->dims, tensor.dims, sizeof out->dims);
  return FARM_OK;
}

static void check_note(struct run_command *c, const char *name, const struct tensor *actual, const struct tensor *expected) {
  struct compare_result result;
  tensor_compare(actual, expected, &c->rule, &result);
  if (!result.passed) log_warning("output %s: %s (%lld elements differ)", name, result.why, (long long)result.wrong);
  if (!c->checked) c->check = result;
  c->checked = true;
  if (c->check.passed && !result.passed) memcpy(c->check.why, result.why, sizeof c->check.why);
  c->check.passed &= result.passed;
  c->check.wrong += result.wrong;
  if (result.max_abs > c->check.max_abs) c->check.max_abs = result.max_abs;
  if (result.max_rel_to_max > c->check.max_rel_to_max) c->check.max_rel_to_max = result.max_rel_to_max;
  if (result.cosine < c->check.cosine) c->check.cosine = result.cosine;
}

static enum farm_status output_check(struct run_command *c, int32_t index, const struct tensor *actual, const char *name) {
  char path[PATH_MAX];
  struct tensor expected;
  snprintf(path, sizeof path, "%s/output_%d.pb", c->expect_folder, (int)index);
  if (access(path, R_OK) != 0) snprintf(path, sizeof path, "%s/%s.npy", c->expect_folder, name);
  TRY(tensor_file_read(path, &c->arena, &expected));
  check_note(c, name, actual, &expected);
  return FARM_OK;
}

/* The same inputs through the references of the model's operators: slow, portable, right. */
static enum farm_status reference_check(struct run_command *c) {
  struct model *model = NULL;
  int32_t count = farm_engine_output_count(c->engine);
  struct tensor *expected = arena_alloc_array(&c->arena, (size_t)count + 1, sizeof *expected);
  FAIL_IF(!expected, FARM_NO_MEMORY, "out of memory for outputs");
  TRY(onnx_import(c->reference_path, &model));
  enum farm_status status = FARM_OK;
  if (model->graph->output_count != count || model->graph->input_count != farm_engine_input_count(c->engine))
    status = status_set(FARM_MISMATCH, "it has other inputs or outputs than the engine");
  if (status == FARM_OK) status = graph_evaluate(model, c->bound, expected);
  for (int32_t k = 0; status == FARM_OK && k < count; k++) {
    struct tensor actual;
    farm_binding_t binding;
    status = output_get(c, k, &actual, &binding);
    if (status == FARM_OK) check_note(c, binding.name, &actual, &expected[k]);
  }
  for (int32_t k = 0; k < count; k++) tensor_free(&expected[k]);
  model_free(&model);
  return status == FARM_OK ? FARM_OK : status_prefix(status, "%s", c->reference_path);
}

static enum farm_status outputs_take(struct run_command *c) {
  for (int32_t k = 0; k < farm_engine_output_count(c->engine); k++) {
    struct tensor tensor;
    farm_binding_t binding;
    char path[PATH_MAX];
    TRY(output_get(c, k, &tensor, &binding));
    if (c->expect_folder) TRY(output_check(c, k, &tensor, binding.name));
    if (!c->output_folder) continue;
    TRY(file_make_folders(c->output_folder));
    snprintf(path, sizeof path, "%s/%s.npy", c->output_folder, binding.name);
    for (char *at = path + strlen(c->output_folder) + 1; *at; at++)
      if (*at == '/') *at = '_';
    TRY(npy_write(path, &tensor));
  }
  return FARM_OK;
}

/* ---- timing ---- */

static enum farm_status run_once(struct run_command *c) {
  enum farm_status status = farm_context_run(c->context);
  return status == FARM_OK ? FARM_OK : status_set(status, "%s: %s", c->engine_path, farm_last_message());
}

static enum farm_status time_runs(struct run_command *c) {
  enum { MOST_SAMPLES = 1000000 };
  double *samples = NULL;
  size_t capacity = 0, count = 0;
  struct foreign_load load;
  enum farm_status status = FARM_OK;
  for (uint64_t begin = clock_now_ns(); ms_since(begin) < c->warmup_ms;) TRY(run_once(c));
  foreign_load_begin(&load);
  uint64_t begin = clock_now_ns();
  while (count < MOST_SAMPLES &&
         (c->iterations ? count < (size_t)c->iterations : count < 10 || ms_since(begin) < c->duration_s * 1e3)) {
    TRY_OR(array_reserve(&samples, &capacity, count + 1), free_samples);
    uint64_t start = clock_now_ns();
    TRY_OR(run_once(c), free_samples);
    samples[count++] = (double)(clock_now_ns() - start) * 1e-6;
  }
  c->foreign = foreign_load_share(&load);
  timing_of(samples, count, &c->timing);
  c->timed = (int64_t)count;
free_samples:
  free(samples);
  return status;
}

/* N of --threads run, whatever the section was made for. */
static int threads_of(const struct run_command *c, const farm_engine_info_t *info) {
  return c->threads && strcmp(info->device, "cpu") == 0 ? (int)c->threads : (int)info->threads;
}

static void section_warn(const struct run_command *c, const farm_engine_info_t *info) {
  if (info->other_class)
    log_warning("%s: no section was made for this machine; that for %s runs instead", c->engine_path, info->device_class);
  if (c->threads && info->other_threads)
    log_warning("%s: no section was made for %d threads; that for %d runs instead", c->engine_path, (int)c->threads,
                (int)info->threads);
}

static void noise_warn(const struct run_command *c) {
  if (c->foreign > 0.05)
    log_warning("other processes took %.0f %% of this machine while it was timed: the figures are not to be trusted",
                c->foreign * 100);
  if (c->timed >= 30 && c->timing.p95 > 1.25 * c->timing.median)
    log_warning("95 %% of the runs took up to %.2f times the median: the machine is noisy", c->timing.p95 / c->timing.median);
}

/* ---- reports ---- */

static json_t *profile_json(struct run_command *c) {
  json_t *steps = json_array();
  for (int32_t i = 0; i < farm_context_step_count(c->context); i++) {
    farm_step_profile_t p = {.size = sizeof p};
    if (farm_context_profile(c->context, i, &p) != FARM_OK || !p.calls) continue;
    json_array_append_new(steps, json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:f}", "name", p.name, "onnx", p.origin, "variant",
                                           p.variant, "problem", p.problem, "place", p.device_calls ? "device" : "host", "calls",
                                           (json_int_t)p.calls, "mean_us", p.total_ns / (double)p.calls * 1e-3));
  }
  return steps;
}

static json_t *run_json(struct run_command *c, const farm_engine_info_t *info) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const struct timing *t = &c->timing;
  json_t *root =
      json_pack("{s:s,s:s,s:s,s:i,s:I,s:{s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:f},s:f,s:f,s:f,s:{s:I,s:I,s:I,s:I,s:I}}", "engine",
                c->engine_path, "section", info->device_class, "device", info->device, "threads", threads_of(c, info),
                "iterations", (json_int_t)c->timed, "latency_ms", "min", t->min, "mean", t->mean, "median", t->median, "p90",
                t->p90, "p95", t->p95, "p99", t->p99, "max", t->max, "ci95", t->ci95, "throughput_per_s",
                t->mean > 0 ? 1e3 / t->mean : 0.0, "load_ms", c->load_ms, "first_output_ms", c->first_output_ms, "memory",
                "arena_bytes", (json_int_t)info->arena_bytes, "lower_bound_bytes", (json_int_t)info->lower_bound_bytes,
                "weights_bytes", (json_int_t)info->weight_bytes, "peak_bytes", (json_int_t)usage.ru_maxrss * 1024, "device_bytes",
                (json_int_t)(info->device_weight_bytes + farm_context_device_memory(c->context)));
  const struct compare_result *check = &c->check;
  json_object_set_new(root, "check",
                      c->checked ? json_pack("{s:f,s:f,s:f,s:b}", "max_abs", check->max_abs, "max_rel_to_max",
                                             check->max_rel_to_max, "cosine", check->cosine, "passed", check->passed)
                                 : json_null());
  json_object_set_new(root, "foreign_load", c->foreign >= 0 ? json_real(c->foreign) : json_null());
  json_object_set_new(root, "profile", c->profile ? profile_json(c) : json_null());
  return root;
}

static void profile_show(struct run_command *c) {
  for (int32_t i = 0; i < farm_context_step_count(c->context); i++) {
    farm_step_profile_t p = {.size = sizeof p};
    if (farm_context_profile(c->context, i, &p) != FARM_OK || !p.calls) continue;
    fprintf(stderr, "%10.1f us  %-6s %-44s %s\n", p.total_ns / (double)p.calls * 1e-3, p.device_calls ? "device" : "host",
            p.variant && *p.variant ? p.variant : "-", p.name);
  }
}

static void show(struct run_command *c, const farm_engine_info_t *info) {
  if (strcmp(info->device, "cpu") != 0)
    log_info("on %s, %.1f MiB of its memory; %d steps run on the host", info->device,
             (double)(info->device_weight_bytes + farm_context_device_memory(c->context)) / 1048576, (int)info->host_steps);
  if (c->timed)
    log_info("%s [%s, %d threads]: median %.3f ms (min %.3f, p95 %.3f, p99 %.3f, interval of the median %.3f) over %lld runs, "
             "%.1f per second",
             c->engine_path, info->device_class, threads_of(c, info), c->timing.median, c->timing.min, c->timing.p95,
             c->timing.p99, c->timing.ci95, (long long)c->timed, 1e3 / c->timing.mean);
  else
    log_info("%s [%s, %d threads]: ran once, first output after %.1f ms", c->engine_path, info->device_class, threads_of(c, info),
             c->first_output_ms);
  if (c->checked)
    log_info("check: %s, largest error %.3g (%.3g of the largest value)", c->check.passed ? "passed" : "FAILED", c->check.max_abs,
             c->check.max_rel_to_max);
  if (c->profile) profile_show(c);
}

/* ---- the command ---- */

static enum farm_status engine_start(struct run_command *c) {
  uint64_t begin = clock_now_ns();
  farm_engine_options_t engine_options = {
      .size = sizeof engine_options, .section = c->target, .threads = (int32_t)c->threads, .device = c->device};
  farm_context_options_t context_options = {
      .size = sizeof context_options, .threads = (int32_t)c->threads, .profile = c->profile};
  enum farm_status status = farm_engine_load(c->engine_path, &engine_options, &c->engine);
  FAIL_IF(status != FARM_OK, status, "%s", farm_last_message());
  status = farm_context_create(c->engine, &context_options, &c->context);
  FAIL_IF(status != FARM_OK, status, "%s: %s", c->engine_path, farm_last_message());
  c->load_ms = ms_since(begin);
  return FARM_OK;
}

static enum farm_status run_all(struct run_command *c) {
  FAIL_IF(c->ranks > 1, FARM_UNSUPPORTED, "--ranks %lld: this version runs on one rank", (long long)c->ranks);
  uint64_t begin = clock_now_ns();
  TRY(engine_start(c));
  TRY(inputs_bind(c));
  TRY(run_once(c));
  c->first_output_ms = ms_since(begin);
  TRY(outputs_take(c));
  if (c->reference_path) TRY(reference_check(c));
  bool want_times = c->iterations || c->duration_s > 0;
  c->foreign = -1;
  if (want_times) TRY(time_runs(c));
  farm_engine_info_t info = {.size = sizeof info};
  TRY(farm_engine_info(c->engine, &info));
  section_warn(c, &info);
  show(c, &info);
  noise_warn(c);
  TRY(json_report(&c->json, c->json.given ? run_json(c, &info) : NULL));
  FAIL_IF(c->checked && !c->check.passed, FARM_VERIFY_FAILED, "%s: outputs differ from %s: %s", c->engine_path,
          c->expect_folder ? c->expect_folder : c->reference_path, c->check.why);
  return FARM_OK;
}

static enum farm_status run(int argc, char **argv) {
  struct run_command c = {.rule = COMPARE_RULE_ONNX, .ranks = 1, .warmup_ms = 200, .duration_s = 3};
  const struct option rows[] = {
      {"input", OPTION_LIST, &c.inputs, 0, 0, "NAME=FILE", ".npy or .pb for an input; random numbers otherwise", false},
      {"shape", OPTION_LIST, &c.shapes, 0, 0, "NAME=1x3x224x224", "size of a random input, within the engine's range", false},
      {"output", OPTION_TEXT, &c.output_folder, 0, 0, "DIR", "write outputs there as .npy (also -o)", false},
      {"expect", OPTION_TEXT, &c.expect_folder, 0, 0, "DIR",
       "compare with output_0.pb … or NAME.npy there; input_0.pb … are used as inputs", false},
      {"reference", OPTION_TEXT, &c.reference_path, 0, 0, "MODEL.onnx",
       "compare with the model run by its operators' references (slow)", false},
      {"rtol", OPTION_NUMBER, &c.rule.rtol, 0, 1e9, "X", "relative tolerance (1e-3)", false},
      {"atol", OPTION_NUMBER, &c.rule.atol, 0, 1e9, "X", "absolute tolerance (1e-7)", false},
      {"relative-to-max", OPTION_FLAG, &c.rule.relative_to_max, 0, 0, NULL,
       "atol is a share of the largest expected value; integers may be one off", false},
      {"target", OPTION_TEXT, &c.target, 0, 0, "T",
       "take the section for cpu, cuda, cuda-sm90 or a device class (a GPU's where one is that fits, else the CPU's)", false},
      {"device", OPTION_TEXT, &c.device, 0, 0, "GPU", "UUID or number of the GPU to run on", false},
      {"threads", OPTION_INTEGER, &c.threads, 0, 1024, "N", "take N's section, else the nearest", true},
      {"ranks", OPTION_INTEGER, &c.ranks, 1, 1024, "N", "devices to run on together", false},
      {"warmup", OPTION_NUMBER, &c.warmup_ms, 0, 1e9, "MS", "run so long before timing (200)", false},
      {"duration", OPTION_NUMBER, &c.duration_s, 0, 1e6, "S", "time for so long (3); 0: run once", false},
      {"iterations", OPTION_INTEGER, &c.iterations, 0, 1000000, "N", "time exactly so many runs instead", false},
      {"profile", OPTION_FLAG, &c.profile, 0, 0, NULL, "mean time of each step", false},
      {"json", OPTION_OPTIONAL, &c.json, 0, 0, "FILE", "the report as one JSON object", false},
      {0},
  };
  const struct options options = {"run", "ENGINE [options]", "Runs an engine, checks what it computes, times it.",
                                  "  tunefarm run resnet50.engine\n"
                                  "  tunefarm run mnist.engine --expect test_data_set_0 --duration 0\n"
                                  "  tunefarm run both.engine --target cpu\n"
                                  "  tunefarm run bert.engine --shape ids=4x128 --profile --json=times.json\n",
                                  rows};
  struct option_list positional = {0};
  bool help;
  enum farm_status status = options_parse(&options, argc, argv, &positional, &help);
  if (status == FARM_OK && !help && positional.count != 1)
    status = status_set(FARM_USAGE, "one engine is needed, %zu were given", positional.count);
  if (status == FARM_OK && !help) {
    c.engine_path = positional.items[0];
    status = run_all(&c);
  }
  farm_context_free(c.context);
  farm_engine_free(c.engine);
  option_list_free(&positional);
  option_list_free(&c.inputs);
  option_list_free(&c.shapes);
  arena_free(&c.arena);
  return status;
}

const struct command command_run = {"run", "run an engine, check and time it", run};
