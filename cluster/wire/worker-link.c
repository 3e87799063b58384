/* See worker-link.h. What is held here: the jobs that run (named in every HELLO), results that are not stored yet (sent again in
 * every session), and the credits. */
#include "worker-link.h"

#include "../../base/clock.h"
#include "blob-link.h"

#include <stdlib.h>
#include <string.h>

enum { REQUEST_SLICE_MS = 100, RUNNING_MOST = 8, UNSTORED_MOST = 65536, CLOSE_MS = 2000, RECORDS_PER_MESSAGE = 64 };

struct running {
  bool live;
  struct arena arena;
  struct wire_job job;
};

struct worker_link {
  struct link *link;
  struct running running[RUNNING_MOST];
  struct wire_job announced[RUNNING_MOST]; // for HELLO
  struct frames results, aside;
  size_t sent;       // of results.items, counted from its begin
  uint64_t sequence; // of the last result
  uint64_t session;  // that `sent` and the credits belong to
  uint32_t credits;
  bool credits_said;
  uint32_t requests;  // made so far; the number of the last one
  struct arena event; // what the last event points to
};

static void greet(void *context, struct wire_hello *hello) {
  struct worker_link *worker = context;
  uint32_t count = 0;
  for (int i = 0; i < RUNNING_MOST; i++)
    if (worker->running[i].live) worker->announced[count++] = worker->running[i].job;
  hello->running = worker->announced;
  hello->running_count = count;
}

enum farm_status worker_link_open(const struct worker_link_options *options, struct worker_link **out_link) {
  struct worker_link *worker = calloc(1, sizeof *worker);
  FAIL_IF(!worker, FARM_NO_MEMORY, "out of memory for a worker's connection");
  struct link_options link = {.endpoint = options->endpoint,
                              .role = WIRE_ROLE_WORKER,
                              .build = options->build,
                              .catalogue = options->catalogue,
                              .host = options->host,
                              .device_class = options->device_class,
                              .device = options->device,
                              .cores = options->cores,
                              .threads = options->threads,
                              .keys = options->keys,
                              .greet = greet,
                              .context = worker};
  enum farm_status status = link_create(&link, &worker->link);
  if (status != FARM_OK) {
    free(worker);
    return status;
  }
  *out_link = worker;
  return FARM_OK;
}

/* Send what this session has not seen: credits, then results in order. A full queue ends it until the next call. */
static void flush(struct worker_link *worker) {
  if (link_state(worker->link) != LINK_UP) return;
  if (worker->session != link_session(worker->link)) {
    worker->session = link_session(worker->link);
    worker->sent = 0;
    worker->credits_said = false;
  }
  struct frames *results = &worker->results;
  while (results->begin + worker->sent < results->count) {
    const struct frame *frame = &results->items[results->begin + worker->sent];
    struct arena arena = {0};
    struct wire_message message;
    enum farm_status status = wire_decode(frame->data, frame->length, &arena, &message);
    if (status == FARM_OK) status = link_send(worker->link, &message);
    arena_free(&arena);
    if (status == FARM_AGAIN) return;
    worker->sent++;
  }
  if (!worker->credits_said)
    worker->credits_said =
        link_send(worker->link, &(struct wire_message){.type = WIRE_READY, .ready = {worker->credits}}) == FARM_OK;
}

static void forget_stored(struct worker_link *worker, uint64_t sequence) {
  size_t before = worker->results.count - worker->results.begin;
  frames_drop_through(&worker->results, sequence);
  size_t dropped = before - (worker->results.count - worker->results.begin);
  worker->sent = worker->sent > dropped ? worker->sent - dropped : 0;
}

static struct running *running_of(struct worker_link *worker, struct wire_lease lease) {
  for (int i = 0; i < RUNNING_MOST; i++) {
    struct running *running = &worker->running[i];
    if (running->live && running->job.lease.epoch == lease.epoch && running->job.lease.counter == lease.counter) return running;
  }
  return NULL;
}

static void end_running(struct worker_link *worker, struct wire_lease lease) {
  struct running *running = running_of(worker, lease);
  if (!running) return;
  arena_free(&running->arena);
  running->live = false;
}

static enum farm_status take_job(struct worker_link *worker, const struct wire_job *job, struct worker_event *out_event) {
  struct running *free_slot = NULL;
  for (int i = 0; i < RUNNING_MOST; i++)
    if (!worker->running[i].live) free_slot = &worker->running[i];
  if (!free_slot || worker->credits == 0) return worker_link_return(worker, job->lease, "no credit was given", NULL, 0);
  free_slot->arena = (struct arena){0};
  enum farm_status status = wire_copy_job(job, &free_slot->arena, &free_slot->job);
  if (status != FARM_OK) {
    arena_free(&free_slot->arena);
    return status;
  }
  free_slot->live = true;
  worker->credits--;
  *out_event = (struct worker_event){WORKER_EVENT_JOB, job->lease, &free_slot->job};
  return FARM_OK;
}

