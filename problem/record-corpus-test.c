/* Records to start the record fuzzer from, and a regression test: every shape of docs/formats/record.md, and one per way of
 * breaking its rules. They are written by hand as the page says, not by record_encode, which refuses what is wrong. */
#include "record.h"

#include "../tests/corpus/corpus-test.h"

#include <math.h>

#define LLVMFuzzerTestOneInput record_fuzz_one
#include "record-fuzz.c"
#undef LLVMFuzzerTestOneInput

#define SOURCE "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define SOURCE_UPPER "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"

/* ---- a record as the page writes it, whatever it holds ---- */

enum { MOST_ENTRIES = 4, FINALIST = 1, DEFAULT = 2 };

struct draft_entry {
  const char *variant, *source, *status, *message;
  double error;
  uint64_t workspace;
  uint8_t flags;
  uint32_t rank, n;
  double times[8]; // min q1 median q3 max mean ci_low ci_high
};

struct draft {
  uint16_t version, content;
  const char *key; // NULL: the right one
  uint8_t kind;
  const char *problem, *device_class, *policy, *clocks;
  uint32_t clocks_bytes; // 0: those of the text
  uint32_t threads;
  double device_s;
  uint32_t entry_count, stated_count; // stated 0: the count
  struct draft_entry entries[MOST_ENTRIES];
};

static void put_entry(struct bytes_writer *out, const struct draft_entry *entry) {
  const char *const texts[] = {entry->variant, entry->source, entry->status, entry->message};
  for (int i = 0; i < 4; i++) bytes_put_string(out, texts[i]);
  bytes_put_f64(out, entry->error);
  bytes_put_u64(out, entry->workspace);
  bytes_put_u8(out, entry->flags);
  bytes_put_u32(out, entry->rank);
  bytes_put_u32(out, entry->n);
  for (int i = 0; i < 8; i++) bytes_put_f64(out, entry->times[i]);
}

static void put_payload(struct bytes_writer *out, const struct draft *draft) {
  bytes_put_u8(out, draft->kind);
  bytes_put_string(out, draft->problem);
  bytes_put_string(out, draft->device_class);
  bytes_put_string(out, draft->policy);
  bytes_put_u32(out, draft->threads);
  bytes_put_string(out, "host/cores 0");
  bytes_put_string(out, "0.1");
  bytes_put_blob(out, draft->clocks, draft->clocks_bytes ? draft->clocks_bytes : strlen(draft->clocks));
  bytes_put_u64(out, 1700000000);
  bytes_put_f64(out, draft->device_s);
  bytes_put_u32(out, draft->stated_count ? draft->stated_count : draft->entry_count);
  for (uint32_t i = 0; i < draft->entry_count; i++) put_entry(out, &draft->entries[i]);
}

static void seal(struct bytes_writer *out) {
  struct digest checksum = digest_of(out->data, out->length);
  bytes_put(out, checksum.bytes, sizeof checksum.bytes);
}

/* `payload_more`: bytes that the payload has behind its end, or lacks; `more`: that stand behind the payload. */
static void put_envelope(struct bytes_writer *out, const struct draft *draft, int payload_more, size_t more) {
  char key[1024];
  struct bytes_writer payload = {0};
  const struct draft_entry *entry = &draft->entries[0];
  if (draft->kind == RECORD_SCREEN)
    snprintf(key, sizeof key, "screen|1|%s|%s|%s|%s|t%u|%s", draft->problem, entry->variant, entry->source, draft->device_class,
             draft->threads, draft->policy);
  else
    snprintf(key, sizeof key, "final|1|%s|%s|t%u|%s", draft->problem, draft->device_class, draft->threads, draft->policy);
  put_payload(&payload, draft);
  for (int i = 0; i < payload_more; i++) bytes_put_u8(&payload, 0);
  bytes_put(out, "TFRC", 4);
  bytes_put_u16(out, draft->version);
  bytes_put_u16(out, draft->content);
  bytes_put_string(out, draft->key ? draft->key : key);
  bytes_put_blob(out, payload.data, payload_more < 0 ? payload.length - (size_t)-payload_more : payload.length);
  for (size_t i = 0; i < more; i++) bytes_put_u8(out, 0);
  seal(out);
  bytes_writer_free(&payload);
}

