/* Reading lock files: untrusted text. Every line is split into fields, unescaped, counted and checked before use. */
#include "lock.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_FIELDS = 9, MOST_SECTIONS = 4096, MOST_LOCK_BYTES = 64 << 20 };

struct parser {
  struct lock *lock;
  const char *text;
  size_t length, at;
  int line, version;
  bool has_library; // of a library, some pin
  char *fields[MOST_FIELDS];
  int field_count;
  struct arena arena; // of the fields of all lines
};

static enum farm_status malformed(const struct parser *parser, const char *what) {
  return status_set(FARM_INVALID, "lock file, line %d: %s", parser->line, what);
}

static int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

/* Undoes %XX in place; only what the printer escapes may be escaped, so that one content has one text. */
static bool unescape(char *field) {
  char *to = field;
  for (const char *from = field; *from; from++) {
    unsigned char c = (unsigned char)*from;
    if (c < 0x20 || c == 0x7f) return false;
    if (c == '%') {
      int high = hex_digit(from[1]), low = high < 0 ? -1 : hex_digit(from[2]);
      if (low < 0) return false;
      c = (unsigned char)(high << 4 | low);
      if (!(c && (c < 0x20 || c == 0x7f || c == '%'))) return false;
      from += 2;
    }
    *to++ = (char)c;
  }
  *to = 0;
  return true;
}

static enum farm_status line_split(struct parser *parser) {
  const char *begin = parser->text + parser->at;
  const char *end = memchr(begin, '\n', parser->length - parser->at);
  parser->line++;
  if (!end) return malformed(parser, parser->at == parser->length ? "ends too early" : "no end of line");
  if (memchr(begin, 0, (size_t)(end - begin))) return malformed(parser, "a zero byte");
  char *copy = arena_string(&parser->arena, begin, (size_t)(end - begin));
  FAIL_IF(!copy, FARM_NO_MEMORY, "lock file: out of memory");
  parser->at += (size_t)(end - begin) + 1;
  parser->field_count = 0;
  for (char *field = copy; field;) {
    if (parser->field_count == MOST_FIELDS) return malformed(parser, "too many fields");
    char *tab = strchr(field, '\t');
    if (tab) *tab = 0;
    if (!unescape(field)) return malformed(parser, "a bad escape");
    parser->fields[parser->field_count++] = field;
    field = tab ? tab + 1 : NULL;
  }
  return FARM_OK;
}

static bool line_is(const struct parser *parser, const char *keyword, int field_count) {
  return parser->field_count == field_count && strcmp(parser->fields[0], keyword) == 0;
}

/* Decimal, without signs, spaces or leading zeros, at most `most`. */
static bool number_parse(const char *text, unsigned long most, unsigned long *out) {
  if (!isdigit((unsigned char)text[0]) || (text[0] == '0' && text[1])) return false;
  char *end;
  errno = 0;
  *out = strtoul(text, &end, 10);
  return !errno && !*end && *out <= most;
}

/* A non-negative finite number, written exactly as the printer writes it. */
static bool float_parse(const char *text, double *out) {
  char again[64], *end;
  *out = strtod(text, &end);
  if (*end || !isfinite(*out) || signbit(*out)) return false;
  snprintf(again, sizeof again, "%a", *out);
  return strcmp(again, text) == 0;
}

static enum farm_status head_parse(struct parser *parser) {
  TRY(line_split(parser));
  if (parser->field_count != 2 || strcmp(parser->fields[0], "tunefarm-lock") != 0) return malformed(parser, "not a lock file");
  parser->version = strcmp(parser->fields[1], "1") == 0 ? 1 : strcmp(parser->fields[1], "2") == 0 ? 2 : 0;
  FAIL_IF(parser->version == 0, FARM_MISMATCH, "lock file: version %.32s, this tunefarm reads 1 and %d", parser->fields[1],
          LOCK_VERSION);
  TRY(line_split(parser));
  struct digest model;
  if (!line_is(parser, "model", 2) || !digest_from_hex(parser->fields[1], &model)) return malformed(parser, "no model digest");
  TRY(line_split(parser));
  if (!line_is(parser, "options", 2)) return malformed(parser, "no options");
  return lock_create(&model, parser->fields[1], &parser->lock);
}

