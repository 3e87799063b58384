/* The CACHE message: what `tunefarm cache` asks of the process that alone has the store open. */
#ifndef COORDINATOR_VERBS_H
#define COORDINATOR_VERBS_H

#include "../tactic-cache/cache.h"
#include "blobs.h"
#include "compilers.h"

typedef void (*verbs_reply_fn)(void *context, const struct wire_cache_reply *reply);
/* Replies at least once; all but the last have `more` set. */
void verbs_carry_out(struct cache *cache, struct blobs *blobs, struct compilers *compilers, const struct wire_cache *ask,
                     verbs_reply_fn reply, void *context);

#endif
