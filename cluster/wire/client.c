/* See client.h. `session` says how much of the conversation the present coordinator has heard: a new one hears it again. */
#include "client.h"

#include "../../base/array.h"
#include "../../base/clock.h"
#include "../../base/random.h"
#include "blob-link.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { CHUNK_ITEMS_MOST = 256, CHUNK_BYTES_MOST = 1 << 20, OPEN_MS = 10000, SLICE_MS = 100, RETRY_MS = 500 };

struct client {
  struct link *link;
  struct frames aside; // messages of the build that came during a request
  struct arena event;
  struct wire_message message; // RESULT in hand, in `event`
  uint32_t result_at;
  uint32_t requests;
  /* the build */
  bool has_build, accepted, done;
  struct digest id;
  struct client_build build;
  uint8_t *have;
  uint32_t submitted; // items sent in this session
  uint64_t session;
  uint64_t retry_ns; // when a build that could not be taken is offered again; 0: it was
};

enum farm_status client_open(const struct client_options *options, struct client **out_client) {
  struct client *client = calloc(1, sizeof *client);
  FAIL_IF(!client, FARM_NO_MEMORY, "out of memory for a client");
  struct link_options link = {.endpoint = options->endpoint,
                              .role = WIRE_ROLE_CLIENT,
                              .build = options->build,
                              .catalogue = options->catalogue,
                              .keys = options->keys,
                              .revive = options->revive,
                              .context = options->context};
  enum farm_status status = link_create(&link, &client->link);
  uint64_t end = clock_now_ns() + (uint64_t)(options->timeout_ms ? options->timeout_ms : OPEN_MS) * 1000000ull;
  while (status == FARM_OK && link_state(client->link) != LINK_UP) {
    struct wire_message message;
    status = clock_now_ns() < end ? link_receive(client->link, -1, 20, &client->event, &message, NULL)
                                  : status_set(FARM_CONNECTION, "%s: nobody answers", options->endpoint);
    if (status == FARM_AGAIN) status = FARM_OK;
  }
  if (status != FARM_OK) {
    client_close(&client);
    return status;
  }
  *out_client = client;
  return FARM_OK;
}

void client_close(struct client **client) {
  if (!*client) return;
  link_destroy(&(*client)->link);
  frames_free(&(*client)->aside);
  arena_free(&(*client)->event);
  free((*client)->have);
  free(*client);
  *client = NULL;
}

/* ---- keeping a build in the coordinator's mind ---- */

static size_t item_bytes(const struct wire_item *item) {
  size_t bytes = 64 + strlen(item->problem) + strlen(item->device_class);
  for (uint32_t i = 0; i < item->variants_count; i++) bytes += 72 + strlen(item->variants[i].text);
  return bytes;
}

static enum farm_status submit_chunk(struct client *client) {
  const struct client_build *build = &client->build;
  uint32_t first = client->submitted, count = 0;
  size_t bytes = 0;
  while (first + count < build->item_count && count < CHUNK_ITEMS_MOST && (count == 0 || bytes < CHUNK_BYTES_MOST))
    bytes += item_bytes(&build->items[first + count++]);
  struct wire_message message = {.type = WIRE_SUBMIT,
                                 .submit = {.build = client->id,
                                            .label = build->label,
                                            .policy = build->policy,
                                            .flags = build->flags,
                                            .item_total = build->item_count,
                                            .first = first,
                                            .items = build->items + first,
                                            .items_count = count}};
  TRY(link_send(client->link, &message));
  client->submitted += count;
  return FARM_OK;
}

static enum farm_status attach(struct client *client) {
  struct wire_message message = {.type = WIRE_ATTACH, .attach = {client->id, {client->have, client->build.item_count / 8 + 1}}};
  return link_send(client->link, &message);
}

/* Say what this session has not heard. FARM_AGAIN is no error here: the next call goes on. */
static enum farm_status keep_up(struct client *client) {
  if (!client->has_build || client->done || link_state(client->link) != LINK_UP) return FARM_OK;
  enum farm_status status = FARM_OK;
  if (client->session != link_session(client->link)) {
    client->submitted = 0;
    if (client->accepted) {
      client->submitted = client->build.item_count;
      status = attach(client);
    }
    if (status == FARM_OK) client->session = link_session(client->link);
  }
  if (client->retry_ns && clock_now_ns() >= client->retry_ns) client->submitted = 0, client->retry_ns = 0;
  while (status == FARM_OK && client->submitted < client->build.item_count) status = submit_chunk(client);
  return status == FARM_AGAIN ? FARM_OK : status;
}

