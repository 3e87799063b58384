/* Content digests: BLAKE2b-256 (RFC 7693), through libsodium. The one digest of keys, blobs, engines and bundles. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIGEST_BYTES = 32, DIGEST_HEX_BYTES = 65 };

struct digest {
  uint8_t bytes[DIGEST_BYTES];
};

struct digest_state { // opaque; sized and aligned for libsodium's state
  _Alignas(64) uint8_t opaque[384];
};

struct digest digest_of(const void *data, size_t length);
struct digest digest_of_text(const char *text);
void digest_begin(struct digest_state *state);
void digest_add(struct digest_state *state, const void *data, size_t length);
struct digest digest_end(struct digest_state *state);

bool digest_equal(const struct digest *a, const struct digest *b);
void digest_to_hex(const struct digest *digest, char out_hex[DIGEST_HEX_BYTES]); // lower case, zero-terminated
bool digest_from_hex(const char *hex, struct digest *out_digest);                // exactly 64 digits

#endif
