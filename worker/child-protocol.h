/* Between a worker and its measuring child: frames of u32 length, u8 type, body, over a socket pair.
 *
 *   parent → ARTEFACT    one compiled kernel that the job to come needs (artefact-shelf.h)
 *          → JOB         a job message of protocol 1 (cluster/wire), with the variants to try in this child; an execute job's
 *                        blobs are descriptors of the child, from CHILD_BLOB_FD up, in the order of the job's list
 *   child  → RUNNING     i32 variant (or blob) index in that job (-1 the reference or none), f64 nanoseconds until the next
 *                        sign of life
 *          → ENTRY       u32 variant index, u32 finalist, u32 rank, a record of kind SCREEN with one entry
 *          → ARTEFACT    an envelope (problem/artefact.h) that a compile job made
 *          → REPORT      the JSON of an execute job, before its DONE
 *          → DONE        status name, message: the job is over, the child waits for the next one
 *          → LAST_WORDS  status name, message: the device is of no use to this process any more, which ends now; what ran
 *                        is to blame
 *
 * The child's bytes are believed no more than a peer's: lengths are capped, indices and records checked.
 */
#ifndef WORKER_CHILD_PROTOCOL_H
#define WORKER_CHILD_PROTOCOL_H

#include "../base/arena.h"
#include "../base/bytes.h"
#include "../base/status.h"

#include <stdbool.h>

enum child_frame_type { CHILD_JOB = 1, CHILD_RUNNING, CHILD_ENTRY, CHILD_DONE, CHILD_REPORT, CHILD_ARTEFACT, CHILD_LAST_WORDS };
enum {
  CHILD_FRAME_MOST_BYTES = 8 << 20,
  CHILD_REPORT_MOST_BYTES = 60000,
  CHILD_BLOB_FD = 4,
  CHILD_BLOBS_MOST = 2,
  CHILD_EXIT_HEAP = 86,
  CHILD_EXIT_DEVICE = 87,
  CHILD_ARTEFACTS_MOST_BYTES = 256 << 20 // of one compile job
};

struct child_frame {
  enum child_frame_type type;
  const uint8_t *body;
  size_t length;
};

enum farm_status child_frame_send(int fd, enum child_frame_type type, const void *body,
                                  size_t length); // FARM_WORKER_LOST: peer gone
/* Collects bytes; one frame at a time. */
struct child_reader {
  uint8_t *data;
  size_t length, capacity, consumed;
};
/* Reads what is there (blocking unless the descriptor is not); FARM_AGAIN: nothing now, FARM_WORKER_LOST: closed. */
enum farm_status child_reader_fill(struct child_reader *reader, int fd);
/* The next whole frame, valid until the next call of either; false: none yet. *out_status INVALID on a bad length. */
bool child_reader_next(struct child_reader *reader, struct child_frame *out_frame, enum farm_status *out_status);
void child_reader_free(struct child_reader *reader);

#endif
