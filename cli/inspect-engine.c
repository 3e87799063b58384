/* `tunefarm inspect ENGINE`: sections, layers with what was decided for each and why, memory, weights. */
#include "inspect.h"

#include "../engine/format/engine-file.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *const place_names[VALUE_PLACE_COUNT] = {
#define X(name, text) text,
    VALUE_PLACE_LIST(X)
#undef X
};
static const char *const kind_names[STEP_KIND_COUNT] = {
#define X(name, text) text,
    STEP_KIND_LIST(X)
#undef X
};

static json_t *hex_describe(const struct digest *digest) {
  char hex[DIGEST_HEX_BYTES];
  digest_to_hex(digest, hex);
  return json_string(hex);
}

static void dim_print(const struct plan *plan, int64_t dim, char *out, size_t bytes) {
  int64_t symbol = DIM_FIRST_SYMBOL - dim;
  if (dim >= 0)
    snprintf(out, bytes, "%lld", (long long)dim);
  else
    snprintf(out, bytes, "%s", dim <= DIM_FIRST_SYMBOL && symbol < plan->symbol_count ? plan->symbols[symbol].name : "?");
}

static json_t *bindings_describe(const struct plan *plan, const struct tensor *types, const uint32_t *values, int count) {
  json_t *rows = json_array();
  for (int i = 0; i < count; i++) {
    char text[1024];
    int at = snprintf(text, sizeof text, "%s[", dtype_name(types[i].dtype));
    for (int d = 0; d < types[i].rank; d++) {
      char dim[96];
      dim_print(plan, types[i].dims[d], dim, sizeof dim);
      at += snprintf(text + at, sizeof text - (size_t)at, "%s%s", d ? "," : "", dim); // 8 dims of 95 bytes fit
    }
    snprintf(text + at, sizeof text - (size_t)at, "]");
    json_array_append_new(rows,
                          json_pack("{s:o,s:o}", "name", report_text(plan->values[values[i]].name), "type", report_text(text)));
  }
  return rows;
}

static json_t *symbols_describe(const struct plan *plan) {
  json_t *rows = json_array();
  for (int i = 0; i < plan->symbol_count; i++) {
    const struct plan_symbol *s = &plan->symbols[i];
    json_array_append_new(rows, json_pack("{s:o,s:I,s:I,s:I}", "name", report_text(s->name), "min", (json_int_t)s->min, "opt",
                                          (json_int_t)s->opt, "max", (json_int_t)s->max));
  }
  return rows;
}

static json_t *memory_describe(const struct plan *plan) {
  json_t *counts = json_object();
  json_int_t placed[VALUE_PLACE_COUNT] = {0};
  for (int i = 0; i < plan->value_count; i++) placed[plan->values[i].place]++;
  for (int place = 0; place < VALUE_PLACE_COUNT; place++)
    if (placed[place]) json_object_set_new(counts, place_names[place], json_integer(placed[place]));
  return json_pack("{s:I,s:I,s:o}", "arena_bytes", (json_int_t)plan->arena_bytes, "lower_bound_bytes",
                   (json_int_t)plan->lower_bound_bytes, "values", counts);
}

static const char *step_precision(const struct plan *plan, const struct plan_step *step) {
  for (int i = 0; i < step->output_count; i++)
    if (step->outputs[i] != PLAN_NO_INDEX) return dtype_name(plan->values[step->outputs[i]].type.dtype);
  return "none";
}

