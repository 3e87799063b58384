/* Bundles to start the bundle fuzzer from, and a regression test: every shape of docs/formats/bundle.md, and one per way of
 * breaking its rules. Frames are of raw blocks, written by hand, so that no version of zstd changes the files. */
#include "cache.h"

#include "../tests/corpus/corpus-test.h"

#define LLVMFuzzerTestOneInput bundle_fuzz_one
#include "bundle-fuzz.c"
#undef LLVMFuzzerTestOneInput

#define SOURCE "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* Where things stand in a bundle, in its content and in a content's first record. */
enum { VERSION_AT = 4, LENGTH_AT = 8, DIGEST_AT = 16, FRAME_AT = 48 };
enum { COUNT_AT = 8, RECORD_AT = CONTENT_HEAD_BYTES + DIGEST_BYTES + 4 };

/* ---- records ---- */

static struct bytes_writer record_of(enum record_kind kind, const char *problem, enum farm_status status) {
  bool timed = status == FARM_OK;
  struct record_entry entry = {.variant = "gemm_f32__any__baseline",
                               .source_digest = SOURCE,
                               .status = status,
                               .message = timed ? "" : "because",
                               .finalist = kind == RECORD_FINAL,
                               .is_default = kind == RECORD_FINAL,
                               .rank = kind == RECORD_FINAL ? 0 : RECORD_RANK_NONE};
  if (timed) entry.times = (struct record_times){10, 1, 2, 3, 4, 5, 3, 2, 4};
  struct record record = {.kind = kind,
                          .problem = problem,
                          .device_class = "cpu vendor:amd",
                          .policy = "cold/1",
                          .threads = 1,
                          .device = "host/cores 0",
                          .build = "0.1",
                          .clocks = "",
                          .unix_s = 1700000000,
                          .entry_count = 1,
                          .entries = &entry};
  struct bytes_writer out = {0};
  REQUIRE_OK(record_encode(&record, &out));
  return out;
}

/* A record as a content holds it: the digest of its key, its length, itself. */
static struct bytes_writer row_of(struct bytes_writer record) {
  struct bytes_writer row = {0};
  uint8_t key_digest[DIGEST_BYTES];
  record_mend(record.data, record.length, key_digest);
  bytes_put(&row, key_digest, sizeof key_digest);
  bytes_put_blob(&row, record.data, record.length);
  bytes_writer_free(&record);
  return row;
}

static int by_bytes(const void *a, const void *b) {
  return memcmp(((const struct bytes_writer *)a)->data, ((const struct bytes_writer *)b)->data, DIGEST_BYTES);
}

/* ---- contents ---- */

enum { SCREEN = 1, FINAL = 2, CRASHED = 4, ALL = 7 };

static void rows_put(struct bytes_writer *out, struct bytes_writer *rows, int count) {
  bytes_put(out, "TFBC\1\0\0\0", 8);
  bytes_put_u64(out, (uint64_t)count);
  for (int i = 0; i < count; i++) bytes_put(out, rows[i].data, rows[i].length), bytes_writer_free(&rows[i]);
}

static struct bytes_writer content_of(int which) {
  struct bytes_writer rows[3], out = {0};
  int count = 0;
  if (which & SCREEN) rows[count++] = row_of(record_of(RECORD_SCREEN, "gemm m1 n2 k3 f32 acc:f32", FARM_OK));
  if (which & FINAL) rows[count++] = row_of(record_of(RECORD_FINAL, "gemm m1 n2 k3 f32 acc:f32", FARM_OK));
  if (which & CRASHED) rows[count++] = row_of(record_of(RECORD_SCREEN, "gemm m9 n9 k9 f32 acc:f32", FARM_TACTIC_CRASHED));
  qsort(rows, (size_t)count, sizeof *rows, by_bytes);
  rows_put(&out, rows, count);
  return out;
}

/* ---- frames: RFC 8878, a single segment with its size, raw blocks of at most `block` bytes ---- */

