/* See link.h. The socket is made anew for every attempt: what an old one still held belongs to a session that is over. */
#include "link.h"

#include "../../base/clock.h"
#include "../../base/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

enum { GREETING_MS = 1000, BACKOFF_FIRST_MS = 50, BACKOFF_MOST_MS = 2000, REVIVE_AFTER = 1, HWM_MESSAGES = 10000 };

struct link {
  struct arena texts;
  struct link_options options;
  void *context, *socket, *monitor; // monitor: says when the connection broke, long before silence does
  enum link_state state;
  enum farm_status refusal;
  char refusal_text[512];
  uint64_t session, epoch, sequence;
  uint64_t heartbeat_ns, dead_ns;       // as the coordinator said
  uint64_t heard_ns, said_ns, retry_ns; // retry: when DOWN ends
  uint32_t backoff_ms, lost;            // attempts without a WELCOME in a row
};

static const char *kept(struct arena *arena, const char *text) { return text ? arena_string(arena, text, strlen(text)) : ""; }

enum farm_status link_create(const struct link_options *options, struct link **out_link) {
  struct link *link = calloc(1, sizeof *link);
  FAIL_IF(!link, FARM_NO_MEMORY, "out of memory for a connection");
  link->options = *options;
  const char **texts[] = {&link->options.endpoint,     &link->options.build,  &link->options.catalogue, &link->options.host,
                          &link->options.device_class, &link->options.device, &link->options.cores};
  bool failed = false;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) failed |= !(*texts[i] = kept(&link->texts, *texts[i]));
  const char **keys[] = {&link->options.keys.server_public, &link->options.keys.own_public, &link->options.keys.own_secret};
  for (size_t i = 0; i < 3; i++)
    if (*keys[i]) failed |= !(*keys[i] = kept(&link->texts, *keys[i]));
  link->context = failed ? NULL : zmq_ctx_new();
  if (!link->context) {
    arena_free(&link->texts);
    free(link);
    return status_set(FARM_NO_MEMORY, "out of memory for a connection");
  }
  link->backoff_ms = BACKOFF_FIRST_MS;
  link->heartbeat_ns = 1000000000, link->dead_ns = 3000000000;
  *out_link = link;
  return FARM_OK;
}

static void socket_close(struct link *link) {
  if (link->socket) {
    zmq_socket_monitor(link->socket, NULL, 0);
    zmq_close(link->socket);
  }
  if (link->monitor) zmq_close(link->monitor);
  link->socket = link->monitor = NULL;
}

static void set_int(void *socket, int option, int value) { zmq_setsockopt(socket, option, &value, sizeof value); }

static bool set_keys(void *socket, const struct link_keys *keys) {
  if (!keys->server_public) return true;
  return zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, keys->server_public, 41) == 0 &&
         zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, keys->own_public, 41) == 0 &&
         zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys->own_secret, 41) == 0;
}

static enum farm_status socket_open(struct link *link) {
  link->socket = zmq_socket(link->context, ZMQ_DEALER);
  FAIL_IF(!link->socket, FARM_NO_MEMORY, "no socket: %s", zmq_strerror(zmq_errno()));
  set_int(link->socket, ZMQ_LINGER, 0);
  set_int(link->socket, ZMQ_IMMEDIATE, 1);
  set_int(link->socket, ZMQ_SNDHWM, HWM_MESSAGES);
  set_int(link->socket, ZMQ_RCVHWM, HWM_MESSAGES);
  set_int(link->socket, ZMQ_RECONNECT_IVL, 50);
  set_int(link->socket, ZMQ_RECONNECT_IVL_MAX, 1000);
  set_int(link->socket, ZMQ_HANDSHAKE_IVL, 5000);
  int64_t most = WIRE_MOST_BYTES;
  zmq_setsockopt(link->socket, ZMQ_MAXMSGSIZE, &most, sizeof most);
  FAIL_IF(!set_keys(link->socket, &link->options.keys), FARM_USAGE, "malformed CURVE key");
  FAIL_IF(zmq_connect(link->socket, link->options.endpoint) != 0, FARM_CONNECTION, "%s: %s", link->options.endpoint,
          zmq_strerror(zmq_errno()));
  return FARM_OK;
}

/* Without a monitor a broken connection is noticed by silence. */
static void monitor_open(struct link *link) {
  if (zmq_socket_monitor(link->socket, "inproc://monitor", ZMQ_EVENT_DISCONNECTED) != 0) return;
  link->monitor = zmq_socket(link->context, ZMQ_PAIR);
  if (link->monitor && zmq_connect(link->monitor, "inproc://monitor") == 0) return;
  if (link->monitor) zmq_close(link->monitor);
  link->monitor = NULL;
}