static void put(struct bytes_writer *out, const struct draft *draft) { put_envelope(out, draft, 0, 0); }

/* ---- right ---- */

#define TIMES(median)                                                                                                            \
  { (median) * 0.5, (median)*0.75, median, (median)*1.25, (median)*2, median, median, (median)*1.25 }

static struct draft screen(void) {
  return (struct draft){
      .version = 1,
      .content = 1,
      .kind = RECORD_SCREEN,
      .problem = "gemm m1 n2 k3 f32 acc:f32",
      .device_class = "cpu vendor:amd",
      .policy = "cold/1 effort2",
      .clocks = "mhz 3850-4100",
      .threads = 2,
      .device_s = 1.5,
      .entry_count = 1,
      .entries = {{"gemm_f32__any__baseline{kc=8}", SOURCE, "OK", "", 0.25, 64, 0, RECORD_RANK_NONE, 10, TIMES(1000)}}};
}

static struct draft failed(const char *status) {
  struct draft draft = screen();
  draft.entries[0] =
      (struct draft_entry){"gemm_f32__any__avx2", SOURCE, status, "because", INFINITY, 0, 0, RECORD_RANK_NONE, 0, {0}};
  return draft;
}

static struct draft final(void) { // two that tie, the default behind them, one that is out
  struct draft draft = screen();
  draft.kind = RECORD_FINAL;
  draft.entry_count = 4;
  draft.entries[0] = (struct draft_entry){"a__x__avx2", SOURCE, "OK", "", 0, 64, FINALIST, 0, 10, TIMES(1000)};
  draft.entries[1] = (struct draft_entry){"b__x__avx2", SOURCE, "OK", "", 0, 0, FINALIST, 0, 10, TIMES(1008)};
  draft.entries[2] = (struct draft_entry){"c__x__avx2", SOURCE, "OK", "", 0, 0, FINALIST | DEFAULT, 2, 10, TIMES(2048)};
  draft.entries[3] =
      (struct draft_entry){"d__x__avx2", SOURCE, "TACTIC_WRONG", "off by 3 at 17", 12, 0, 0, RECORD_RANK_NONE, 3, TIMES(512)};
  return draft;
}

static void screen_of(struct bytes_writer *out, const char *problem) {
  struct draft draft = screen();
  if (problem) draft.problem = problem;
  put(out, &draft);
}
static void failed_with(struct bytes_writer *out, const char *status) {
  struct draft draft = failed(status);
  put(out, &draft);
}
static void final_of_four(struct bytes_writer *out, const char *with) {
  struct draft draft = final();
  (void)with, put(out, &draft);
}
static void final_of_one(struct bytes_writer *out, const char *with) {
  struct draft draft = final();
  draft.entry_count = 1;
  (void)with, put(out, &draft);
}

/* ---- wrong ---- */

static void nothing(struct bytes_writer *out, const char *with) { (void)out, (void)with; }

static void cut(struct bytes_writer *out, const char *with) {
  final_of_four(out, with);
  out->length -= 40;
}
static void flipped(struct bytes_writer *out, const char *with) {
  screen_of(out, with);
  out->data[out->length / 2] ^= 1;
}
static void checksum_alone(struct bytes_writer *out, const char *with) { (void)with, seal(out); }

static void wrong_magic(struct bytes_writer *out, const char *with) {
  screen_of(out, with);
  out->length -= DIGEST_BYTES;
  out->data[3] = 'X';
  seal(out);
}
static void key_beyond_the_end(struct bytes_writer *out, const char *with) {
  (void)with;
  bytes_put(out, "TFRC\1\0\1\0", 8);
  bytes_put_u32(out, UINT32_MAX);
  bytes_put(out, "screen|1|", 9);
  seal(out);
}

