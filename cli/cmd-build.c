/* `tunefarm build`: an ONNX model becomes an engine. */
#include "command.h"

#include "../base/clock.h"
#include "../base/file.h"
#include "../base/log.h"
#include "../engine/build/build.h"
#include "../engine/build/compare-engines.h"
#include "../engine/build/farm-client.h"
#include "interrupt.h"
#include "local-farm.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct build_command {
  struct build_options options;
  struct option_list targets, shapes, passes_off;
  const char *cache_mode, *precision, *farm, *cache;
  int64_t effort, threads;
  double compare_s;
  struct build_comparison *comparisons; // one per target; n = 0: not compared
  struct option_optional json;
  struct arena arena;
};

/* ---- progress: a line that is redrawn on a terminal, else one plain line per ten seconds ---- */

struct progress_state {
  bool terminal;
  uint64_t last_ns;
  const char *last_phase;
};

static void progress_show(void *context, const struct build_progress *progress) {
  struct progress_state *state = context;
  uint64_t now = clock_now_ns();
  bool new_phase = state->last_phase != progress->phase;
  if (!new_phase && now - state->last_ns < (state->terminal ? 100000000u : 10000000000u) && progress->done != progress->total)
    return;
  state->last_ns = now;
  state->last_phase = progress->phase;
  char eta[32] = "";
  if (progress->eta_s >= 0) snprintf(eta, sizeof eta, ", %.0f s left", progress->eta_s);
  fprintf(stderr, state->terminal ? "\r\033[K%s %u/%u%s  %s" : "%s %u/%u%s  %s\n", progress->phase, progress->done,
          progress->total, eta, progress->detail);
  if (state->terminal && progress->done == progress->total && strcmp(progress->phase, "write") == 0) fputc('\n', stderr);
}

static enum farm_status cache_mode_parse(const char *text, enum cache_mode *out) {
  static const char *const names[] = {"rw", "ro", "locked", "off"};
  for (int i = 0; i < 4; i++)
    if (strcmp(text, names[i]) == 0) {
      *out = (enum cache_mode)i;
      return FARM_OK;
    }
  return status_set(FARM_USAGE, "--cache-mode: `%s` is none of rw, ro, locked, off", text);
}

static enum farm_status list_end(struct option_list *list) { // the builder wants NULL-terminated lists
  const char **grown = realloc(list->items, (list->count + 1) * sizeof *grown);
  FAIL_IF(!grown, FARM_NO_MEMORY, "out of memory for options");
  list->items = grown;
  list->items[list->count] = NULL;
  return FARM_OK;
}

