/* Blobs in transit (execute jobs, bundles): files named by their digests in the cache folder's `blobs`. A blob that arrives
 * grows in a `.part` file and gets its name when its digest is right. What is older than a day goes when the coordinator starts, and
 * once an hour while blobs are added. */
#ifndef COORDINATOR_BLOBS_H
#define COORDINATOR_BLOBS_H

#include "../cluster/wire/messages.h"

struct blobs {
  char *folder;
  int64_t swept_s; // when what is old was last looked for
};

enum farm_status blobs_open(const char *cache_folder, struct blobs *out_blobs);
void blobs_close(struct blobs *blobs);
void blobs_put(struct blobs *blobs, const struct wire_blob_put *put, struct wire_blob_state *out_state);
void blobs_get(struct blobs *blobs, const struct wire_blob_get *get, struct arena *arena, struct wire_blob_chunk *out_chunk);
enum farm_status blobs_add(struct blobs *blobs, const void *data, size_t length, struct digest *out_digest);
enum farm_status blobs_read(struct blobs *blobs, const struct digest *digest, size_t most_bytes, char **out_data,
                            size_t *out_length); // free() it

#endif
