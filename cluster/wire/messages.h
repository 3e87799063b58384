/* Messages of protocol 1, as one list. Normative: docs/protocol-1.md.
 *
 * Structs, encoder, decoder, checks and printing are all made from this list: F(type, field, bound) is a field, L(part, field,
 * most) a list of parts. The bound is the largest value of a number (0: any), the most bytes of a text or blob. Types:
 *   U8 U16 U32 U64 F64   numbers; an F64 is finite and not negative
 *   TEXT NOTE            texts without control characters; a NOTE is cut to its bound by the sender, a TEXT is refused
 *   BLOB DIGEST STATUS   bytes; 32 bytes; an enum farm_status by name, since numbers move
 *   LEASE                who holds a job: boot epoch of the coordinator and a counter
 */
#ifndef CLUSTER_WIRE_MESSAGES_H
#define CLUSTER_WIRE_MESSAGES_H

#include "../../base/arena.h"
#include "../../base/bytes.h"
#include "../../base/digest.h"
#include "../../base/status.h"
#include "../../base/strbuf.h"

enum { WIRE_VERSION = 1, WIRE_MOST_BYTES = 4 << 20, WIRE_CHUNK_BYTES = 1 << 20, WIRE_BLOB_WINDOW = 4 };
enum wire_role { WIRE_ROLE_CLIENT = 1, WIRE_ROLE_WORKER = 2 };
enum wire_job_kind { WIRE_JOB_SCREEN = 1, WIRE_JOB_FINAL = 2, WIRE_JOB_EXECUTE = 3 };
enum wire_cache_mode { WIRE_MODE_RW, WIRE_MODE_RO, WIRE_MODE_LOCKED };
enum wire_submit_flag { WIRE_FAIL_FAST = 1, WIRE_REMEASURE = 2, WIRE_DETACHED = 4 };

struct wire_lease {
  uint64_t epoch, counter;
};
struct wire_blob {
  const uint8_t *data;
  uint32_t length;
};

// clang-format off
/* ---- parts of messages ---- */
#define WIRE_PART_LIST(P)                                                                                    \
  P(variant) P(item) P(record) P(blob_ref) P(job) P(result) P(class_progress) P(worker_info) P(build_info) P(counter) P(found) \
  P(argument)

#define WIRE_FIELDS_variant(F, L) F(TEXT, text, 191) F(TEXT, source, 64)
#define WIRE_FIELDS_item(F, L)                                                                               \
  F(TEXT, problem, 4096) F(TEXT, device_class, 255) F(U32, threads, 4096) F(U32, default_index, 4095)        \
  F(F64, estimated_ns, 0) F(F64, weight, 0) L(variant, variants, 4096)
#define WIRE_FIELDS_record(F, L) F(BLOB, bytes, WIRE_MOST_BYTES)
#define WIRE_FIELDS_blob_ref(F, L) F(TEXT, name, 255) F(DIGEST, digest, 0) F(U64, length, 0)
/* A job as a worker sees it. estimated_ns: of one run. deadline_ms: counts from STARTED and again from every PARTIAL. */
#define WIRE_FIELDS_job(F, L)                                                                                \
  F(LEASE, lease, 0) F(U8, kind, 3) F(TEXT, problem, 4096) F(TEXT, device_class, 255) F(U32, threads, 4096)  \
  F(TEXT, policy, 127) F(U32, default_index, 4095) F(F64, estimated_ns, 0) F(U32, deadline_ms, 0)            \
  L(variant, variants, 4096) F(TEXT, spec, 4096) L(blob_ref, blobs, 4096)
#define WIRE_FIELDS_result(F, L)                                                                             \
  F(U32, item, 0) F(STATUS, status, 0) F(NOTE, message, 511) F(U8, hit, 1) F(BLOB, record, WIRE_MOST_BYTES)
#define WIRE_FIELDS_class_progress(F, L)                                                                     \
  F(TEXT, device_class, 255) F(U32, total, 0) F(U32, done, 0) F(U32, running, 0) F(U32, workers, 0) F(NOTE, waiting_for, 255)
#define WIRE_FIELDS_worker_info(F, L)                                                                        \
  F(TEXT, host, 255) F(TEXT, device_class, 255) F(TEXT, device, 255) F(TEXT, build, 255) F(NOTE, state, 63)  \
  F(TEXT, problem, 4096) F(U32, finished, 0)