static bool same_file(const char *one, const char *other) {
  struct stat a, b;
  return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Before hours of measuring, not after. */
static enum farm_status outputs_check(const struct build_command *command) {
  const char *files[] = {command->options.output_path, command->options.lock_path, command->json.value};
  for (int i = 0; i < 3; i++) {
    if (!files[i] || (command->options.dry_run && i < 2)) continue;
    FAIL_IF(same_file(files[i], command->options.model_path), FARM_USAGE, "%s: that is the model; it would be written over",
            files[i]);
    if (i != 1 || access(files[i], F_OK) != 0) TRY(file_write_check(files[i])); // a lock that is there is only read
  }
  return FARM_OK;
}

static enum farm_status options_finish(struct build_command *command, const struct option_list *positional) {
  FAIL_IF(positional->count != 1, FARM_USAGE, "one model is needed, %zu were given", positional->count);
  const char *output = command->options.output_path;
  FAIL_IF((!output || !*output) && !command->options.dry_run, FARM_USAGE, "no --output for the engine");
  FAIL_IF(strcmp(command->precision, "f32") != 0, FARM_UNSUPPORTED, "--precision %s: this version computes in f32 only",
          command->precision);
  command->options.model_path = positional->items[0];
  command->options.effort = (int)command->effort;
  command->options.threads = (int)command->threads;
  TRY(cache_mode_parse(command->cache_mode, &command->options.cache_mode));
  FAIL_IF(command->options.cache_mode == CACHE_LOCKED && command->effort == 0 && !command->options.lock_path, FARM_USAGE,
          "--cache-mode locked --effort 0: there are no records of effort 0; name the effort that was measured, or a --lock");
  struct build_shape *shapes = arena_alloc_array(&command->arena, command->shapes.count + 1, sizeof *shapes);
  FAIL_IF(!shapes, FARM_NO_MEMORY, "out of memory for shapes");
  for (size_t i = 0; i < command->shapes.count; i++)
    TRY(build_shape_parse(command->shapes.items[i], &command->arena, &shapes[i]));
  command->options.shapes = shapes;
  command->options.shape_count = (int)command->shapes.count;
  TRY(list_end(&command->targets));
  TRY(list_end(&command->passes_off));
  command->options.targets = command->targets.items;
  command->options.passes_off = command->passes_off.items;
  return outputs_check(command);
}

/* ---- reports ---- */

static json_t *layer_json(const struct build_layer *layer) {
  return json_pack("{s:s,s:s,s:s,s:s,s:f,s:f,s:i,s:s}", "name", layer->name, "onnx", layer->onnx, "problem", layer->problem,
                   "tactic", layer->tactic, "median_us", layer->median_us, "ci95_us", layer->ci95_us, "ties", (int)layer->ties,
                   "place", layer->on_device ? "device" : "host");
}

static json_t *comparison_json(const struct build_comparison *c) {
  return json_pack("{s:f,s:f,s:f,s:f,s:f,s:i}", "default_ms", c->a_ms, "tuned_ms", c->b_ms, "ratio", c->ratio, "ci95_low",
                   c->ci95_low, "ci95_high", c->ci95_high, "pairs", (int)c->n);
}

static json_t *target_json(const struct build_target_report *target) {
  json_t *layers = json_array();
  for (int i = 0; i < target->layer_count; i++) json_array_append_new(layers, layer_json(&target->layers[i]));
  return json_pack("{s:s,s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:f,s:f,s:I,s:I,s:o}", "target", target->target, "device_class",
                   target->device_class, "threads", target->threads, "host_steps", target->host_steps, "problems",
                   (int)target->problems, "hits", (int)target->hits, "measured", (int)target->measured, "variants_timed",
                   (int)target->variants_timed, "failed", (int)target->failed, "device_s", target->device_s, "estimated_ms",
                   target->estimated_ms, "arena_bytes", (json_int_t)target->arena_bytes, "lower_bound_bytes",
                   (json_int_t)target->lower_bound_bytes, "layers", layers);
}

static json_t *report_json(const struct build_report *report, const struct build_comparison *comparisons) {
  char hex[DIGEST_HEX_BYTES];
  digest_to_hex(&report->digest, hex);
  json_t *targets = json_array(), *missing = json_array();
  for (int i = 0; i < report->target_count; i++) {
    json_t *target = target_json(&report->targets[i]);
    bool compared = comparisons && comparisons[i].n;
    json_object_set_new(target, "tuning", compared ? comparison_json(&comparisons[i]) : json_null());
    json_array_append_new(targets, target);
  }
  for (int i = 0; i < report->missing_count; i++) json_array_append_new(missing, json_string(report->missing[i]));
  return json_pack("{s:s,s:s?,s:I,s:f,s:o,s:o}", "model", report->model, "digest", report->bytes ? hex : NULL, "bytes",
                   (json_int_t)report->bytes, "wall_s", report->wall_s, "targets", targets, "missing", missing);
}

static void report_show(const struct build_report *report, const struct build_options *options) {
  for (int i = 0; i < report->target_count; i++) {
    const struct build_target_report *target = &report->targets[i];
    log_info("%s, %d threads: %u problems, %u from the cache, %u measured (%u variants, %u failed, %.1f s on devices); %.3f ms "
             "%s; arena %.1f MiB",
             target->device_class, target->threads, target->problems, target->hits, target->measured, target->variants_timed,
             target->failed, target->device_s, target->estimated_ms, target->measured || target->hits ? "expected" : "estimated",
             (double)target->arena_bytes / 1048576);
    if (target->cuda)
      log_info("%s: %d steps are left to the host%s", target->device_class, target->host_steps,
               target->host_steps ? ", which stops the device for each; `tunefarm inspect` shows them" : "");
  }
  if (!options->dry_run) log_info("%s: %.1f MiB, %.1f s", options->output_path, (double)report->bytes / 1048576, report->wall_s);
}

static bool names_gpu(const struct build_command *command) {
  for (const char *const *word = command->options.targets; word && *word; word++)
    if (strncmp(*word, "cuda", 4) == 0) return true;
  return false;
}

/* A farm is needed to measure, to look up records, and for compiled kernels of decisions that are there already; --effort 0 and
 * --cache-mode off with it stand alone. */
static bool wants_farm(const struct build_command *command) {
  enum cache_mode mode = command->options.cache_mode;
  if (command->farm) return true;
  bool pinned = command->options.lock_path && access(command->options.lock_path, R_OK) == 0;
  if (names_gpu(command) && mode != CACHE_OFF && (pinned || mode == CACHE_LOCKED || mode == CACHE_RO)) return true;
  return !pinned && (command->options.effort > 0 || mode == CACHE_LOCKED);
}

static enum farm_status farm_open(struct build_command *command, struct client **out_client, struct farm_client *farm,
                                  struct farm_images *images) {
  TRY(local_farm_open(command->farm, command->cache, out_client));
  farm_client_init(farm, *out_client, command->options.model_path);
  farm_images_init(images, *out_client, command->options.cache_mode);
  farm->images = images;
  farm->interrupted = interrupted;
  command->options.images = &images->images;
  farm->prefer_records = command->options.cache_mode == CACHE_LOCKED || command->options.cache_mode == CACHE_RO;
  farm->remeasure = command->options.cache_mode == CACHE_OFF;
  command->options.farm = &farm->farm;
  return FARM_OK;
}

/* What tuning brought: the engine of the cost model's choices against the tuned one, interleaved on a worker of the class. */
static enum farm_status target_compare(struct build_command *command, struct client *client,
                                       const struct build_target_report *target, struct build_comparison *out) {
  struct build_report ignored = {0};
  const char *const targets[] = {target->device_class, NULL};
  struct build_options plain = command->options;
  char *path = arena_printf(&command->arena, "%s.default", command->options.output_path);
  FAIL_IF(!path, FARM_NO_MEMORY, "out of memory for a path");
  plain.output_path = path;
  plain.targets = targets;
  plain.effort = 0;
  plain.farm = NULL;
  plain.lock_path = NULL;
  plain.cache_mode = CACHE_OFF;
  plain.progress = NULL;
  plain.threads = target->threads;
  enum farm_status status = build_run(&plain, &ignored);
  if (status == FARM_OK)
    status = build_compare_engines(client, target->device_class, target->threads, path, command->options.output_path,
                                   command->compare_s, out);
  unlink(path);
  build_report_free(&ignored);
  return status;
}

/* Only where this build measured something: a build from the cache stays quick. A comparison that fails is said and costs nothing
 * else. */
static enum farm_status tuning_compare(struct build_command *command, struct client *client, const struct build_report *report) {
  if (!client || command->compare_s <= 0 || command->options.dry_run) return FARM_OK;
  command->comparisons = arena_alloc_array(&command->arena, (size_t)report->target_count + 1, sizeof *command->comparisons);
  FAIL_IF(!command->comparisons, FARM_NO_MEMORY, "out of memory for a report");
  for (int i = 0; i < report->target_count; i++) {
    struct build_comparison *c = &command->comparisons[i];
    if (!report->targets[i].measured) continue;
    enum farm_status status = target_compare(command, client, &report->targets[i], c);
    if (status == FARM_VERIFY_FAILED) return status;
    if (status != FARM_OK)
      log_warning("tuned and default engine were not compared: %s", status_message());
    else
      log_info("default engine %.3f ms, tuned %.3f ms: tuning brought %.2fx (%.2f to %.2f over %u pairs)", c->a_ms, c->b_ms,
               c->ratio, c->ci95_low, c->ci95_high, c->n);
  }
  return FARM_OK;
}

static enum farm_status build_and_report(struct build_command *command) {
  struct progress_state progress = {.terminal = isatty(STDERR_FILENO) == 1};
  struct build_report report = {0};
  struct client *client = NULL;
  struct farm_client farm;
  struct farm_images images;
  command->options.progress = progress_show;
  command->options.progress_context = &progress;
  enum farm_status status = wants_farm(command) ? farm_open(command, &client, &farm, &images) : FARM_OK;
  if (client) interrupt_watch();
  if (status == FARM_OK) status = build_run(&command->options, &report);
  if (progress.terminal && progress.last_phase) fputc('\n', stderr);
  if (status == FARM_OK) report_show(&report, &command->options);
  if (status == FARM_OK) status = tuning_compare(command, client, &report);
  client_close(&client);
  for (int i = 0; i < report.missing_count; i++) log_info("missing: %s", report.missing[i]);
  enum farm_status said = status == FARM_OK || report.missing_count
                              ? json_report(&command->json, report_json(&report, command->comparisons))
                              : FARM_OK;
  build_report_free(&report);
  return status != FARM_OK ? status : said;
}

static enum farm_status run(int argc, char **argv) {
  struct build_command c = {.cache_mode = "rw", .precision = "f32", .effort = 2, .compare_s = 2};
  const struct option rows[] = {
      {"output", OPTION_TEXT, &c.options.output_path, 0, 0, "ENGINE", "where the engine goes (also -o)", false},
      {"target", OPTION_LIST, &c.targets, 0, 0, "T", "auto, cpu, cuda-sm90, or a device class; may be repeated", false},
      {"precision", OPTION_TEXT, &c.precision, 0, 0, "P", "f32", true},
      {"shape", OPTION_LIST, &c.shapes, 0, 0, "NAME=1x3x224x224[:opt[:max]]", "size or range of an input; may be repeated",
       false},
      {"effort", OPTION_INTEGER, &c.effort, 0, 4, "0..4", "how much to try (2): 0 takes the cost model's choice", true},
      {"farm", OPTION_TEXT, &c.farm, 0, 0, "tcp://HOST:PORT", "the coordinator to ask; without it this machine's own", true},
      {"cache", OPTION_TEXT, &c.cache, 0, 0, "DIR", "cache folder of this machine's own ($XDG_CACHE_HOME/tunefarm)", true},
      {"threads", OPTION_INTEGER, &c.threads, 0, 1024, "N", "threads the engine is made for (default: all this process may use)",
       true},
      {"cache-mode", OPTION_TEXT, &c.cache_mode, 0, 0, "MODE", "rw (so unless said), ro, locked or off", true},
      {"lock", OPTION_TEXT, &c.options.lock_path, 0, 0, "FILE", "repeat the decisions of FILE; written when absent", false},
      {"without", OPTION_LIST, &c.passes_off, 0, 0, "PASS", "switch an optimisation off by name; may be repeated", false},
      {"compare", OPTION_NUMBER, &c.compare_s, 0, 600, "S",
       "time tuned against default engine for so long after measuring (2); 0: do not", true},
      {"dry-run", OPTION_FLAG, &c.options.dry_run, 0, 0, NULL, "say what would be done; write and measure nothing", false},
      {"json", OPTION_OPTIONAL, &c.json, 0, 0, "FILE", "the report as one JSON object", false},
      {0},
  };
  const struct options options = {
      "build", "MODEL.onnx -o ENGINE [options]", "Turns an ONNX model into an inference engine.",
      "  tunefarm build resnet50.onnx -o resnet50.engine\n"
      "  tunefarm build bert.onnx -o bert.engine --shape ids=1x128:8x128:16x128 --effort 2 --json=report.json\n"
      "  tunefarm build net.onnx -o net.engine --cache-mode locked --lock net.lock\n",
      rows};
  struct option_list positional = {0};
  bool help;
  enum farm_status status = options_parse(&options, argc, argv, &positional, &help);
  if (status == FARM_OK && !help) status = options_finish(&c, &positional);
  if (status == FARM_OK && !help) status = build_and_report(&c);
  option_list_free(&positional);
  option_list_free(&c.targets);
  option_list_free(&c.shapes);
  option_list_free(&c.passes_off);
  arena_free(&c.arena);
  return status;
}

const struct command command_build = {"build", "turn an ONNX model into an engine", run};
