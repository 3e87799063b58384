/* Fuzzing the engine reader: decode, then touch what it accepted. Digests are set right first, or nothing would pass the header.
 */
#include "engine-file.h"
#include "engine-layout.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

/* Makes the checksums of header and metadata agree with the content, where both can be found. */
static void checksums_mend(uint8_t *data, size_t length) {
  struct bytes_reader in = bytes_reader_of(data, length);
  bytes_get(&in, 24);
  uint32_t entries = bytes_get_u32(&in);
  size_t table = ENGINE_HEADER_BYTES + (size_t)entries * ENGINE_ENTRY_BYTES;
  if (!bytes_reader_ok(&in) || entries > ENGINE_MOST_ENTRIES || length < table) return;
  for (uint32_t i = 0; i < entries; i++) {
    uint8_t *entry = data + ENGINE_HEADER_BYTES + (size_t)i * ENGINE_ENTRY_BYTES;
    struct bytes_reader fields = bytes_reader_of(entry, ENGINE_ENTRY_BYTES);
    uint32_t kind = bytes_get_u32(&fields);
    bytes_get_u32(&fields);
    uint64_t offset = bytes_get_u64(&fields), bytes = bytes_get_u64(&fields);
    if (kind != ENGINE_METADATA || offset > length || bytes > length - offset) continue;
    struct digest digest = digest_of(data + offset, bytes);
    memcpy(entry + 24, digest.bytes, DIGEST_BYTES);
  }
  memset(data + ENGINE_DIGEST_AT, 0, DIGEST_BYTES);
  struct digest digest = digest_of(data, table);
  memcpy(data + ENGINE_DIGEST_AT, digest.bytes, DIGEST_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
  uint8_t *copy = calloc(1, length + 1);
  if (!copy) return 0;
  if (length) memcpy(copy, data, length);
  checksums_mend(copy, length);
  struct engine *engine = NULL;
  if (engine_decode(copy, length, true, &engine) == FARM_OK) {
    struct bytes_writer out = {0};
    if (engine_encode(engine, &out) != FARM_OK) __builtin_trap(); // what was read can be written
    bytes_writer_free(&out);
  }
  engine_close(&engine);
  free(copy);
  return 0;
}
