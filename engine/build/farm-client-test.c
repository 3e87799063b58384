/* The builder's farm against a coordinator of a few lines: which of its answers end a build. */
#include "farm-client.h"

#include "../../tests/kit/test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#define CLASS "cpu x86-64 avx2"
#define SOURCE "0000000000000000000000000000000000000000000000000000000000000000"

struct desk {
  void *context, *socket;
  bool measured; // it has a record that says that no variant works; else it has none
  char id[256];
  size_t id_length;
};

static void say(struct desk *desk, const struct wire_message *message) {
  struct bytes_writer bytes = {0};
  if (wire_encode(message, &bytes) == FARM_OK) {
    zmq_send(desk->socket, desk->id, desk->id_length, ZMQ_SNDMORE);
    zmq_send(desk->socket, bytes.data, bytes.length, 0);
  }
  bytes_writer_free(&bytes);
}

static struct wire_blob nothing_works(const struct wire_item *item, struct bytes_writer *out) {
  struct record_entry entry = {.variant = item->variants[0].text,
                               .source_digest = SOURCE,
                               .status = FARM_TACTIC_WRONG,
                               .message = "wrong",
                               .rank = RECORD_RANK_NONE,
                               .is_default = true};
  const struct record record = {.kind = RECORD_FINAL,
                                .problem = item->problem,
                                .device_class = item->device_class,
                                .policy = "cold/1",
                                .threads = item->threads,
                                .device = "d",
                                .build = "b",
                                .clocks = "",
                                .unix_s = 1700000000,
                                .entry_count = 1,
                                .entries = &entry};
  return record_encode(&record, out) == FARM_OK ? (struct wire_blob){out->data, (uint32_t)out->length} : (struct wire_blob){0};
}

static void answer(struct desk *desk, const struct wire_submit *submit) {
  struct bytes_writer record = {0};
  struct wire_result result = {.item = 0, .status = FARM_FAILURE, .message = "no variant works"};
  if (desk->measured) result.record = nothing_works(&submit->items[0], &record);
  say(desk, &(struct wire_message){.type = WIRE_ACCEPTED, .accepted = {submit->build, submit->item_total}});
  say(desk, &(struct wire_message){.type = WIRE_RESULT,
                                   .results = {.build = submit->build, .results = &result, .results_count = 1}});
  say(desk, &(struct wire_message){
                .type = WIRE_DONE,
                .done = {.build = submit->build, .status = FARM_FAILURE, .message = "no variant works", .items = 1, .failed = 1}});
  bytes_writer_free(&record);
}

static void *serve(void *context) {
  struct desk *desk = context;
  for (enum wire_type type = WIRE_HELLO; type != WIRE_BYE;) {
    static char data[1 << 16];
    struct arena arena = {0};
    struct wire_message message = {0};
    int id_length = zmq_recv(desk->socket, desk->id, sizeof desk->id, 0), length = zmq_recv(desk->socket, data, sizeof data, 0);
    if (id_length < 0 || length < 0 || wire_decode(data, (size_t)length, &arena, &message) != FARM_OK) return NULL;
    desk->id_length = (size_t)id_length;
    type = message.type;
    if (type == WIRE_HELLO)
      say(desk, &(struct wire_message){.type = WIRE_WELCOME,
                                       .welcome = {.protocol = WIRE_VERSION, .build = "", .heartbeat_ms = 1000, .dead_ms = 60000}});
    if (type == WIRE_SUBMIT) answer(desk, &message.submit);
    arena_free(&arena);
  }
  return NULL;
}

/* Resolves one item. */
static enum farm_status build(bool measured, struct build_item *item, struct arena *arena) {
  struct desk desk = {.context = zmq_ctx_new(), .measured = measured};
  struct client *client;
  struct farm_client farm;
  pthread_t thread;
  char endpoint[600];
  int linger = 0;
  desk.socket = zmq_socket(desk.context, ZMQ_ROUTER);
  snprintf(endpoint, sizeof endpoint, "ipc://%s/%d", test_folder(), measured);
  zmq_setsockopt(desk.socket, ZMQ_LINGER, &linger, sizeof linger);
  REQUIRE(zmq_bind(desk.socket, endpoint) == 0);
  REQUIRE(pthread_create(&thread, NULL, serve, &desk) == 0);
  REQUIRE_OK(client_open(&(struct client_options){.endpoint = endpoint, .build = "test"}, &client));
  farm_client_init(&farm, client, "test");
  enum farm_status status = farm.farm.resolve(farm.farm.context, item, 1, "cold/1", true, arena, NULL, NULL);
  client_close(&client);
  pthread_join(thread, NULL);
  zmq_close(desk.socket), zmq_ctx_term(desk.context);
  return status;
}

TEST(farm_client_leaves_to_the_cost_model_what_no_variant_does, "") {
  struct arena arena = {0};
  struct build_variant variant = {.text = "t0", .source_digest = SOURCE, .estimated_ns = 1000};
  const struct build_item fresh = {
      .problem = "p", .device_class = CLASS, .threads = 1, .variants = &variant, .variant_count = 1, .weight = 1};
  struct build_item item = fresh;
  REQUIRE_OK(build(true, &item, &arena));
  CHECK(item.record && item.record->entry_count == 1 && record_winner(item.record) < 0);
  item = fresh;
  CHECK(build(false, &item, &arena) == FARM_FAILURE && strstr(status_message(), "no variant works") && !item.record);
  arena_free(&arena);
}
