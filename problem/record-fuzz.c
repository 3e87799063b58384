/* Record decoder on hostile bytes: what is accepted must encode to the same bytes. Each input is read as it is and with its
 * checksum set right, or nothing would pass the envelope. */
#include "record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static void pass(const uint8_t *data, size_t length) {
  struct arena arena = {.limit_bytes = 64 << 20};
  struct bytes_writer again = {0};
  struct record record;
  if (record_decode(data, length, &arena, &record) == FARM_OK &&
      (record_encode(&record, &again) != FARM_OK || again.length != length || memcmp(again.data, data, length) != 0))
    __builtin_trap();
  bytes_writer_free(&again);
  arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
  pass(data, length);
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
