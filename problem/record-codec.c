/* Records to canonical bytes and back. Normative: docs/formats/record.md.
 *
 * A record enters, an envelope with its key, payload and checksum leaves. One function judges records (`check_record`); both
 * directions use it, so the decoder accepts exactly what the encoder writes.
 */
#include "record.h"

#include "envelope.h"

#include <math.h>
#include <string.h>

enum {
  FLAG_FINALIST = 1,
  FLAG_DEFAULT = 2,
  LEAST_ENTRY_BYTES = 4 + 1 + 4 + 64 + 4 + 2 + 4 + 8 + 8 + 1 + 4 + 4 + 64
};

static enum farm_status check_text(const char *what, const char *text, size_t least, size_t most) {
  FAIL_IF(!text, FARM_INVALID, "record: no %s", what);
  size_t length = strlen(text);
  FAIL_IF(length < least || length > most, FARM_INVALID, "record: %s has %zu bytes, allowed are %zu to %zu", what, length, least,
          most);
  for (size_t i = 0; i < length; i++)
    FAIL_IF((unsigned char)text[i] < 0x20 || text[i] == 0x7f, FARM_INVALID, "record: control character in its %s", what);
  return FARM_OK;
}

static bool number_ok(double value) { return isfinite(value) && !signbit(value); }

static enum farm_status check_times(const struct record_entry *entry) {
  const struct record_times *t = &entry->times;
  const double all[] = {t->min, t->q1, t->median, t->q3, t->max, t->mean, t->ci_low, t->ci_high};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    FAIL_IF(!number_ok(all[i]) || (t->n == 0 && all[i] != 0), FARM_INVALID, "record: time %zu of %s is no time", i,
            entry->variant);
  FAIL_IF(!(t->min <= t->q1 && t->q1 <= t->median && t->median <= t->q3 && t->q3 <= t->max), FARM_INVALID,
          "record: quartiles of %s are out of order", entry->variant);
  FAIL_IF(!(t->ci_low <= t->median && t->median <= t->ci_high), FARM_INVALID, "record: interval of %s misses its median",
          entry->variant);
  return FARM_OK;
}

static bool is_hex_digest(const char *text) {
  struct digest digest;
  return text && digest_from_hex(text, &digest);
}

static enum farm_status check_entry(const struct record_entry *entry, enum record_kind kind) {
  TRY(check_text("variant", entry->variant, 1, 191));
  TRY(check_text("message", entry->message, 0, 511));
  FAIL_IF(!is_hex_digest(entry->source_digest), FARM_INVALID, "record: source digest of %s is no digest", entry->variant);
  FAIL_IF(entry->status != FARM_OK && status_loses(entry->status) != LOSES_TACTIC, FARM_INVALID,
          "record: %s cannot have status %s", entry->variant, status_name(entry->status));
  FAIL_IF(entry->status == FARM_OK && (entry->message[0] || entry->times.n == 0), FARM_INVALID,
          "record: %s is OK with a message or without times", entry->variant);
  FAIL_IF(isnan(entry->error) || signbit(entry->error) || (entry->status == FARM_OK && isinf(entry->error)), FARM_INVALID,
          "record: error of %s is no error", entry->variant);
  FAIL_IF(kind == RECORD_SCREEN && entry->finalist, FARM_INVALID, "record: a screen has no finalist");
  bool ranked = entry->finalist && entry->status == FARM_OK;
  FAIL_IF(ranked != (entry->rank != RECORD_RANK_NONE), FARM_INVALID, "record: rank of %s does not fit", entry->variant);
  return check_times(entry);
}

static enum farm_status check_record(const struct record *record) {
  FAIL_IF(record->kind != RECORD_SCREEN && record->kind != RECORD_FINAL, FARM_INVALID, "record: unknown kind %d",
          (int)record->kind);
  TRY(check_text("problem", record->problem, 1, RECORD_PROBLEM_MOST));
  TRY(check_text("device class", record->device_class, 1, 255));
  TRY(check_text("policy", record->policy, 1, 127));
  TRY(check_text("device", record->device, 0, 255));
  TRY(check_text("build", record->build, 0, 255));
  TRY(check_text("clocks", record->clocks, 0, 255));
  FAIL_IF(strchr(record->device_class, '|') || strchr(record->policy, '|'), FARM_INVALID, "record: '|' in its class or policy");
  FAIL_IF(record->threads < 1 || record->threads > 4096, FARM_INVALID, "record: %u threads", record->threads);
  FAIL_IF(!number_ok(record->device_s), FARM_INVALID, "record: device time is no time");
  uint32_t most = record->kind == RECORD_SCREEN ? 1 : RECORD_ENTRIES_MOST;
  FAIL_IF(record->entry_count < 1 || record->entry_count > most, FARM_INVALID, "record: %u entries", record->entry_count);
  for (uint32_t i = 0; i < record->entry_count; i++) {
    TRY(check_entry(&record->entries[i], record->kind));
    FAIL_IF(strchr(record->entries[i].variant, '|'), FARM_INVALID, "record: '|' in variant %s", record->entries[i].variant);
    FAIL_IF(i && strcmp(record->entries[i - 1].variant, record->entries[i].variant) >= 0, FARM_INVALID,
            "record: entries are not sorted by variant");
  }
  return FARM_OK;
}

