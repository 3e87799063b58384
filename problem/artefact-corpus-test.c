/* Artefacts to start the artefact fuzzer from, and a regression test: each shape of docs/formats/record.md, and what breaks a
 * rule. They are written by hand as the page says, not by artefact_encode, which refuses what is wrong. */
#include "artefact.h"

#include "../tests/corpus/corpus-test.h"
#include "envelope.h"

#define LLVMFuzzerTestOneInput artefact_fuzz_one
#include "artefact-fuzz.c"
#undef LLVMFuzzerTestOneInput

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define KEY "artefact|1|" HEX "|sm_90a|nvrtc 13.0"

static void put(struct bytes_writer *out, const char *key, const char *status, const char *message, const char *image) {
  struct bytes_writer payload = {0};
  bytes_put_string(&payload, status);
  bytes_put_string(&payload, message);
  bytes_put_blob(&payload, image, strlen(image));
  REQUIRE_OK(envelope_write(ENVELOPE_ARTEFACT, key, &payload, out));
  bytes_writer_free(&payload);
}

static void image(struct bytes_writer *out, const char *key) { put(out, key, "OK", "", "cubin"); }
static void failure(struct bytes_writer *out, const char *message) { put(out, KEY, "TACTIC_REFUSED", message, ""); }
static void of_status(struct bytes_writer *out, const char *status) { put(out, KEY, status, "", "cubin"); }
static void failure_with_image(struct bytes_writer *out, const char *message) {
  put(out, KEY, "TACTIC_REFUSED", message, "cubin");
}
static void list(struct bytes_writer *out, const char *key) {
  struct bytes_writer one = {0};
  image(&one, key);
  bytes_put_u32(out, 2);
  for (int i = 0; i < 2; i++) bytes_put_blob(out, one.data, one.length);
  bytes_writer_free(&one);
}

static const struct specimen specimens[] = {
    {"image", image, FARM_OK, NULL, KEY},
    {"does-not-compile", failure, FARM_OK, NULL, "line 1: no such thing"},
    {"key-of-upper-case", image, FARM_INVALID, "malformed key", "artefact|1|" HEX "X|sm_90a|nvrtc 13.0"},
    {"key-without-architecture", image, FARM_INVALID, "malformed key", "artefact|1|" HEX "||nvrtc 13.0"},
    {"key-of-a-record", image, FARM_INVALID, "malformed key", "final|1|gemm|cpu|t1|cold/1"},
    {"status-of-a-job", of_status, FARM_INVALID, "cannot have status", "NO_MEMORY"},
    {"status-of-nothing", of_status, FARM_INVALID, "cannot have status", "FINE"},
    {"failure-without-reason", failure, FARM_INVALID, "do not fit", ""},
    {"failure-with-image", failure_with_image, FARM_INVALID, "an image of", "line 1"},
    {"reason-of-two-lines", failure, FARM_INVALID, "control character", "line 1\nline 2"},
    {"list", list, FARM_INVALID, "checksum", KEY}, // no envelope, but what the fuzzer reads as a list
};

static enum farm_status read_artefact(const struct specimen *specimen, const uint8_t *data, size_t length) {
  struct arena arena = {0};
  struct bytes_writer again = {0};
  struct artefact artefact;
  enum farm_status result = artefact_decode(data, length, &arena, &artefact);
  if (result == FARM_OK) {
    REQUIRE_OK(artefact_encode(&artefact, &again));
    CHECK_MESSAGE(again.length == length && memcmp(again.data, data, length) == 0, "%s is written otherwise", specimen->name);
  }
  bytes_writer_free(&again);
  arena_free(&arena);
  return result;
}

static const struct corpus corpus = {"artefact", specimens, sizeof specimens / sizeof *specimens, read_artefact,
                                     artefact_fuzz_one};

TEST(artefact_corpus_is_read_as_its_specimens_say, "") { corpus_check_specimens(&corpus); }
TEST(artefact_corpus_is_survived, "") { corpus_run(&corpus); }
