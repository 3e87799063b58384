/* See router.h. Routing ids are those that ZeroMQ makes: a zero byte and a u32, one per connection; a peer that brings its own is
 * not heard. */
#include "router.h"

#include "../cluster/wire/messages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { ID_BYTES = 5, HWM_MESSAGES = 100000 };

struct router {
  void *context, *socket;
  zmq_msg_t frame;
};

static void set_int(void *socket, int option, int value) { zmq_setsockopt(socket, option, &value, sizeof value); }

enum farm_status router_open(struct router **out_router) {
  struct router *router = calloc(1, sizeof *router);
  FAIL_IF(!router, FARM_NO_MEMORY, "out of memory for a socket");
  zmq_msg_init(&router->frame);
  router->context = zmq_ctx_new();
  if (router->context) {
    zmq_ctx_set(router->context, ZMQ_MAX_SOCKETS, 65535);
    router->socket = zmq_socket(router->context, ZMQ_ROUTER);
  }
  if (!router->socket) {
    router_close(&router);
    return status_set(FARM_NO_MEMORY, "no socket: %s", zmq_strerror(zmq_errno()));
  }
  int64_t most = WIRE_MOST_BYTES;
  set_int(router->socket, ZMQ_ROUTER_MANDATORY, 1);
  set_int(router->socket, ZMQ_LINGER, 0);
  set_int(router->socket, ZMQ_SNDHWM, HWM_MESSAGES);
  set_int(router->socket, ZMQ_RCVHWM, HWM_MESSAGES);
  set_int(router->socket, ZMQ_HANDSHAKE_IVL, 5000);
  set_int(router->socket, ZMQ_BACKLOG, 1024);
  zmq_setsockopt(router->socket, ZMQ_MAXMSGSIZE, &most, sizeof most);
  *out_router = router;
  return FARM_OK;
}

void router_close(struct router **router) {
  if (!*router) return;
  zmq_msg_close(&(*router)->frame);
  if ((*router)->socket) set_int((*router)->socket, ZMQ_LINGER, 100), zmq_close((*router)->socket);
  if ((*router)->context) zmq_ctx_term((*router)->context);
  free(*router);
  *router = NULL;
}

enum farm_status router_bind(struct router *router, const char *endpoint) {
  FAIL_IF(zmq_bind(router->socket, endpoint) != 0, FARM_CONNECTION, "%s: %s", endpoint, zmq_strerror(zmq_errno()));
  return FARM_OK;
}

void router_wait(struct router *router, int timeout_ms) {
  zmq_pollitem_t item = {.socket = router->socket, .events = ZMQ_POLLIN};
  zmq_poll(&item, 1, timeout_ms);
}

static bool more(struct router *router) {
  int value = 0;
  size_t size = sizeof value;
  return zmq_getsockopt(router->socket, ZMQ_RCVMORE, &value, &size) == 0 && value;
}

static void skip_rest(struct router *router) {
  while (more(router))
    if (zmq_msg_recv(&router->frame, router->socket, ZMQ_DONTWAIT) < 0) return;
}

enum farm_status router_receive(struct router *router, uint64_t *out_peer, const void **out_data, size_t *out_length) {
  uint8_t id[256];
  int length = zmq_recv(router->socket, id, sizeof id, ZMQ_DONTWAIT);
  if (length < 0) return FARM_AGAIN;
  bool known = length == ID_BYTES && id[0] == 0;
  uint32_t number = 0;
  if (known) memcpy(&number, id + 1, sizeof number);
  *out_peer = known ? 1 + (uint64_t)number : 0;
  if (!more(router) || zmq_msg_recv(&router->frame, router->socket, ZMQ_DONTWAIT) < 0)
    return status_set(FARM_INVALID, "an empty message");
  if (more(router)) {
    skip_rest(router);
    return status_set(FARM_CONNECTION, "a message of several frames");
  }
  FAIL_IF(!known, FARM_INVALID, "a routing id of its own");
  *out_data = zmq_msg_data(&router->frame);
  *out_length = zmq_msg_size(&router->frame);
  return FARM_OK;
}

enum farm_status router_send(struct router *router, uint64_t peer, const void *data, size_t length) {
  uint8_t id[ID_BYTES] = {0};
  uint32_t number = (uint32_t)(peer - 1);
  memcpy(id + 1, &number, sizeof number);
  FAIL_IF(zmq_send(router->socket, id, sizeof id, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0, FARM_CONNECTION, "a peer is gone: %s",
          zmq_strerror(zmq_errno()));
  FAIL_IF(zmq_send(router->socket, data, length, ZMQ_DONTWAIT) < 0, FARM_CONNECTION, "a peer is gone: %s",
          zmq_strerror(zmq_errno()));
  return FARM_OK;
}
