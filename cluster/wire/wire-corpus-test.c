/* Frames to start the wire fuzzer from, and a regression test: one of every message, and one per way of breaking the rules of
 * docs/protocol-1.md. */
#include "messages.h"

#include "../../tests/corpus/corpus-test.h"

#include <math.h>

#define LLVMFuzzerTestOneInput wire_fuzz_one
#include "wire-fuzz.c"
#undef LLVMFuzzerTestOneInput

/* ---- right: a message whose every field says something, its lists of two parts, its texts their own names ---- */

static void fill(const struct wire_struct *shape, uint8_t *out, struct arena *arena);

static void fill_number(const struct wire_field *field, uint8_t *value, size_t bytes) {
  uint64_t number = field->bound && field->bound < 3 ? field->bound : 3;
  memcpy(value, &number, bytes); // little-endian, as all machines this runs on
}

static void fill_list(const struct wire_field *field, uint8_t *owner, struct arena *arena) {
  enum { PARTS = 2 };
  uint8_t *parts = arena_alloc_array(arena, PARTS, field->part->bytes);
  for (int i = 0; i < PARTS; i++) fill(field->part, parts + (size_t)i * field->part->bytes, arena);
  *(void **)(owner + field->offset) = parts;
  *(uint32_t *)(owner + field->count_offset) = PARTS;
}

static void fill_field(const struct wire_field *field, uint8_t *owner, struct arena *arena) {
  uint8_t *value = owner + field->offset;
  switch (field->type) {
  case WIRE_T_U8:
    return fill_number(field, value, 1);
  case WIRE_T_U16:
    return fill_number(field, value, 2);
  case WIRE_T_U32:
    return fill_number(field, value, 4);
  case WIRE_T_U64:
    return fill_number(field, value, 8);
  case WIRE_T_F64:
    *(double *)value = 1.5;
    return;
  case WIRE_T_TEXT:
  case WIRE_T_NOTE:
    *(const char **)value = field->name;
    return;
  case WIRE_T_BLOB:
    *(struct wire_blob *)value = (struct wire_blob){(const uint8_t *)field->name, (uint32_t)strlen(field->name)};
    return;
  case WIRE_T_DIGEST:
    *(struct digest *)value = digest_of_text(field->name);
    return;
  case WIRE_T_STATUS:
    *(enum farm_status *)value = FARM_TACTIC_WRONG;
    return;
  case WIRE_T_LEASE:
    *(struct wire_lease *)value = (struct wire_lease){5, 7};
    return;
  case WIRE_T_LIST:
    return fill_list(field, owner, arena);
  }
}

static void fill(const struct wire_struct *shape, uint8_t *out, struct arena *arena) {
  for (uint32_t i = 0; i < shape->field_count; i++) fill_field(&shape->fields[i], out, arena);
}

static const struct {
  enum wire_type type;
  const char *name;
} messages[] = {
#define X(name, body, number, sender) {WIRE_##name, #name},
    WIRE_MESSAGE_LIST(X)
#undef X
};
enum { MESSAGES = sizeof messages / sizeof *messages };

static enum wire_type type_of(const char *name) {
  for (int i = 0; i < MESSAGES; i++)
    if (strcmp(messages[i].name, name) == 0) return messages[i].type;
  test_fail(__FILE__, __LINE__, "no message %s", name);
  test_stop();
}

static void filled(struct bytes_writer *out, const char *name) {
  struct arena arena = {0};
  struct wire_message message = {.type = type_of(name)};
  fill(wire_struct_of(message.type), (uint8_t *)&message.hello, &arena);
  REQUIRE_OK(wire_encode(&message, out));
  arena_free(&arena);
}

static void empty(struct bytes_writer *out, const char *name) { // texts and lists of nothing, numbers 0
  REQUIRE_OK(wire_encode(&(struct wire_message){.type = type_of(name)}, out));
}

/* ---- wrong: frames by hand, or right ones spoiled ---- */

