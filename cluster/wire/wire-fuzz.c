/* The wire decoder on hostile bytes: what it accepts is within bounds, encodes, and is then a fixed point. */
#include "messages.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static enum farm_status pass(const uint8_t *data, size_t length, struct bytes_writer *out) {
  struct arena arena = {.limit_bytes = 256 << 20};
  struct wire_message message;
  enum farm_status status = wire_decode(data, length, &arena, &message);
  if (status == FARM_OK && wire_encode(&message, out) != FARM_OK) __builtin_trap();
  arena_free(&arena);
  return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
  struct bytes_writer first = {0}, second = {0};
  if (pass(data, length, &first) == FARM_OK) {
    if (pass(first.data, first.length, &second) != FARM_OK) __builtin_trap();
    if (first.length != second.length || memcmp(first.data, second.data, first.length) != 0) __builtin_trap();
  }
  bytes_writer_free(&first);
  bytes_writer_free(&second);
  return 0;
}
