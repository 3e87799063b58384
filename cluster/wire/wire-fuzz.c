/* The wire decoder on hostile bytes: what it accepts is within bounds and encodes again. */
#include "messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
  struct arena arena = {.limit_bytes = 256 << 20};
  struct bytes_writer again = {0};
  struct wire_message message;
  if (wire_decode(data, length, &arena, &message) == FARM_OK && wire_encode(&message, &again) != FARM_OK) __builtin_trap();
  bytes_writer_free(&again);
  arena_free(&arena);
  return 0;
}