static json_t *layer_describe(const struct engine *engine, const struct engine_section *section, int block,
                              const struct plan_step *step) {
  const struct plan *plan = &section->plan;
  json_t *layer = json_object();
  bool own = !step->domain || !*step->domain;
  char cover[256];
  snprintf(cover, sizeof cover, "%s%s%s", own ? "" : step->domain, own ? "" : ".", step->op ? step->op : "");
  json_object_set_new(layer, "name", report_text(step->name));
  json_object_set_new(layer, "block", json_integer(block));
  json_object_set_new(layer, "kind", json_string(kind_names[step->kind]));
  json_object_set_new(layer, "onnx", report_text(step->origin));
  json_object_set_new(layer, "cover", report_text(cover));
  json_object_set_new(layer, "problem", report_text(step->problem));
  json_object_set_new(layer, "candidates", json_integer(step->candidates));
  json_object_set_new(layer, "winner", report_text(step->variant));
  json_object_set_new(layer, "ties", json_integer(step->ties));
  json_object_set_new(layer, "median_us", report_real(step->median_ns * 1e-3));
  json_object_set_new(layer, "ci95_us", report_real(step->ci95_ns * 1e-3));
  json_object_set_new(layer, "estimated_us", report_real(step->estimated_ns * 1e-3));
  json_object_set_new(layer, "precision", json_string(step_precision(plan, step)));
  json_object_set_new(layer, "error", report_real((double)step->error));
  json_object_set_new(layer, "workspace_bytes", json_integer((json_int_t)step->workspace_bytes));
  bool packed = step->kind == STEP_KERNEL && step->packed_weight < (uint32_t)engine->weight_count;
  bool image = step->image < (uint32_t)engine->weight_count;
  json_object_set_new(layer, "place", json_string(plan_step_on_device(section, block, step) ? "device" : "host"));
  json_object_set_new(layer, "image_bytes", json_integer(image ? (json_int_t)engine->weights[step->image].bytes : 0));
  if (step->library[0]) {
    json_object_set_new(layer, "library", report_text(step->library));
    json_object_set_new(layer, "fallback", report_text(step->fallback));
    json_object_set_new(layer, "fallback_image_bytes", json_integer((json_int_t)engine->weights[step->fallback_image].bytes));
  }
  json_object_set_new(layer, "packed_bytes", json_integer(packed ? (json_int_t)engine->weights[step->packed_weight].bytes : 0));
  return layer;
}

static json_t *section_describe(const struct engine *engine, const struct engine_section *section) {
  const struct plan *plan = &section->plan;
  json_t *layers = json_array();
  double ns = 0;
  for (int b = 0; b < plan->block_count; b++)
    for (int i = 0; i < plan->blocks[b].step_count; i++) {
      const struct plan_step *step = &plan->blocks[b].steps[i];
      json_array_append_new(layers, layer_describe(engine, section, b, step));
      if (b == 0 && step->kind == STEP_KERNEL) ns += step->median_ns > 0 ? step->median_ns : step->estimated_ns;
    }
  json_t *out = json_object();
  json_object_set_new(out, "device_class", report_text(section->device_class));
  json_object_set_new(out, "threads", json_integer(section->threads));
  json_object_set_new(out, "measured", json_boolean(section->measured));
  json_object_set_new(out, "sm", json_integer(section->sm));
  json_object_set_new(out, "compiler", report_text(section->compiler));
  json_object_set_new(out, "host_steps", json_integer(section_host_steps(section)));
  json_object_set_new(out, "expected_ms", report_real(ns * 1e-6));
  json_object_set_new(out, "inputs",
                      bindings_describe(plan, plan->input_types, plan->blocks[0].inputs, plan->blocks[0].input_count));
  json_object_set_new(out, "outputs",
                      bindings_describe(plan, plan->output_types, plan->blocks[0].outputs, plan->blocks[0].output_count));
  json_object_set_new(out, "ranges", symbols_describe(plan));
  json_object_set_new(out, "memory", memory_describe(plan));
  json_object_set_new(out, "blocks", json_integer(plan->block_count));
  json_object_set_new(out, "layers", layers);
  return out;
}

static json_t *engine_describe(const struct inspect_command *command, const struct engine *engine) {
  struct stat info;
  json_int_t weight_bytes = 0;
  json_t *root = json_object(), *sections = json_array();
  for (int i = 0; i < engine->weight_count; i++) weight_bytes += (json_int_t)engine->weights[i].bytes;
  for (int i = 0; i < engine->section_count; i++) json_array_append_new(sections, section_describe(engine, &engine->sections[i]));
  json_object_set_new(root, "kind", json_string("engine"));
  json_object_set_new(root, "path", report_text(command->path));
  json_object_set_new(root, "bytes", json_integer(stat(command->path, &info) == 0 ? (json_int_t)info.st_size : 0));
  json_object_set_new(root, "format", json_integer(engine->version));
  json_object_set_new(root, "digest", hex_describe(&engine->digest));
  json_object_set_new(root, "model", report_text(engine->model_name));
  json_object_set_new(root, "model_digest", hex_describe(&engine->model_digest));
  json_object_set_new(root, "lock_digest", hex_describe(&engine->lock_digest));
  json_object_set_new(root, "build", report_text(engine->build));
  json_object_set_new(root, "options", report_text(engine->options));
  json_object_set_new(
      root, "weights",
      json_pack("{s:i,s:I,s:b}", "count", engine->weight_count, "bytes", weight_bytes, "verified", command->verify));
  json_object_set_new(root, "sections", sections);
  return root;
}