static bool of_build(const struct client *client, const struct digest *id) {
  return client->has_build && digest_equal(id, &client->id);
}

/* A message about the build that needs no event. True: it was one. */
static bool take_quietly(struct client *client, const struct wire_message *message) {
  if (message->type == WIRE_ACCEPTED && of_build(client, &message->accepted.build)) {
    client->accepted = true;
    return true;
  }
  if (message->type == WIRE_FAULT && message->fault.request == 0) {
    if (message->fault.status == FARM_NOT_FOUND && client->has_build)
      client->submitted = 0, client->accepted = false; // it forgot: once more
    if (message->fault.status == FARM_AGAIN && !client->accepted) client->retry_ns = clock_now_ns() + RETRY_MS * 1000000ull;
    return true;
  }
  return false;
}

/* One message about the build into client->message; FARM_AGAIN: none within timeout_ms. */
static enum farm_status pump(struct client *client, int timeout_ms) {
  uint64_t now = clock_now_ns(), end = now + (uint64_t)timeout_ms * 1000000ull;
  do {
    arena_free(&client->event);
    TRY(keep_up(client));
    if (!frames_pop(&client->aside, &client->event, &client->message)) {
      now = clock_now_ns();
      int left = now < end ? (int)((end - now) / 1000000) + 1 : 0;
      enum farm_status status =
          link_receive(client->link, -1, left < SLICE_MS ? left : SLICE_MS, &client->event, &client->message, NULL);
      if (status == FARM_AGAIN) continue;
      TRY(status);
    }
    if (!take_quietly(client, &client->message)) return FARM_OK;
    return FARM_AGAIN; // the caller looks at what changed
  } while (clock_now_ns() < end);
  return FARM_AGAIN;
}

static enum farm_status random_id(struct digest *out) {
  FAIL_IF(getrandom(out->bytes, sizeof out->bytes, 0) != (ssize_t)sizeof out->bytes, FARM_FAILURE, "no random numbers");
  return FARM_OK;
}

enum farm_status client_submit(struct client *client, const struct client_build *build, int timeout_ms) {
  FAIL_IF(client->has_build && !client->done, FARM_USAGE, "a client runs one build at a time");
  FAIL_IF(build->item_count == 0, FARM_USAGE, "a build without items");
  uint8_t *have = calloc(build->item_count / 8 + 1, 1);
  FAIL_IF(!have, FARM_NO_MEMORY, "out of memory for a build");
  struct digest id;
  enum farm_status status = random_id(&id);
  if (status != FARM_OK) {
    free(have);
    return status;
  }
  free(client->have);
  client->have = have, client->id = id, client->build = *build;
  client->has_build = true, client->accepted = client->done = false;
  client->submitted = 0, client->session = 0, client->result_at = 0;
  uint64_t end = clock_now_ns() + (uint64_t)timeout_ms * 1000000ull;
  while (!client->accepted) {
    FAIL_IF(clock_now_ns() >= end, FARM_TIMED_OUT, "the coordinator did not take the build in time");
    status = pump(client, SLICE_MS);
    if (status == FARM_AGAIN) continue;
    TRY(status);
    if (client->message.type == WIRE_DONE && of_build(client, &client->message.done.build)) {
      client->done = true;
      return status_set(client->message.done.status == FARM_OK ? FARM_FAILURE : client->message.done.status, "%s",
                        client->message.done.message);
    }
    TRY(frames_push(&client->aside, &client->message, 0));
  }
  client->message.type = 0; // it was in memory that the next call frees
  return FARM_OK;
}

const struct digest *client_build_id(const struct client *client) { return &client->id; }

/* ---- events ---- */

static bool take_result(struct client *client, const struct wire_result *result, struct client_event *event) {
  if (result->item >= client->build.item_count || client->have[result->item / 8] & 1 << result->item % 8) return false;
  *event = (struct client_event){
      .kind = CLIENT_RESULT, .item = result->item, .status = result->status, .message = result->message, .hit = result->hit};
  if (result->record.length &&
      record_decode(result->record.data, result->record.length, &client->event, &event->record) == FARM_OK)
    event->has_record = true;
  if (!event->has_record && result->status == FARM_OK) {
    event->status = FARM_INVALID;
    event->message = "its record is malformed";
  }
  client->have[result->item / 8] |= (uint8_t)(1 << result->item % 8);
  return true;
}

