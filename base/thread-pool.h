/* A fixed team of threads that runs loops: spin for a short while, then sleep on a futex.
 *
 * The caller is thread 0 of the team and works too. Iterations are handed out statically (a contiguous range per thread), so
 * the same loop on the same team touches the same data from the same core. One loop at a time per pool; a pool may be used
 * from any thread, not from two at once. Threads are pinned, one to each core of the caller's affinity mask that the cgroup's
 * CPU quota leaves room for, when the team is no larger than that; otherwise they float. The caller itself is never pinned: its
 * mask is the user's. A loop started from inside a loop runs in place, with the thread's own index when it is the same pool's.
 * After fork() the child has no workers: its pools run in place and can be destroyed; a new one may be made.
 */
#ifndef BASE_THREAD_POOL_H
#define BASE_THREAD_POOL_H

#include "status.h"

#include <stdint.h>

struct thread_pool;

/* `index` in [0, count), `thread` in [0, thread_pool_size). */
typedef void (*thread_pool_fn)(void *argument, int64_t index, int thread);

/* threads >= 1; 0 means as many as thread_pool_default_threads(). A pool of one runs loops in place and owns no thread. */
enum farm_status thread_pool_create(int threads, struct thread_pool **out_pool);
void thread_pool_destroy(struct thread_pool **pool);
int thread_pool_size(const struct thread_pool *pool); // 1 for NULL
/* Runs fn for every index; returns when all are done. pool NULL: in the calling thread. */
void thread_pool_run(struct thread_pool *pool, int64_t count, thread_pool_fn fn, void *argument);
/* Cores this process may use: affinity mask, cut to the cgroup's CPU quota (v1 and v2), at least 1. */
int thread_pool_default_threads(void);

#endif
