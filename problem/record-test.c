/* Records: canonical bytes both ways, hostile bytes, keys and the rules on times. */
#include "record.h"

#include "../base/random.h"
#include "../tests/kit/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const uint8_t golden[] = {
#include "record-golden.inc"
};

static struct record_times times_around(double median) {
  return (struct record_times){10,         median * 0.9, median * 0.95, median,       median * 1.05,
                               median * 2, median * 1.1, median * 0.99, median * 1.01};
}

static struct record_entry entry_of(const char *variant, double median) {
  return (struct record_entry){
      .variant = variant, .source_digest = SOURCE, .message = "", .rank = RECORD_RANK_NONE, .times = times_around(median)};
}

static struct record final_of(struct record_entry *entries, uint32_t count) {
  return (struct record){.kind = RECORD_FINAL,
                         .problem = "gemm m1 n2 k3 f32 acc:f32",
                         .device_class = "cpu vendor:amd",
                         .policy = "cold/1 effort2",
                         .threads = 2,
                         .device = "host/cores 0",
                         .build = "0.1",
                         .clocks = "mhz 3850-4100",
                         .unix_s = 1700000000,
                         .device_s = 1.5,
                         .entry_count = count,
                         .entries = entries};
}

static struct record sample(struct record_entry entries[3]) {
  entries[0] = entry_of("a__x__avx2{kc=1}", 1000);
  entries[0].finalist = true, entries[0].rank = 0, entries[0].workspace_bytes = 64;
  entries[1] = entry_of("b__x__avx2", 1010);
  entries[1].finalist = true, entries[1].rank = 0, entries[1].is_default = true;
  entries[2] = (struct record_entry){.variant = "c__x__avx2",
                                     .source_digest = SOURCE,
                                     .status = FARM_TACTIC_WRONG,
                                     .message = "off by 3 at 17",
                                     .error = INFINITY,
                                     .rank = RECORD_RANK_NONE};
  return final_of(entries, 3);
}

TEST(record_round_trips, "") {
  struct record_entry entries[3];
  struct record record = sample(entries), back;
  struct bytes_writer out = {0}, again = {0};
  struct arena arena = {0};
  REQUIRE_OK(record_encode(&record, &out));
  REQUIRE_OK(record_decode(out.data, out.length, &arena, &back));
  REQUIRE_OK(record_encode(&back, &again));
  CHECK(out.length == again.length && memcmp(out.data, again.data, out.length) == 0);
  CHECK(back.entry_count == 3 && back.entries[2].status == FARM_TACTIC_WRONG && isinf(back.entries[2].error));
  CHECK(record_winner(&back) == 1); // a tie, less workspace
  CHECK_TEXT(record_key(&back, &arena), "final|1|gemm m1 n2 k3 f32 acc:f32|cpu vendor:amd|t2|cold/1 effort2");
  bytes_writer_free(&out), bytes_writer_free(&again), arena_free(&arena);
}

/* The bytes of version 1 never change: what another build wrote must stay readable and equal. */
TEST(record_golden_bytes, "") {
  struct record_entry entries[3];
  struct record record = sample(entries), back;
  struct bytes_writer out = {0};
  struct arena arena = {0};
  REQUIRE_OK(record_encode(&record, &out));
  bool same = out.length == sizeof golden && memcmp(out.data, golden, sizeof golden) == 0;
  CHECK(same);
  if (!same && getenv("TUNEFARM_PRINT_GOLDEN"))
    for (size_t i = 0; i < out.length; i++) printf("%u,%s", out.data[i], i % 32 == 31 ? "\n" : "");
  CHECK(record_decode(golden, sizeof golden, &arena, &back) == FARM_OK);
  bytes_writer_free(&out), arena_free(&arena);
}

TEST(record_refuses_damage, "") {
  struct record_entry entries[3];
  struct record record = sample(entries), back;
  struct bytes_writer out = {0};
  struct arena arena = {0};
  REQUIRE_OK(record_encode(&record, &out));
  for (size_t length = 0; length < out.length; length++) CHECK(record_decode(out.data, length, &arena, &back) != FARM_OK);
  for (size_t i = 0; i < out.length; i++) {
    out.data[i] ^= 1 << i % 8;
    CHECK_MESSAGE(record_decode(out.data, out.length, &arena, &back) != FARM_OK, "flip at %zu was believed", i);
    out.data[i] ^= 1 << i % 8;
  }
  out.data[4] = 2; // a later version, whole, is named as such
  struct digest digest = digest_of(out.data, out.length - DIGEST_BYTES);
  memcpy(out.data + out.length - DIGEST_BYTES, digest.bytes, DIGEST_BYTES);
  CHECK(record_decode(out.data, out.length, &arena, &back) == FARM_MISMATCH);
  bytes_writer_free(&out), arena_free(&arena);
}