static bool take_event(struct client *client, struct client_event *event) {
  const struct wire_message *message = &client->message;
  switch (message->type) {
  case WIRE_RESULT:
    while (of_build(client, &message->results.build) && client->result_at < message->results.results_count)
      if (take_result(client, &message->results.results[client->result_at++], event)) return true;
    return false;
  case WIRE_PROGRESS:
    if (!of_build(client, &message->progress.build)) return false;
    *event = (struct client_event){.kind = CLIENT_PROGRESS, .progress = &message->progress, .message = ""};
    return true;
  case WIRE_DONE:
    if (!of_build(client, &message->done.build) || client->done) return false;
    client->done = true;
    link_send(client->link,
              &(struct wire_message){.type = WIRE_CLOSE, .close = {client->id}}); // if it is lost, the build ends as an orphan
    *event = (struct client_event){
        .kind = CLIENT_DONE, .status = message->done.status, .message = message->done.message, .done = &message->done};
    return true;
  default:
    return false;
  }
}

enum farm_status client_next(struct client *client, int timeout_ms, struct client_event *out_event) {
  uint64_t now = clock_now_ns(), end = now + (uint64_t)timeout_ms * 1000000ull;
  *out_event = (struct client_event){.message = ""};
  if (client->message.type == WIRE_RESULT && take_event(client, out_event)) return FARM_OK; // the rest of the last message
  for (; now < end || timeout_ms == 0; now = clock_now_ns()) {
    client->result_at = 0;
    client->message.type = 0;
    enum farm_status status = pump(client, now < end ? (int)((end - now) / 1000000) + 1 : 0);
    if (status == FARM_OK && take_event(client, out_event)) return FARM_OK;
    if (status != FARM_OK && status != FARM_AGAIN) return status;
    if (timeout_ms == 0) return FARM_OK;
  }
  client->message.type = 0;
  return FARM_OK;
}

enum farm_status client_cancel(struct client *client, int timeout_ms) {
  if (!client->has_build || client->done) return FARM_OK;
  uint64_t end = clock_now_ns() + (uint64_t)timeout_ms * 1000000ull, session = 0;
  struct client_event event;
  while (!client->done && clock_now_ns() < end) {
    if (link_state(client->link) == LINK_UP && session != link_session(client->link) &&
        link_send(client->link, &(struct wire_message){.type = WIRE_CANCEL, .cancel = {client->id}}) == FARM_OK)
      session = link_session(client->link);
    TRY(client_next(client, SLICE_MS, &event));
  }
  FAIL_IF(!client->done, FARM_TIMED_OUT, "the coordinator did not answer");
  return FARM_OK;
}

/* ---- requests: sent again in every session until the reply comes ---- */

struct request {
  struct wire_message message;
  enum wire_type reply;
  uint32_t number;
  uint64_t session, end;
};

static uint32_t number_of(const struct wire_message *message) {
  switch (message->type) {
  case WIRE_FOUND:
    return message->founds.request;
  case WIRE_STATUS_REPLY:
    return message->status_reply.request;
  case WIRE_CACHE_REPLY:
    return message->cache_reply.request;
  case WIRE_EXECUTED:
    return message->executed.request;
  case WIRE_FAULT:
    return message->fault.request;
  default:
    return 0;
  }
}

static bool belongs_to_build(enum wire_type type) {
  return type == WIRE_RESULT || type == WIRE_PROGRESS || type == WIRE_DONE || type == WIRE_ACCEPTED || type == WIRE_FAULT;
}

