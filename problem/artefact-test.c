/* Artefacts: what is written is read, what is spoiled is not, keys name their compiler. */
#include "artefact.h"

#include "../base/random.h"
#include "../tests/kit/test.h"
#include "envelope.h"
#include "record.h"

#include <string.h>

static const char image[] = "an image with\0zeros and more";

static const char *key_of(const char *arch, const char *compiler, struct arena *arena) {
  struct digest digest = digest_of_text("text");
  return artefact_key(&digest, arch, compiler, arena);
}

static struct artefact sample(struct arena *arena) {
  return (struct artefact){.key = key_of("sm_90a", "nvrtc 13.0", arena),
                           .status = FARM_OK,
                           .message = "",
                           .data = (const uint8_t *)image,
                           .length = sizeof image};
}

TEST(artefact_is_read_as_written, "") {
  struct arena arena = {0};
  struct bytes_writer bytes = {0}, again = {0};
  struct artefact artefact = sample(&arena), read;
  REQUIRE_OK(artefact_encode(&artefact, &bytes));
  REQUIRE_OK(artefact_decode(bytes.data, bytes.length, &arena, &read));
  CHECK_TEXT(read.key, artefact.key);
  CHECK(read.status == FARM_OK && read.length == sizeof image && memcmp(read.data, image, sizeof image) == 0);
  CHECK_TEXT(artefact_key_compiler(read.key), "nvrtc 13.0");
  REQUIRE_OK(artefact_encode(&read, &again));
  CHECK(again.length == bytes.length && memcmp(again.data, bytes.data, bytes.length) == 0);
  artefact.status = FARM_TACTIC_REFUSED, artefact.message = "line 3: no such thing", artefact.data = NULL, artefact.length = 0;
  again.length = 0;
  REQUIRE_OK(artefact_encode(&artefact, &again));
  REQUIRE_OK(artefact_decode(again.data, again.length, &arena, &read));
  CHECK(read.status == FARM_TACTIC_REFUSED && read.length == 0);
  CHECK_TEXT(read.message, artefact.message);
  bytes_writer_free(&bytes), bytes_writer_free(&again);
  arena_free(&arena);
}

TEST(artefact_of_wrong_fields_is_not_written, "") {
  struct arena arena = {0};
  struct bytes_writer bytes = {0};
  const struct artefact good = sample(&arena);
  struct artefact wrong[8];
  int count = 0;
#define WRONG(change) wrong[count] = good, wrong[count].change, count++
  WRONG(key = "artefact|1|short|sm_90a|nvrtc 13.0");
  WRONG(key = key_of("sm 90", "nvrtc 13.0", &arena));
  WRONG(key = key_of("sm_90a", "", &arena));
  WRONG(key = key_of("sm_90a", "a|b", &arena));
  WRONG(status = FARM_NO_MEMORY);
  WRONG(status = FARM_TACTIC_REFUSED);
  WRONG(message = "fine");
  WRONG(length = 0);
  for (int i = 0; i < count; i++) CHECK_MESSAGE(artefact_encode(&wrong[i], &bytes) == FARM_INVALID, "number %d was written", i);
  CHECK(artefact_key_compiler("final|1|x") == NULL);
  bytes_writer_free(&bytes);
  arena_free(&arena);
}

/* Any byte changed, any length: refused; and neither kind is taken for the other. */
TEST(artefact_that_is_spoiled_is_refused, "") {
  struct arena arena = {0};
  struct bytes_writer bytes = {0};
  struct artefact artefact = sample(&arena), read;
  struct record record;
  REQUIRE_OK(artefact_encode(&artefact, &bytes));
  CHECK(record_decode(bytes.data, bytes.length, &arena, &record) == FARM_MISMATCH);
  CHECK(envelope_content(bytes.data, bytes.length) == ENVELOPE_ARTEFACT && envelope_content(bytes.data, 7) == 0);
  for (size_t i = 0; i < bytes.length; i++) {
    bytes.data[i] ^= 0x20;
    CHECK_MESSAGE(artefact_decode(bytes.data, bytes.length, &arena, &read) != FARM_OK, "byte %zu", i);
    bytes.data[i] ^= 0x20;
    CHECK(artefact_decode(bytes.data, i, &arena, &read) == FARM_INVALID);
  }
  bytes_writer_free(&bytes);
  arena_free(&arena);
}

static enum farm_status count_one(void *context, const struct artefact *given, const void *envelope, size_t length) {
  (void)given, (void)envelope, (void)length;
  ++*(int *)context;
  return FARM_OK;
}

TEST(artefact_lists_are_whole_or_refused, "") {
  struct arena arena = {0};
  struct bytes_writer bytes = {0}, list = {0};
  struct artefact artefact = sample(&arena);
  int count = 0;
  REQUIRE_OK(artefact_encode(&artefact, &bytes));
  bytes_put_u32(&list, 2);
  for (int i = 0; i < 2; i++) bytes_put_blob(&list, bytes.data, bytes.length);
  REQUIRE_OK(artefact_list_each(list.data, list.length, count_one, &count));
  CHECK(count == 2);
  for (size_t i = 0; i < list.length; i++)
    CHECK_MESSAGE(artefact_list_each(list.data, i, count_one, &count) == FARM_INVALID, "%zu bytes were taken", i);
  bytes_put_u8(&list, 0);
  CHECK(artefact_list_each(list.data, list.length, count_one, &count) == FARM_INVALID);
  bytes_writer_free(&bytes), bytes_writer_free(&list);
  arena_free(&arena);
}
