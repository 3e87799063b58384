/* Artefact decoder on hostile bytes: what is accepted must encode to the same bytes. Each input is read as it is, with its
 * checksum set right, or nothing would pass the envelope, and as a list. */
#include "artefact.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static void pass(const uint8_t *data, size_t length) {
  struct arena arena = {.limit_bytes = 64 << 20};
  struct bytes_writer again = {0};
  struct artefact artefact;
  if (artefact_decode(data, length, &arena, &artefact) == FARM_OK &&
      (artefact_encode(&artefact, &again) != FARM_OK || again.length != length || memcmp(again.data, data, length) != 0))
    __builtin_trap();
  bytes_writer_free(&again);
  arena_free(&arena);
}

static enum farm_status take_one(void *context, const struct artefact *artefact, const void *envelope, size_t length) {
  (void)context, (void)artefact;
  pass(envelope, length);
  return FARM_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
  pass(data, length);
  (void)artefact_list_each(data, length, take_one, NULL);
  if (length < DIGEST_BYTES) return 0;
  uint8_t *mended = malloc(length);
  if (!mended) return 0;
  struct digest checksum = digest_of(data, length - DIGEST_BYTES);
  memcpy(mended, data, length - DIGEST_BYTES);
  memcpy(mended + length - DIGEST_BYTES, checksum.bytes, DIGEST_BYTES);
  pass(mended, length);
  free(mended);
  return 0;
}
