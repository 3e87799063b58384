/* The envelope that everything in a tactic cache is kept in: magic, version, what it holds, key, payload, checksum. Normative:
 * docs/formats/record.md. */
#ifndef PROBLEM_ENVELOPE_H
#define PROBLEM_ENVELOPE_H

#include "../base/bytes.h"
#include "../base/status.h"

enum { ENVELOPE_VERSION = 1 };
enum envelope_content { ENVELOPE_RECORD = 1, ENVELOPE_ARTEFACT = 2 };

/* Appended to `out`; the checksum covers what this call appends. FARM_NO_MEMORY. */
enum farm_status envelope_write(enum envelope_content content, const char *key, const struct bytes_writer *payload,
                                struct bytes_writer *out);
/* Key and payload in place. FARM_INVALID: checksum or lengths are wrong; FARM_MISMATCH: of a later version, or it holds something
 * else than `content`. Messages begin with `what`. */
enum farm_status envelope_open(const void *data, size_t length, enum envelope_content content, const char *what,
                               struct bytes_reader *out_key, struct bytes_reader *out_payload);
/* What bytes that begin like an envelope hold; 0: they do not. Proves nothing. */
int envelope_content(const void *data, size_t length);

#endif