/* Did the connection break since the last look? */
static bool broke(struct link *link) {
  bool broken = false;
  char part[256];
  while (link->monitor && zmq_recv(link->monitor, part, sizeof part, ZMQ_DONTWAIT) >= 0) broken = true;
  return broken;
}

static void go_down(struct link *link, uint64_t now) {
  socket_close(link);
  link->state = LINK_DOWN;
  link->retry_ns = now + link->backoff_ms * 1000000ull;
  link->backoff_ms = link->backoff_ms * 2 > BACKOFF_MOST_MS ? BACKOFF_MOST_MS : link->backoff_ms * 2;
  link->lost++;
}

static enum farm_status refuse(struct link *link, enum farm_status status, const char *text) {
  socket_close(link);
  link->state = LINK_REFUSED;
  link->refusal = status == FARM_OK ? FARM_DENIED : status;
  snprintf(link->refusal_text, sizeof link->refusal_text, "%s", text);
  return status_set(link->refusal, "%s: %s", link->options.endpoint, link->refusal_text);
}

static enum farm_status send_now(struct link *link, const struct wire_message *message) {
  struct bytes_writer bytes = {0};
  enum farm_status status = wire_encode(message, &bytes);
  if (status == FARM_OK && zmq_send(link->socket, bytes.data, bytes.length, ZMQ_DONTWAIT) < 0)
    status = status_set(FARM_AGAIN, "%s: %s", link->options.endpoint, zmq_strerror(zmq_errno()));
  bytes_writer_free(&bytes);
  if (status == FARM_OK) link->said_ns = clock_now_ns();
  return status;
}

static enum farm_status say_hello(struct link *link) {
  const struct link_options *o = &link->options;
  struct wire_message message = {.type = WIRE_HELLO};
  message.hello = (struct wire_hello){.protocol_low = WIRE_VERSION,
                                      .protocol_high = WIRE_VERSION,
                                      .role = (uint8_t)o->role,
                                      .build = o->build,
                                      .catalogue = o->catalogue,
                                      .host = o->host,
                                      .device_class = o->device_class,
                                      .device = o->device,
                                      .threads = o->threads,
                                      .cores = o->cores};
  if (o->greet) o->greet(o->context, &message.hello);
  return send_now(link, &message);
}

/* An attempt: socket and HELLO. HELLO may have to wait until the connection stands: `link_receive` tries again. */
static enum farm_status attempt(struct link *link, uint64_t now) {
  if (link->lost >= REVIVE_AFTER && link->options.revive) {
    const char *endpoint = NULL;
    enum farm_status status = link->options.revive(link->options.context, &endpoint);
    if (status == FARM_OK && endpoint && !(link->options.endpoint = kept(&link->texts, endpoint))) return FARM_NO_MEMORY;
    if (status != FARM_OK) log_warning("cannot start the coordinator again: %s", status_message());
  }
  socket_close(link);
  TRY(socket_open(link));
  monitor_open(link);
  link->state = LINK_GREETING;
  link->heard_ns = now;
  link->said_ns = 0; // HELLO not said yet
  return FARM_OK;
}

static enum farm_status move_on(struct link *link, uint64_t now) {
  if (link->state == LINK_REFUSED) return status_set(link->refusal, "%s: %s", link->options.endpoint, link->refusal_text);
  if (link->state == LINK_DOWN && now >= link->retry_ns) TRY(attempt(link, now));
  if (link->state == LINK_GREETING) {
    if (link->said_ns == 0) {
      enum farm_status status = say_hello(link);
      if (status != FARM_OK && status != FARM_AGAIN) return status;
    }
    if (now - link->heard_ns > GREETING_MS * 1000000ull) go_down(link, now);
  }
  if (link->state == LINK_UP) {
    if (broke(link) || now - link->heard_ns > link->dead_ns) {
      log_warning("%s: the coordinator is lost, trying again", link->options.endpoint); // whoever waits knows for what
      go_down(link, now);
    } else if (now - link->said_ns >= link->heartbeat_ns) {
      send_now(link, &(struct wire_message){.type = WIRE_HEARTBEAT, .heartbeat = {++link->sequence}});
      link->said_ns = now; // a full queue is no reason to spin
    }
  }
  return FARM_OK;
}