static void begin(struct bytes_writer *out, uint8_t version, enum wire_type type) {
  bytes_put_u16(out, 0x7466);
  bytes_put_u8(out, version);
  bytes_put_u8(out, (uint8_t)type);
}

static void put_zeros(struct bytes_writer *out, size_t count) {
  for (size_t i = 0; i < count; i++) bytes_put_u8(out, 0);
}

static void put_long_text(struct bytes_writer *out, size_t length) {
  bytes_put_u32(out, (uint32_t)length);
  for (size_t i = 0; i < length; i++) bytes_put_u8(out, 'x');
}

static void nothing(struct bytes_writer *out, const char *with) { (void)out, (void)with; }
static void head_only(struct bytes_writer *out, const char *name) { begin(out, 1, type_of(name)); }

static void wrong_magic(struct bytes_writer *out, const char *name) {
  filled(out, name);
  out->data[0] ^= 0xff;
}

static void later_version(struct bytes_writer *out, const char *name) { // with a field that version 1 does not know
  filled(out, name);
  out->data[2] = 2;
  bytes_put_u32(out, 7);
}

static void unknown_message(struct bytes_writer *out, const char *with) {
  (void)with;
  begin(out, 1, (enum wire_type)200);
  put_zeros(out, 16);
}

static void cut(struct bytes_writer *out, const char *name) {
  filled(out, name);
  out->length = out->length * 2 / 3;
}

static void cut_by_a_byte(struct bytes_writer *out, const char *name) {
  filled(out, name);
  out->length--;
}

static void longer_by_a_byte(struct bytes_writer *out, const char *name) {
  filled(out, name);
  bytes_put_u8(out, 0);
}

static void number_above_bound(struct bytes_writer *out, const char *with) {
  (void)with;
  begin(out, 1, WIRE_READY);
  bytes_put_u32(out, 65);
}

/* A STATUS_REPLY up to its first list, of `workers`. */
static void status_reply_of(struct bytes_writer *out, uint32_t workers) {
  begin(out, 1, WIRE_STATUS_REPLY);
  bytes_put_u32(out, 1), bytes_put_u64(out, 2), bytes_put_f64(out, 3), bytes_put_string(out, "/cache");
  bytes_put_u32(out, workers);
}

static void huge_count(struct bytes_writer *out, const char *with) {
  (void)with;
  status_reply_of(out, UINT32_MAX);
  put_zeros(out, 64);
}

static void count_of_one_too_many(struct bytes_writer *out, const char *with) { // the two lists behind it make no worker
  (void)with;
  status_reply_of(out, 1);
  put_zeros(out, 8);
}

static void count_above_bound(struct bytes_writer *out, const char *with) { // nine running jobs, allowed are eight
  (void)with;
  empty(out, "HELLO");
  out->length -= 4;
  bytes_put_u32(out, 9);
  for (int i = 0; i < 9; i++) {
    struct bytes_writer job = {0};
    empty(&job, "JOB");
    bytes_put(out, job.data + 4, job.length - 4);
    bytes_writer_free(&job);
  }
}

static void text_above_bound(struct bytes_writer *out, const char *with) {
  (void)with;
  begin(out, 1, WIRE_DRAIN);
  put_long_text(out, 256);
}

static void text_beyond_the_end(struct bytes_writer *out, const char *with) {
  (void)with;
  begin(out, 1, WIRE_BYE);
  bytes_put_u32(out, UINT32_MAX);
  bytes_put(out, "bye", 3);
}

static void text_of_control(struct bytes_writer *out, const char *text) {
  begin(out, 1, WIRE_BYE);
  bytes_put_string(out, text);
}

static void text_with_a_zero(struct bytes_writer *out, const char *with) {
  (void)with;
  begin(out, 1, WIRE_BYE);
  bytes_put_blob(out, "b\0ye", 4);
}