static void frame_put(struct bytes_writer *out, const uint8_t *content, size_t length, size_t block) {
  bytes_put_u32(out, 0xfd2fb528);
  bytes_put_u8(out, 0xa0);
  bytes_put_u32(out, (uint32_t)length);
  for (size_t at = 0, bytes; at < length || at == 0; at += bytes) {
    bytes = length - at < block ? length - at : block;
    uint32_t head = (uint32_t)(bytes << 3) | (at + bytes == length);
    for (int i = 0; i < 3; i++) bytes_put_u8(out, (uint8_t)(head >> (8 * i)));
    bytes_put(out, content + at, bytes);
    if (!length) break;
  }
}

static void bundle_put(struct bytes_writer *out, struct bytes_writer content, size_t block) {
  struct digest digest = digest_of(content.data, content.length);
  bytes_put(out, "TFBZ\1\0\0\0", 8);
  bytes_put_u64(out, content.length);
  bytes_put(out, digest.bytes, DIGEST_BYTES);
  frame_put(out, content.data, content.length, block);
  bytes_writer_free(&content);
}
static void bundle_of(struct bytes_writer *out, int which) { bundle_put(out, content_of(which), 4096); }

static void patch(struct bytes_writer *out, size_t at, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) out->data[at + i] = (uint8_t)(value >> (8 * i));
}

/* ---- right ---- */

// clang-format off
#define BUILDER(name, ...) static void name(struct bytes_writer *out, const char *with) { (void)with; __VA_ARGS__; }
/* A content changed before it is packed. */
#define SPOILED(name, which, change)                                                                         \
  static void name(struct bytes_writer *out, const char *with) {                                             \
    struct bytes_writer content = content_of(which);                                                         \
    (void)with;                                                                                              \
    change;                                                                                                  \
    bundle_put(out, content, 4096);                                                                          \
  }
BUILDER(empty, bundle_of(out, 0))
BUILDER(screen, bundle_of(out, SCREEN))
BUILDER(crashed, bundle_of(out, CRASHED))
BUILDER(final, bundle_of(out, FINAL))
BUILDER(three, bundle_of(out, ALL))
BUILDER(small_blocks, bundle_put(out, content_of(ALL), 100))

/* ---- contents alone: not bundles, but where the fuzzer changes records ---- */

BUILDER(content_of_none, *out = content_of(0))
BUILDER(content_of_one, *out = content_of(FINAL))
BUILDER(content_of_three, *out = content_of(ALL))

/* ---- wrong outside ---- */

BUILDER(nothing, (void)out)
BUILDER(magic_alone, bytes_put(out, "TFBZ", 4))
BUILDER(head_cut, bundle_of(out, ALL); out->length = FRAME_AT - 1)
BUILDER(later_version, bundle_of(out, ALL); patch(out, VERSION_AT, 2, 4))
BUILDER(length_above_bound, bundle_of(out, ALL); patch(out, LENGTH_AT, 1 << 30 | 1, 8))
BUILDER(length_huge, bundle_of(out, ALL); patch(out, LENGTH_AT, UINT64_MAX, 8))
BUILDER(length_impossible, bundle_of(out, 0); patch(out, LENGTH_AT, 1 << 29, 8))
BUILDER(length_too_short, bundle_of(out, 0); patch(out, LENGTH_AT, CONTENT_HEAD_BYTES - 1, 8))
BUILDER(length_too_long, bundle_of(out, 0); patch(out, LENGTH_AT, CONTENT_HEAD_BYTES + 1, 8))
BUILDER(wrong_digest, bundle_of(out, SCREEN); out->data[DIGEST_AT] ^= 1)
BUILDER(frame_missing, bundle_of(out, 0); out->length = FRAME_AT)
BUILDER(frame_cut, bundle_of(out, ALL); out->length /= 2)
BUILDER(frame_of_another, bundle_of(out, SCREEN); patch(out, FRAME_AT, 0x04034b50, 4))
BUILDER(bytes_behind_frame, bundle_of(out, SCREEN); bytes_put_u32(out, 0))
BUILDER(empty_frame_behind, bundle_of(out, SCREEN); frame_put(out, NULL, 0, 4096))
BUILDER(skipped_frame_behind, bundle_of(out, SCREEN); bytes_put_u32(out, 0x184d2a50); bytes_put_string(out, "hidden"))

