/* Texts of `op` problems: an operator's name, its attributes sorted, its operands. Enters: words in any order; leaves: the
 * canonical text, never longer than a problem's text may be (then its end is the digest of all of it).
 */
#include "../base/strbuf.h"
#include "number-text.h"
#include "op-text.h"
#include "problem-kinds.h"

#include <stdlib.h>
#include <string.h>

enum word_class { WORD_NAME, WORD_ATTR, WORD_IN, WORD_OUT, WORD_DIGEST };

struct op_word {
  const char *text;
  size_t length;
  enum word_class class;
  int order; // as it came
};

enum { OP_TEXT_MOST = PROBLEM_TEXT_MAX - 4, DIGEST_WORD_BYTES = 8 + 64, OP_NAME_MAX = 200 };
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define DIGITS "0123456789"

static enum farm_status refuse(const struct op_word *word, const char *why) {
  return status_set(FARM_USAGE, "problem: op: `%.*s`: %s", (int)(word->length > 60 ? 60 : word->length), word->text, why);
}

static size_t span(const char *text, size_t length, const char *set) {
  size_t at = 0;
  while (at < length && text[at] && strchr(set, text[at])) at++;
  return at;
}

static void add(struct strbuf *out, const struct op_word *word) { strbuf_add_bytes(out, word->text, word->length); }

/* "com.microsoft.Name-1" */
static bool name_valid(const char *text, size_t length) {
  size_t name = span(text, length, LETTERS DIGITS ".");
  int64_t version;
  return name && length <= OP_NAME_MAX && name < length && text[name] == '-' &&
         number_parse_int(text + name + 1, length - name - 1, &version) && version > 0;
}

static size_t type_length(const char *text, size_t length) {
  struct tensor type;
  return op_text_type(text, length, &type);
}

static enum farm_status put_operand(const struct op_word *word, struct strbuf *out) {
  size_t prefix = word->class == WORD_IN ? 3 : 4, length = word->length - prefix;
  bool omitted = length == 1 && word->text[prefix] == '-';
  if (!omitted && type_length(word->text + prefix, length) != length) return refuse(word, "expected a type like f32[1,3]");
  add(out, word);
  return FARM_OK;
}

/* "…" without spaces, quotes or lone backslashes inside; its length with the quotes, 0 when wrong. */
static size_t string_length(const char *text, size_t length) {
  for (size_t at = 1; at < length; at++) {
    if (text[at] == '"') return at + 1;
    if (text[at] <= ' ' || text[at] > '~') return 0;
    if (text[at] != '\\') continue;
    if (length - at < 4 || text[at + 1] != 'x' || span(text + at + 2, 2, "0123456789abcdef") != 2) return 0;
    at += 3;
  }
  return 0;
}

/* One element of a value: number, string, or tensor with the first 16 digits of its digest. Its length; 0 when wrong. */
static size_t put_element(const char *text, size_t length, struct strbuf *out) {
  char number[NUMBER_TEXT_MAX];
  float value;
  int64_t integer;
  if (text[0] == '"') {
    size_t string = string_length(text, length);
    strbuf_add_bytes(out, text, string);
    return string;
  }
  size_t type = type_length(text, length);
  if (type) {
    if (length - type < 17 || text[type] != '#' || span(text + type + 1, 16, "0123456789abcdef") != 16) return 0;
    strbuf_add_bytes(out, text, type + 17);
    return type + 17;
  }
  size_t end = 0;
  while (end < length && text[end] != ',') end++;
  if (number_parse_int(text, end, &integer) || (end == 3 && !memcmp(text, "nan", 3))) {
    strbuf_add_bytes(out, text, end);
    return end;
  }
  if (!number_parse_float(text, end, &value)) return 0;
  number_print_float(value, number);
  strbuf_add(out, number);
  return end;
}

static enum farm_status put_attr(const struct op_word *word, struct strbuf *out) {
  const char *equals = memchr(word->text, '=', word->length);
  size_t at = (size_t)(equals - word->text) + 1;
  strbuf_add_bytes(out, word->text, at);
  while (at < word->length) {
    size_t element = put_element(word->text + at, word->length - at, out);
    if (!element) return refuse(word, "expected numbers, strings or a tensor's digest");
    at += element;
    if (at == word->length) break;
    if (word->text[at++] != ',' || at == word->length) return refuse(word, "expected a comma and another element");
    strbuf_add(out, ",");
  }
  return FARM_OK;
}

