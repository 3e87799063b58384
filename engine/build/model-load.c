/* From a file to a model ready to be linked: import, shapes, passes. And what identifies it. */
#include "build-internal.h"

#include "../../base/file.h"
#include "../../base/strbuf.h"
#include "../../optimizer/onnx/import.h"
#include "../../optimizer/passes/pass.h"
#include "specialise.h"

#include <string.h>

/* The content of the model: the file's bytes, then those of the files beside it that hold weights. */
static enum farm_status digest_make(const char *path, const struct model *model, struct digest *out) {
  struct file_map map;
  struct digest_state state;
  TRY(file_map_open(path, &map));
  digest_begin(&state);
  digest_add(&state, map.data, map.length);
  onnx_import_digest_external(model, &state);
  *out = digest_end(&state);
  file_map_close(&map);
  return FARM_OK;
}

enum farm_status build_model_load(const struct build_options *options, struct model **out_model, struct digest *out_digest) {
  struct model *model = NULL;
  const struct pass_options passes = {.off = options->passes_off};
  TRY(onnx_import(options->model_path, &model)); // its messages name the file
  enum farm_status status;
  TRY_OR(digest_make(options->model_path, model, out_digest), free_model);
  TRY_OR(model_specialise(model, options->shapes, options->shape_count), free_model);
  TRY_OR(passes_run(model, &passes, NULL), free_model);
  TRY_OR(graph_verify(model), free_model);
  *out_model = model;
  return FARM_OK;
free_model:
  model_free(&model);
  return status_prefix(status, "%s", options->model_path);
}

const char *build_options_text(const struct build_options *options, const struct model *model, struct arena *arena) {
  struct strbuf text = {0};
  strbuf_add(&text, "precision=f32");
  for (int i = 0; i < model->symbol_count; i++) {
    const struct symbol *symbol = &model->symbols[i];
    strbuf_printf(&text, " %s=%lld:%lld:%lld", symbol->name, (long long)symbol->min, (long long)symbol->opt,
                  (long long)symbol->max);
  }
  for (const char *const *off = options->passes_off; off && *off; off++) strbuf_printf(&text, " without=%s", *off);
  const char *result = text.failed ? NULL : arena_string(arena, strbuf_text(&text), text.length);
  strbuf_free(&text);
  return result;
}