static void cut_payload(struct bytes_writer *out, const char *with) {
  struct draft draft = final();
  (void)with, put_envelope(out, &draft, -1, 0);
}
static void longer_payload(struct bytes_writer *out, const char *with) {
  struct draft draft = final();
  (void)with, put_envelope(out, &draft, 1, 0);
}
static void longer_envelope(struct bytes_writer *out, const char *with) {
  struct draft draft = final();
  (void)with, put_envelope(out, &draft, 0, 1);
}

/* A right final with one change. */
// clang-format off
#define SPOILED(name, change)                                                                                \
  static void name(struct bytes_writer *out, const char *with) {                                             \
    struct draft draft = final();                                                                            \
    struct draft_entry *entries = draft.entries;                                                             \
    (void)with, (void)entries;                                                                               \
    change;                                                                                                  \
    put(out, &draft);                                                                                        \
  }
SPOILED(later_version, draft.version = 2)
SPOILED(artefact, draft.content = 2)
SPOILED(other_key, draft.key = "final|1|gemm m1 n2 k4 f32 acc:f32|cpu vendor:amd|t2|cold/1 effort2")
SPOILED(huge_count, draft.stated_count = UINT32_MAX)
SPOILED(count_of_one_too_many, draft.stated_count = 5)
SPOILED(no_entries, draft.entry_count = 0)
SPOILED(unknown_kind, draft.kind = 3)
SPOILED(screen_of_two, draft = screen(); draft.entry_count = 2; entries[1] = entries[0]; entries[1].variant = "h")
SPOILED(variant_twice, entries[1] = entries[0])
SPOILED(unsorted, entries[1].variant = "a")
SPOILED(unknown_status, entries[3].status = "BROKEN")
SPOILED(status_of_no_tactic, entries[3].status = "IO")
SPOILED(ok_without_times, entries[2].n = 0; memset(entries[2].times, 0, sizeof entries[2].times))
SPOILED(times_without_samples, entries[3].n = 0)
SPOILED(time_of_nan, entries[0].times[5] = NAN)
SPOILED(time_below_zero, entries[0].times[0] = -0.0)
SPOILED(quartiles_out_of_order, entries[0].times[1] = 1001)
SPOILED(interval_beside_median, entries[0].times[6] = 1001)
SPOILED(error_of_nan, entries[3].error = NAN)
SPOILED(error_of_infinity, entries[0].error = INFINITY)
SPOILED(unknown_flag, entries[0].flags |= 4)
SPOILED(rank_of_no_finalist, entries[3].rank = 1)
SPOILED(source_in_upper_case, entries[0].source = SOURCE_UPPER)
SPOILED(no_threads, draft.threads = 0)
SPOILED(bar_in_policy, draft.policy = "cold|1")
SPOILED(text_of_two_lines, draft.clocks = "two\nlines")
SPOILED(text_with_a_zero, draft.clocks_bytes = (uint32_t)strlen(draft.clocks) + 1)
// clang-format on

