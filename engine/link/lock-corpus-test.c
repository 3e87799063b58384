/* Lock files to start the lock fuzzer from, and a regression test: every shape of docs/formats/lock.md, and one per way of
 * breaking its rules. */
#include "lock.h"

#include "../../tests/corpus/corpus-test.h"

#define LLVMFuzzerTestOneInput lock_fuzz_one
#include "lock-fuzz.c"
#undef LLVMFuzzerTestOneInput

#define MODEL "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define MODEL_UPPER "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"
#define HEAD "tunefarm-lock\t1\nmodel\t" MODEL "\noptions\tprecision f32\n"
#define SECTION "section\tcpu vendor:amd isa:avx2\t2\tmeasured\n"
#define SECTION_OF_ONE "section\tcpu vendor:amd isa:avx2\t1\tmeasured\n"
#define PIN(node) "pin\t" node "\tnchw\tgemm{kc=256}\t0x1.8p+10\t0x1p-3\t31\t2\t0x1p-2\n"
#define HEAD_2 "tunefarm-lock\t2\nmodel\t" MODEL "\noptions\tprecision f32\n"
#define LIBRARY "library\t" MODEL "\tgemm{kc=8}\n"
#define FIGURES(text) HEAD SECTION "pin\ty\tany\tv\t" text "\n"

/* ---- the last line ---- */

static void digest_line(struct bytes_writer *out, struct digest digest) {
  char hex[DIGEST_HEX_BYTES];
  digest_to_hex(&digest, hex);
  bytes_put(out, "digest\t", 7);
  bytes_put(out, hex, DIGEST_HEX_BYTES - 1);
  bytes_put(out, "\n", 1);
}

static void as_it_is(struct bytes_writer *out, const char *text) { bytes_put(out, text, strlen(text)); }

static void sealed(struct bytes_writer *out, const char *body) {
  as_it_is(out, body);
  digest_line(out, digest_of(out->data, out->length));
}
static void edited(struct bytes_writer *out, const char *body) {
  sealed(out, body);
  out->data[strlen(HEAD) - 2] ^= 1; // f32 becomes f33
}
static void digest_in_upper_case(struct bytes_writer *out, const char *body) {
  sealed(out, body);
  for (size_t i = out->length - DIGEST_HEX_BYTES; i < out->length; i++)
    if (out->data[i] >= 'a') out->data[i] = (uint8_t)(out->data[i] - 'a' + 'A');
}
static void digest_too_short(struct bytes_writer *out, const char *body) {
  sealed(out, body);
  out->length -= 2;
  bytes_put(out, "\n", 1);
}
static void cut_last_newline(struct bytes_writer *out, const char *body) {
  sealed(out, body);
  out->length--;
}
static void line_behind_digest(struct bytes_writer *out, const char *body) {
  sealed(out, body);
  as_it_is(out, PIN("z"));
}
static void zero_byte(struct bytes_writer *out, const char *body) {
  as_it_is(out, body);
  out->data[strlen(HEAD) - 2] = 0;
  digest_line(out, digest_of(out->data, out->length));
}

