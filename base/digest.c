/* See digest.h. */
#include "digest.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

static_assert(sizeof(crypto_generichash_state) <= sizeof(struct digest_state), "digest state too small");

void digest_begin(struct digest_state *state) {
  crypto_generichash_init((crypto_generichash_state *)state->opaque, NULL, 0, DIGEST_BYTES);
}

void digest_add(struct digest_state *state, const void *data, size_t length) {
  crypto_generichash_update((crypto_generichash_state *)state->opaque, data, length);
}

struct digest digest_end(struct digest_state *state) {
  struct digest digest;
  crypto_generichash_final((crypto_generichash_state *)state->opaque, digest.bytes, DIGEST_BYTES);
  return digest;
}

struct digest digest_of(const void *data, size_t length) {
  struct digest digest;
  crypto_generichash(digest.bytes, DIGEST_BYTES, data, length, NULL, 0);
  return digest;
}

struct digest digest_of_text(const char *text) {
  return digest_of(text, strlen(text));
}
bool digest_equal(const struct digest *a, const struct digest *b) { return memcmp(a, b, sizeof *a) == 0; }

void digest_to_hex(const struct digest *digest, char out_hex[DIGEST_HEX_BYTES]) {
  static const char digits[] = "0123456789abcdef";
  for (int i = 0; i < DIGEST_BYTES; i++) {
    out_hex[2 * i] = digits[digest->bytes[i] >> 4];
    out_hex[2 * i + 1] = digits[digest->bytes[i] & 15];
  }
  out_hex[2 * DIGEST_BYTES] = 0;
}

static int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool digest_from_hex(const char *hex, struct digest *out_digest) {
  struct digest digest;
  for (int i = 0; i < DIGEST_BYTES; i++) {
    int high = nibble(hex[2 * i]);
    int low = high < 0 ? -1 : nibble(hex[2 * i + 1]);
    if (low < 0) return false;
    digest.bytes[i] = (uint8_t)(high << 4 | low);
  }
  if (hex[2 * DIGEST_BYTES]) return false;
  *out_digest = digest;
  return true;
}
