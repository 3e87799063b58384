/* The importer's entry: bytes or a file in, a model out, or a message. See import.h. */
#include "import.h"

#include "../../base/digest.h"
#include "import-scope.h"

#include <stdlib.h>
#include <string.h>

/* What a model keeps of its import: constants point into these. */
struct import_files {
  struct file_map map; // of the file, when it was one
  void *copy;          // of the bytes, when they were that
  struct external_data external;
};

static void files_close(void *opaque) {
  struct import_files *files = opaque;
  file_map_close(&files->map);
  external_data_free(&files->external);
  free(files->copy);
  free(files);
}

void onnx_import_digest_external(const struct model *model, struct digest_state *state) {
  if (model->files_close != files_close) return; // of another origin
  const struct import_files *files = model->files;
  for (size_t i = 0; i < files->external.count; i++) {
    const struct external_file *file = &files->external.files[i];
    digest_add(state, file->location, strlen(file->location) + 1);
    digest_add(state, file->map.data, file->map.length);
  }
}

static enum farm_status versions_check(const struct onnx_model *onnx) {
  FAIL_IF(onnx->ir_version < 1, FARM_INVALID, "no IR version: not an ONNX model");
  FAIL_IF(onnx->ir_version < ONNX_LEAST_IR || onnx->ir_version > ONNX_MOST_IR, FARM_UNSUPPORTED,
          "IR version %lld is not supported: %d to %d are [rule: ir-version]", (long long)onnx->ir_version, ONNX_LEAST_IR,
          ONNX_MOST_IR);
  FAIL_IF(!onnx->graph, FARM_INVALID, "no graph");
  FAIL_IF(!onnx->opsets.count, FARM_INVALID, "no opset is imported");
  FAIL_IF(onnx->opsets.count > ONNX_MAX_OPSETS, FARM_UNSUPPORTED, "more than %d opsets [rule: limit]", ONNX_MAX_OPSETS);
  for (int i = 0; i < onnx->opsets.count; i++) {
    TRY(opset_check(onnx->opsets.items[i].domain, onnx->opsets.items[i].version));
    for (int j = 0; j < i; j++) {
      bool same = strcmp(domain_plain(onnx->opsets.items[i].domain), domain_plain(onnx->opsets.items[j].domain)) == 0;
      FAIL_IF(same && onnx->opsets.items[i].version != onnx->opsets.items[j].version, FARM_INVALID,
              "domain %.100s is imported twice", domain_shown(onnx->opsets.items[i].domain));
    }
  }
  return FARM_OK;
}

/* Inlining may multiply what the file holds, but not without bounds. */
static int64_t node_limit(const struct onnx_model *onnx) {
  int64_t grown = ONNX_LEAST_NODE_LIMIT + onnx->message_count * 64;
  return grown < ONNX_MAX_NODES ? grown : ONNX_MAX_NODES;
}

static enum farm_status onnx_to_model(struct pb_slice bytes, struct arena *scratch, struct external_data *external,
                                      struct model *model) {
  struct onnx_model onnx = {0};
  TRY(onnx_model_decode(bytes, scratch, &onnx));
  TRY(versions_check(&onnx));
  model->ir_version = (int)onnx.ir_version;
  struct import import = {.model = model, .onnx = &onnx, .external = external, .nodes_left = node_limit(&onnx)};
  struct scope scope = {.import = &import, .graph = model->graph, .opsets = &onnx.opsets, .prefix = ""};
  if (onnx.graph->name && *onnx.graph->name)
    model->graph->name = arena_string(&model->arena, onnx.graph->name, strlen(onnx.graph->name));
  enum farm_status status = model->graph->name ? import_functions(&import) : FARM_NO_MEMORY;
  if (status == FARM_OK) status = import_graph(&scope, onnx.graph);
  scope_free(&scope);
  map_free(&import.functions);
  free(import.ready);
  return status;
}

/* A file may ask for no more memory than this, decoded: what small fields can grow to, and room for a few dense tensors. */
static size_t memory_limit(size_t length) {
  size_t base = (size_t)512 << 20;
  return length > (SIZE_MAX / 2 - base) / 64 ? SIZE_MAX / 2 : base + length * 64;
}

static enum farm_status files_import(struct import_files *files, struct pb_slice bytes, const char *path,
                                     struct model **out_model) {
  struct model *model = NULL;
  enum farm_status status = model_create(path, &model);
  if (status != FARM_OK) {
    files_close(files);
    return status;
  }
  model->files = files;
  model->files_close = files_close;
  struct arena scratch = {.limit_bytes = memory_limit(bytes.length)};
  model->arena.limit_bytes = scratch.limit_bytes;
  status = onnx_to_model(bytes, &scratch, &files->external, model);
  if (status == FARM_OK) status = graph_infer(model);
  arena_free(&scratch);
  model->arena.limit_bytes = 0;
  if (status == FARM_OK)
    *out_model = model;
  else
    model_free(&model);
  return status;
}

static enum farm_status files_create(const char *folder_or_null, struct import_files **out_files) {
  struct import_files *files = calloc(1, sizeof *files);
  FAIL_IF(!files, FARM_NO_MEMORY, "out of memory");
  enum farm_status status = external_data_create(folder_or_null, &files->external);
  if (status == FARM_OK)
    *out_files = files;
  else
    free(files);
  return status;
}

enum farm_status onnx_import_bytes(const void *bytes, size_t length, const char *folder_or_null, struct model **out_model) {
  struct import_files *files = NULL;
  TRY(files_create(folder_or_null, &files));
  files->copy = malloc(length + 1);
  if (!files->copy) {
    files_close(files);
    return status_set(FARM_NO_MEMORY, "out of memory for %zu bytes", length);
  }
  if (length) memcpy(files->copy, bytes, length);
  return files_import(files, (struct pb_slice){files->copy, length}, "", out_model);
}

static char *folder_of(const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash) return strdup(".");
  return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static enum farm_status path_import(const char *path, const char *folder, struct model **out_model) {
  struct import_files *files = NULL;
  TRY(files_create(folder, &files));
  enum farm_status status = file_map_open(path, &files->map);
  if (status != FARM_OK) {
    files_close(files);
    return status;
  }
  status = files_import(files, (struct pb_slice){files->map.data, files->map.length}, path, out_model);
  return status == FARM_OK ? FARM_OK : status_prefix(status, "%.300s", path);
}

enum farm_status onnx_import(const char *path, struct model **out_model) {
  char *folder = folder_of(path);
  FAIL_IF(!folder, FARM_NO_MEMORY, "out of memory");
  enum farm_status status = path_import(path, folder, out_model);
  free(folder);
  return status;
}
