/* The submitting side of protocol 1: builds, lookups, status and cache requests. Calls wait at most their timeout; a lost
 * connection or a coordinator that comes back is handled inside (say HELLO, attach, submit again): what was answered is not
 * answered twice.
 *
 *   client_open(&options, &client);
 *   client_submit(client, &build, 10000);             returns when the build is durable
 *   while (client_next(client, 1000, &event) == FARM_OK)
 *     RESULT: event.item, event.record …   PROGRESS: show it   DONE: event.done; the build is forgotten over there
 *     NONE: the time is over
 *   client_close(&client);
 *
 * One build at a time per client. Not thread safe. Requests may be made while a build runs.
 */
#ifndef CLUSTER_WIRE_CLIENT_H
#define CLUSTER_WIRE_CLIENT_H

#include "../../problem/record.h"
#include "link.h"

struct client_options {
  const char *endpoint;
  const char *build, *catalogue; // tunefarm's version; catalogue_digest()
  struct link_keys keys;
  /* Called when the coordinator stays away: may start it anew (coordinator_ensure) and name its endpoint (copied). May be NULL.
   * */
  enum farm_status (*revive)(void *context, const char **out_endpoint);
  void *context;
  int timeout_ms; // for the first greeting; 0: 10 s
};

struct client;
enum farm_status client_open(const struct client_options *options,
                             struct client **out_client); // FARM_CONNECTION: nobody answered
void client_close(struct client **client); // a build that is not done goes on for a while, or for good when detached

struct client_build {
  const char *label, *policy;
  uint32_t flags;                // enum wire_submit_flag
  const struct wire_item *items; // these and their texts stay valid until DONE or client_close
  uint32_t item_count;
};
/* FARM_OK: accepted and durable. FARM_INVALID: refused, with the reason. */
enum farm_status client_submit(struct client *client, const struct client_build *build, int timeout_ms);
const struct digest *client_build_id(const struct client *client);

enum client_event_kind { CLIENT_NONE, CLIENT_RESULT, CLIENT_PROGRESS, CLIENT_DONE };
struct client_event { // what it points to stays valid until the next call
  enum client_event_kind kind;
  uint32_t item;           // RESULT: index into the build's items; each comes once
  enum farm_status status; // RESULT: why there is none, or that no variant works; DONE: of the build
  const char *message;
  bool hit, has_record;
  struct record record; // RESULT: the final record, when has_record
  const struct wire_progress *progress;
  const struct wire_done *done;
};
/* FARM_OK with an event (NONE after timeout_ms); otherwise the connection is refused for good. */
enum farm_status client_next(struct client *client, int timeout_ms, struct client_event *out_event);
/* Ends the build; FARM_OK also when it is over already. */
enum farm_status client_cancel(struct client *client, int timeout_ms);
/* The same for any build of the coordinator, by its id; whoever waits for it is told that it was cancelled. */
enum farm_status client_cancel_build(struct client *client, const struct digest *build, int timeout_ms);

struct client_found { // of one item
  bool hit, has_record;
  struct record record;    // the final record, if there is one
  const uint8_t *screened; // bitmap over the item's variants: has a screen record (NULL for hits)
};
/* What the store has, without queueing anything. out_found[item_count], in `arena`. */
enum farm_status client_lookup(struct client *client, const char *policy, enum wire_cache_mode mode,
                               const struct wire_item *items, uint32_t item_count, int timeout_ms, struct arena *arena,
                               struct client_found *out_found);
enum farm_status client_status(struct client *client, int timeout_ms, struct arena *arena, struct wire_status_reply *out);
/* Tells the workers to finish and leave; nothing is leased any more. */
enum farm_status client_drain(struct client *client, int timeout_ms);

/* A cache verb (docs/protocol-1.md). `line` gets each line of the answer, may be NULL. `out` (in `arena`): the last reply, with
 * counters and blob. A failing verb returns its status and message. */
typedef void (*client_line_fn)(void *context, const char *line);
enum farm_status client_cache(struct client *client, const char *verb, const char *const *arguments, uint32_t argument_count,
                              const struct digest *blob, int timeout_ms, client_line_fn line, void *context, struct arena *arena,
                              struct wire_cache_reply *out);
enum farm_status client_blob_get(struct client *client, const struct digest *digest, size_t most_bytes, int timeout_ms,
                                 uint8_t **out_data, size_t *out_length);
enum farm_status client_blob_put(struct client *client, const void *data, size_t length, int timeout_ms,
                                 struct digest *out_digest);

/* An execute job on a worker of the class; its blobs were put before. The reply is in `arena`. */
enum farm_status client_execute(struct client *client, const struct wire_execute *execute, int timeout_ms, struct arena *arena,
                                struct wire_executed *out);
/* Who waits for many may look now and then: at who is registered, and how many are not answered yet. Anything but FARM_OK gives
 * up, with that status. */
struct client_watch {
  enum farm_status (*look)(void *context, const struct wire_status_reply *now, uint32_t left);
  void *context;
  int interval_ms;
};
/* Many at once, on as many workers as take them; `out` has a reply for each, in their order, and its status may be a failure.
 * FARM_TIMED_OUT: some were not answered. `watch` may be NULL. */
enum farm_status client_execute_all(struct client *client, const struct wire_execute *executes, uint32_t count, int timeout_ms,
                                    const struct client_watch *watch, struct arena *arena, struct wire_executed *out);

#endif
