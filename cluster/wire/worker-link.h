/* The worker's side of protocol 1: jobs come in, results go out, heartbeats and reconnecting are taken care of inside
 * `worker_link_poll`, which the worker calls at least once a second, also while its child measures.
 *
 *   worker_link_open(&options, &link);
 *   worker_link_ready(link, 1);
 *   for (;;) {
 *     worker_link_poll(link, child_fd, 500, &event);
 *     event.kind JOB: worker_link_started(link, event.lease); start measuring event.job
 *                FD:  the child said something: worker_link_partial(link, lease, &screen_record, 1), at the end
 *                     worker_link_finished(link, lease, FARM_OK, "", final_record, 1); worker_link_ready(link, 1);
 *                STOP: kill the child's work for event.lease, if it is still that; worker_link_finished(link, lease,
 * FARM_CANCELLED…)
 *                DRAIN: finish and leave       NONE: the time is over
 *   }
 *
 * Results are kept until the coordinator has stored them, and sent again after a reconnect: a result handed to partial, finished
 * or returned is not lost unless this process is. Not thread safe.
 */
#ifndef CLUSTER_WIRE_WORKER_LINK_H
#define CLUSTER_WIRE_WORKER_LINK_H

#include "../../problem/record.h"
#include "link.h"

struct worker_link_options {
  const char *endpoint;
  const char *build, *catalogue; // tunefarm's version; catalogue_digest()
  const char *host;              // readable name of the machine, without secrets
  const char *device_class;      // canonical text
  const char *device;            // which one: "cores 0-3" or a GPU's UUID
  const char *cores;             // core list of a CPU device, ""
  uint32_t threads;              // most threads a job may ask for here
  struct link_keys keys;
};

enum worker_event_kind { WORKER_EVENT_NONE, WORKER_EVENT_FD, WORKER_EVENT_JOB, WORKER_EVENT_STOP, WORKER_EVENT_DRAIN };
struct worker_event {
  enum worker_event_kind kind;
  struct wire_lease lease;    // JOB, STOP
  const struct wire_job *job; // JOB: stays valid until finished or returned
};

struct worker_link;
enum farm_status worker_link_open(const struct worker_link_options *options, struct worker_link **out_link); // does not wait
void worker_link_close(struct worker_link **link); // waits up to 2 s for results to be stored, says BYE
/* FARM_OK with an event, NONE after timeout_ms. Refused by the coordinator: FARM_DENIED, FARM_MISMATCH …, with the reason. */
enum farm_status worker_link_poll(struct worker_link *link, int fd, int timeout_ms, struct worker_event *out_event);
bool worker_link_is_up(const struct worker_link *link);

/* How many jobs this worker takes from now on; repeated by itself after a reconnect. */
enum farm_status worker_link_ready(struct worker_link *link, uint32_t credits);
enum farm_status worker_link_started(struct worker_link *link, struct wire_lease lease);
/* Screen records as they land: kind SCREEN, one entry, problem, class, threads and policy copied from the job. */
enum farm_status worker_link_partial(struct worker_link *link, struct wire_lease lease, const struct record *records,
                                     uint32_t count);
/* The end of a job. Final jobs: FARM_OK with one final record that has an entry for each of the job's variants. Screen jobs:
 * what was not sent as partial yet. status other than OK: the job failed as a whole (the coordinator hands it out again). */
enum farm_status worker_link_finished(struct worker_link *link, struct wire_lease lease, enum farm_status status,
                                      const char *message, const struct record *records, uint32_t count);
/* The end of an execute job: a report (JSON) and the digests of output blobs, stored with worker_link_blob_put before. */
enum farm_status worker_link_executed(struct worker_link *link, struct wire_lease lease, enum farm_status status,
                                      const char *message, const char *report, const struct wire_blob_ref *blobs,
                                      uint32_t blob_count);
/* Blameless: this worker does not have these variants (or not from this source). */
enum farm_status worker_link_return(struct worker_link *link, struct wire_lease lease, const char *reason,
                                    const struct wire_variant *unknown, uint32_t unknown_count);

/* A cache verb without lines in its answer (artefacts-get, artefacts-put, compilers); `out` in `arena`. Waits as the calls below
 * do. */
enum farm_status worker_link_cache(struct worker_link *link, const char *verb, const char *const *arguments,
                                   uint32_t argument_count, const struct digest *blob, int timeout_ms, struct arena *arena,
                                   struct wire_cache_reply *out);
/* Blobs of execute jobs, by digest; each call waits, at most timeout_ms in all, and keeps the heartbeat. */
enum farm_status worker_link_blob_get(struct worker_link *link, const struct digest *digest, size_t most_bytes, int timeout_ms,
                                      uint8_t **out_data,
                                      size_t *out_length); // free() it
enum farm_status worker_link_blob_put(struct worker_link *link, const void *data, size_t length, int timeout_ms,
                                      struct digest *out_digest);

#endif
