/* The texts of CUDA kernels, embedded by kernels/sources.mk as X("name", "contents"), and how a translation unit is put together
 * from them.
 */
#include "cuda-tactic.h"

#include <stdio.h>
#include <string.h>

static const struct {
  const char *name, *text;
  size_t length;
} texts[] = {
#define X(name, text) {name, text, sizeof(text) - 1},
#include "cuda-texts.inc"
#undef X
};

enum farm_status cuda_text(const char *file, const char **out_text, size_t *out_length) {
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    if (strcmp(texts[i].name, file) != 0) continue;
    *out_text = texts[i].text;
    *out_length = texts[i].length;
    return FARM_OK;
  }
  return status_set(FARM_NOT_FOUND, "this build has no kernel text '%.64s'", file);
}

enum farm_status cuda_source_file(struct strbuf *out, const char *file) {
  const char *text;
  size_t length;
  TRY(cuda_text(file, &text, &length));
  strbuf_printf(out, "#line 1 \"%s\"\n", file);
  strbuf_add_bytes(out, text, length);
  return FARM_OK;
}

void cuda_source_begin(struct strbuf *out) { (void)cuda_source_file(out, "dialect.cuh"); } // embedded: always found

enum farm_status cuda_artefact_key(const char *source, int sm, const char *compiler, struct digest *out_key) {
  char head[160];
  int length = snprintf(head, sizeof head, "artefact 1 sm:%d options:%d compiler:%s", sm, CUDA_OPTIONS_REVISION, compiler);
  FAIL_IF(length < 0 || length >= (int)sizeof head, FARM_INVALID, "compiler version of %zu characters", strlen(compiler));
  struct digest_state state;
  digest_begin(&state);
  digest_add(&state, head, (size_t)length + 1);
  digest_add(&state, source, strlen(source));
  *out_key = digest_end(&state);
  return FARM_OK;
}
