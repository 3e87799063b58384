/* `tunefarm inspect MODEL.onnx`: what the file holds, as decoded; what the importer understood; what the passes made of it. */
#include "inspect.h"

#include "../base/file.h"
#include "../base/strbuf.h"
#include "../engine/build/specialise.h"
#include "../optimizer/onnx/import.h"
#include "../optimizer/onnx/onnx-model.h"
#include "../optimizer/passes/pass.h"

#include <stdio.h>
#include <string.h>

static void count_add(json_t *counts, const char *domain, const char *name) {
  char key[256];
  bool own = !domain || !*domain || strcmp(domain, "ai.onnx") == 0;
  snprintf(key, sizeof key, "%s%s%s", own ? "" : domain, own ? "" : ".", name ? name : "?");
  for (char *at = key; *at; at++)
    if ((unsigned char)*at >= 0x80) *at = '?'; // keys of JSON objects are UTF-8
  json_object_set_new(counts, key, json_integer(json_integer_value(json_object_get(counts, key)) + 1));
}

/* ---- the file, as decoded ---- */

static int64_t file_nodes_count(const struct onnx_graph *graph, json_t *counts) {
  int64_t total = 0;
  for (int i = 0; graph && i < graph->nodes.count; i++) {
    const struct onnx_node *node = &graph->nodes.items[i];
    count_add(counts, node->domain, node->op_type);
    total++;
    for (int a = 0; a < node->attributes.count; a++) total += file_nodes_count(node->attributes.items[a].graph, counts);
  }
  return total;
}

static enum farm_status file_describe(const char *path, json_t *root) {
  struct file_map map;
  struct arena arena = {0};
  struct onnx_model file = {0};
  TRY(file_map_open(path, &map));
  enum farm_status status = onnx_model_decode((struct pb_slice){map.data, map.length}, &arena, &file);
  if (status == FARM_OK && !file.graph) status = status_set(FARM_INVALID, "no graph in it");
  if (status == FARM_OK) {
    json_t *opsets = json_object(), *operators = json_object();
    for (int i = 0; i < file.opsets.count; i++) {
      const char *domain = file.opsets.items[i].domain;
      json_object_set_new(opsets, domain && *domain ? domain : "ai.onnx", json_integer(file.opsets.items[i].version));
    }
    json_int_t nodes = file_nodes_count(file.graph, operators);
    json_object_set_new(root, "bytes", json_integer((json_int_t)map.length));
    json_object_set_new(root, "ir_version", json_integer(file.ir_version));
    json_object_set_new(root, "opsets", opsets);
    json_object_set_new(root, "functions", json_integer(file.functions.count));
    json_object_set_new(root, "nodes", json_integer(nodes));
    json_object_set_new(root, "operators", operators);
  }
  arena_free(&arena);
  file_map_close(&map);
  return status == FARM_OK ? FARM_OK : status_prefix(status, "%s: neither a model nor anything else known", path);
}

/* ---- the model, as imported ---- */

static json_t *dims_describe(const struct model *model, const struct tensor *type) {
  json_t *dims = json_array();
  for (int i = 0; i < type->rank; i++) {
    int64_t dim = type->dims[i], symbol = DIM_FIRST_SYMBOL - dim;
    bool named = dim <= DIM_FIRST_SYMBOL && symbol < model->symbol_count;
    json_array_append_new(dims, dim >= 0 ? json_integer(dim) : report_text(named ? model->symbols[symbol].name : "?"));
  }
  return dims;
}

static json_t *values_describe(const struct model *model, struct value *const *values, int count) {
  json_t *rows = json_array();
  for (int i = 0; i < count; i++) {
    json_t *row = json_object();
    json_object_set_new(row, "name", report_text(values[i]->name));
    json_object_set_new(row, "dtype", json_string(dtype_name(values[i]->type.dtype)));
    json_object_set_new(row, "dims", values[i]->type.rank < 0 ? json_null() : dims_describe(model, &values[i]->type));
    json_array_append_new(rows, row);
  }
  return rows;
}