static void blob_above_bound(struct bytes_writer *out, const char *with) { // what was screened of an item: 512 at most
  (void)with;
  begin(out, 1, WIRE_FOUND);
  bytes_put_u32(out, 1), bytes_put_u8(out, 0), bytes_put_u32(out, 1);
  bytes_put_u32(out, 0), bytes_put_u8(out, 1), bytes_put_string(out, "record");
  put_long_text(out, 513);
}

static void blob_beyond_the_end(struct bytes_writer *out, const char *name) {
  filled(out, name);
  memset(out->data + out->length - 8, 0xff, 4); // the length before the four bytes "data"
}

static void amount(struct bytes_writer *out, double eta_s) {
  begin(out, 1, WIRE_PROGRESS);
  put_zeros(out, DIGEST_BYTES);
  bytes_put_f64(out, eta_s);
  put_zeros(out, 8);
}
static void amount_of_nan(struct bytes_writer *out, const char *with) { (void)with, amount(out, NAN); }
static void amount_below_zero(struct bytes_writer *out, const char *with) { (void)with, amount(out, -0.0); }
static void amount_without_end(struct bytes_writer *out, const char *with) { (void)with, amount(out, INFINITY); }

static void unknown_status(struct bytes_writer *out, const char *name) { // one that a later version made
  begin(out, 1, WIRE_FAULT);
  bytes_put_u32(out, 4), bytes_put_string(out, name), bytes_put_string(out, "tired");
}

static const struct specimen specimens[] = {
    {"hello", filled, FARM_OK, NULL, "HELLO"},
    {"welcome", filled, FARM_OK, NULL, "WELCOME"},
    {"refuse", filled, FARM_OK, NULL, "REFUSE"},
    {"heartbeat", filled, FARM_OK, NULL, "HEARTBEAT"},
    {"bye", filled, FARM_OK, NULL, "BYE"},
    {"fault", filled, FARM_OK, NULL, "FAULT"},
    {"submit", filled, FARM_OK, NULL, "SUBMIT"},
    {"accepted", filled, FARM_OK, NULL, "ACCEPTED"},
    {"attach", filled, FARM_OK, NULL, "ATTACH"},
    {"progress", filled, FARM_OK, NULL, "PROGRESS"},
    {"result", filled, FARM_OK, NULL, "RESULT"},
    {"done", filled, FARM_OK, NULL, "DONE"},
    {"close", filled, FARM_OK, NULL, "CLOSE"},
    {"cancel", filled, FARM_OK, NULL, "CANCEL"},
    {"status", filled, FARM_OK, NULL, "STATUS"},
    {"status-reply", filled, FARM_OK, NULL, "STATUS_REPLY"},
    {"lookup", filled, FARM_OK, NULL, "LOOKUP"},
    {"found", filled, FARM_OK, NULL, "FOUND"},
    {"cache", filled, FARM_OK, NULL, "CACHE"},
    {"cache-reply", filled, FARM_OK, NULL, "CACHE_REPLY"},
    {"drain", filled, FARM_OK, NULL, "DRAIN"},
    {"execute", filled, FARM_OK, NULL, "EXECUTE"},
    {"executed", filled, FARM_OK, NULL, "EXECUTED"},
    {"ready", filled, FARM_OK, NULL, "READY"},
    {"job", filled, FARM_OK, NULL, "JOB"},
    {"started", filled, FARM_OK, NULL, "STARTED"},
    {"partial", filled, FARM_OK, NULL, "PARTIAL"},
    {"finished", filled, FARM_OK, NULL, "FINISHED"},
    {"return", filled, FARM_OK, NULL, "RETURN"},
    {"stored", filled, FARM_OK, NULL, "STORED"},
    {"stop", filled, FARM_OK, NULL, "STOP"},
    {"blob-put", filled, FARM_OK, NULL, "BLOB_PUT"},
    {"blob-state", filled, FARM_OK, NULL, "BLOB_STATE"},
    {"blob-get", filled, FARM_OK, NULL, "BLOB_GET"},
    {"blob-chunk", filled, FARM_OK, NULL, "BLOB_CHUNK"},
    {"empty-job", empty, FARM_OK, NULL, "JOB"},
    {"later-hello", later_version, FARM_OK, NULL, "HELLO"},
    {"later-status", unknown_status, FARM_OK, NULL, "OVERWORKED"},
    {"later-submit", later_version, FARM_MISMATCH, "protocol 2, this build speaks 1", "SUBMIT"},
    {"nothing", nothing, FARM_INVALID, "not a frame", NULL},
    {"wrong-magic", wrong_magic, FARM_INVALID, "not a frame", "HEARTBEAT"},
    {"unknown-message", unknown_message, FARM_INVALID, "message 200 is unknown", NULL},
    {"head-only", head_only, FARM_INVALID, "lease: cut short", "STARTED"},
    {"cut", cut, FARM_INVALID, "problem is no text in its bounds", "SUBMIT"},
    {"cut-by-a-byte", cut_by_a_byte, FARM_INVALID, "cut short", "JOB"},
    {"longer-by-a-byte", longer_by_a_byte, FARM_INVALID, "bytes after its end", "STORED"},
    {"number-above-bound", number_above_bound, FARM_INVALID, "credits is above its bound", NULL},
    {"huge-count", huge_count, FARM_INVALID, "workers: cut short or too many", NULL},
    {"count-of-one-too-many", count_of_one_too_many, FARM_INVALID, "workers: cut short or too many", NULL},
    {"count-above-bound", count_above_bound, FARM_INVALID, "running: cut short or too many", NULL},
    {"text-above-bound", text_above_bound, FARM_INVALID, "reason is no text in its bounds", NULL},
    {"text-beyond-the-end", text_beyond_the_end, FARM_INVALID, "reason is no text in its bounds", NULL},
    {"text-of-two-lines", text_of_control, FARM_INVALID, "reason is no text in its bounds", "two\nlines"},
    {"text-with-a-zero", text_with_a_zero, FARM_INVALID, "reason is no text in its bounds", NULL},
    {"blob-above-bound", blob_above_bound, FARM_INVALID, "screened: cut short or too long", NULL},
    {"blob-beyond-the-end", blob_beyond_the_end, FARM_INVALID, "data: cut short or too long", "BLOB_CHUNK"},
    {"amount-of-nan", amount_of_nan, FARM_INVALID, "eta_s is no amount", NULL},
    {"amount-below-zero", amount_below_zero, FARM_INVALID, "eta_s is no amount", NULL},
    {"amount-without-end", amount_without_end, FARM_INVALID, "eta_s is no amount", NULL},
};

