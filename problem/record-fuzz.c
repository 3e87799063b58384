/* Record decoder on hostile bytes: what is accepted must encode to the same bytes. */
#include "record.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
  struct arena arena = {.limit_bytes = 64 << 20};
  struct bytes_writer again = {0};
  struct record record;
  if (record_decode(data, length, &arena, &record) == FARM_OK &&
      (record_encode(&record, &again) != FARM_OK || again.length != length || memcmp(again.data, data, length) != 0))
    __builtin_trap();
  bytes_writer_free(&again);
  arena_free(&arena);
  return 0;
}
