/* The durable queue: order, parts, boots, and a corrupt entry that is left out. */
#include "queue.h"

#include "../base/strbuf.h"
#include "../tests/kit/test.h"

#include <stdio.h>
#include <string.h>

static enum farm_status list(void *context, uint64_t sequence, uint32_t part, const void *data, size_t length) {
  strbuf_printf(context, "%llu/%u=%.*s ", (unsigned long long)sequence, part, (int)length, (const char *)data);
  return FARM_OK;
}

static void check_listing(struct queue *queue, enum queue_table table, const char *expected) {
  struct strbuf text = {0};
  REQUIRE_OK(queue_each(queue, table, list, &text));
  CHECK_TEXT(strbuf_text(&text), expected);
  strbuf_free(&text);
}

TEST(queue_keeps_order_parts_and_boots, "") {
  struct queue *queue;
  uint64_t first, second;
  REQUIRE_OK(queue_open(test_folder(), &queue, &first));
  REQUIRE_OK(queue_put(queue, QUEUE_BUILDS, 300, 0, "c", 1));
  REQUIRE_OK(queue_put(queue, QUEUE_BUILDS, 2, 1, "b", 1));
  REQUIRE_OK(queue_put(queue, QUEUE_BUILDS, 2, 0, "a", 1));
  REQUIRE_OK(queue_put(queue, QUEUE_JOBS, 2, 0, "job", 3));
  REQUIRE_OK(queue_commit(queue));
  REQUIRE_OK(queue_put(queue, QUEUE_JOBS, 3, 0, "lost", 4)); // never committed
  queue_close(&queue);
  REQUIRE_OK(queue_open(test_folder(), &queue, &second));
  CHECK(second > first);
  check_listing(queue, QUEUE_BUILDS, "2/0=a 2/1=b 300/0=c ");
  check_listing(queue, QUEUE_JOBS, "2/0=job ");
  REQUIRE_OK(queue_remove(queue, QUEUE_BUILDS, 2)); // all parts, nothing else
  REQUIRE_OK(queue_remove(queue, QUEUE_BUILDS, 77));
  check_listing(queue, QUEUE_BUILDS, "300/0=c ");
  check_listing(queue, QUEUE_JOBS, "2/0=job ");
  queue_close(&queue);
}

TEST(queue_leaves_out_what_is_corrupt, "") {
  static const char *const names[] = {"builds"};
  struct queue *queue;
  struct store *store;
  uint64_t epoch;
  char folder[600];
  REQUIRE_OK(queue_open(test_folder(), &queue, &epoch));
  for (uint64_t i = 1; i <= 3; i++) REQUIRE_OK(queue_put(queue, QUEUE_BUILDS, i, 0, "good", 4));
  REQUIRE_OK(queue_commit(queue));
  queue_close(&queue);
  snprintf(folder, sizeof folder, "%s/queue", test_folder());
  REQUIRE_OK(store_open(folder, &(struct store_options){.tables = names, .table_count = 1}, &store));
  const uint8_t key[12] = {0, 0, 0, 0, 0, 0, 0, 2};
  struct store_bytes value;
  uint8_t copy[36];
  REQUIRE_OK(store_get(store, 0, (struct store_bytes){key, sizeof key}, &value));
  REQUIRE(value.length == sizeof copy);
  memcpy(copy, value.data, sizeof copy);
  copy[33] ^= 4;
  REQUIRE_OK(store_put(store, 0, (struct store_bytes){key, sizeof key}, (struct store_bytes){copy, sizeof copy}));
  REQUIRE_OK(store_commit(store));
  store_close(&store);
  REQUIRE_OK(queue_open(test_folder(), &queue, &epoch));
  check_listing(queue, QUEUE_BUILDS, "1/0=good 3/0=good ");
  queue_close(&queue);
}