static bool refused(const struct record *record) {
  struct bytes_writer out = {0};
  bool no = record_encode(record, &out) == FARM_INVALID;
  bytes_writer_free(&out);
  return no;
}

TEST(record_refuses_nonsense, "") {
  struct record_entry e[3];
  struct record record = sample(e);
  e[0].times.median = NAN;
  CHECK(refused(&record));
  record = sample(e), e[0].times.q1 = 2000;
  CHECK(refused(&record));
  record = sample(e), e[0].times.n = 0;
  CHECK(refused(&record));
  record = sample(e), e[0].rank = RECORD_RANK_NONE;
  CHECK(refused(&record));
  record = sample(e), e[2].status = FARM_IO;
  CHECK(refused(&record));
  record = sample(e), e[1].variant = "a";
  CHECK(refused(&record)); // unsorted
  record = sample(e), e[1].variant = "b\n";
  CHECK(refused(&record));
  record = sample(e), e[1].source_digest = "00";
  CHECK(refused(&record));
  record = sample(e), record.threads = 0;
  CHECK(refused(&record));
  record = sample(e), record.kind = RECORD_SCREEN;
  CHECK(refused(&record)); // three entries
  record = sample(e), record.policy = "a|b";
  CHECK(refused(&record));
  record = sample(e), record.problem = NULL;
  CHECK(refused(&record));
}

/* Random edits with a repaired checksum: what is accepted encodes to the same bytes again. */
TEST(record_accepts_only_its_own_bytes, "") {
  struct record_entry entries[3];
  struct record record = sample(entries), back;
  struct bytes_writer out = {0};
  REQUIRE_OK(record_encode(&record, &out));
  int accepted = 0;
  for (uint64_t run = 0; run < 20000; run++) {
    struct arena arena = {0};
    struct bytes_writer again = {0};
    uint8_t *copy = malloc(out.length);
    memcpy(copy, out.data, out.length);
    for (uint64_t edit = 0; edit <= run % 3; edit++)
      copy[random_u64(run, 2 * edit) % (out.length - 32)] = (uint8_t)random_u64(run, 2 * edit + 1);
    struct digest digest = digest_of(copy, out.length - 32);
    memcpy(copy + out.length - 32, digest.bytes, 32);
    if (record_decode(copy, out.length, &arena, &back) == FARM_OK) {
      accepted++;
      REQUIRE_OK(record_encode(&back, &again));
      CHECK(again.length == out.length && memcmp(again.data, copy, out.length) == 0);
    }
    bytes_writer_free(&again), free(copy), arena_free(&arena);
  }
  CHECK(accepted > 0);
  bytes_writer_free(&out);
}

TEST(record_screen_key_text, "") {
  struct arena arena = {0};
  CHECK_TEXT(record_screen_key("p", "v", SOURCE, "c", 3, "cold/1", &arena), "screen|1|p|v|" SOURCE "|c|t3|cold/1");
  arena_free(&arena);
}

TEST(record_finalists_by_share_number_and_default, "") {
  struct record_entry e[8];
  static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
  for (int i = 0; i < 8; i++) e[i] = entry_of(names[i], 100 + i); // all near: the five best
  record_pick_finalists(e, 8);
  for (int i = 0; i < 8; i++) CHECK(e[i].finalist == (i < RECORD_FINAL_MOST));
  e[7].is_default = true; // always there
  record_pick_finalists(e, 8);
  CHECK(e[7].finalist && e[4].finalist && !e[5].finalist);
  for (int i = 2; i < 8; i++) e[i].times = times_around(126); // out of share
  e[1].status = FARM_TACTIC_CRASHED;
  record_pick_finalists(e, 8);
  CHECK(e[0].finalist && !e[1].finalist && !e[2].finalist && e[7].finalist);
  e[3].times = e[4].times = times_around(100); // equal medians: by name, after "a"
  record_pick_finalists(e, 8);
  CHECK(e[0].finalist && e[3].finalist && e[4].finalist && !e[5].finalist);
}

TEST(record_winner_order, "") {
  struct record_entry e[3] = {entry_of("a", 5), entry_of("b", 5), entry_of("c", 5)};
  struct record record = final_of(e, 3);
  CHECK(record_winner(&record) == -1);
  for (int i = 0; i < 3; i++) e[i].finalist = true, e[i].rank = 0;
  CHECK(record_winner(&record) == 0);
  e[0].workspace_bytes = 10;
  CHECK(record_winner(&record) == 1);
  e[1].status = FARM_TACTIC_WRONG;
  CHECK(record_winner(&record) == 2);
  e[2].rank = 1;
  CHECK(record_winner(&record) == 0);
}
