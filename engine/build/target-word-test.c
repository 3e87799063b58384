/* Every kind of target word against a farm's classes, and what becomes of it when the farm knows none. */
#include "build-internal.h"
#include "target-word.h"

#include "../../tests/kit/test.h"

#include <stdio.h>
#include <string.h>

#define AMD "cpu vendor:amd family:25 model:17 isa:avx2 l1d:32k l2:1m l3:32m mem:24g"
#define INTEL "cpu vendor:intel family:6 model:143 isa:avx512 l1d:48k l2:2m l3:105m mem:64g"
#define H200 "cuda sm:90 product:h200 sms:132 clock:1980 memclock:3201 mem:141g"
#define OTHER "cuda sm:900 product:later sms:1 mem:1g"

static const char *const known[] = {AMD, INTEL, H200, OTHER};
enum { KNOWN = sizeof known / sizeof *known };

static const struct {
  const char *word;
  unsigned covers; // bit i: known[i]
  enum target_unseen unseen;
} words[] = {
    {"auto", 0xf, TARGET_THIS_MACHINE},
    {"cpu", 0x3, TARGET_THIS_MACHINE},
    {"cuda", 0xc, TARGET_ERROR},
    {"cuda-sm90", 0x4, TARGET_ITSELF},
    {"cuda-sm900", 0x8, TARGET_ITSELF},
    {"cuda-sm9", 0, TARGET_ITSELF},
    {"cuda-sm", 0, TARGET_ERROR},
    {"cpu-sm90", 0, TARGET_ERROR},
    {"cp", 0, TARGET_ERROR},
    {"cpux", 0, TARGET_ERROR},
    {"Auto", 0, TARGET_ERROR},
    {AMD, 0x1, TARGET_ITSELF},
    {INTEL, 0x2, TARGET_ITSELF},
    {H200, 0x4, TARGET_ITSELF},
    {"cpu vendor:amd", 0, TARGET_ITSELF}, // a class is meant whole
    {"cuda sm:90", 0, TARGET_ITSELF},
    {"cpu ", 0, TARGET_ITSELF},
    {"auto ", 0, TARGET_ERROR},
};
enum { WORDS = sizeof words / sizeof *words };

TEST(target_words_mean_one_thing, "") {
  struct target_word word;
  char longest[DEVICE_CLASS_TEXT_MAX + 8];
  for (int w = 0; w < WORDS; w++) {
    REQUIRE_OK(target_word_parse(words[w].word, &word));
    CHECK_MESSAGE(word.unseen == words[w].unseen, "`%s` unseen: %d", words[w].word, word.unseen);
    for (int i = 0; i < KNOWN; i++)
      CHECK_MESSAGE(target_word_covers(&word, known[i]) == (words[w].covers >> i & 1), "`%s` and %s", words[w].word, known[i]);
  }
  memset(longest, 'x', sizeof longest);
  longest[sizeof longest - 1] = 0;
  CHECK(target_word_parse("", &word) == FARM_USAGE && target_word_parse(longest, &word) == FARM_USAGE);
}

/* A farm with two CPU classes. */
static enum farm_status two_cpus(void *context, const struct target_word *word, struct arena *arena, const char *const **out,
                                 int *out_count) {
  const char **found = arena_alloc_array(arena, 2, sizeof *found);
  (void)context;
  REQUIRE(found);
  *out_count = 0;
  for (int i = 0; i < 2; i++)
    if (target_word_covers(word, known[i])) found[(*out_count)++] = known[i];
  *out = found;
  return FARM_OK;
}

static enum farm_status expanded(struct build_farm *farm, const char *first, const char *second, char *out, size_t out_bytes) {
  const char *const targets[] = {first, second, NULL};
  struct build_options options = {.farm = farm, .targets = targets};
  struct arena arena = {0};
  struct build_target *found;
  int count = 0, length = 0;
  enum farm_status status = build_targets_expand(&options, &arena, &found, &count);
  out[0] = 0;
  for (int i = 0; status == FARM_OK && i < count; i++)
    length += snprintf(out + length, out_bytes - (size_t)length, "%s;", found[i].class_text);
  arena_free(&arena);
  return status;
}

TEST(targets_expand_to_what_is_known_or_may_be_built_unseen, "") {
  struct build_farm farm = {.classes = two_cpus};
  struct device_class here;
  char mine[DEVICE_CLASS_TEXT_MAX], this_machine[DEVICE_CLASS_TEXT_MAX + 1], got[2048];
  REQUIRE_OK(cpu_device_class(&here));
  device_class_print(&here, mine);
  snprintf(this_machine, sizeof this_machine, "%s;", mine);
  const struct {
    struct build_farm *farm;
    const char *first, *second, *wanted;
  } cases[] = {
      {&farm, "auto", NULL, AMD ";" INTEL ";"},
      {&farm, NULL, NULL, AMD ";" INTEL ";"},
      {&farm, "cpu", "auto", AMD ";" INTEL ";"},
      {&farm, INTEL, "cpu", INTEL ";" AMD ";"},
      {NULL, "auto", NULL, this_machine},
      {NULL, NULL, NULL, this_machine},
      {NULL, "cpu", "auto", this_machine},
      {NULL, INTEL, NULL, INTEL ";"},
      {NULL, H200, NULL, H200 ";"},
      {NULL, "cuda-sm90", H200, "cuda sm:90;" H200 ";"},
      {&farm, "cuda-sm90", NULL, "cuda sm:90;"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    REQUIRE_OK(expanded(cases[i].farm, cases[i].first, cases[i].second, got, sizeof got));
    CHECK_TEXT(got, cases[i].wanted);
  }
  CHECK(expanded(&farm, "cuda", NULL, got, sizeof got) == FARM_UNSUPPORTED);
  CHECK(expanded(NULL, "cuda-smx", NULL, got, sizeof got) == FARM_USAGE &&
        expanded(NULL, "", NULL, got, sizeof got) == FARM_USAGE);
  CHECK(expanded(NULL, "cpu vendor:amd", NULL, got, sizeof got) == FARM_USAGE);
}
