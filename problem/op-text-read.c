/* See op-text.h. */
#include "op-text.h"

#include "number-text.h"

#include <string.h>

/* ---- types ---- */

static size_t alphanumeric(const char *text, size_t length) {
  size_t at = 0;
  while (at < length && ((text[at] >= '0' && text[at] <= '9') || (text[at] >= 'a' && text[at] <= 'z'))) at++;
  return at;
}

size_t op_text_type(const char *text, size_t length, struct tensor *out) {
  struct tensor type = {0};
  char name[16] = {0};
  size_t at = alphanumeric(text, length);
  if (at >= sizeof name || at == length || text[at] != '[') return 0;
  memcpy(name, text, at);
  type.dtype = dtype_from_name(name);
  if (type.dtype == DTYPE_NONE) return 0;
  for (at++; at < length && text[at] != ']'; type.rank++) {
    if (type.rank == TENSOR_MAX_RANK || (type.rank && text[at] != ',')) return 0;
    at += type.rank > 0;
    size_t digits = alphanumeric(text + at, length - at);
    if (!number_parse_int(text + at, digits, &type.dims[type.rank])) return 0;
    at += digits;
  }
  if (at >= length) return 0;
  *out = type;
  return at + 1;
}

/* ---- words: a canonical text has one space between them, and none inside ---- */

struct word {
  const char *text;
  size_t length;
};

static bool word_next(const char **text, struct word *out) {
  *text += strspn(*text, " ");
  *out = (struct word){*text, strcspn(*text, " ")};
  *text += out->length;
  return out->length > 0;
}

static bool word_begins(const struct word *word, const char *with) {
  return word->length >= strlen(with) && memcmp(word->text, with, strlen(with)) == 0;
}

static bool is_op(const struct problem *problem) { return problem->kind == PROBLEM_OP && problem->op_text; }

bool op_text_is(const struct problem *problem, const char *name) {
  if (!is_op(problem)) return false;
  const size_t length = strlen(name);
  return strncmp(problem->op_text, name, length) == 0 && problem->op_text[length] == '-';
}

static bool operand_add(const struct word *word, size_t prefix, struct tensor *list, int *count) {
  const char *type = word->text + prefix;
  const size_t length = word->length - prefix;
  struct tensor tensor = {0};
  if (*count == PROBLEM_MAX_OPERANDS || length == 0) return false;
  const bool omitted = length == 1 && *type == '-';
  if (!omitted && (op_text_type(type, length, &tensor) != length || tensor_elems(&tensor) < 0)) return false;
  list[(*count)++] = tensor;
  return true;
}

bool op_text_operands(const struct problem *problem, struct op_operands *out) {
  struct word word;
  if (!is_op(problem)) return false;
  *out = (struct op_operands){0};
  for (const char *text = problem->op_text; word_next(&text, &word);) {
    if (word_begins(&word, "digest:")) return false;
    if (word_begins(&word, "in:") && !operand_add(&word, 3, out->inputs, &out->input_count)) return false;
    if (word_begins(&word, "out:") && !operand_add(&word, 4, out->outputs, &out->output_count)) return false;
  }
  return true;
}

const char *op_text_attr(const struct problem *problem, const char *attr, size_t *out_length) {
  const size_t name = strlen(attr);
  struct word word;
  *out_length = 0;
  if (!is_op(problem)) return NULL;
  for (const char *text = problem->op_text; word_next(&text, &word);) {
    if (!word_begins(&word, attr) || word.length <= name || word.text[name] != '=') continue;
    *out_length = word.length - name - 1;
    return word.text + name + 1;
  }
  return NULL;
}

bool op_text_int(const struct problem *problem, const char *attr, int64_t otherwise, int64_t *out) {
  size_t length;
  const char *value = op_text_attr(problem, attr, &length);
  *out = otherwise;
  return is_op(problem) && (!value || number_parse_int(value, length, out));
}

bool op_text_ints(const struct problem *problem, const char *attr, int64_t *out, int most, int *out_count) {
  size_t length;
  const char *value = op_text_attr(problem, attr, &length);
  *out_count = value ? 0 : -1;
  if (!value) return is_op(problem);
  for (bool more = length > 0; more;) {
    const char *comma = memchr(value, ',', length);
    const size_t digits = comma ? (size_t)(comma - value) : length;
    if (*out_count == most || !number_parse_int(value, digits, &out[*out_count])) return false;
    *out_count += 1;
    more = comma != NULL;
    value += digits + more;
    length -= digits + more;
  }
  return true;
}