/* ---- wrong inside ---- */

SPOILED(other_content, ALL, content.data[3] = 'Z')
SPOILED(later_content, ALL, patch(&content, 4, 2, 4))
SPOILED(content_cut, 0, content.length--)
SPOILED(count_huge, ALL, patch(&content, COUNT_AT, UINT64_MAX, 8))
SPOILED(count_of_one_too_many, ALL, patch(&content, COUNT_AT, 4, 8))
SPOILED(count_of_one_too_few, ALL, patch(&content, COUNT_AT, 2, 8))
SPOILED(record_length_huge, SCREEN, patch(&content, RECORD_AT - 4, UINT32_MAX, 4))
SPOILED(record_of_nothing, SCREEN, patch(&content, RECORD_AT - 4, 0, 4); content.length = RECORD_AT)
SPOILED(record_damaged, SCREEN, content.data[content.length - 1] ^= 1)
SPOILED(record_of_another_key, FINAL, content.data[CONTENT_HEAD_BYTES] ^= 1)
SPOILED(record_of_later_version, SCREEN, patch(&content, RECORD_AT + 4, 2, 2);
        record_mend(content.data + RECORD_AT, content.length - RECORD_AT, content.data + CONTENT_HEAD_BYTES))
// clang-format on

static void two_records(struct bytes_writer *out, bool equal) {
  struct bytes_writer rows[2], content = {0};
  rows[0] = row_of(record_of(RECORD_SCREEN, "gemm m1 n2 k3 f32 acc:f32", FARM_OK));
  rows[1] = row_of(record_of(equal ? RECORD_SCREEN : RECORD_FINAL, "gemm m1 n2 k3 f32 acc:f32", FARM_OK));
  if (!equal && by_bytes(&rows[0], &rows[1]) < 0) {
    struct bytes_writer first = rows[0];
    rows[0] = rows[1];
    rows[1] = first;
  }
  rows_put(&content, rows, 2);
  bundle_put(out, content, 4096);
}
static void unsorted(struct bytes_writer *out, const char *with) { (void)with, two_records(out, false); }
static void record_twice(struct bytes_writer *out, const char *with) { (void)with, two_records(out, true); }