static enum farm_status take_message(struct worker_link *worker, const struct wire_message *message,
                                     struct worker_event *out_event) {
  switch (message->type) {
  case WIRE_JOB:
    return take_job(worker, &message->job, out_event);
  case WIRE_STORED:
    forget_stored(worker, message->stored.sequence);
    return FARM_OK;
  case WIRE_STOP:
    *out_event = (struct worker_event){.kind = WORKER_EVENT_STOP, .lease = message->stop.lease};
    return FARM_OK;
  case WIRE_DRAIN:
    *out_event = (struct worker_event){.kind = WORKER_EVENT_DRAIN};
    return FARM_OK;
  default:
    return FARM_OK;
  }
}

enum farm_status worker_link_poll(struct worker_link *worker, int fd, int timeout_ms, struct worker_event *out_event) {
  uint64_t end = clock_now_ns() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0) * 1000000ull;
  *out_event = (struct worker_event){0};
  for (;;) {
    struct wire_message message = {0};
    bool fd_ready = false;
    arena_free(&worker->event);
    flush(worker);
    uint64_t now = clock_now_ns();
    int left = now < end ? (int)((end - now) / 1000000) : 0;
    bool waits = worker->results.begin + worker->sent < worker->results.count || !worker->credits_said;
    enum farm_status status = FARM_OK;
    if (!frames_pop(&worker->aside, &worker->event, &message))
      status = link_receive(worker->link, fd, waits && left > 20 ? 20 : left, &worker->event, &message, &fd_ready);
    if (status != FARM_OK && status != FARM_AGAIN) return status;
    if (status == FARM_OK && fd_ready) out_event->kind = WORKER_EVENT_FD;
    if (status == FARM_OK && message.type) TRY(take_message(worker, &message, out_event));
    if (out_event->kind != WORKER_EVENT_NONE) return FARM_OK;
    if (clock_now_ns() >= end) return FARM_OK;
  }
}

bool worker_link_is_up(const struct worker_link *worker) { return link_state(worker->link) == LINK_UP; }

enum farm_status worker_link_ready(struct worker_link *worker, uint32_t credits) {
  FAIL_IF(credits > RUNNING_MOST, FARM_INVALID, "a worker holds at most %d jobs", RUNNING_MOST);
  worker->credits = credits;
  worker->credits_said = false;
  flush(worker);
  return FARM_OK;
}

enum farm_status worker_link_started(struct worker_link *worker, struct wire_lease lease) {
  enum farm_status status = link_send(worker->link, &(struct wire_message){.type = WIRE_STARTED, .started = {lease}});
  return status == FARM_AGAIN ? FARM_OK : status; // HELLO names it
}

static enum farm_status queue_result(struct worker_link *worker, struct wire_message *message) {
  FAIL_IF(worker->results.count - worker->results.begin >= UNSTORED_MOST, FARM_AGAIN,
          "too many results wait for the coordinator");
  TRY(frames_push(&worker->results, message, worker->sequence));
  flush(worker);
  return FARM_OK;
}

/* Records as bytes in `arena`. */
static enum farm_status encode_records(const struct record *records, uint32_t count, struct arena *arena,
                                       struct wire_record **out) {
  struct wire_record *encoded = arena_alloc_array(arena, count, sizeof *encoded);
  FAIL_IF(!encoded, FARM_NO_MEMORY, "out of memory for %u records", count);
  for (uint32_t i = 0; i < count; i++) {
    struct bytes_writer bytes = {0};
    enum farm_status status = record_encode(&records[i], &bytes);
    encoded[i].bytes = (struct wire_blob){arena_copy(arena, bytes.data, bytes.length), (uint32_t)bytes.length};
    bytes_writer_free(&bytes);
    TRY(status);
    FAIL_IF(!encoded[i].bytes.data, FARM_NO_MEMORY, "out of memory for a record");
  }
  *out = encoded;
  return FARM_OK;
}

enum farm_status worker_link_partial(struct worker_link *worker, struct wire_lease lease, const struct record *records,
                                     uint32_t count) {
  for (uint32_t at = 0; at < count; at += RECORDS_PER_MESSAGE) {
    struct arena arena = {0};
    struct wire_message message = {.type = WIRE_PARTIAL, .partial = {.lease = lease, .sequence = ++worker->sequence}};
    struct wire_record *encoded = NULL;
    uint32_t now = count - at < RECORDS_PER_MESSAGE ? count - at : RECORDS_PER_MESSAGE;
    enum farm_status status = encode_records(records + at, now, &arena, &encoded);
    message.partial.records = encoded, message.partial.records_count = now;
    if (status == FARM_OK) status = queue_result(worker, &message);
    arena_free(&arena);
    TRY(status);
  }
  return FARM_OK;
}