#define WIRE_FIELDS_build_info(F, L)                                                                         \
  F(DIGEST, build, 0) F(NOTE, label, 255) F(U32, items, 0) F(U32, answered, 0) F(U8, attached, 1) F(F64, eta_s, 0)
#define WIRE_FIELDS_counter(F, L) F(TEXT, name, 63) F(U64, value, 0)
#define WIRE_FIELDS_found(F, L) F(U32, item, 0) F(U8, hit, 1) F(BLOB, record, WIRE_MOST_BYTES) F(BLOB, screened, 512)
#define WIRE_FIELDS_argument(F, L) F(TEXT, text, 8192)

/* ---- messages: M(NAME, struct name, number, who sends it) ---- */
#define WIRE_MESSAGE_LIST(M)                                                                                 \
  M(HELLO, hello, 1, "either") M(WELCOME, welcome, 2, "coordinator") M(REFUSE, refuse, 3, "coordinator")      \
  M(HEARTBEAT, heartbeat, 4, "either") M(BYE, bye, 5, "either") M(FAULT, fault, 6, "coordinator")            \
  M(SUBMIT, submit, 16, "client") M(ACCEPTED, accepted, 17, "coordinator") M(ATTACH, attach, 18, "client")    \
  M(PROGRESS, progress, 19, "coordinator") M(RESULT, results, 20, "coordinator") M(DONE, done, 21, "coordinator") \
  M(CLOSE, close, 22, "client") M(CANCEL, cancel, 23, "client") M(STATUS, status_query, 24, "client")         \
  M(STATUS_REPLY, status_reply, 25, "coordinator") M(LOOKUP, lookup, 26, "client") M(FOUND, founds, 27, "coordinator") \
  M(CACHE, cache, 28, "either") M(CACHE_REPLY, cache_reply, 29, "coordinator") M(DRAIN, drain, 30, "either")  \
  M(EXECUTE, execute, 31, "client") M(EXECUTED, executed, 32, "coordinator")                                 \
  M(READY, ready, 48, "worker") M(JOB, job, 49, "coordinator") M(STARTED, started, 50, "worker")              \
  M(PARTIAL, partial, 51, "worker") M(FINISHED, finished, 52, "worker") M(RETURN, returned, 53, "worker")     \
  M(STORED, stored, 54, "coordinator") M(STOP, stop, 55, "coordinator")                                      \
  M(BLOB_PUT, blob_put, 64, "either") M(BLOB_STATE, blob_state, 65, "coordinator") M(BLOB_GET, blob_get, 66, "either") \
  M(BLOB_CHUNK, blob_chunk, 67, "coordinator")

#define WIRE_FIELDS_hello(F, L)                                                                              \
  F(U16, protocol_low, 0) F(U16, protocol_high, 0) F(U8, role, 0) F(TEXT, build, 255) F(TEXT, catalogue, 64) \
  F(TEXT, host, 255) F(TEXT, device_class, 255) F(TEXT, device, 255) F(U32, threads, 4096) F(TEXT, cores, 255) \
  L(job, running, 8)
#define WIRE_FIELDS_welcome(F, L)                                                                            \
  F(U16, protocol, 0) F(U64, epoch, 0) F(TEXT, build, 255) F(U32, heartbeat_ms, 0) F(U32, dead_ms, 0)
#define WIRE_FIELDS_refuse(F, L) F(U16, protocol_low, 0) F(U16, protocol_high, 0) F(STATUS, status, 0) F(NOTE, reason, 511)
#define WIRE_FIELDS_heartbeat(F, L) F(U64, sequence, 0)
#define WIRE_FIELDS_bye(F, L) F(NOTE, reason, 511)
#define WIRE_FIELDS_fault(F, L) F(U32, request, 0) F(STATUS, status, 0) F(NOTE, message, 511)

#define WIRE_FIELDS_submit(F, L)                                                                             \
  F(DIGEST, build, 0) F(TEXT, label, 255) F(TEXT, policy, 127) F(U32, flags, 7) F(U32, item_total, 1000000)  \
  F(U32, first, 999999) L(item, items, 4096)
#define WIRE_FIELDS_accepted(F, L) F(DIGEST, build, 0) F(U32, items, 0)
#define WIRE_FIELDS_attach(F, L) F(DIGEST, build, 0) F(BLOB, have, 125000)
#define WIRE_FIELDS_progress(F, L)                                                                           \
  F(DIGEST, build, 0) F(F64, eta_s, 0) L(class_progress, classes, 256) L(worker_info, workers, 256)