/* The next reply to a request, in `arena`. *out_restarted: the request went to a new session, replies begin anew. */
static enum farm_status await(struct client *client, struct request *request, struct arena *arena, struct wire_message *out,
                              bool *out_restarted) {
  *out_restarted = false;
  while (clock_now_ns() < request->end) {
    if (link_state(client->link) == LINK_UP && request->session != link_session(client->link)) {
      enum farm_status sent = link_send(client->link, &request->message);
      if (sent != FARM_OK && sent != FARM_AGAIN) return sent;
      if (sent == FARM_OK) {
        *out_restarted = request->session != 0;
        request->session = link_session(client->link);
      }
    }
    TRY(keep_up(client));
    enum farm_status status = link_receive(client->link, -1, SLICE_MS, arena, out, NULL);
    if (status == FARM_AGAIN) continue;
    TRY(status);
    if (out->type == WIRE_FAULT && out->fault.request == request->number)
      return status_set(out->fault.status == FARM_OK ? FARM_FAILURE : out->fault.status, "%s", out->fault.message);
    if (out->type == request->reply && number_of(out) == request->number) return FARM_OK;
    if (belongs_to_build(out->type)) TRY(frames_push(&client->aside, out, 0));
  }
  return status_set(FARM_TIMED_OUT, "the coordinator did not answer in time");
}

static struct request request_make(struct client *client, struct wire_message message, enum wire_type reply, int timeout_ms) {
  struct request request = {.message = message,
                            .reply = reply,
                            .number = ++client->requests,
                            .end = clock_now_ns() + (uint64_t)timeout_ms * 1000000ull};
  switch (message.type) { // each carries its number
  case WIRE_LOOKUP:
    request.message.lookup.request = request.number;
    break;
  case WIRE_STATUS:
    request.message.status_query.request = request.number;
    break;
  case WIRE_CACHE:
    request.message.cache.request = request.number;
    break;
  case WIRE_EXECUTE:
    request.message.execute.request = request.number;
    break;
  default:
    break;
  }
  return request;
}

static enum farm_status take_found(const struct wire_founds *founds, uint32_t first, uint32_t count, struct arena *arena,
                                   struct client_found *out_found) {
  for (uint32_t i = 0; i < founds->items_count; i++) {
    const struct wire_found *found = &founds->items[i];
    FAIL_IF(found->item < first || found->item - first >= count, FARM_INVALID, "the coordinator answered about item %u",
            found->item);
    struct client_found *out = &out_found[found->item];
    *out = (struct client_found){.hit = found->hit, .screened = found->screened.length ? found->screened.data : NULL};
    out->has_record =
        found->record.length && record_decode(found->record.data, found->record.length, arena, &out->record) == FARM_OK;
    out->hit = out->hit && out->has_record;
  }
  return FARM_OK;
}

static enum farm_status lookup_chunk(struct client *client, struct wire_lookup chunk, uint64_t end, struct arena *arena,
                                     struct client_found *out_found) {
  uint64_t now = clock_now_ns();
  int left = now < end ? (int)((end - now) / 1000000) : 0;
  struct request request = request_make(client, (struct wire_message){.type = WIRE_LOOKUP, .lookup = chunk}, WIRE_FOUND, left);
  struct wire_message reply;
  bool restarted;
  do {
    TRY(await(client, &request, arena, &reply, &restarted));
    TRY(take_found(&reply.founds, chunk.first, chunk.items_count, arena, out_found));
  } while (reply.founds.more);
  return FARM_OK;
}

enum farm_status client_lookup(struct client *client, const char *policy, enum wire_cache_mode mode,
                               const struct wire_item *items, uint32_t item_count, int timeout_ms, struct arena *arena,
                               struct client_found *out_found) {
  uint64_t end = clock_now_ns() + (uint64_t)timeout_ms * 1000000ull;
  for (uint32_t at = 0; at < item_count;) {
    uint32_t count = 0;
    size_t bytes = 0;
    while (at + count < item_count && count < CHUNK_ITEMS_MOST && (count == 0 || bytes < CHUNK_BYTES_MOST))
      bytes += item_bytes(&items[at + count++]);
    struct wire_lookup chunk = {.mode = (uint8_t)mode, .policy = policy, .first = at, .items = items + at, .items_count = count};
    TRY(lookup_chunk(client, chunk, end, arena, out_found));
    at += count;
  }
  return FARM_OK;
}

enum farm_status client_status(struct client *client, int timeout_ms, struct arena *arena, struct wire_status_reply *out) {
  struct request request = request_make(client, (struct wire_message){.type = WIRE_STATUS}, WIRE_STATUS_REPLY, timeout_ms);
  struct wire_message reply;
  bool restarted;
  TRY(await(client, &request, arena, &reply, &restarted));
  *out = reply.status_reply;
  return FARM_OK;
}