static bool is_attr(const char *text, size_t length) {
  size_t name = span(text, length, LETTERS DIGITS);
  return name && name < length && text[name] == '=' && !strchr(DIGITS, text[0]);
}

static bool is_digest(const char *text, size_t length) {
  return length == 7 + 64 && !memcmp(text, "digest:", 7) && span(text + 7, 64, "0123456789abcdef") == 64;
}

static enum farm_status classify(struct op_word *word) {
  const char *text = word->text;
  if (word->length > 3 && !memcmp(text, "in:", 3))
    word->class = WORD_IN;
  else if (word->length > 4 && !memcmp(text, "out:", 4))
    word->class = WORD_OUT;
  else if (is_digest(text, word->length))
    word->class = WORD_DIGEST;
  else if (is_attr(text, word->length))
    word->class = WORD_ATTR;
  else if (name_valid(text, word->length))
    word->class = WORD_NAME;
  else
    return refuse(word, "neither operator, attribute nor operand");
  return FARM_OK;
}

static int attr_name_compare(const struct op_word *a, const struct op_word *b) {
  size_t a_length = span(a->text, a->length, LETTERS DIGITS), b_length = span(b->text, b->length, LETTERS DIGITS);
  int order = memcmp(a->text, b->text, a_length < b_length ? a_length : b_length);
  return order ? order : (a_length > b_length) - (a_length < b_length);
}

static int word_compare(const void *left, const void *right) {
  const struct op_word *a = left, *b = right;
  if (a->class != b->class) return (int)a->class - (int)b->class;
  int order = a->class == WORD_ATTR ? attr_name_compare(a, b) : 0;
  return order ? order : a->order - b->order;
}

static enum farm_status split(const char *text, struct arena *arena, struct op_word **out_words, int *out_count) {
  size_t most = strlen(text) / 2 + 1;
  struct op_word *words = arena_alloc_array(arena, most, sizeof *words);
  if (!words) return FARM_NO_MEMORY;
  int count = 0;
  for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
    struct op_word word = {text, strcspn(text, " "), WORD_NAME, count};
    TRY(classify(&word));
    words[count++] = word;
    text += word.length;
  }
  qsort(words, (size_t)count, sizeof *words, word_compare);
  *out_words = words;
  *out_count = count;
  return FARM_OK;
}

static enum farm_status put_words(const struct op_word *words, int count, struct strbuf *out) {
  for (int i = 0; i < count; i++) {
    const struct op_word *word = &words[i], *last = i ? word - 1 : NULL;
    if ((word->class == WORD_NAME) != (i == 0)) return refuse(word, "an op has one operator, named first");
    if (last && word->class == WORD_DIGEST && last->class == WORD_DIGEST) return refuse(word, "a second digest");
    if (last && word->class == WORD_ATTR && last->class == WORD_ATTR && !attr_name_compare(word, last))
      return refuse(word, "said twice");
    if (i) strbuf_add(out, " ");
    if (word->class == WORD_ATTR)
      TRY(put_attr(word, out));
    else if (word->class == WORD_IN || word->class == WORD_OUT)
      TRY(put_operand(word, out));
    else
      add(out, word);
  }
  return out->length ? FARM_OK : status_set(FARM_USAGE, "problem: op needs an operator");
}

/* Too long: as many whole words as leave room for the digest of the whole. */
static void shorten(struct strbuf *text) {
  char hex[DIGEST_HEX_BYTES];
  struct digest digest = digest_of(text->data, text->length);
  digest_to_hex(&digest, hex);
  size_t keep = OP_TEXT_MOST - DIGEST_WORD_BYTES;
  while (text->data[keep] != ' ') keep--; // the operator's name is shorter
  text->length = keep;
  strbuf_printf(text, " digest:%s", hex);
}

enum farm_status op_text_canonicalise(const char *text, struct arena *arena, const char **out) {
  struct op_word *words;
  int count;
  struct strbuf result = {0};
  enum farm_status status = split(text, arena, &words, &count);
  if (status == FARM_OK) status = put_words(words, count, &result);
  if (status == FARM_OK && result.length > OP_TEXT_MOST) shorten(&result);
  if (status == FARM_OK && result.failed) status = status_set(FARM_NO_MEMORY, "problem: no memory for its text");
  const char *copy = status == FARM_OK ? arena_string(arena, result.data, result.length) : NULL;
  strbuf_free(&result);
  if (status != FARM_OK) return status;
  if (!copy) return FARM_NO_MEMORY;
  *out = copy;
  return FARM_OK;
}
