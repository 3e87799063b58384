/* The peer's end of a connection: a DEALER that says HELLO, keeps the heartbeat and comes back after a loss. Used by client.h and
 * worker-link.h; not thread safe; wraps ZeroMQ for peers.
 *
 *   DOWN ──connect──► GREETING ──WELCOME──► UP ──silence──► DOWN (back-off 50 ms to 2 s)
 *                        └──REFUSE (not AGAIN)──► REFUSED: every call fails with the reason
 */
#ifndef CLUSTER_WIRE_LINK_H
#define CLUSTER_WIRE_LINK_H

#include "messages.h"

struct link_keys { // CURVE; each 40 characters of Z85, NULL: none
  const char *server_public, *own_public, *own_secret;
};

struct link_options {
  const char *endpoint; // ipc://… or tcp://…
  enum wire_role role;
  const char *build, *catalogue, *host, *device_class, *device, *cores; // NULL: ""
  uint32_t threads;
  struct link_keys keys;
  /* Called before each HELLO: fills in what the worker is running. May be NULL. */
  void (*greet)(void *context, struct wire_hello *hello);
  /* Called after some lost attempts: may start a coordinator anew and give another endpoint (copied). May be NULL. */
  enum farm_status (*revive)(void *context, const char **out_endpoint);
  void *context;
};

enum link_state { LINK_DOWN, LINK_GREETING, LINK_UP, LINK_REFUSED };
struct link;

enum farm_status link_create(const struct link_options *options, struct link **out_link); // texts are copied; does not wait
void link_destroy(struct link **link);                                                    // says BYE when up
enum link_state link_state(const struct link *link);
uint64_t link_session(const struct link *link); // grows with every WELCOME: a change means: announce yourself anew
uint64_t link_epoch(const struct link *link);   // of the coordinator
/* FARM_AGAIN: not up or the queue is full (nothing was sent); FARM_INVALID: the message breaks a bound. */
enum farm_status link_send(struct link *link, const struct wire_message *message);
/* Wait at most timeout_ms for a message (decoded into `arena`), keeping connection and heartbeat alive. fd >= 0: also returns
 * when it is readable. FARM_OK: *out_message set (type 0: only the fd, *out_fd_ready true); FARM_AGAIN: nothing came;
 * FARM_DENIED, FARM_MISMATCH …: refused. Heartbeats and greetings are not given out. */
enum farm_status link_receive(struct link *link, int fd, int timeout_ms, struct arena *arena, struct wire_message *out_message,
                              bool *out_fd_ready);

#endif
