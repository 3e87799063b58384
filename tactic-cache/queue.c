/* See queue.h. Keys are big-endian, so that LMDB's order is the order of submission: u64 sequence, u32 part. */
#include "queue.h"

#include "../base/digest.h"
#include "../base/log.h"
#include "../base/strbuf.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES = 12, TABLE_META = 2 };
static const char *const tables[] = {"builds", "jobs", "meta"};

struct queue {
  struct store *store;
};

struct queue_key {
  uint8_t bytes[KEY_BYTES];
};

static struct queue_key key_of(uint64_t sequence, uint32_t part) {
  struct queue_key key;
  for (int i = 0; i < 8; i++) key.bytes[i] = (uint8_t)(sequence >> (56 - 8 * i));
  for (int i = 0; i < 4; i++) key.bytes[8 + i] = (uint8_t)(part >> (24 - 8 * i));
  return key;
}

static uint64_t number_of(const uint8_t *bytes, int count) {
  uint64_t number = 0;
  for (int i = 0; i < count; i++) number = number << 8 | bytes[i];
  return number;
}

static enum farm_status next_epoch(struct queue *queue, uint64_t *out_epoch) {
  struct store_bytes name = {"epoch", 5}, value;
  enum farm_status status = store_get(queue->store, TABLE_META, name, &value);
  if (status != FARM_OK && status != FARM_NOT_FOUND) return status;
  uint64_t epoch = 1 + (status == FARM_OK && value.length == 8 ? number_of(value.data, 8) : 0);
  struct queue_key key = key_of(epoch, 0);
  TRY(store_put(queue->store, TABLE_META, name, (struct store_bytes){key.bytes, 8}));
  TRY(store_commit(queue->store));
  *out_epoch = epoch;
  return FARM_OK;
}

enum farm_status queue_open(const char *folder, struct queue **out_queue, uint64_t *out_epoch) {
  struct queue *queue = calloc(1, sizeof *queue);
  struct strbuf path = {0};
  strbuf_printf(&path, "%s/queue", folder);
  enum farm_status status = !queue || path.failed ? status_set(FARM_NO_MEMORY, "%s: out of memory", folder) : FARM_OK;
  struct store_options options = {.tables = tables, .table_count = 3};
  if (status == FARM_OK) status = store_open(path.data, &options, &queue->store);
  if (status == FARM_OK) status = next_epoch(queue, out_epoch);
  strbuf_free(&path);
  if (status != FARM_OK) {
    if (queue) store_close(&queue->store);
    free(queue);
    return status;
  }
  *out_queue = queue;
  return FARM_OK;
}

void queue_close(struct queue **queue) {
  if (!*queue) return;
  store_close(&(*queue)->store);
  free(*queue);
  *queue = NULL;
}

enum farm_status queue_put(struct queue *queue, enum queue_table table, uint64_t sequence, uint32_t part, const void *data,
                           size_t length) {
  struct bytes_writer value = {0};
  struct digest digest = digest_of(data, length);
  struct queue_key key = key_of(sequence, part);
  bytes_put(&value, digest.bytes, DIGEST_BYTES);
  bytes_put(&value, data, length);
  enum farm_status status = value.failed ? status_set(FARM_NO_MEMORY, "out of memory for the queue") : FARM_OK;
  if (status == FARM_OK)
    status = store_put(queue->store, table, (struct store_bytes){key.bytes, KEY_BYTES},
                       (struct store_bytes){value.data, value.length});
  bytes_writer_free(&value);
  return status;
}

struct parts {
  uint64_t sequence;
  uint32_t count;
};

static enum farm_status count_part(void *context, struct store_bytes key, struct store_bytes value) {
  (void)value;
  struct parts *parts = context;
  if (key.length != KEY_BYTES || number_of(key.data, 8) != parts->sequence) return FARM_CANCELLED;
  parts->count = (uint32_t)number_of((const uint8_t *)key.data + 8, 4) + 1;
  return FARM_OK;
}

enum farm_status queue_remove(struct queue *queue, enum queue_table table, uint64_t sequence) {
  struct parts parts = {.sequence = sequence};
  struct queue_key key = key_of(sequence, 0);
  TRY(store_visit(queue->store, table, (struct store_bytes){key.bytes, KEY_BYTES}, count_part, &parts));
  for (uint32_t part = 0; part < parts.count; part++) {
    key = key_of(sequence, part);
    TRY(store_remove(queue->store, table, (struct store_bytes){key.bytes, KEY_BYTES}));
  }
  return FARM_OK;
}

enum farm_status queue_commit(struct queue *queue) { return store_commit(queue->store); }

struct each {
  queue_each_fn fn;
  void *context;
};

static enum farm_status visit(void *context, struct store_bytes key, struct store_bytes value) {
  const struct each *each = context;
  if (key.length != KEY_BYTES || value.length < DIGEST_BYTES) return FARM_OK;
  const uint8_t *data = (const uint8_t *)value.data + DIGEST_BYTES;
  size_t length = value.length - DIGEST_BYTES;
  struct digest digest = digest_of(data, length);
  if (memcmp(digest.bytes, value.data, DIGEST_BYTES) != 0) {
    log_warning("a queued entry is corrupt and left out");
    return FARM_OK;
  }
  return each->fn(each->context, number_of(key.data, 8), (uint32_t)number_of((const uint8_t *)key.data + 8, 4), data, length);
}

enum farm_status queue_each(struct queue *queue, enum queue_table table, queue_each_fn fn, void *context) {
  struct each each = {fn, context};
  return store_visit(queue->store, table, (struct store_bytes){0}, visit, &each);
}
