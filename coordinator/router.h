/* The coordinator's socket: a ROUTER on several endpoints, peers as numbers. Wraps ZeroMQ for the coordinator. */
#ifndef COORDINATOR_ROUTER_H
#define COORDINATOR_ROUTER_H

#include "../base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct router;
enum farm_status router_open(struct router **out_router);
void router_close(struct router **router);
enum farm_status router_bind(struct router *router, const char *endpoint);
/* Waits at most timeout_ms for something to receive. */
void router_wait(struct router *router, int timeout_ms);
/* FARM_OK with a frame (valid until the next call); FARM_AGAIN: none there; FARM_INVALID: the peer broke the
 * framing, *out_peer is 0 when it cannot be answered; FARM_CONNECTION: it sent several frames as one message. */
enum farm_status router_receive(struct router *router, uint64_t *out_peer, const void **out_data, size_t *out_length);
/* Never blocks. FARM_CONNECTION: the peer is gone, or takes nothing any more. */
enum farm_status router_send(struct router *router, uint64_t peer, const void *data, size_t length);

#endif