static void put_entry(struct bytes_writer *out, const struct record_entry *entry) {
  bytes_put_string(out, entry->variant);
  bytes_put_string(out, entry->source_digest);
  bytes_put_string(out, status_name(entry->status));
  bytes_put_string(out, entry->message);
  bytes_put_f64(out, entry->error);
  bytes_put_u64(out, entry->workspace_bytes);
  bytes_put_u8(out, (uint8_t)((entry->finalist ? FLAG_FINALIST : 0) | (entry->is_default ? FLAG_DEFAULT : 0)));
  bytes_put_u32(out, entry->rank);
  const struct record_times *t = &entry->times;
  bytes_put_u32(out, t->n);
  const double all[] = {t->min, t->q1, t->median, t->q3, t->max, t->mean, t->ci_low, t->ci_high};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) bytes_put_f64(out, all[i]);
}

static void put_payload(struct bytes_writer *out, const struct record *record) {
  bytes_put_u8(out, (uint8_t)record->kind);
  bytes_put_string(out, record->problem);
  bytes_put_string(out, record->device_class);
  bytes_put_string(out, record->policy);
  bytes_put_u32(out, record->threads);
  bytes_put_string(out, record->device);
  bytes_put_string(out, record->build);
  bytes_put_string(out, record->clocks);
  bytes_put_u64(out, record->unix_s);
  bytes_put_f64(out, record->device_s);
  bytes_put_u32(out, record->entry_count);
  for (uint32_t i = 0; i < record->entry_count; i++) put_entry(out, &record->entries[i]);
}

enum farm_status record_encode(const struct record *record, struct bytes_writer *out) {
  TRY(check_record(record));
  struct arena arena = {0};
  struct bytes_writer payload = {0};
  const char *key = record_key(record, &arena);
  put_payload(&payload, record);
  enum farm_status status = key ? envelope_write(ENVELOPE_RECORD, key, &payload, out) : FARM_NO_MEMORY;
  bytes_writer_free(&payload);
  arena_free(&arena);
  return status == FARM_OK ? FARM_OK : status_set(status, "record: out of memory");
}

static enum farm_status status_from_name(const char *name) {
  for (int code = 0; code < FARM_STATUS_COUNT; code++)
    if (strcmp(name, status_name((enum farm_status)code)) == 0) return (enum farm_status)code;
  return FARM_STATUS_COUNT;
}

static void get_entry(struct bytes_reader *in, struct arena *arena, struct record_entry *entry) {
  entry->variant = bytes_get_string(in, arena);
  entry->source_digest = bytes_get_string(in, arena);
  entry->status = status_from_name(bytes_get_string(in, arena));
  entry->message = bytes_get_string(in, arena);
  entry->error = bytes_get_f64(in);
  entry->workspace_bytes = bytes_get_u64(in);
  uint8_t flags = bytes_get_u8(in);
  if (flags & ~(FLAG_FINALIST | FLAG_DEFAULT)) in->failed = true;
  entry->finalist = flags & FLAG_FINALIST;
  entry->is_default = flags & FLAG_DEFAULT;
  entry->rank = bytes_get_u32(in);
  struct record_times *t = &entry->times;
  t->n = bytes_get_u32(in);
  double *const all[] = {&t->min, &t->q1, &t->median, &t->q3, &t->max, &t->mean, &t->ci_low, &t->ci_high};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) *all[i] = bytes_get_f64(in);
}

static enum farm_status get_payload(struct bytes_reader *in, struct arena *arena, struct record *record) {
  record->kind = (enum record_kind)bytes_get_u8(in);
  record->problem = bytes_get_string(in, arena);
  record->device_class = bytes_get_string(in, arena);
  record->policy = bytes_get_string(in, arena);
  record->threads = bytes_get_u32(in);
  record->device = bytes_get_string(in, arena);
  record->build = bytes_get_string(in, arena);
  record->clocks = bytes_get_string(in, arena);
  record->unix_s = bytes_get_u64(in);
  record->device_s = bytes_get_f64(in);
  record->entry_count = bytes_get_count(in, LEAST_ENTRY_BYTES);
  FAIL_IF(!bytes_reader_ok(in) || record->entry_count > RECORD_ENTRIES_MOST, FARM_INVALID,
          "record: cut short or too many entries");
  record->entries = arena_alloc_array(arena, record->entry_count, sizeof *record->entries);
  FAIL_IF(!record->entries, FARM_NO_MEMORY, "record: out of memory for %u entries", record->entry_count);
  for (uint32_t i = 0; i < record->entry_count; i++) get_entry(in, arena, &record->entries[i]);
  FAIL_IF(!bytes_reader_finished(in), FARM_INVALID, "record: payload has the wrong length");
  return check_record(record);
}

enum farm_status record_decode(const void *data, size_t length, struct arena *arena, struct record *out) {
  struct bytes_reader stored_key, payload;
  struct record record = {0};
  TRY(envelope_open(data, length, ENVELOPE_RECORD, "record", &stored_key, &payload));
  TRY(get_payload(&payload, arena, &record));
  const char *key = record_key(&record, arena);
  FAIL_IF(!key, FARM_NO_MEMORY, "record: out of memory");
  FAIL_IF(strlen(key) != stored_key.length || memcmp(key, stored_key.data, stored_key.length) != 0, FARM_INVALID,
          "record: its key is not the one of its payload");
  *out = record;
  return FARM_OK;
}