static const struct specimen specimens[] = {
    {"section", sealed, FARM_OK, NULL, HEAD SECTION},
    {"pin", sealed, FARM_OK, NULL, HEAD SECTION PIN("y")},
    {"pins", sealed, FARM_OK, NULL,
     HEAD SECTION PIN("a")
         PIN("b") "pin\tc\tnhwc\tconv{ow=6}\t0x0p+0\t0x0p+0\t0\t0\t0x0p+0\n"
                  "pin\td\tany\tv\t0x1.fffffffffffffp+1023\t0x0.0000000000001p-1022\t4294967295\t1\t0x1p-149\n"},
    {"sections", sealed, FARM_OK, NULL,
     HEAD SECTION PIN("y") "section\tcpu vendor:amd isa:avx2\t4096\testimated\n" PIN("y") "section\tcpu\t2\testimated\n"},
    {"escapes", sealed, FARM_OK, NULL, HEAD SECTION PIN("tab%09percent%25delete%7Fend%0A") PIN("grün")},
    {"no-options", sealed, FARM_OK, NULL, "tunefarm-lock\t1\nmodel\t" MODEL "\noptions\t\n" SECTION},
    {"library", sealed, FARM_OK, NULL, HEAD_2 SECTION PIN("x") PIN("y") LIBRARY SECTION_OF_ONE PIN("y")},
    {"library-in-version-1", sealed, FARM_INVALID, "an unknown statement", HEAD SECTION PIN("y") LIBRARY},
    {"library-nowhere", sealed, FARM_INVALID, "version 2 without a library", HEAD_2 SECTION PIN("y")},
    {"library-twice", sealed, FARM_INVALID, "a library behind no pin", HEAD_2 SECTION PIN("y") LIBRARY LIBRARY},
    {"library-before-pin", sealed, FARM_INVALID, "a library behind no pin", HEAD_2 SECTION LIBRARY PIN("y")},
    {"library-before-section", sealed, FARM_INVALID, "a library behind no pin", HEAD_2 LIBRARY SECTION PIN("y")},
    {"library-version", sealed, FARM_INVALID, "without its version", HEAD_2 SECTION PIN("y") "library\t13.0\tgemm{kc=8}\n"},
    {"library-fallback", sealed, FARM_INVALID, "without a fallback", HEAD_2 SECTION PIN("y") "library\t" MODEL "\t\n"},
    {"nothing", as_it_is, FARM_INVALID, "line 1: ends too early", ""},
    {"newline", as_it_is, FARM_INVALID, "line 1: not a lock file", "\n"},
    {"other-file", as_it_is, FARM_INVALID, "line 1: not a lock file", "{\"name\": \"tunefarm\"}\n"},
    {"later-version", sealed, FARM_MISMATCH, "version 3, this tunefarm reads 1 and 2", "tunefarm-lock\t3\nmodel\n"},
    {"line-ends-of-dos", as_it_is, FARM_INVALID, "line 1: a bad escape", "tunefarm-lock\t1\r\nmodel\t" MODEL "\r\n"},
    {"model-too-short", as_it_is, FARM_INVALID, "line 2: no model digest", "tunefarm-lock\t1\nmodel\t0011\n"},
    {"model-in-upper-case", as_it_is, FARM_INVALID, "line 2: no model digest", "tunefarm-lock\t1\nmodel\t" MODEL_UPPER "\n"},
    {"options-missing", sealed, FARM_INVALID, "line 3: no options", "tunefarm-lock\t1\nmodel\t" MODEL "\n" SECTION},
    {"digest-missing", as_it_is, FARM_INVALID, "ends too early", HEAD SECTION PIN("y")},
    {"no-section", sealed, FARM_INVALID, "no section", HEAD},
    {"section-twice", sealed, FARM_INVALID, "the section is there twice", HEAD SECTION PIN("y") SECTION},
    {"threads-of-none", sealed, FARM_INVALID, "a bad number of threads", HEAD "section\tcpu\t0\tmeasured\n"},
    {"threads-too-many", sealed, FARM_INVALID, "a bad number of threads", HEAD "section\tcpu\t4097\tmeasured\n"},
    {"threads-of-two-texts", sealed, FARM_INVALID, "a bad number of threads", HEAD "section\tcpu\t02\tmeasured\n"},
    {"neither-measured", sealed, FARM_INVALID, "neither measured nor estimated", HEAD "section\tcpu\t2\tguessed\n"},
    {"pin-before-section", sealed, FARM_INVALID, "a pin before any section", HEAD PIN("y") SECTION},
    {"pin-twice", sealed, FARM_INVALID, "y is pinned twice", HEAD SECTION PIN("y") PIN("x") PIN("y")},
    {"layout", sealed, FARM_INVALID, "an unknown layout", HEAD SECTION "pin\ty\tnchwc16\tv\t0x0p+0\t0x0p+0\t0\t0\t0x0p+0\n"},
    {"figure-in-decimal", sealed, FARM_INVALID, "a bad figure", FIGURES("1536\t0x0p+0\t0\t0\t0x0p+0")},
    {"figure-not-shortest", sealed, FARM_INVALID, "a bad figure", FIGURES("0x3p+9\t0x0p+0\t0\t0\t0x0p+0")},
    {"figure-of-nan", sealed, FARM_INVALID, "a bad figure", FIGURES("nan\t0x0p+0\t0\t0\t0x0p+0")},
    {"figure-without-end", sealed, FARM_INVALID, "a bad figure", FIGURES("0x0p+0\tinf\t0\t0\t0x0p+0")},
    {"figure-below-zero", sealed, FARM_INVALID, "a bad figure", FIGURES("-0x0p+0\t0x0p+0\t0\t0\t0x0p+0")},
    {"error-of-double", sealed, FARM_INVALID, "a bad figure", FIGURES("0x0p+0\t0x0p+0\t0\t0\t0x1.8p+1000")},
    {"huge-count", sealed, FARM_INVALID, "a bad figure", FIGURES("0x0p+0\t0x0p+0\t4294967296\t0\t0x0p+0")},
    {"too-many-fields", sealed, FARM_INVALID, "too many fields", FIGURES("0x0p+0\t0x0p+0\t0\t0\t0x0p+0\t1")},
    {"too-few-fields", sealed, FARM_INVALID, "an unknown statement", FIGURES("0x0p+0\t0x0p+0\t0\t0")},
    {"escape-in-lower-case", sealed, FARM_INVALID, "a bad escape", HEAD SECTION PIN("y%0a")},
    {"escape-without-need", sealed, FARM_INVALID, "a bad escape", HEAD SECTION PIN("%79")},
    {"escape-cut", sealed, FARM_INVALID, "a bad escape", HEAD SECTION PIN("y%0")},
    {"escape-of-zero", sealed, FARM_INVALID, "a bad escape", HEAD SECTION PIN("y%00")},
    {"zero-byte", zero_byte, FARM_INVALID, "line 3: a zero byte", HEAD SECTION},
    {"edited", edited, FARM_VERIFY_FAILED, "edited or damaged", HEAD SECTION PIN("y")},
    {"digest-in-upper-case", digest_in_upper_case, FARM_INVALID, "a bad digest", HEAD SECTION PIN("y")},
    {"digest-too-short", digest_too_short, FARM_INVALID, "a bad digest", HEAD SECTION PIN("y")},
    {"last-newline-cut", cut_last_newline, FARM_INVALID, "no end of line", HEAD SECTION PIN("y")},
    {"line-behind-digest", line_behind_digest, FARM_INVALID, "something behind the digest", HEAD SECTION PIN("y")},
};