#define WIRE_FIELDS_results(F, L) F(DIGEST, build, 0) L(result, results, 4096)
#define WIRE_FIELDS_done(F, L)                                                                               \
  F(DIGEST, build, 0) F(STATUS, status, 0) F(NOTE, message, 1023) F(U32, items, 0) F(U32, hits, 0)           \
  F(U32, variants_timed, 0) F(U32, failed, 0) F(F64, device_s, 0)
#define WIRE_FIELDS_close(F, L) F(DIGEST, build, 0)
#define WIRE_FIELDS_cancel(F, L) F(DIGEST, build, 0)
#define WIRE_FIELDS_status_query(F, L) F(U32, request, 0)
#define WIRE_FIELDS_status_reply(F, L)                                                                       \
  F(U32, request, 0) F(U64, epoch, 0) F(F64, uptime_s, 0) F(TEXT, cache, 4096) L(worker_info, workers, 4096) \
  L(build_info, builds, 4096) L(counter, counters, 256)
#define WIRE_FIELDS_lookup(F, L)                                                                             \
  F(U32, request, 0) F(U8, mode, 2) F(TEXT, policy, 127) F(U32, first, 999999) L(item, items, 4096)
#define WIRE_FIELDS_founds(F, L) F(U32, request, 0) F(U8, more, 1) L(found, items, 4096)
#define WIRE_FIELDS_cache(F, L) F(U32, request, 0) F(TEXT, verb, 31) F(DIGEST, blob, 0) L(argument, arguments, 64)
#define WIRE_FIELDS_cache_reply(F, L)                                                                        \
  F(U32, request, 0) F(U8, more, 1) F(STATUS, status, 0) F(NOTE, message, 1023) F(DIGEST, blob, 0) F(U64, blob_bytes, 0) \
  L(argument, lines, 65536) L(counter, counters, 256)
#define WIRE_FIELDS_drain(F, L) F(NOTE, reason, 255)
#define WIRE_FIELDS_execute(F, L)                                                                            \
  F(U32, request, 0) F(TEXT, device_class, 255) F(U32, threads, 4096) F(TEXT, spec, 4096) F(F64, estimated_ns, 0) \
  F(U32, deadline_ms, 0) L(blob_ref, blobs, 4096)
#define WIRE_FIELDS_executed(F, L)                                                                           \
  F(U32, request, 0) F(STATUS, status, 0) F(NOTE, message, 511) F(TEXT, report, 65536) L(blob_ref, blobs, 4096)

#define WIRE_FIELDS_ready(F, L) F(U32, credits, 64)
#define WIRE_FIELDS_started(F, L) F(LEASE, lease, 0)
#define WIRE_FIELDS_partial(F, L) F(LEASE, lease, 0) F(U64, sequence, 0) L(record, records, 4096)
#define WIRE_FIELDS_finished(F, L)                                                                           \
  F(LEASE, lease, 0) F(U64, sequence, 0) F(STATUS, status, 0) F(NOTE, message, 511) L(record, records, 4096) \
  F(TEXT, report, 65536) L(blob_ref, blobs, 4096)
#define WIRE_FIELDS_returned(F, L) F(LEASE, lease, 0) F(U64, sequence, 0) F(NOTE, reason, 511) L(variant, unknown, 4096)
#define WIRE_FIELDS_stored(F, L) F(U64, sequence, 0)
#define WIRE_FIELDS_stop(F, L) F(LEASE, lease, 0) F(NOTE, reason, 255)

#define WIRE_FIELDS_blob_put(F, L) F(DIGEST, digest, 0) F(U64, total, 0) F(U64, offset, 0) F(BLOB, data, WIRE_CHUNK_BYTES)
#define WIRE_FIELDS_blob_state(F, L)                                                                         \
  F(DIGEST, digest, 0) F(U64, received, 0) F(U8, complete, 1) F(STATUS, status, 0) F(NOTE, message, 255)
#define WIRE_FIELDS_blob_get(F, L) F(DIGEST, digest, 0) F(U64, offset, 0)
#define WIRE_FIELDS_blob_chunk(F, L)                                                                         \
  F(DIGEST, digest, 0) F(U64, total, 0) F(U64, offset, 0) F(STATUS, status, 0) F(BLOB, data, WIRE_CHUNK_BYTES)

