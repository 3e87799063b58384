/* See artefact.h. One function judges artefacts; both directions use it, so the decoder accepts exactly what the encoder writes.
 */
#include "artefact.h"

#include "envelope.h"

#include <ctype.h>
#include <string.h>

enum { MESSAGE_MOST = 511, COMPILER_MOST = 63, ARCH_MOST = 15 };

const char *artefact_key(const struct digest *digest, const char *arch, const char *compiler, struct arena *arena) {
  char hex[DIGEST_HEX_BYTES];
  digest_to_hex(digest, hex);
  return arena_printf(arena, "artefact|1|%s|%s|%s", hex, arch, compiler);
}

/* Where the fields of a well-formed key begin. */
static bool key_split(const char *key, const char **out_arch, const char **out_compiler) {
  static const char head[] = "artefact|1|";
  const size_t hex = 2 * DIGEST_BYTES;
  if (strncmp(key, head, sizeof head - 1) != 0 || strlen(key) < sizeof head + hex) return false;
  const char *at = key + sizeof head - 1;
  for (size_t i = 0; i < hex; i++)
    if (!isdigit((unsigned char)at[i]) && (at[i] < 'a' || at[i] > 'f')) return false;
  if (at[hex] != '|') return false;
  *out_arch = at + hex + 1;
  const char *bar = strchr(*out_arch, '|');
  if (!bar || bar == *out_arch || bar - *out_arch > ARCH_MOST || !bar[1] || strlen(bar + 1) > COMPILER_MOST) return false;
  for (const char *c = *out_arch; c < bar; c++)
    if (!isalnum((unsigned char)*c) && *c != '_') return false;
  for (const char *c = bar + 1; *c; c++)
    if (!isalnum((unsigned char)*c) && !strchr(" .-+_", *c)) return false;
  *out_compiler = bar + 1;
  return true;
}

const char *artefact_key_compiler(const char *key) {
  const char *arch, *compiler;
  return key_split(key, &arch, &compiler) ? compiler : NULL;
}

static enum farm_status check(const struct artefact *a) {
  const char *arch, *compiler;
  FAIL_IF(!key_split(a->key, &arch, &compiler), FARM_INVALID, "artefact: malformed key `%.100s`", a->key);
  size_t message = strlen(a->message);
  FAIL_IF(message > MESSAGE_MOST, FARM_INVALID, "artefact: a message of %zu bytes", message);
  for (size_t i = 0; i < message; i++)
    FAIL_IF((unsigned char)a->message[i] < 0x20 || a->message[i] == 0x7f, FARM_INVALID,
            "artefact: control character in its message");
  FAIL_IF(a->status != FARM_OK && a->status != FARM_TACTIC_REFUSED, FARM_INVALID, "artefact: it cannot have status %s",
          status_name(a->status));
  FAIL_IF((a->status == FARM_OK) != (message == 0), FARM_INVALID, "artefact: status and message do not fit");
  FAIL_IF((a->status == FARM_OK) != (a->length > 0) || a->length > ARTEFACT_MOST_BYTES, FARM_INVALID,
          "artefact: an image of %zu bytes", a->length);
  return FARM_OK;
}

enum farm_status artefact_encode(const struct artefact *artefact, struct bytes_writer *out) {
  struct bytes_writer payload = {0};
  TRY(check(artefact));
  bytes_put_string(&payload, status_name(artefact->status));
  bytes_put_string(&payload, artefact->message);
  bytes_put_blob(&payload, artefact->data, artefact->length);
  enum farm_status status = envelope_write(ENVELOPE_ARTEFACT, artefact->key, &payload, out);
  bytes_writer_free(&payload);
  return status;
}

static enum farm_status status_of(const char *name) {
  for (int i = 0; i < FARM_STATUS_COUNT; i++)
    if (strcmp(name, status_name((enum farm_status)i)) == 0) return (enum farm_status)i;
  return FARM_FAILURE; // which no artefact has
}

enum farm_status artefact_decode(const void *data, size_t length, struct arena *arena, struct artefact *out) {
  struct bytes_reader key, payload;
  struct artefact artefact = {0};
  TRY(envelope_open(data, length, ENVELOPE_ARTEFACT, "artefact", &key, &payload));
  FAIL_IF(key.length > ARTEFACT_KEY_MOST || memchr(key.data, 0, key.length), FARM_INVALID, "artefact: malformed key");
  artefact.key = arena_string(arena, (const char *)key.data, key.length);
  FAIL_IF(!artefact.key, FARM_NO_MEMORY, "artefact: out of memory");
  artefact.status = status_of(bytes_get_string(&payload, arena));
  artefact.message = bytes_get_string(&payload, arena);
  artefact.data = bytes_get_blob(&payload, &artefact.length);
  FAIL_IF(!bytes_reader_finished(&payload), FARM_INVALID, "artefact: payload has the wrong length");
  if (artefact.length == 0) artefact.data = NULL;
  TRY(check(&artefact));
  *out = artefact;
  return FARM_OK;
}

enum farm_status artefact_list_each(const void *data, size_t length, artefact_fn fn, void *context) {
  struct bytes_reader in = bytes_reader_of(data, length);
  uint32_t count = bytes_get_count(&in, 4 + DIGEST_BYTES);
  for (uint32_t i = 0; i < count; i++) {
    struct arena arena = {0};
    struct artefact artefact;
    size_t bytes;
    const uint8_t *envelope = bytes_get_blob(&in, &bytes);
    enum farm_status status =
        envelope ? artefact_decode(envelope, bytes, &arena, &artefact) : status_set(FARM_INVALID, "list of artefacts: cut short");
    if (status == FARM_OK) status = fn(context, &artefact, envelope, bytes);
    arena_free(&arena);
    TRY(status);
  }
  FAIL_IF(!bytes_reader_finished(&in), FARM_INVALID, "list of artefacts: cut short or too long");
  return FARM_OK;
}
