/* Device classes as text. See device-class.h. Exactly canonical: what is not the printed form of something is refused.
 * One table of words per kind of device drives printing and parsing. */
#include "device-class.h"

#include "number-text.h"

#include <stdio.h>
#include <string.h>

static const char *const isa_names[ISA_COUNT] = {
#define X(name, text) text,
    ISA_LIST(X)
#undef X
};

const char *isa_name(enum isa isa) { return (unsigned)isa < ISA_COUNT ? isa_names[isa] : "?"; }

enum farm_status isa_parse(const char *text, enum isa *out) {
  for (int i = 0; i < ISA_COUNT; i++)
    if (!strcmp(text, isa_names[i])) return *out = (enum isa)i, FARM_OK;
  return status_set(FARM_USAGE, "instruction set `%.32s`: expected baseline, avx2 or avx512", text);
}

/* The largest unit that divides it: "32k", "1m", "24g", "1000". */
static void size_print(int64_t bytes, char out[NUMBER_TEXT_MAX]) {
  static const char units[] = {'g', 'm', 'k'};
  for (int i = 0; i < 3; i++) {
    int shift = 30 - 10 * i;
    if (bytes == 0 || bytes & ((INT64_C(1) << shift) - 1)) continue;
    snprintf(out, NUMBER_TEXT_MAX, "%lld%c", (long long)(bytes >> shift), units[i]);
    return;
  }
  snprintf(out, NUMBER_TEXT_MAX, "%lld", (long long)bytes);
}

static bool size_parse(const char *text, int64_t *out) {
  size_t length = strlen(text);
  int shift = !length ? 0 : text[length - 1] == 'k' ? 10 : text[length - 1] == 'm' ? 20 : text[length - 1] == 'g' ? 30 : 0;
  int64_t number;
  if (!number_parse_int(text, length - (shift != 0), &number) || number < 0 || number > INT64_MAX >> shift) return false;
  *out = number << shift;
  return true;
}

/* ---- words ---- */

enum word_type { WORD_NUMBER, WORD_SIZE, WORD_TEXT, WORD_ISA };

struct word {
  const char *name;
  enum word_type type;
  size_t offset, room; // in struct device_class; room of a text
};

#define WORD(name, type, field)                                                                                                  \
  { name, type, offsetof(struct device_class, field), sizeof((struct device_class *)0)->field }

static const struct word cpu_words[] = {
    WORD("vendor", WORD_TEXT, vendor), WORD("family", WORD_NUMBER, family),  WORD("model", WORD_NUMBER, model),
    WORD("isa", WORD_ISA, isa),        WORD("l1d", WORD_SIZE, l1d_bytes),    WORD("l2", WORD_SIZE, l2_bytes),
    WORD("l3", WORD_SIZE, l3_bytes),   WORD("mem", WORD_SIZE, memory_bytes),
};
static const struct word cuda_words[] = {
    WORD("sm", WORD_NUMBER, sm),
    WORD("product", WORD_TEXT, product),
    WORD("sms", WORD_NUMBER, sms),
    WORD("clock", WORD_NUMBER, clock_mhz),
    WORD("memclock", WORD_NUMBER, memory_clock_mhz),
    WORD("mem", WORD_SIZE, memory_bytes),
};

static const struct kind {
  const char *name;
  const struct word *words;
  int count, least; // words in all, and in the short form
} kinds[] = {
    [DEVICE_CPU] = {"cpu", cpu_words, sizeof cpu_words / sizeof *cpu_words, sizeof cpu_words / sizeof *cpu_words},
    [DEVICE_CUDA] = {"cuda", cuda_words, sizeof cuda_words / sizeof *cuda_words, 1},
};

enum { WORD_TEXT_MAX = 64 };

static void word_print(const struct device_class *from, const struct word *word, char out[WORD_TEXT_MAX]) {
  const char *field = (const char *)from + word->offset;
  char size[NUMBER_TEXT_MAX];
  int count;
  int64_t bytes;
  switch (word->type) {
  case WORD_NUMBER:
    memcpy(&count, field, sizeof count);
    snprintf(out, WORD_TEXT_MAX, "%d", count);
    return;
  case WORD_SIZE:
    memcpy(&bytes, field, sizeof bytes);
    size_print(bytes, size);
    snprintf(out, WORD_TEXT_MAX, "%s", size);
    return;
  case WORD_TEXT:
    snprintf(out, WORD_TEXT_MAX, "%.*s", (int)word->room - 1, field);
    return;
  case WORD_ISA:
    snprintf(out, WORD_TEXT_MAX, "%s", isa_name(from->isa));
    return;
  }
}

