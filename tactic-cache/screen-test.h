/* Tests only: screen records of one variant, as workers offer them. */
#ifndef TACTIC_CACHE_SCREEN_TEST_H
#define TACTIC_CACHE_SCREEN_TEST_H

#include "../problem/record.h"
#include "../tests/kit/test.h"

#define SOURCE "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* Encoded; free with bytes_writer_free. `median` and `n` count where it worked. */
static inline struct bytes_writer screen_bytes(const char *problem, const char *variant, enum farm_status status, double median,
                                               uint32_t n, uint64_t unix_s) {
  struct record_entry entry = {
      .variant = variant, .source_digest = SOURCE, .status = status, .message = status ? "why" : "", .rank = RECORD_RANK_NONE};
  if (status == FARM_OK) entry.times = (struct record_times){n, median, median, median, median, median, median, median, median};
  struct record record = {.kind = RECORD_SCREEN,
                          .problem = problem,
                          .device_class = "cpu x",
                          .policy = "cold/1",
                          .threads = 1,
                          .device = "d",
                          .build = "b",
                          .clocks = "",
                          .unix_s = unix_s,
                          .entry_count = 1,
                          .entries = &entry};
  struct bytes_writer out = {0};
  REQUIRE_OK(record_encode(&record, &out));
  return out;
}

#endif
