/* Where the worker of a GPU gets the compiled kernels of its jobs: from the coordinator's store, kept for the session. The worker
 * itself compiles nothing and opens no device: it knows the texts from the catalogue, and the store which compilers there are.
 * Of several compilers' artefacts of one text the greatest compiler's is taken.
 */
#ifndef WORKER_ARTEFACT_SUPPLY_H
#define WORKER_ARTEFACT_SUPPLY_H

#include "../cluster/wire/worker-link.h"
#include "artefact-shelf.h"

struct artefact_supply {
  struct worker_link *link;
  int sm;
  struct artefact_shelf shelf;
};

/* Everything that the job's variants need comes onto the shelf. *out_missing (room for all variants): those whose artefact the
 * store does not have. Keeps the heartbeat meanwhile. */
enum farm_status artefact_supply_fetch(struct artefact_supply *supply, const struct wire_job *job,
                                       struct wire_variant *out_missing, uint32_t *out_count);
/* Sends what one variant needs to a child. FARM_OK also when it needs nothing. */
enum farm_status artefact_supply_send(const struct artefact_supply *supply, const struct wire_job *job, uint32_t variant, int fd);
void artefact_supply_free(struct artefact_supply *supply);

#endif