static const struct specimen specimens[] = {
    {"screen", screen_of, FARM_OK, NULL, NULL},
    {"screen-with-a-bar", screen_of, FARM_OK, NULL, "op acme|odd.Foo-1 in:f32[1] out:f32[1]"},
    {"screen-wrong", failed_with, FARM_OK, NULL, "TACTIC_WRONG"},
    {"screen-crashed", failed_with, FARM_OK, NULL, "TACTIC_CRASHED"},
    {"screen-hung", failed_with, FARM_OK, NULL, "TACTIC_HUNG"},
    {"screen-overran", failed_with, FARM_OK, NULL, "TACTIC_OVERRAN"},
    {"screen-refused", failed_with, FARM_OK, NULL, "TACTIC_REFUSED"},
    {"final", final_of_four, FARM_OK, NULL, NULL},
    {"final-of-one", final_of_one, FARM_OK, NULL, NULL},
    {"nothing", nothing, FARM_INVALID, "cut short", NULL},
    {"cut", cut, FARM_INVALID, "checksum does not match", NULL},
    {"flipped-bit", flipped, FARM_INVALID, "checksum does not match", NULL},
    {"checksum-alone", checksum_alone, FARM_INVALID, "not a record", NULL},
    {"wrong-magic", wrong_magic, FARM_INVALID, "not a record", NULL},
    {"key-beyond-the-end", key_beyond_the_end, FARM_INVALID, "cut short or too long", NULL},
    {"cut-payload", cut_payload, FARM_INVALID, "wrong length", NULL},
    {"longer-payload", longer_payload, FARM_INVALID, "wrong length", NULL},
    {"longer-envelope", longer_envelope, FARM_INVALID, "cut short or too long", NULL},
    {"later-version", later_version, FARM_MISMATCH, "version 2, this build reads 1", NULL},
    {"artefact", artefact, FARM_MISMATCH, "content 2", NULL},
    {"other-key", other_key, FARM_INVALID, "key is not the one of its payload", NULL},
    {"huge-count", huge_count, FARM_INVALID, "cut short or too many entries", NULL},
    {"count-of-one-too-many", count_of_one_too_many, FARM_INVALID, "cut short or too many entries", NULL},
    {"no-entries", no_entries, FARM_INVALID, "0 entries", NULL},
    {"unknown-kind", unknown_kind, FARM_INVALID, "unknown kind 3", NULL},
    {"screen-of-two", screen_of_two, FARM_INVALID, "2 entries", NULL},
    {"variant-twice", variant_twice, FARM_INVALID, "not sorted", NULL},
    {"unsorted", unsorted, FARM_INVALID, "not sorted", NULL},
    {"unknown-status", unknown_status, FARM_INVALID, "cannot have status ?", NULL},
    {"status-of-no-tactic", status_of_no_tactic, FARM_INVALID, "cannot have status IO", NULL},
    {"ok-without-times", ok_without_times, FARM_INVALID, "without times", NULL},
    {"times-without-samples", times_without_samples, FARM_INVALID, "is no time", NULL},
    {"time-of-nan", time_of_nan, FARM_INVALID, "time 5 of a__x__avx2 is no time", NULL},
    {"time-below-zero", time_below_zero, FARM_INVALID, "time 0 of a__x__avx2 is no time", NULL},
    {"quartiles-out-of-order", quartiles_out_of_order, FARM_INVALID, "out of order", NULL},
    {"interval-beside-median", interval_beside_median, FARM_INVALID, "misses its median", NULL},
    {"error-of-infinity", error_of_infinity, FARM_INVALID, "is no error", NULL},
    {"error-of-nan", error_of_nan, FARM_INVALID, "is no error", NULL},
    {"unknown-flag", unknown_flag, FARM_INVALID, "wrong length", NULL},
    {"rank-of-no-finalist", rank_of_no_finalist, FARM_INVALID, "does not fit", NULL},
    {"source-in-upper-case", source_in_upper_case, FARM_INVALID, "is no digest", NULL},
    {"no-threads", no_threads, FARM_INVALID, "0 threads", NULL},
    {"bar-in-policy", bar_in_policy, FARM_INVALID, "'|' in its class or policy", NULL},
    {"text-of-two-lines", text_of_two_lines, FARM_INVALID, "control character in its clocks", NULL},
    {"text-with-a-zero", text_with_a_zero, FARM_INVALID, "cut short", NULL},
};

static enum farm_status read_record(const struct specimen *specimen, const uint8_t *data, size_t length) {
  struct arena arena = {0};
  struct bytes_writer again = {0};
  struct record record;
  enum farm_status result = record_decode(data, length, &arena, &record);
  if (result == FARM_OK) {
    REQUIRE_OK(record_encode(&record, &again));
    CHECK_MESSAGE(again.length == length && memcmp(again.data, data, length) == 0, "%s is written otherwise", specimen->name);
  }
  bytes_writer_free(&again);
  arena_free(&arena);
  return result;
}

static const struct corpus corpus = {"record", specimens, sizeof specimens / sizeof *specimens, read_record, record_fuzz_one};

TEST(record_corpus_is_read_as_its_specimens_say, "") { corpus_check_specimens(&corpus); }
TEST(record_corpus_is_survived, "") { corpus_run(&corpus); }