static enum farm_status take_greeting(struct link *link, const struct wire_message *message) {
  if (message->type == WIRE_WELCOME) {
    link->state = LINK_UP;
    if (link->session++) log_info("%s: the coordinator is there again", link->options.endpoint);
    link->epoch = message->welcome.epoch;
    if (message->welcome.heartbeat_ms) link->heartbeat_ns = message->welcome.heartbeat_ms * 1000000ull;
    if (message->welcome.dead_ms) link->dead_ns = message->welcome.dead_ms * 1000000ull;
    link->backoff_ms = BACKOFF_FIRST_MS;
    link->lost = 0;
    return FARM_OK;
  }
  if (message->refuse.status != FARM_AGAIN) return refuse(link, message->refuse.status, message->refuse.reason);
  link->state = LINK_GREETING; // it came back and knows nobody
  link->said_ns = 0;
  return FARM_OK;
}

/* One message off the socket; type 0 when it was none for the caller. */
static enum farm_status take(struct link *link, struct arena *arena, struct wire_message *out) {
  zmq_msg_t frame;
  zmq_msg_init(&frame);
  out->type = 0;
  if (zmq_msg_recv(&frame, link->socket, ZMQ_DONTWAIT) < 0) {
    zmq_msg_close(&frame);
    return FARM_AGAIN;
  }
  link->heard_ns = clock_now_ns();
  struct wire_message message;
  enum farm_status status = wire_decode(zmq_msg_data(&frame), zmq_msg_size(&frame), arena, &message);
  zmq_msg_close(&frame);
  if (status != FARM_OK) {
    log_debug("%s: %s", link->options.endpoint, status_message());
    return FARM_OK; // a coordinator that talks nonsense looks silent
  }
  if (message.type == WIRE_WELCOME || message.type == WIRE_REFUSE) return take_greeting(link, &message);
  if (message.type != WIRE_HEARTBEAT && link->state == LINK_UP) *out = message;
  return FARM_OK;
}

static int milliseconds_until_work(const struct link *link, uint64_t now, int at_most) {
  if (link->state == LINK_GREETING) return at_most < 20 ? at_most : 20; // HELLO waits for the connection
  uint64_t due = link->state == LINK_DOWN ? link->retry_ns : link->said_ns + link->heartbeat_ns;
  uint64_t ms = due > now ? (due - now) / 1000000 + 1 : 0;
  return ms < (uint64_t)at_most ? (int)ms : at_most;
}

enum farm_status link_receive(struct link *link, int fd, int timeout_ms, struct arena *arena, struct wire_message *out_message,
                              bool *out_fd_ready) {
  uint64_t end = clock_now_ns() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0) * 1000000ull;
  if (out_fd_ready) *out_fd_ready = false;
  *out_message = (struct wire_message){0};
  for (;;) {
    uint64_t now = clock_now_ns();
    TRY(move_on(link, now));
    now = clock_now_ns(); // reviving takes its time
    if (link->socket) {
      enum farm_status status = take(link, arena, out_message);
      if (status == FARM_OK && out_message->type) return FARM_OK;
      if (status == FARM_OK) continue;
      if (status != FARM_AGAIN) return status;
    }
    int left = now < end ? (int)((end - now) / 1000000 + 1) : 0;
    zmq_pollitem_t items[3] = {{.fd = fd, .events = ZMQ_POLLIN},
                               {.socket = link->socket, .events = ZMQ_POLLIN},
                               {.socket = link->monitor, .events = ZMQ_POLLIN}};
    zmq_pollitem_t *first = fd >= 0 ? items : items + 1;
    int count = (fd >= 0) + (link->socket != NULL) + (link->monitor != NULL);
    zmq_poll(count ? first : NULL, count, milliseconds_until_work(link, now, left));
    if (fd >= 0 && items[0].revents) {
      if (out_fd_ready) *out_fd_ready = true;
      return FARM_OK;
    }
    if (left == 0 && !(link->socket && items[1].revents)) return FARM_AGAIN;
  }
}

enum farm_status link_send(struct link *link, const struct wire_message *message) {
  FAIL_IF(link->state == LINK_REFUSED, link->refusal, "%s: %s", link->options.endpoint, link->refusal_text);
  FAIL_IF(link->state != LINK_UP, FARM_AGAIN, "%s: not connected", link->options.endpoint);
  return send_now(link, message);
}

enum link_state link_state(const struct link *link) { return link->state; }
uint64_t link_session(const struct link *link) { return link->session; }
uint64_t link_epoch(const struct link *link) { return link->epoch; }

void link_destroy(struct link **link) {
  if (!*link) return;
  if ((*link)->state == LINK_UP) {
    send_now(*link, &(struct wire_message){.type = WIRE_BYE, .bye = {.reason = "done"}});
    set_int((*link)->socket, ZMQ_LINGER, 200);
  }
  socket_close(*link);
  zmq_ctx_term((*link)->context);
  arena_free(&(*link)->texts);
  free(*link);
  *link = NULL;
}
