/* Fuzz target: lock files. What is accepted must print to itself. Each input is read as it is and with its digest set right, or
 * nothing changed would be accepted. */
#include "lock.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void pass(const char *text, size_t size) {
  struct lock *lock;
  if (lock_parse(text, size, &lock) != FARM_OK) return;
  struct strbuf again = {0};
  if (lock_print(lock, &again) != FARM_OK || again.length != size || memcmp(again.data, text, size) != 0) abort();
  strbuf_free(&again);
  lock_free(&lock);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char keyword[] = "digest\t";
  enum { LAST_LINE = sizeof keyword - 1 + DIGEST_HEX_BYTES }; // with its end of line
  pass((const char *)data, size);
  char *mended = malloc(size + 1);
  if (mended && size >= LAST_LINE && memcmp(data + size - LAST_LINE, keyword, sizeof keyword - 1) == 0) {
    struct digest digest = digest_of(data, size - LAST_LINE);
    memcpy(mended, data, size);
    digest_to_hex(&digest, mended + size - DIGEST_HEX_BYTES);
    mended[size - 1] = (char)data[size - 1]; // the newline, where the hex text ends
    pass(mended, size);
  }
  free(mended);
  return 0;
}
