/* Blobs in transit: what was said to be complete is there for a day. */
#include "blobs.h"

#include "../tests/kit/test.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <utime.h>

static struct wire_blob_state put(struct blobs *blobs, const char *text) {
  struct wire_blob_state state;
  struct wire_blob_put message = {
      .digest = digest_of(text, strlen(text)), .total = strlen(text), .data = {(const uint8_t *)text, (uint32_t)strlen(text)}};
  blobs_put(blobs, &message, &state);
  return state;
}

static void age(const struct blobs *blobs, const char *text, int seconds) {
  char path[PATH_MAX], hex[DIGEST_HEX_BYTES];
  struct digest digest = digest_of(text, strlen(text));
  time_t then = time(NULL) - seconds;
  digest_to_hex(&digest, hex);
  snprintf(path, sizeof path, "%s/%s", blobs->folder, hex);
  REQUIRE(utime(path, &(struct utimbuf){then, then}) == 0);
}

static bool is_there(struct blobs *blobs, const char *text) {
  struct arena arena = {0};
  struct wire_blob_chunk chunk;
  struct wire_blob_get get = {.digest = digest_of(text, strlen(text))};
  blobs_get(blobs, &get, &arena, &chunk);
  bool there = chunk.status == FARM_OK && chunk.total == strlen(text) && memcmp(chunk.data.data, text, strlen(text)) == 0;
  arena_free(&arena);
  return there;
}

/* A nightly job brings the same blob again when it is about a day old: it is told that nothing needs to be sent. */
TEST(blobs_put_again_is_new_again, "") {
  struct blobs blobs;
  REQUIRE_OK(blobs_open(test_folder(), &blobs));
  CHECK(put(&blobs, "engine").complete && put(&blobs, "other").complete);
  age(&blobs, "engine", 25 * 3600), age(&blobs, "other", 25 * 3600);
  CHECK(put(&blobs, "engine").complete);
  blobs.swept_s = 0; // an hour later
  CHECK(put(&blobs, "third").complete);
  CHECK(is_there(&blobs, "engine") && is_there(&blobs, "third") && !is_there(&blobs, "other"));
  blobs_close(&blobs);
}