static enum farm_status read_lock(const struct specimen *specimen, const uint8_t *data, size_t length) {
  struct lock *lock = NULL;
  struct strbuf again = {0};
  enum farm_status status = lock_parse((const char *)data, length, &lock);
  if (status == FARM_OK) {
    REQUIRE_OK(lock_print(lock, &again));
    CHECK_MESSAGE(again.length == length && memcmp(again.data, data, length) == 0, "%s is written otherwise", specimen->name);
  }
  CHECK((status == FARM_OK) == (lock != NULL));
  strbuf_free(&again);
  lock_free(&lock);
  return status;
}

static const struct corpus corpus = {"lock", specimens, sizeof specimens / sizeof *specimens, read_lock, lock_fuzz_one};

TEST(lock_corpus_is_read_as_its_specimens_say, "") { corpus_check_specimens(&corpus); }
TEST(lock_corpus_is_survived, "") { corpus_run(&corpus); }

/* Each section is compared with those before it: millions of them, which 64 MiB hold, would take hours. */
TEST(lock_of_very_many_sections_is_refused_at_once, "timeout:10") {
  struct bytes_writer out = {0};
  struct lock *lock = NULL;
  as_it_is(&out, HEAD);
  for (int i = 0; i < 1000000; i++) {
    char line[64];
    snprintf(line, sizeof line, "section\tcpu %d\t1\tmeasured\n", i);
    as_it_is(&out, line);
  }
  CHECK(lock_parse((const char *)out.data, out.length, &lock) == FARM_INVALID);
  CHECK_TEXT(status_message(), "lock file, line 4100: too many sections");
  bytes_writer_free(&out);
}