static const struct specimen specimens[] = {
    {"empty", empty, FARM_OK, NULL, NULL},
    {"screen", screen, FARM_OK, NULL, NULL},
    {"crashed", crashed, FARM_OK, NULL, NULL},
    {"final", final, FARM_OK, NULL, NULL},
    {"three", three, FARM_OK, NULL, NULL},
    {"small-blocks", small_blocks, FARM_OK, NULL, NULL},
    {"content-of-none", content_of_none, FARM_INVALID, "not a bundle", NULL},
    {"content-of-one", content_of_one, FARM_INVALID, "not a bundle", NULL},
    {"content-of-three", content_of_three, FARM_INVALID, "not a bundle", NULL},
    {"nothing", nothing, FARM_INVALID, "not a bundle", NULL},
    {"magic-alone", magic_alone, FARM_INVALID, "cut short", NULL},
    {"head-cut", head_cut, FARM_INVALID, "cut short or too large", NULL},
    {"later-version", later_version, FARM_MISMATCH, "version 2, this build reads 1", NULL},
    {"length-above-bound", length_above_bound, FARM_INVALID, "cut short or too large", NULL},
    {"length-huge", length_huge, FARM_INVALID, "cut short or too large", NULL},
    {"length-impossible", length_impossible, FARM_INVALID, "impossibly large", NULL},
    {"length-too-short", length_too_short, FARM_INVALID, "does not have its digest", NULL},
    {"length-too-long", length_too_long, FARM_INVALID, "does not have its digest", NULL},
    {"wrong-digest", wrong_digest, FARM_INVALID, "does not have its digest", NULL},
    {"frame-missing", frame_missing, FARM_INVALID, "not one zstd frame", NULL},
    {"frame-cut", frame_cut, FARM_INVALID, "not one zstd frame", NULL},
    {"frame-of-another", frame_of_another, FARM_INVALID, "not one zstd frame", NULL},
    {"bytes-behind-frame", bytes_behind_frame, FARM_INVALID, "not one zstd frame", NULL},
    {"empty-frame-behind", empty_frame_behind, FARM_INVALID, "not one zstd frame", NULL},
    {"skipped-frame-behind", skipped_frame_behind, FARM_INVALID, "not one zstd frame", NULL},
    {"other-content", other_content, FARM_INVALID, "unknown content", NULL},
    {"later-content", later_content, FARM_INVALID, "unknown content", NULL},
    {"content-cut", content_cut, FARM_INVALID, "bundle: cut short", NULL},
    {"count-huge", count_huge, FARM_INVALID, "bundle: cut short", NULL},
    {"count-of-one-too-many", count_of_one_too_many, FARM_INVALID, "bundle: record 3: cut short", NULL},
    {"count-of-one-too-few", count_of_one_too_few, FARM_INVALID, "bytes after its end", NULL},
    {"record-length-huge", record_length_huge, FARM_INVALID, "bundle: record 0: cut short", NULL},
    {"record-of-nothing", record_of_nothing, FARM_INVALID, "bundle: record 0: record: cut short", NULL},
    {"record-damaged", record_damaged, FARM_INVALID, "bundle: record 0: record: checksum does not match", NULL},
    {"record-of-another-key", record_of_another_key, FARM_INVALID, "a record under another key", NULL},
    {"record-of-later-version", record_of_later_version, FARM_MISMATCH, "bundle: record 0: record: version 2", NULL},
    {"unsorted", unsorted, FARM_INVALID, "bundle: record 1: records are not sorted", NULL},
    {"record-twice", record_twice, FARM_INVALID, "bundle: record 1: records are not sorted", NULL},
};

/* What came in goes out with the same content, by length and digest; a refused bundle leaves nothing. */
static enum farm_status read_bundle(const struct specimen *specimen, const uint8_t *data, size_t length) {
  char folder[600];
  struct cache *cache;
  struct cache_imported imported = {0};
  struct cache_stats stats;
  struct bytes_writer out = {0};
  uint64_t count;
  snprintf(folder, sizeof folder, "%s/%s", test_folder(), specimen->name);
  REQUIRE_OK(cache_open(folder, NULL, &cache));
  enum farm_status status = cache_import(cache, data, length, CACHE_NEWEST, false, &imported);
  char message[512];
  snprintf(message, sizeof message, "%s", status_message());
  REQUIRE_OK(cache_stats(cache, &stats));
  CHECK(imported.total == stats.records + stats.quarantined && imported.total == imported.added);
  if (status == FARM_OK) {
    REQUIRE_OK(cache_export(cache, NULL, &out, &count));
    CHECK_MESSAGE(count == imported.total && out.length > FRAME_AT && memcmp(out.data, data, FRAME_AT) == 0,
                  "%s is exported otherwise", specimen->name);
  }
  bytes_writer_free(&out);
  cache_close(&cache);
  return status == FARM_OK ? status : status_set(status, "%s", message);
}

static const struct corpus corpus = {"bundle", specimens, sizeof specimens / sizeof *specimens, read_bundle, bundle_fuzz_one};

TEST(bundle_corpus_is_read_as_its_specimens_say, "") { corpus_check_specimens(&corpus); }
TEST(bundle_corpus_is_survived, "") {
  setenv("TMPDIR", test_folder(), 1);
  corpus_run(&corpus);
}
