/* Compiled kernels at hand, by the digest of the text that they were made of: in a measuring child those of its job, which its
 * worker sent; in a worker those of its session. */
#ifndef WORKER_ARTEFACT_SHELF_H
#define WORKER_ARTEFACT_SHELF_H

#include "../base/bytes.h"
#include "../base/digest.h"
#include "../base/status.h"

struct artefact_on_shelf {
  struct digest text;
  enum farm_status status; // FARM_OK, or FARM_TACTIC_REFUSED: it does not compile
  char *message;           // of a failure
  uint8_t *data;
  size_t length;
};
struct artefact_shelf {
  struct artefact_on_shelf *items;
  size_t count, capacity, bytes;
};

/* Copies; one that is there already stays. */
enum farm_status artefact_shelf_put(struct artefact_shelf *shelf, const struct digest *text, enum farm_status status,
                                    const char *message, const void *data, size_t length);
const struct artefact_on_shelf *artefact_shelf_find(const struct artefact_shelf *shelf, const struct digest *text); // NULL: none
void artefact_shelf_clear(struct artefact_shelf *shelf);

/* As bodies of frames between a worker and its child: digest, status name, message, blob. */
void artefact_frame_put(struct bytes_writer *out, const struct artefact_on_shelf *artefact);
enum farm_status artefact_frame_take(const void *body, size_t length, struct artefact_shelf *shelf);

#endif
