/* Fuzz target: lock files. What is accepted must print to itself. */
#include "lock.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct lock *lock;
  if (lock_parse((const char *)data, size, &lock) != FARM_OK) return 0;
  struct strbuf text = {0};
  if (lock_print(lock, &text) == FARM_OK && (text.length != size || memcmp(text.data, data, size) != 0)) abort();
  strbuf_free(&text);
  lock_free(&lock);
  return 0;
}