static enum farm_status section_parse(struct parser *parser, struct lock_section **out_section) {
  unsigned long threads;
  bool measured = strcmp(parser->fields[3], "measured") == 0;
  if (!number_parse(parser->fields[2], 4096, &threads) || threads == 0) return malformed(parser, "a bad number of threads");
  if (!measured && strcmp(parser->fields[3], "estimated") != 0) return malformed(parser, "neither measured nor estimated");
  if (parser->lock->section_count == MOST_SECTIONS) return malformed(parser, "too many sections");
  if (lock_section_find(parser->lock, parser->fields[1], (int)threads)) return malformed(parser, "the section is there twice");
  return lock_section_add(parser->lock, parser->fields[1], (int)threads, measured, out_section);
}

static enum farm_status pin_parse(struct parser *parser, struct lock_section *section) {
  struct lock_pin pin = {.node = parser->fields[1], .layout = parser->fields[2], .variant = parser->fields[3]};
  unsigned long candidates, ties;
  double error;
  if (!section) return malformed(parser, "a pin before any section");
  if (strcmp(pin.layout, "nchw") != 0 && strcmp(pin.layout, "nhwc") != 0 && strcmp(pin.layout, "any") != 0)
    return malformed(parser, "an unknown layout");
  if (!float_parse(parser->fields[4], &pin.median_ns) || !float_parse(parser->fields[5], &pin.ci95_ns) ||
      !number_parse(parser->fields[6], UINT32_MAX, &candidates) || !number_parse(parser->fields[7], UINT32_MAX, &ties) ||
      !float_parse(parser->fields[8], &error) || (double)(float)error != error)
    return malformed(parser, "a bad figure");
  pin.candidates = (uint32_t)candidates;
  pin.ties = (uint32_t)ties;
  pin.error = (float)error;
  return lock_pin_add(parser->lock, section, &pin);
}

/* Directly behind its pin, once. */
static enum farm_status library_parse(struct parser *parser, struct lock_section *section) {
  struct digest digest;
  const struct lock_pin *pin = section && section->pin_count ? &section->pins[section->pin_count - 1] : NULL;
  if (!pin || pin->library) return malformed(parser, "a library behind no pin");
  if (!digest_from_hex(parser->fields[1], &digest)) return malformed(parser, "a library without its version");
  if (!parser->fields[2][0]) return malformed(parser, "a library without a fallback");
  parser->has_library = true;
  return lock_library_add(parser->lock, section, parser->fields[1], parser->fields[2]);
}

static enum farm_status digest_check(struct parser *parser, size_t body_length) {
  struct digest written, actual = digest_of(parser->text, body_length);
  if (!parser->lock->section_count) return malformed(parser, "no section before the digest");
  if (parser->version > 1 && !parser->has_library) return malformed(parser, "version 2 without a library");
  if (!digest_from_hex(parser->fields[1], &written)) return malformed(parser, "a bad digest");
  if (parser->at != parser->length) return malformed(parser, "something behind the digest");
  FAIL_IF(!digest_equal(&written, &actual), FARM_VERIFY_FAILED,
          "lock file: its content does not match its digest; it was edited or damaged");
  return FARM_OK;
}

static enum farm_status body_parse(struct parser *parser) {
  struct lock_section *section = NULL;
  for (;;) {
    size_t begin = parser->at;
    TRY(line_split(parser));
    if (line_is(parser, "section", 4))
      TRY(section_parse(parser, &section));
    else if (line_is(parser, "pin", 9))
      TRY(pin_parse(parser, section));
    else if (parser->version > 1 && line_is(parser, "library", 3))
      TRY(library_parse(parser, section));
    else if (line_is(parser, "digest", 2))
      return digest_check(parser, begin);
    else
      return malformed(parser, "an unknown statement");
  }
}

enum farm_status lock_parse(const char *text, size_t length, struct lock **out_lock) {
  FAIL_IF(length > MOST_LOCK_BYTES, FARM_INVALID, "lock file: larger than %d bytes", MOST_LOCK_BYTES);
  struct parser parser = {.text = text, .length = length};
  enum farm_status status;
  TRY_OR(head_parse(&parser), free_fields);
  TRY_OR(body_parse(&parser), free_fields);
  for (size_t i = 0; i < parser.lock->section_count; i++) TRY_OR(lock_section_index(&parser.lock->sections[i]), free_fields);
  *out_lock = parser.lock;
  parser.lock = NULL;
free_fields:
  lock_free(&parser.lock);
  arena_free(&parser.arena);
  return status;
}