enum farm_status client_cancel_build(struct client *client, const struct digest *build, int timeout_ms) {
  uint64_t end = clock_now_ns() + (uint64_t)timeout_ms * 1000000ull, session = 0;
  const struct wire_message cancel = {.type = WIRE_CANCEL, .cancel = {*build}};
  struct arena arena = {0};
  struct wire_message message;
  bool done = false;
  enum farm_status status = FARM_OK;
  while (!done && status == FARM_OK && clock_now_ns() < end) {
    if (link_state(client->link) == LINK_UP && session != link_session(client->link) &&
        link_send(client->link, &cancel) == FARM_OK)
      session = link_session(client->link);
    status = link_receive(client->link, -1, SLICE_MS, &arena, &message, NULL);
    if (status == FARM_OK && message.type == WIRE_DONE && digest_equal(&message.done.build, build))
      done = true;
    else if (status == FARM_OK && belongs_to_build(message.type))
      status = frames_push(&client->aside, &message, 0);
    else if (status == FARM_AGAIN)
      status = FARM_OK;
  }
  arena_free(&arena);
  TRY(status);
  FAIL_IF(!done, FARM_TIMED_OUT, "the coordinator did not answer in time");
  return FARM_OK;
}

enum farm_status client_drain(struct client *client, int timeout_ms) {
  uint64_t end = clock_now_ns() + (uint64_t)timeout_ms * 1000000ull;
  struct client_event event;
  enum farm_status status;
  while ((status = link_send(client->link, &(struct wire_message){.type = WIRE_DRAIN, .drain = {"asked to"}})) == FARM_AGAIN &&
         clock_now_ns() < end)
    TRY(client_next(client, SLICE_MS, &event));
  return status == FARM_AGAIN ? status_set(FARM_TIMED_OUT, "the coordinator did not answer in time") : status;
}

/* All replies of a request, in `arena`: what came before a reconnect comes again, and is forgotten here. */
static enum farm_status replies_await(struct client *client, struct request *request, struct arena *arena,
                                      struct wire_cache_reply **replies, size_t *out_count) {
  size_t capacity = 0;
  *out_count = 0;
  do {
    struct wire_message message;
    bool restarted;
    TRY(await(client, request, arena, &message, &restarted));
    if (restarted) *out_count = 0;
    TRY(array_reserve(replies, &capacity, *out_count + 1));
    (*replies)[(*out_count)++] = message.cache_reply;
  } while ((*replies)[*out_count - 1].more);
  return FARM_OK;
}

enum farm_status client_cache(struct client *client, const char *verb, const char *const *arguments, uint32_t argument_count,
                              const struct digest *blob, int timeout_ms, client_line_fn line, void *context, struct arena *arena,
                              struct wire_cache_reply *out) {
  struct wire_argument *list = arena_alloc_array(arena, argument_count, sizeof *list);
  FAIL_IF(!list, FARM_NO_MEMORY, "out of memory");
  for (uint32_t i = 0; i < argument_count; i++) list[i].text = arguments[i];
  struct wire_message message = {.type = WIRE_CACHE,
                                 .cache = {.verb = verb, .arguments = list, .arguments_count = argument_count}};
  if (blob) message.cache.blob = *blob;
  struct request request = request_make(client, message, WIRE_CACHE_REPLY, timeout_ms);
  struct wire_cache_reply *replies = NULL, last = {0};
  size_t count = 0;
  enum farm_status status = replies_await(client, &request, arena, &replies, &count);
  for (size_t r = 0; status == FARM_OK && r < count; r++) {
    last = replies[r];
    for (uint32_t i = 0; line && i < last.lines_count; i++) line(context, last.lines[i].text);
  }
  free(replies);
  TRY(status);
  if (last.status != FARM_OK) return status_set(last.status, "%s", last.message);
  *out = last;
  return FARM_OK;
}

enum farm_status client_blob_get(struct client *client, const struct digest *digest, size_t most_bytes, int timeout_ms,
                                 uint8_t **out_data, size_t *out_length) {
  return blob_link_get(client->link, digest, most_bytes, timeout_ms, &client->aside, out_data, out_length);
}

enum farm_status client_blob_put(struct client *client, const void *data, size_t length, int timeout_ms,
                                 struct digest *out_digest) {
  return blob_link_put(client->link, data, length, timeout_ms, &client->aside, out_digest);
}

