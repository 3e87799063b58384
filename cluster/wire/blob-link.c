/* See blob-link.h. The receiver says how far it is and the sender goes on from there: a lost connection costs one window. */
#include "blob-link.h"

#include "../../base/clock.h"

#include <stdlib.h>
#include <string.h>

enum { RETRY_MS = 1000 };

static const struct digest *digest_in(const struct wire_message *message) {
  return message->type == WIRE_BLOB_STATE ? &message->blob_state.digest : &message->blob_chunk.digest;
}

/* Wait for a message of `type` about `digest`; others are set aside. FARM_AGAIN: none within RETRY_MS. */
static enum farm_status wait_for(struct link *link, enum wire_type type, const struct digest *digest, struct frames *others,
                                 struct arena *arena, struct wire_message *out) {
  uint64_t end = clock_now_ns() + RETRY_MS * 1000000ull;
  while (clock_now_ns() < end) {
    enum farm_status status = link_receive(link, -1, RETRY_MS / 4, arena, out, NULL);
    if (status == FARM_AGAIN) continue;
    TRY(status);
    if (out->type == type && digest_equal(digest_in(out), digest)) return FARM_OK;
    if (out->type != WIRE_BLOB_STATE && out->type != WIRE_BLOB_CHUNK) TRY(frames_push(others, out, 0));
  }
  return FARM_AGAIN;
}

struct download {
  uint8_t *data;
  uint64_t total, received, asked;
  bool total_known;
};

static void ask(struct link *link, const struct digest *digest, struct download *down) {
  uint64_t window = down->received + (uint64_t)WIRE_BLOB_WINDOW * WIRE_CHUNK_BYTES;
  while (down->asked < window && (!down->total_known ? down->asked == 0 : down->asked < down->total)) {
    if (link_send(link, &(struct wire_message){.type = WIRE_BLOB_GET, .blob_get = {*digest, down->asked}}) != FARM_OK) return;
    down->asked += WIRE_CHUNK_BYTES;
  }
}

static enum farm_status take_chunk(struct download *down, const struct wire_blob_chunk *chunk, size_t most_bytes) {
  if (chunk->status != FARM_OK) return status_set(chunk->status, "the coordinator has no such blob");
  if (!down->total_known) {
    FAIL_IF(chunk->total > most_bytes, FARM_INVALID, "blob of %llu bytes is too large", (unsigned long long)chunk->total);
    down->data = malloc(chunk->total + 1);
    FAIL_IF(!down->data, FARM_NO_MEMORY, "out of memory for a blob of %llu bytes", (unsigned long long)chunk->total);
    down->total = chunk->total, down->total_known = true;
  }
  if (chunk->offset != down->received) return FARM_OK; // asked twice, or one before it was lost
  FAIL_IF(chunk->total != down->total || chunk->data.length > down->total - down->received, FARM_INVALID,
          "blob changed its length");
  memcpy(down->data + down->received, chunk->data.data, chunk->data.length);
  down->received += chunk->data.length;
  return FARM_OK;
}

static enum farm_status download(struct link *link, const struct digest *digest, size_t most_bytes, uint64_t end,
                                 struct frames *others, struct download *down) {
  while (!down->total_known || down->received < down->total) {
    FAIL_IF(clock_now_ns() >= end, FARM_TIMED_OUT, "blob did not arrive in time");
    struct arena arena = {0};
    struct wire_message message;
    ask(link, digest, down);
    enum farm_status status = wait_for(link, WIRE_BLOB_CHUNK, digest, others, &arena, &message);
    if (status == FARM_OK)
      status = take_chunk(down, &message.blob_chunk, most_bytes);
    else if (status == FARM_AGAIN)
      down->asked = down->received, status = FARM_OK; // ask anew
    arena_free(&arena);
    TRY(status);
  }
  struct digest found = digest_of(down->data, down->total);
  FAIL_IF(!digest_equal(&found, digest), FARM_VERIFY_FAILED, "blob does not have its digest");
  return FARM_OK;
}

enum farm_status blob_link_get(struct link *link, const struct digest *digest, size_t most_bytes, int timeout_ms,
                               struct frames *others, uint8_t **out_data, size_t *out_length) {
  struct download down = {0};
  enum farm_status status = download(link, digest, most_bytes, clock_now_ns() + (uint64_t)timeout_ms * 1000000ull, others, &down);
  if (status != FARM_OK) {
    free(down.data);
    return status;
  }
  *out_data = down.data;
  *out_length = down.total;
  return FARM_OK;
}

/* Sends from `*sent` until the window behind `received` is full. An empty blob is one empty chunk. */
static void push(struct link *link, const struct digest *digest, const uint8_t *data, uint64_t length, uint64_t received,
                 uint64_t *sent) {
  uint64_t window = received + (uint64_t)WIRE_BLOB_WINDOW * WIRE_CHUNK_BYTES;
  do {
    uint64_t chunk = length - *sent < WIRE_CHUNK_BYTES ? length - *sent : WIRE_CHUNK_BYTES;
    struct wire_message message = {
        .type = WIRE_BLOB_PUT,
        .blob_put = {*digest, length, *sent, {chunk ? data + *sent : (const uint8_t *)"", (uint32_t)chunk}}};
    if (link_send(link, &message) != FARM_OK) return;
    *sent += chunk;
  } while (*sent < length && *sent < window);
}

enum farm_status blob_link_put(struct link *link, const void *data, size_t length, int timeout_ms, struct frames *others,
                               struct digest *out_digest) {
  uint64_t end = clock_now_ns() + (uint64_t)timeout_ms * 1000000ull, received = 0, sent = 0;
  struct digest digest = digest_of(data, length);
  for (;;) {
    FAIL_IF(clock_now_ns() >= end, FARM_TIMED_OUT, "blob was not taken in time");
    struct arena arena = {0};
    struct wire_message message;
    if (sent < length || length == 0) push(link, &digest, data, length, received, &sent);
    enum farm_status status = wait_for(link, WIRE_BLOB_STATE, &digest, others, &arena, &message);
    struct wire_blob_state state = status == FARM_OK ? message.blob_state : (struct wire_blob_state){0};
    if (status == FARM_OK && state.status != FARM_OK) status = status_set(state.status, "%s", state.message);
    arena_free(&arena);
    if (status == FARM_AGAIN) {
      sent = received;
      continue;
    }
    TRY(status);
    if (state.complete) break;
    if (state.received < received) sent = state.received; // a new coordinator has less
    received = state.received > length ? length : state.received;
    if (sent < received) sent = received;
  }
  *out_digest = digest;
  return FARM_OK;
}
