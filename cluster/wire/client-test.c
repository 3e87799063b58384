/* The client against a coordinator of a few lines: what it makes of a connection that is lost in the middle. */
#include "client.h"

#include "../../tests/kit/test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

struct forgetful { // knows nobody any more after its first part of a listing
  void *context, *socket;
  int asked; // how often it was
};

static void say(void *socket, const void *id, size_t id_length, const struct wire_message *message) {
  struct bytes_writer bytes = {0};
  if (wire_encode(message, &bytes) == FARM_OK)
    zmq_send(socket, id, id_length, ZMQ_SNDMORE), zmq_send(socket, bytes.data, bytes.length, 0);
  bytes_writer_free(&bytes);
}

static void answer_with(void *socket, const void *id, size_t id_length, uint32_t request, const char *first, const char *second,
                        bool more) {
  struct wire_argument lines[] = {{first}, {second}};
  say(socket, id, id_length,
      &(struct wire_message){
          .type = WIRE_CACHE_REPLY,
          .cache_reply = {.request = request, .more = more, .message = "", .lines = lines, .lines_count = second ? 2 : 1}});
}

static void *forget(void *context) {
  struct forgetful *forgetful = context;
  char id[256], data[4096];
  for (;;) {
    struct arena arena = {0};
    struct wire_message message = {0};
    int id_length = zmq_recv(forgetful->socket, id, sizeof id, 0), length = zmq_recv(forgetful->socket, data, sizeof data, 0);
    if (id_length < 0 || length < 0) return NULL;
    enum farm_status status = wire_decode(data, (size_t)length, &arena, &message);
    uint32_t request = status == FARM_OK && message.type == WIRE_CACHE ? message.cache.request : 0;
    arena_free(&arena);
    if (message.type == WIRE_BYE) return NULL;
    if (message.type == WIRE_HELLO)
      say(forgetful->socket, id, (size_t)id_length,
          &(struct wire_message){
              .type = WIRE_WELCOME,
              .welcome = {.protocol = WIRE_VERSION, .epoch = 1, .build = "", .heartbeat_ms = 1000, .dead_ms = 60000}});
    if (request == 0) continue;
    answer_with(forgetful->socket, id, (size_t)id_length, request, "a", "b", true);
    if (forgetful->asked++ > 0)
      answer_with(forgetful->socket, id, (size_t)id_length, request, "c", NULL, false);
    else
      say(forgetful->socket, id, (size_t)id_length,
          &(struct wire_message){.type = WIRE_REFUSE, .refuse = {WIRE_VERSION, WIRE_VERSION, FARM_AGAIN, "say HELLO"}});
  }
}

static void collect(void *context, const char *line) { strncat(context, line, 1); }

TEST(client_lists_a_line_once_across_a_reconnect, "") {
  struct forgetful forgetful = {.context = zmq_ctx_new()};
  struct client *client;
  struct arena arena = {0};
  struct wire_cache_reply reply;
  pthread_t thread;
  char endpoint[600], said[64] = "";
  int linger = 0;
  forgetful.socket = zmq_socket(forgetful.context, ZMQ_ROUTER);
  snprintf(endpoint, sizeof endpoint, "ipc://%s/c", test_folder());
  zmq_setsockopt(forgetful.socket, ZMQ_LINGER, &linger, sizeof linger);
  REQUIRE(zmq_bind(forgetful.socket, endpoint) == 0);
  REQUIRE(pthread_create(&thread, NULL, forget, &forgetful) == 0);
  REQUIRE_OK(client_open(&(struct client_options){.endpoint = endpoint, .build = "test"}, &client));
  REQUIRE_OK(client_cache(client, "ls", NULL, 0, NULL, 10000, collect, said, &arena, &reply));
  CHECK_TEXT(said, "abc");
  client_close(&client);
  pthread_join(thread, NULL);
  CHECK(forgetful.asked == 2);
  zmq_close(forgetful.socket), zmq_ctx_term(forgetful.context);
  arena_free(&arena);
}