static json_t *weights_describe(const struct model *model) {
  json_int_t count = 0, bytes = 0;
  for (const struct map_entry *entry = map_next(&model->names, NULL); entry; entry = map_next(&model->names, entry)) {
    const struct value *value = entry->value;
    size_t size = value->constant ? tensor_bytes(value->constant) : SIZE_MAX;
    if (size == SIZE_MAX) continue;
    count++;
    bytes += (json_int_t)size;
  }
  return json_pack("{s:I,s:I}", "count", count, "bytes", bytes);
}

static json_t *symbols_describe(const struct model *model) {
  json_t *rows = json_array();
  for (int i = 0; i < model->symbol_count; i++) json_array_append_new(rows, report_text(model->symbols[i].name));
  return rows;
}

static int64_t nodes_count(const struct graph *graph, json_t *counts) {
  int64_t total = 0;
  for (const struct node *node = graph->first; node; node = node->next) {
    const struct graph *sub;
    count_add(counts, node->row->domain, node->row->name);
    total++;
    for (int at = 0; (sub = node_subgraph(node, &at));) total += nodes_count(sub, counts);
  }
  return total;
}

static enum farm_status shapes_apply(const struct inspect_command *command, struct model *model) {
  struct arena arena = {0};
  enum farm_status status = FARM_OK;
  if (!command->shapes.count) return FARM_OK; // symbols stay symbols
  struct build_shape *shapes = arena_alloc_array(&arena, command->shapes.count, sizeof *shapes);
  if (!shapes) status = FARM_NO_MEMORY;
  for (size_t i = 0; status == FARM_OK && i < command->shapes.count; i++)
    status = build_shape_parse(command->shapes.items[i], &arena, &shapes[i]);
  if (status == FARM_OK) status = model_specialise(model, shapes, (int)command->shapes.count);
  arena_free(&arena);
  return status;
}

static json_t *events_describe(const struct pass_report *report) {
  json_t *rows = json_array();
  for (size_t i = 0; i < report->count; i++) {
    json_t *row = json_object();
    json_object_set_new(row, "pass", json_string(report->events[i].pass));
    json_object_set_new(row, "onnx", report_text(report->events[i].origins));
    json_object_set_new(row, "result", report_text(report->events[i].result));
    json_array_append_new(rows, row);
  }
  return rows;
}

static enum farm_status passes_describe(const struct inspect_command *command, struct model *model, json_t *root) {
  struct pass_options options = {.off = command->passes_off.items};
  struct pass_report report = {0};
  enum farm_status status = passes_run(model, &options, &report);
  if (status == FARM_OK) {
    json_t *operators = json_object();
    json_int_t nodes = nodes_count(model->graph, operators);
    json_object_set_new(root, "passes", events_describe(&report));
    json_object_set_new(root, "optimised", json_pack("{s:I,s:o}", "nodes", nodes, "operators", operators));
  }
  pass_report_free(&report);
  return status;
}

static enum farm_status ir_describe(const struct model *model, json_t *root) {
  struct strbuf text = {0};
  enum farm_status status = graph_print(model, &text);
  if (status == FARM_OK) json_object_set_new(root, "ir", report_text(strbuf_text(&text)));
  strbuf_free(&text);
  return status;
}

static enum farm_status model_describe(const struct inspect_command *command, json_t *root) {
  struct model *model;
  TRY(onnx_import(command->path, &model));
  enum farm_status status;
  json_object_set_new(root, "inputs", values_describe(model, model->graph->inputs, model->graph->input_count));
  json_object_set_new(root, "outputs", values_describe(model, model->graph->outputs, model->graph->output_count));
  json_object_set_new(root, "dynamic", symbols_describe(model));
  json_object_set_new(root, "weights", weights_describe(model));
  TRY_OR(shapes_apply(command, model), free_model);
  TRY_OR(passes_describe(command, model, root), free_model);
  if (command->ir) status = ir_describe(model, root);
free_model:
  model_free(&model);
  return status;
}

/* ---- for people ---- */

