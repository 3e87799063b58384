/* The builder's farm against a coordinator of a few lines: which of its answers end a build, and who waits for whom. */
#include "farm-client.h"

#include "farm-images-internal.h"

#include "../../base/clock.h"
#include "../../tests/kit/test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#define CLASS "cpu x86-64 avx2"
#define COMPILER "nvrtc 0.1" // of nobody
#define SOURCE "0000000000000000000000000000000000000000000000000000000000000000"

struct desk {
  void *context, *socket;
  pthread_t thread;
  struct client *client;
  bool measured;      // it has a record that says that no variant works; else it has none
  int compiler_stays; // for so many looks at the farm
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
  say(desk,
      &(struct wire_message){.type = WIRE_RESULT, .results = {.build = submit->build, .results = &result, .results_count = 1}});
  say(desk,
      &(struct wire_message){
          .type = WIRE_DONE,
          .done = {.build = submit->build, .status = FARM_FAILURE, .message = "no variant works", .items = 1, .failed = 1}});
  bytes_writer_free(&record);
}

static void describe(struct desk *desk, uint32_t request) {
  struct wire_worker_info worker = {
      .host = "", .device_class = "compiler " COMPILER, .device = "", .build = "", .state = "idle", .problem = ""};
  say(desk,
      &(struct wire_message){
          .type = WIRE_STATUS_REPLY,
          .status_reply = {.request = request, .cache = "", .workers = &worker, .workers_count = desk->compiler_stays-- > 0}});
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
      say(desk,
          &(struct wire_message){.type = WIRE_WELCOME,
                                 .welcome = {.protocol = WIRE_VERSION, .build = "", .heartbeat_ms = 1000, .dead_ms = 60000}});
    if (type == WIRE_SUBMIT) answer(desk, &message.submit);
    if (type == WIRE_STATUS) describe(desk, message.status_query.request);
    if (type == WIRE_BLOB_PUT)
      say(desk, &(struct wire_message){.type = WIRE_BLOB_STATE,
                                       .blob_state = {.digest = message.blob_put.digest, .complete = 1, .message = ""}});
    arena_free(&arena);
  }
  return NULL;
}

static void desk_open(struct desk *desk) {
  char endpoint[600];
  int linger = 0;
  desk->context = zmq_ctx_new();
  desk->socket = zmq_socket(desk->context, ZMQ_ROUTER);
  snprintf(endpoint, sizeof endpoint, "ipc://%s/%d", test_folder(), desk->measured);
  zmq_setsockopt(desk->socket, ZMQ_LINGER, &linger, sizeof linger);
  REQUIRE(zmq_bind(desk->socket, endpoint) == 0);
  REQUIRE(pthread_create(&desk->thread, NULL, serve, desk) == 0);
  REQUIRE_OK(client_open(&(struct client_options){.endpoint = endpoint, .build = "test"}, &desk->client));
}

static void desk_close(struct desk *desk) {
  client_close(&desk->client);
  pthread_join(desk->thread, NULL);
  zmq_close(desk->socket), zmq_ctx_term(desk->context);
}

/* Resolves one item. */
static enum farm_status build(bool measured, struct build_item *item, struct arena *arena) {
  struct desk desk = {.measured = measured};
  struct farm_client farm;
  desk_open(&desk);
  farm_client_init(&farm, desk.client, "test");
  enum farm_status status = farm.farm.resolve(farm.farm.context, item, 1, "cold/1", true, arena, NULL, NULL);
  desk_close(&desk);
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

static void hear(void *context, const struct build_progress *progress) {
  CHECK_TEXT(progress->phase, "compile");
  CHECK(progress->done == 0 && progress->total == 3);
  snprintf(context, 200, "%u: %s", progress->running, progress->detail);
}

/* The jobs are never answered: who would wait for them would wait for half an hour. */
TEST(farm_client_goes_on_when_the_last_compiler_leaves, "timeout:20") {
  struct desk desk = {.compiler_stays = 3};
  struct farm_images images;
  const struct image_text texts[] = {{"a", 90, "a"}, {"b", 90, "b"}, {"c", 90, "c"}};
  char heard[200] = "";
  desk_open(&desk);
  farm_images_init(&images, desk.client, CACHE_RW);
  images.ready = true, images.workers = 1, images.total = 3;
  images.gone_ms = 600, images.progress = hear, images.progress_context = heard;
  strcpy(images.compiler, COMPILER), strcpy(images.worker_class, "compiler " COMPILER);
  uint64_t begin = clock_now_ns();
  enum farm_status status = farm_images_compile(&images, texts, 3);
  uint64_t ms = (clock_now_ns() - begin) / 1000000;
  CHECK_MESSAGE(status == FARM_UNSUPPORTED && strstr(status_message(), "there is no " COMPILER " here"), "%s: %s",
                status_name(status), status_message());
  CHECK_MESSAGE(ms >= 600 && ms < 10000, "after %llu ms", (unsigned long long)ms);
  CHECK_TEXT(heard, "0: the farm's compilers have left");
  CHECK(images.workers == 0);
  desk_close(&desk);
}