static bool is_short(const struct device_class *device_class) {
  return device_class->kind == DEVICE_CUDA && !device_class->product[0];
}

void device_class_print(const struct device_class *device_class, char out[DEVICE_CLASS_TEXT_MAX]) {
  const struct kind *kind = &kinds[device_class->kind == DEVICE_CUDA ? DEVICE_CUDA : DEVICE_CPU];
  int count = is_short(device_class) ? kind->least : kind->count;
  size_t at = (size_t)snprintf(out, DEVICE_CLASS_TEXT_MAX, "%s", kind->name);
  for (int i = 0; i < count && at < DEVICE_CLASS_TEXT_MAX; i++) {
    char text[WORD_TEXT_MAX];
    word_print(device_class, &kind->words[i], text);
    at += (size_t)snprintf(out + at, DEVICE_CLASS_TEXT_MAX - at, " %s:%s", kind->words[i].name, text);
  }
}

/* ---- parsing ---- */

static bool count_parse(const char *text, void *field) {
  int64_t number;
  if (!number_parse_int(text, strlen(text), &number) || number < 0 || number > 1 << 20) return false;
  memcpy(field, &(int){(int)number}, sizeof(int));
  return true;
}

static bool size_field_parse(const char *text, void *field) {
  int64_t bytes;
  if (!size_parse(text, &bytes)) return false;
  memcpy(field, &bytes, sizeof bytes);
  return true;
}

static bool text_parse(const char *text, size_t room, char *field) {
  size_t length = strlen(text);
  if (length >= room || strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789") != length) return false;
  memcpy(field, text, length + 1);
  return true;
}

static enum farm_status word_parse(const struct word *word, const char *text, struct device_class *out) {
  char *field = (char *)out + word->offset;
  if (word->type == WORD_ISA) return isa_parse(text, &out->isa);
  bool good = word->type == WORD_NUMBER ? count_parse(text, field)
              : word->type == WORD_SIZE ? size_field_parse(text, field)
                                        : text_parse(text, word->room, field);
  FAIL_IF(!good, FARM_USAGE, "device class: %s `%s`", word->name, text);
  return FARM_OK;
}

/* " name:text" at *at; moves past it. */
static enum farm_status word_take(const char **at, const struct word *word, struct device_class *out) {
  size_t name = strlen(word->name);
  char text[WORD_TEXT_MAX];
  FAIL_IF(strncmp(*at, " ", 1) || strncmp(*at + 1, word->name, name) || (*at)[1 + name] != ':', FARM_USAGE,
          "device class: expected ` %s:` before `%.32s`", word->name, *at);
  *at += name + 2;
  size_t length = strcspn(*at, " ");
  FAIL_IF(!length || length >= sizeof text, FARM_USAGE, "device class: %s has no value, or too long a one", word->name);
  memcpy(text, *at, length);
  text[length] = 0;
  *at += length;
  return word_parse(word, text, out);
}

static const struct kind *kind_of(const char *text) {
  size_t length = strcspn(text, " ");
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strlen(kinds[i].name) == length && !strncmp(text, kinds[i].name, length)) return &kinds[i];
  return NULL;
}

enum farm_status device_class_parse(const char *text, struct device_class *out) {
  const struct kind *kind = kind_of(text);
  char again[DEVICE_CLASS_TEXT_MAX];
  FAIL_IF(!kind, FARM_USAGE, "device class `%.64s`: expected cpu or cuda", text);
  struct device_class result = {.kind = (enum device_kind)(kind - kinds)};
  const char *at = text + strlen(kind->name);
  for (int i = 0; i < kind->count && (*at || i < kind->least); i++) TRY(word_take(&at, &kind->words[i], &result));
  FAIL_IF(result.kind == DEVICE_CUDA && (result.sm < 10 || result.sm > 999), FARM_USAGE, "device class: sm `%d`", result.sm);
  device_class_print(&result, again);
  FAIL_IF(strcmp(text, again), FARM_USAGE, "device class `%.100s` is not in canonical form: `%s`", text, again);
  *out = result;
  return FARM_OK;
}

bool device_class_fits(const struct device_class *made_for, const struct device_class *machine) {
  if (made_for->kind != machine->kind) return false;
  return made_for->kind == DEVICE_CUDA ? made_for->sm == machine->sm : made_for->isa <= machine->isa;
}
