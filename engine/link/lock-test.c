/* A lock prints and parses to itself; what was edited, cut or invented is refused. */
#include "lock.h"

#include "../../tests/kit/test.h"

#include <stdlib.h>
#include <string.h>

static struct lock *example(void) {
  struct lock *lock;
  struct lock_section *section;
  struct digest model = digest_of_text("model");
  REQUIRE_OK(lock_create(&model, "precision f32", &lock));
  REQUIRE_OK(lock_section_add(lock, "cpu vendor:amd", 2, true, &section));
  REQUIRE_OK(lock_pin_add(lock, section, &(struct lock_pin){"a\tb%", "nhwc", "conv{ow=6}", 1234.5, 0.1, 31, 2, 0.25f, NULL, NULL}));
  REQUIRE_OK(lock_pin_add(lock, section, &(struct lock_pin){"y", "any", "gemm{kc=256}", 0, 0, 0, 0, 0, NULL, NULL}));
  REQUIRE_OK(lock_section_add(lock, "cpu vendor:intel", 1, false, &section));
  return lock;
}

TEST(lock_round_trip, "") {
  struct lock *lock = example(), *again;
  struct strbuf text = {0}, text_again = {0};
  REQUIRE_OK(lock_print(lock, &text));
  REQUIRE_OK(lock_parse(text.data, text.length, &again));
  REQUIRE_OK(lock_print(again, &text_again));
  CHECK_TEXT(text_again.data, text.data);
  const struct lock_section *section = lock_section_find(again, "cpu vendor:amd", 2);
  REQUIRE(section != NULL);
  const struct lock_pin *pin = lock_pin_find(section, "a\tb%");
  REQUIRE(pin != NULL);
  CHECK(pin->median_ns == 1234.5 && pin->ties == 2 && pin->error == 0.25f && strcmp(pin->variant, "conv{ow=6}") == 0);
  CHECK(!lock_section_find(again, "cpu vendor:amd", 1) && !lock_pin_find(section, "z"));
  strbuf_free(&text);
  strbuf_free(&text_again);
  lock_free(&again);
  lock_free(&lock);
}

TEST(lock_with_a_library_is_of_version_2, "") {
  static const char version[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  struct lock *lock = example(), *again;
  struct lock_section *section = &lock->sections[1];
  struct strbuf text = {0}, text_again = {0};
  struct lock_pin pin = {.node = "z", .layout = "any", .variant = "gemm{rank=1}", .library = version, .fallback = "gemm{kc=8}"};
  REQUIRE_OK(lock_pin_add(lock, section, &pin));
  REQUIRE_OK(lock_print(lock, &text));
  CHECK(strncmp(text.data, "tunefarm-lock\t2\n", 16) == 0);
  REQUIRE_OK(lock_parse(text.data, text.length, &again));
  REQUIRE_OK(lock_print(again, &text_again));
  CHECK_TEXT(text_again.data, text.data);
  const struct lock_pin *read = lock_pin_find(&again->sections[1], "z");
  REQUIRE(read && read->library && read->fallback);
  CHECK_TEXT(read->library, version);
  CHECK_TEXT(read->fallback, "gemm{kc=8}");
  CHECK(!lock_pin_find(&again->sections[0], "y")->library);
  strbuf_free(&text);
  strbuf_free(&text_again);
  lock_free(&again);
  lock_free(&lock);
}

TEST(lock_refuses_every_cut_and_every_changed_byte, "") {
  struct lock *lock = example(), *other = NULL;
  struct strbuf text = {0};
  REQUIRE_OK(lock_print(lock, &text));
  for (size_t cut = 0; cut < text.length; cut++) CHECK(lock_parse(text.data, cut, &other) != FARM_OK);
  for (size_t at = 0; at < text.length; at++) {
    text.data[at] ^= 1;
    CHECK_MESSAGE(lock_parse(text.data, text.length, &other) != FARM_OK, "byte %zu", at);
    text.data[at] ^= 1;
  }
  strbuf_free(&text);
  lock_free(&lock);
}

TEST(lock_says_what_is_wrong, "") {
  struct lock *lock = NULL;
  const char *newer = "tunefarm-lock\t3\n", *strange = "tunefarm-lock\t1\nmodel\tzz\n";
  CHECK(lock_parse(newer, strlen(newer), &lock) == FARM_MISMATCH);
  CHECK(lock_parse(strange, strlen(strange), &lock) == FARM_INVALID);
  CHECK_TEXT(status_message(), "lock file, line 2: no model digest");
}