enum farm_status client_execute(struct client *client, const struct wire_execute *execute, int timeout_ms, struct arena *arena,
                                struct wire_executed *out) {
  struct request request =
      request_make(client, (struct wire_message){.type = WIRE_EXECUTE, .execute = *execute}, WIRE_EXECUTED, timeout_ms);
  struct wire_message reply;
  bool restarted;
  TRY(await(client, &request, arena, &reply, &restarted));
  if (reply.executed.status != FARM_OK) return status_set(reply.executed.status, "%s", reply.executed.message);
  *out = reply.executed;
  return FARM_OK;
}

/* Sends from `*sent` on what the session has not seen; a full queue ends it until the next call. */
static enum farm_status executes_send(struct client *client, const struct wire_execute *executes, uint32_t count, uint32_t first,
                                      const bool *answered, uint32_t *sent) {
  for (; *sent < count; ++*sent) {
    struct wire_message message = {.type = WIRE_EXECUTE, .execute = executes[*sent]};
    if (answered[*sent]) continue;
    message.execute.request = first + *sent;
    enum farm_status status = link_send(client->link, &message);
    if (status == FARM_AGAIN) return FARM_OK;
    TRY(status);
  }
  return FARM_OK;
}

/* Is it the answer to one of them? A fault is one, too. */
static bool executed_take(const struct wire_message *message, uint32_t first, uint32_t count, bool *answered,
                          struct wire_executed *out) {
  uint32_t number = message->type == WIRE_FAULT      ? message->fault.request
                    : message->type == WIRE_EXECUTED ? message->executed.request
                                                     : 0;
  if (number < first || number - first >= count || answered[number - first]) return false;
  out[number - first] =
      message->type == WIRE_EXECUTED
          ? message->executed
          : (struct wire_executed){.status = message->fault.status == FARM_OK ? FARM_FAILURE : message->fault.status,
                                   .message = message->fault.message,
                                   .report = ""};
  answered[number - first] = true;
  return true;
}

/* Asks for what the watch looks at, when it is time. */
static enum farm_status watch_ask(struct client *client, const struct client_watch *watch, uint64_t *at_ns) {
  uint64_t now = clock_now_ns();
  if (!watch || now < *at_ns || link_state(client->link) != LINK_UP) return FARM_OK;
  const struct wire_message message = {.type = WIRE_STATUS, .status_query = {++client->requests}};
  *at_ns = now + (uint64_t)watch->interval_ms * 1000000ull;
  enum farm_status status = link_send(client->link, &message);
  return status == FARM_AGAIN ? FARM_OK : status;
}

enum farm_status client_execute_all(struct client *client, const struct wire_execute *executes, uint32_t count, int timeout_ms,
                                    const struct client_watch *watch, struct arena *arena, struct wire_executed *out) {
  uint64_t end = clock_now_ns() + (uint64_t)timeout_ms * 1000000ull, session = 0, look_at_ns = 0;
  uint32_t first = client->requests + 1, sent = count, left = count;
  bool *answered = arena_alloc_array(arena, count + 1, sizeof *answered);
  FAIL_IF(!answered, FARM_NO_MEMORY, "out of memory for execute jobs");
  memset(answered, 0, count * sizeof *answered);
  client->requests += count;
  while (left > 0) {
    struct wire_message message = {0};
    FAIL_IF(clock_now_ns() >= end, FARM_TIMED_OUT, "%u of %u execute jobs were not answered in time", left, count);
    if (link_state(client->link) == LINK_UP && session != link_session(client->link)) {
      session = link_session(client->link);
      sent = 0; // the jobs of a lost session are lost with it
    }
    if (link_state(client->link) == LINK_UP) TRY(executes_send(client, executes, count, first, answered, &sent));
    TRY(keep_up(client));
    TRY(watch_ask(client, watch, &look_at_ns));
    enum farm_status status = link_receive(client->link, -1, SLICE_MS, arena, &message, NULL);
    if (status == FARM_AGAIN) continue;
    TRY(status);
    if (executed_take(&message, first, count, answered, out))
      left--;
    else if (watch && message.type == WIRE_STATUS_REPLY)
      TRY(watch->look(watch->context, &message.status_reply, left));
    else if (belongs_to_build(message.type))
      TRY(frames_push(&client->aside, &message, 0));
  }
  return FARM_OK;
}