/* ---- for people ---- */

static void layer_show(const json_t *layer, bool on_gpu) {
  bool host = strcmp(report_get(layer, "place"), "host") == 0;
  double median = report_number(layer, "median_us"), estimated = report_number(layer, "estimated_us");
  const char *winner = report_get(layer, "winner"), *problem = report_get(layer, "problem");
  if (strcmp(report_get(layer, "kind"), "kernel") != 0) {
    report_line("  %12s  %-9s %s <- %s", "", report_get(layer, "kind"), report_get(layer, "cover"), report_get(layer, "onnx"));
    return;
  }
  report_line("  %9.1f us%s %s%s  %s <- %s", median > 0 ? median : estimated, median > 0 ? " " : "~",
              on_gpu && host ? "host: " : "", *winner ? winner : "chosen at run time", report_get(layer, "cover"),
              report_get(layer, "onnx"));
  if (*problem) report_line("  %12s    %s", "", problem);
  if (json_object_get(layer, "fallback"))
    report_line("  %12s    without library %.12s: %s", "", report_get(layer, "library"), report_get(layer, "fallback"));
  if (report_number(layer, "candidates") > 0)
    report_line("  %12s    %.0f candidates, %.0f tied, interval %.1f us, error %.3f of the tolerance, %s", "",
                report_number(layer, "candidates"), report_number(layer, "ties"), report_number(layer, "ci95_us"),
                report_number(layer, "error"), report_get(layer, "precision"));
}

static void bindings_show(const json_t *rows, const char *title) {
  size_t i;
  json_t *row;
  json_array_foreach(rows, i, row) report_line("  %-8s%s  %s", i ? "" : title, report_get(row, "name"), report_get(row, "type"));
}

static void section_show(const json_t *section) {
  const json_t *memory = json_object_get(section, "memory");
  double arena = report_number(memory, "arena_bytes"), bound = report_number(memory, "lower_bound_bytes");
  char size[REPORT_BYTES_TEXT];
  size_t i;
  json_t *row;
  bool measured = json_is_true(json_object_get(section, "measured"));
  report_line("section %s, %.0f threads: %.3f ms %s", report_get(section, "device_class"), report_number(section, "threads"),
              report_number(section, "expected_ms"), measured ? "expected from measurements" : "estimated, not measured");
  bool on_gpu = report_number(section, "sm") > 0;
  if (on_gpu)
    report_line("  for SM version %.0f, kernels by %s; %.0f steps are left to the host", report_number(section, "sm"),
                report_get(section, "compiler"), report_number(section, "host_steps"));
  bindings_show(json_object_get(section, "inputs"), "in");
  bindings_show(json_object_get(section, "outputs"), "out");
  json_array_foreach(json_object_get(section, "ranges"), i, row)
      report_line("  %-8s%s %.0f to %.0f, best at %.0f", i ? "" : "range", report_get(row, "name"), report_number(row, "min"),
                  report_number(row, "max"), report_number(row, "opt"));
  report_line("  arena %s, %.3f of its lower bound", report_bytes(arena, size), bound > 0 ? arena / bound : 1.0);
  json_array_foreach(json_object_get(section, "layers"), i, row) layer_show(row, on_gpu);
}

static void engine_show(const json_t *root) {
  char size[REPORT_BYTES_TEXT], weights[REPORT_BYTES_TEXT];
  const json_t *held = json_object_get(root, "weights");
  size_t i;
  json_t *section;
  report_line("%s: engine, %s, made from %s by tunefarm %s (%s)", report_get(root, "path"),
              report_bytes(report_number(root, "bytes"), size), report_get(root, "model"), report_get(root, "build"),
              report_get(root, "options"));
  report_line("  digest %s", report_get(root, "digest"));
  report_line("  weights: %.0f blobs, %s", report_number(held, "count"), report_bytes(report_number(held, "bytes"), weights));
  json_array_foreach(json_object_get(root, "sections"), i, section) section_show(section);
}

enum farm_status inspect_engine(const struct inspect_command *command) {
  struct engine *engine;
  TRY(engine_open(command->path, command->verify, &engine));
  json_t *root = engine_describe(command, engine);
  engine_close(&engine);
  return report_give(&command->json, root, engine_show);
}