// clang-format on

/* ---- what the list makes ---- */
typedef uint8_t wire_c_U8;
typedef uint16_t wire_c_U16;
typedef uint32_t wire_c_U32;
typedef uint64_t wire_c_U64;
typedef double wire_c_F64;
typedef const char *wire_c_TEXT;
typedef const char *wire_c_NOTE;
typedef struct wire_blob wire_c_BLOB;
typedef struct digest wire_c_DIGEST;
typedef enum farm_status wire_c_STATUS;
typedef struct wire_lease wire_c_LEASE;

#define WIRE_MEMBER(type, name, bound) wire_c_##type name;
#define WIRE_MEMBERS(part, name, most)                                                                                           \
  const struct wire_##part *name;                                                                                                \
  uint32_t name##_count;
#define X(name)                                                                                                                  \
  struct wire_##name {                                                                                                           \
    WIRE_FIELDS_##name(WIRE_MEMBER, WIRE_MEMBERS)                                                                                \
  };
WIRE_PART_LIST(X)
#undef X

enum wire_type {
#define X(name, body, number, sender) WIRE_##name = number,
  WIRE_MESSAGE_LIST(X)
#undef X
};

// clang-format off
/* Bodies of messages; JOB's is the part of the same name. */
#define WIRE_BODY_LIST(B)                                                                                    \
  B(hello) B(welcome) B(refuse) B(heartbeat) B(bye) B(fault) B(submit) B(accepted) B(attach) B(progress) B(results) B(done)  \
  B(close) B(cancel) B(status_query) B(status_reply) B(lookup) B(founds) B(cache) B(cache_reply) B(drain) B(execute)         \
  B(executed) B(ready) B(started) B(partial) B(finished) B(returned) B(stored) B(stop) B(blob_put) B(blob_state) B(blob_get) \
  B(blob_chunk)
// clang-format on
#define X(name)                                                                                                                  \
  struct wire_##name {                                                                                                           \
    WIRE_FIELDS_##name(WIRE_MEMBER, WIRE_MEMBERS)                                                                                \
  };
WIRE_BODY_LIST(X)
#undef X

struct wire_message {
  enum wire_type type;
  union {
#define X(name, body, number, sender) struct wire_##body body;
    WIRE_MESSAGE_LIST(X)
#undef X
  };
};

/* One frame, appended to `out`. FARM_INVALID: a field is out of its bounds or the frame too long; the message names which. */
enum farm_status wire_encode(const struct wire_message *message, struct bytes_writer *out);
/* Everything decoded lives in `arena`, blobs included. FARM_INVALID: malformed; FARM_MISMATCH: another protocol. HELLO, WELCOME
 * and REFUSE of later versions are read by their leading fields. */
enum farm_status wire_decode(const void *data, size_t length, struct arena *arena, struct wire_message *out);
const char *wire_type_name(enum wire_type type); // "?" for a number that is none
/* One line for logs: `STARTED lease=5/7`; lists as their counts. */
void wire_print(const struct wire_message *message, struct strbuf *out);
/* A copy of a job, an item or any message in another arena. FARM_NO_MEMORY. */
enum farm_status wire_copy_job(const struct wire_job *job, struct arena *arena, struct wire_job *out);

/* A table row of a field, for code that walks messages (codec, printing, tests). */
enum wire_field_type {
  WIRE_T_U8,
  WIRE_T_U16,
  WIRE_T_U32,
  WIRE_T_U64,
  WIRE_T_F64,
  WIRE_T_TEXT,
  WIRE_T_NOTE,
  WIRE_T_BLOB,
  WIRE_T_DIGEST,
  WIRE_T_STATUS,
  WIRE_T_LEASE,
  WIRE_T_LIST
};
struct wire_struct;
struct wire_field {
  const char *name;
  enum wire_field_type type;
  uint64_t bound;
  size_t offset, count_offset;    // count_offset: of a list
  const struct wire_struct *part; // of a list
};
struct wire_struct {
  const char *name;
  size_t bytes; // sizeof the C struct
  const struct wire_field *fields;
  uint32_t field_count;
};
const struct wire_struct *wire_struct_of(enum wire_type type); // NULL: no such message

#endif