enum farm_status worker_link_finished(struct worker_link *worker, struct wire_lease lease, enum farm_status outcome,
                                      const char *text, const struct record *records, uint32_t count) {
  struct arena arena = {0};
  struct wire_record *encoded = NULL;
  enum farm_status status = FARM_OK;
  if (count > RECORDS_PER_MESSAGE) {
    TRY(worker_link_partial(worker, lease, records, count - RECORDS_PER_MESSAGE));
    records += count - RECORDS_PER_MESSAGE, count = RECORDS_PER_MESSAGE;
  }
  if (count) status = encode_records(records, count, &arena, &encoded);
  struct wire_message message = {.type = WIRE_FINISHED,
                                 .finished = {.lease = lease,
                                              .sequence = ++worker->sequence,
                                              .status = outcome,
                                              .message = text,
                                              .records = encoded,
                                              .records_count = count}};
  if (status == FARM_OK) status = queue_result(worker, &message);
  arena_free(&arena);
  if (status == FARM_OK) end_running(worker, lease);
  return status;
}

enum farm_status worker_link_executed(struct worker_link *worker, struct wire_lease lease, enum farm_status outcome,
                                      const char *text, const char *report, const struct wire_blob_ref *blobs,
                                      uint32_t blob_count) {
  struct wire_message message = {.type = WIRE_FINISHED,
                                 .finished = {.lease = lease,
                                              .sequence = ++worker->sequence,
                                              .status = outcome,
                                              .message = text,
                                              .report = report,
                                              .blobs = blobs,
                                              .blobs_count = blob_count}};
  TRY(queue_result(worker, &message));
  end_running(worker, lease);
  return FARM_OK;
}

enum farm_status worker_link_return(struct worker_link *worker, struct wire_lease lease, const char *reason,
                                    const struct wire_variant *unknown, uint32_t unknown_count) {
  struct wire_message message = {
      .type = WIRE_RETURN,
      .returned = {
          .lease = lease, .sequence = ++worker->sequence, .reason = reason, .unknown = unknown, .unknown_count = unknown_count}};
  TRY(queue_result(worker, &message));
  end_running(worker, lease);
  return FARM_OK;
}

/* Sent again when the connection is lost meanwhile: these verbs may be carried out twice. */
enum farm_status worker_link_cache(struct worker_link *worker, const char *verb, const char *const *arguments,
                                   uint32_t argument_count, const struct digest *blob, int timeout_ms, struct arena *arena,
                                   struct wire_cache_reply *out) {
  uint64_t end = clock_now_ns() + (uint64_t)timeout_ms * 1000000ull, session = 0;
  struct wire_argument *list = arena_alloc_array(arena, argument_count + 1, sizeof *list);
  FAIL_IF(!list, FARM_NO_MEMORY, "out of memory for a request");
  for (uint32_t i = 0; i < argument_count; i++) list[i].text = arguments[i];
  struct wire_message message = {
      .type = WIRE_CACHE,
      .cache = {.request = ++worker->requests, .verb = verb, .arguments = list, .arguments_count = argument_count}};
  if (blob) message.cache.blob = *blob;
  while (clock_now_ns() < end) {
    struct wire_message reply = {0};
    if (link_state(worker->link) == LINK_UP && session != link_session(worker->link)) {
      enum farm_status sent = link_send(worker->link, &message);
      if (sent != FARM_OK && sent != FARM_AGAIN) return sent;
      if (sent == FARM_OK) session = link_session(worker->link);
    }
    enum farm_status status = link_receive(worker->link, -1, REQUEST_SLICE_MS, arena, &reply, NULL);
    if (status == FARM_AGAIN) continue;
    TRY(status);
    if (reply.type != WIRE_CACHE_REPLY) {
      if (reply.type) TRY(frames_push(&worker->aside, &reply, 0));
      continue;
    }
    if (reply.cache_reply.request != worker->requests || reply.cache_reply.more) continue;
    FAIL_IF(reply.cache_reply.status != FARM_OK, reply.cache_reply.status, "%s", reply.cache_reply.message);
    *out = reply.cache_reply;
    return FARM_OK;
  }
  return status_set(FARM_TIMED_OUT, "the coordinator did not answer in time");
}

enum farm_status worker_link_blob_get(struct worker_link *worker, const struct digest *digest, size_t most_bytes, int timeout_ms,
                                      uint8_t **out_data, size_t *out_length) {
  return blob_link_get(worker->link, digest, most_bytes, timeout_ms, &worker->aside, out_data, out_length);
}

enum farm_status worker_link_blob_put(struct worker_link *worker, const void *data, size_t length, int timeout_ms,
                                      struct digest *out_digest) {
  return blob_link_put(worker->link, data, length, timeout_ms, &worker->aside, out_digest);
}

void worker_link_close(struct worker_link **worker) {
  if (!*worker) return;
  struct worker_link *link = *worker;
  struct worker_event event;
  link->credits = 0;
  uint64_t end = clock_now_ns() + CLOSE_MS * 1000000ull;
  while (link->results.begin < link->results.count && clock_now_ns() < end)
    if (worker_link_poll(link, -1, 50, &event) != FARM_OK) break;
  for (int i = 0; i < RUNNING_MOST; i++)
    if (link->running[i].live) arena_free(&link->running[i].arena);
  link_destroy(&link->link);
  frames_free(&link->results), frames_free(&link->aside);
  arena_free(&link->event);
  free(link);
  *worker = NULL;
}