/* What is accepted is written as it was, but for what a later version put there. */
static enum farm_status read_frame(const struct specimen *specimen, const uint8_t *data, size_t length) {
  struct arena arena = {0};
  struct bytes_writer again = {0};
  struct wire_message message;
  enum farm_status status = wire_decode(data, length, &arena, &message);
  if (status == FARM_OK && strncmp(specimen->name, "later-", 6) != 0) {
    REQUIRE_OK(wire_encode(&message, &again));
    CHECK_MESSAGE(again.length == length && memcmp(again.data, data, length) == 0, "%s is written otherwise", specimen->name);
  }
  bytes_writer_free(&again);
  arena_free(&arena);
  return status;
}

static const struct corpus corpus = {"wire", specimens, sizeof specimens / sizeof *specimens, read_frame, wire_fuzz_one};

TEST(wire_corpus_is_read_as_its_specimens_say, "") { corpus_check_specimens(&corpus); }
TEST(wire_corpus_is_survived, "") { corpus_run(&corpus); }

TEST(wire_corpus_has_every_message, "") {
  for (int i = 0; i < MESSAGES; i++) {
    bool found = false;
    for (int k = 0; k < corpus.count; k++)
      found |= specimens[k].build == filled && specimens[k].status == FARM_OK && strcmp(specimens[k].with, messages[i].name) == 0;
    CHECK_MESSAGE(found, "no specimen of %s", messages[i].name);
  }
}
