/* Blobs over a link: chunks of 1 MiB, a window of them on the way, the digest checked at the end. Messages that come in between
 * and are none of these are set aside in `others`. */
#ifndef CLUSTER_WIRE_BLOB_LINK_H
#define CLUSTER_WIRE_BLOB_LINK_H

#include "frames.h"
#include "link.h"

/* FARM_NOT_FOUND: the coordinator has none; FARM_TIMED_OUT; FARM_VERIFY_FAILED: wrong bytes came. *out_data: free() it. */
enum farm_status blob_link_get(struct link *link, const struct digest *digest, size_t most_bytes, int timeout_ms,
                               struct frames *others, uint8_t **out_data, size_t *out_length);
enum farm_status blob_link_put(struct link *link, const void *data, size_t length, int timeout_ms, struct frames *others,
                               struct digest *out_digest);

#endif
