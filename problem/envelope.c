/* See envelope.h. */
#include "envelope.h"

#include "../base/digest.h"

#include <string.h>

static const uint8_t magic[4] = {'T', 'F', 'R', 'C'};

enum farm_status envelope_write(enum envelope_content content, const char *key, const struct bytes_writer *payload,
                                struct bytes_writer *out) {
  size_t begin = out->length;
  bytes_put(out, magic, sizeof magic);
  bytes_put_u16(out, ENVELOPE_VERSION);
  bytes_put_u16(out, (uint16_t)content);
  bytes_put_string(out, key);
  bytes_put_blob(out, payload->data, payload->length);
  FAIL_IF(payload->failed || out->failed, FARM_NO_MEMORY, "out of memory for an envelope");
  struct digest checksum = digest_of(out->data + begin, out->length - begin);
  bytes_put(out, checksum.bytes, sizeof checksum.bytes);
  FAIL_IF(out->failed, FARM_NO_MEMORY, "out of memory for an envelope");
  return FARM_OK;
}

enum farm_status envelope_open(const void *data, size_t length, enum envelope_content content, const char *what,
                               struct bytes_reader *out_key, struct bytes_reader *out_payload) {
  FAIL_IF(length < DIGEST_BYTES, FARM_INVALID, "%s: cut short", what);
  size_t covered = length - DIGEST_BYTES;
  struct digest digest = digest_of(data, covered);
  FAIL_IF(memcmp((const uint8_t *)data + covered, digest.bytes, DIGEST_BYTES) != 0, FARM_INVALID, "%s: checksum does not match",
          what);
  struct bytes_reader in = bytes_reader_of(data, covered);
  const uint8_t *found = bytes_get(&in, sizeof magic);
  FAIL_IF(!found || memcmp(found, magic, sizeof magic) != 0, FARM_INVALID, "%s: not a %s", what, what);
  uint16_t version = bytes_get_u16(&in), holds = bytes_get_u16(&in);
  FAIL_IF(version != ENVELOPE_VERSION, FARM_MISMATCH, "%s: version %u, this build reads %d", what, version, ENVELOPE_VERSION);
  FAIL_IF(holds != content, FARM_MISMATCH, "%s: content %u, a %s has %d", what, holds, what, (int)content);
  size_t key_length, payload_length;
  const uint8_t *key = bytes_get_blob(&in, &key_length);
  const uint8_t *payload = bytes_get_blob(&in, &payload_length);
  FAIL_IF(!bytes_reader_finished(&in), FARM_INVALID, "%s: cut short or too long", what);
  *out_key = bytes_reader_of(key, key_length);
  *out_payload = bytes_reader_of(payload, payload_length);
  return FARM_OK;
}

int envelope_content(const void *data, size_t length) {
  struct bytes_reader in = bytes_reader_of(data, length);
  const uint8_t *found = bytes_get(&in, sizeof magic);
  if (!found || memcmp(found, magic, sizeof magic) != 0) return 0;
  (void)bytes_get_u16(&in);
  int content = bytes_get_u16(&in);
  return bytes_reader_ok(&in) ? content : 0;
}
