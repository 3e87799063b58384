/* Artefacts: what compiling a kernel's text gave. Normative: docs/formats/record.md.
 *
 *   key    artefact|1|<digest of text, architecture, compiler and options>|<architecture>|<compiler>
 *          the digest decides, the rest is for readers
 *   value  an image, or why the text does not compile: a fact as well, which nobody needs to find out twice
 *
 * An artefact says nothing of who made it and when: the same text gives the same bytes. Lists of them travel as blobs.
 */
#ifndef PROBLEM_ARTEFACT_H
#define PROBLEM_ARTEFACT_H

#include "../base/arena.h"
#include "../base/bytes.h"
#include "../base/digest.h"
#include "../base/status.h"

enum { ARTEFACT_MOST_BYTES = 4 << 20, ARTEFACT_KEY_MOST = 191 };

struct artefact {
  const char *key;
  enum farm_status status; // FARM_OK, or FARM_TACTIC_REFUSED: it does not compile
  const char *message;     // of a failure; "" otherwise
  const uint8_t *data;     // the image; NULL of a failure
  size_t length;
};

/* NULL: out of memory. */
const char *artefact_key(const struct digest *digest, const char *arch, const char *compiler, struct arena *arena);
/* The compiler in a key, in place; NULL: not an artefact's key. */
const char *artefact_key_compiler(const char *key);

/* The envelope, appended to `out`. FARM_INVALID: a field is out of its bounds. */
enum farm_status artefact_encode(const struct artefact *artefact, struct bytes_writer *out);
/* Texts in `arena`, the image in place. FARM_INVALID: malformed; FARM_MISMATCH: of a later version or no artefact. */
enum farm_status artefact_decode(const void *data, size_t length, struct arena *arena, struct artefact *out);

/* A list: u32 count, then envelopes as blobs. `fn` is called for each that is well-formed; one that is not refuses the list. */
typedef enum farm_status (*artefact_fn)(void *context, const struct artefact *artefact, const void *envelope, size_t length);
enum farm_status artefact_list_each(const void *data, size_t length, artefact_fn fn, void *context);

#endif
