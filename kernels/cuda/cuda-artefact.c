/* See cuda-artefact.h. */
#include "cuda-artefact.h"

#include "../../device/nvrtc.h"
#include "cuda-tactic.h"

#include <stdio.h>

enum { MESSAGE_BYTES = 480 };

enum farm_status cuda_artefact_key_text(const char *source, int sm, const char *compiler, struct arena *arena,
                                        const char **out_key) {
  struct digest digest;
  char arch[16];
  TRY(cuda_artefact_key(source, sm, compiler, &digest));
  nvrtc_arch(sm, arch);
  const char *key = artefact_key(&digest, arch, compiler, arena);
  FAIL_IF(!key, FARM_NO_MEMORY, "out of memory for a key");
  *out_key = key;
  return FARM_OK;
}

/* One line, cut, never empty. */
static void message_tidy(const char *message, char out[MESSAGE_BYTES]) {
  snprintf(out, MESSAGE_BYTES, "%.479s", *message ? message : "it does not compile");
  for (char *c = out; *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
}

enum farm_status cuda_artefact_wrap(const char *source, int sm, const char *compiler, enum farm_status status,
                                    const struct bytes_writer *image, struct bytes_writer *out_envelope) {
  struct arena arena = {0};
  char message[MESSAGE_BYTES] = "";
  if (status != FARM_OK) message_tidy(status_message(), message);
  struct artefact artefact = {.status = status == FARM_OK ? FARM_OK : FARM_TACTIC_REFUSED, .message = message};
  if (status == FARM_OK) artefact.data = image->data, artefact.length = image->length;
  enum farm_status wrapped = cuda_artefact_key_text(source, sm, compiler, &arena, &artefact.key);
  if (wrapped == FARM_OK) wrapped = artefact_encode(&artefact, out_envelope);
  arena_free(&arena);
  return wrapped;
}

enum farm_status cuda_artefact_compile(const char *source, int sm, const char *compiler, struct bytes_writer *out_envelope,
                                       bool *out_good) {
  struct bytes_writer image = {0};
  enum farm_status status = nvrtc_compile("tactic.cu", source, sm, &image, NULL);
  if (status == FARM_OK && image.failed) status = status_set(FARM_NO_MEMORY, "out of memory for an image");
  bool said = status == FARM_OK || status == FARM_INVALID; // else it is this machine that failed, not the text
  enum farm_status wrapped = said ? cuda_artefact_wrap(source, sm, compiler, status, &image, out_envelope) : status;
  if (wrapped == FARM_OK) *out_good = status == FARM_OK;
  bytes_writer_free(&image);
  return wrapped;
}
