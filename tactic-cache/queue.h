/* The coordinator's durable queue: builds (their SUBMIT frames) and leased jobs (their JOB frames), by sequence number, in an
 * LMDB environment of its own beside the cache. A value that does not match its digest is left out and counted. */
#ifndef TACTIC_CACHE_QUEUE_H
#define TACTIC_CACHE_QUEUE_H

#include "store.h"

struct queue;
enum queue_table { QUEUE_BUILDS, QUEUE_JOBS };

/* `folder` is the cache folder; the environment lives in its `queue` subfolder. out_epoch: of this boot, greater than all before
 * it. */
enum farm_status queue_open(const char *folder, struct queue **out_queue, uint64_t *out_epoch);
void queue_close(struct queue **queue);
enum farm_status queue_put(struct queue *queue, enum queue_table table, uint64_t sequence, uint32_t part, const void *data,
                           size_t length);
enum farm_status queue_remove(struct queue *queue, enum queue_table table, uint64_t sequence); // all its parts
enum farm_status queue_commit(struct queue *queue);
typedef enum farm_status (*queue_each_fn)(void *context, uint64_t sequence, uint32_t part, const void *data, size_t length);
enum farm_status queue_each(struct queue *queue, enum queue_table table, queue_each_fn fn, void *context); // in order

#endif