static void values_show(const json_t *rows, const char *title) {
  size_t i, k;
  json_t *row, *dim;
  json_array_foreach(rows, i, row) {
    struct strbuf dims = {0};
    json_array_foreach(json_object_get(row, "dims"), k, dim) {
      if (json_is_integer(dim))
        strbuf_printf(&dims, "%s%lld", k ? "," : "", (long long)json_integer_value(dim));
      else
        strbuf_printf(&dims, "%s%s", k ? "," : "", json_string_value(dim));
    }
    report_line("  %-8s%s  %s[%s]", i ? "" : title, report_get(row, "name"), report_get(row, "dtype"), strbuf_text(&dims));
    strbuf_free(&dims);
  }
}

static void operators_show(const char *what, double nodes, const json_t *counts) {
  struct strbuf text = {0};
  const char *name;
  json_t *count;
  json_object_foreach((json_t *)(uintptr_t)counts, name, count)
      strbuf_printf(&text, "%s%lld %s", text.length ? ", " : "", (long long)json_integer_value(count), name);
  report_line("  %s%.0f nodes: %s", what, nodes, strbuf_text(&text));
  strbuf_free(&text);
}

static void opsets_show(const json_t *root) {
  struct strbuf text = {0};
  char size[REPORT_BYTES_TEXT];
  const char *domain;
  json_t *version;
  json_object_foreach(json_object_get(root, "opsets"), domain, version)
      strbuf_printf(&text, ", %s %lld", domain, (long long)json_integer_value(version));
  report_line("%s: ONNX model, %s, IR version %.0f%s", report_get(root, "path"), report_bytes(report_number(root, "bytes"), size),
              report_number(root, "ir_version"), strbuf_text(&text));
  strbuf_free(&text);
}

static void dynamic_show(const json_t *root) {
  struct strbuf text = {0};
  size_t i;
  json_t *name;
  json_array_foreach(json_object_get(root, "dynamic"), i, name)
      strbuf_printf(&text, "%s%s", i ? ", " : "", json_string_value(name));
  if (text.length) report_line("  dynamic dimensions: %s", strbuf_text(&text));
  strbuf_free(&text);
}

static void model_show(const json_t *root) {
  const json_t *weights = json_object_get(root, "weights"), *optimised = json_object_get(root, "optimised");
  char size[REPORT_BYTES_TEXT];
  opsets_show(root);
  values_show(json_object_get(root, "inputs"), "in");
  values_show(json_object_get(root, "outputs"), "out");
  dynamic_show(root);
  if (weights)
    report_line("  weights: %.0f constants, %s", report_number(weights, "count"),
                report_bytes(report_number(weights, "bytes"), size));
  operators_show("", report_number(root, "nodes"), json_object_get(root, "operators"));
  if (optimised) operators_show("after the passes ", report_number(optimised, "nodes"), json_object_get(optimised, "operators"));
}

static void passes_show(const json_t *root) {
  size_t i;
  json_t *event;
  model_show(root);
  json_array_foreach(json_object_get(root, "passes"), i, event) {
    const char *result = report_get(event, "result");
    report_line("  %-24s%s  %s%s", report_get(event, "pass"), report_get(event, "onnx"), *result ? "-> " : "went away", result);
  }
}

static void ir_show(const json_t *root) { fputs(report_get(root, "ir"), stdout); }

enum farm_status inspect_model(const struct inspect_command *command) {
  json_t *root = json_pack("{s:s,s:o}", "kind", "model", "path", report_text(command->path));
  FAIL_IF(!root, FARM_NO_MEMORY, "out of memory for a report");
  enum farm_status status = file_describe(command->path, root);
  if (status != FARM_OK) {
    json_decref(root);
    return status;
  }
  status = model_describe(command, root);
  if (status == FARM_USAGE) { // the call is at fault, not the model
    json_decref(root);
    return status;
  }
  char why[1024];
  snprintf(why, sizeof why, "%s", status == FARM_OK ? "" : status_message());
  json_object_set_new(root, "supported", json_boolean(status == FARM_OK));
  json_object_set_new(root, "why", report_text(why));
  bool ir = command->ir && status == FARM_OK;
  TRY(report_give(&command->json, root, ir ? ir_show : command->passes ? passes_show : model_show));
  return status == FARM_OK ? FARM_OK : status_set(status, "%s", why);
}
