/* Reading the words of the IR's text form. See text.h. */
#include "text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool word_byte(char byte, const char *further) {
  bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
  return letter || (byte && strchr(further, byte));
}

enum farm_status scan_failed(const struct scan *scan, const char *wanted) {
  return status_set(FARM_INVALID, "line %d: %s expected at \"%.24s\"", scan->line, wanted, scan->at);
}

void scan_space(struct scan *scan) {
  for (;; scan->at++) {
    if (scan->at[0] == '/' && scan->at[1] == '/') scan->at += strcspn(scan->at, "\n");
    if (*scan->at == '\n')
      scan->line++;
    else if (*scan->at != ' ' && *scan->at != '\t' && *scan->at != '\r')
      return;
  }
}

bool scan_accept(struct scan *scan, const char *token) {
  scan_space(scan);
  size_t length = strlen(token);
  if (strncmp(scan->at, token, length) != 0) return false;
  if (word_byte(token[length - 1], "_") && word_byte(scan->at[length], "_")) return false;
  scan->at += length;
  return true;
}

enum farm_status scan_expect(struct scan *scan, const char *token) {
  return scan_accept(scan, token) ? FARM_OK : scan_failed(scan, token);
}

static int hex_digit(char byte) {
  const char *digits = "0123456789abcdef", *at = byte ? strchr(digits, byte) : NULL;
  return at ? (int)(at - digits) : -1;
}

static enum farm_status escape_read(struct scan *scan, char *out_byte) {
  char kind = *scan->at++;
  if (kind == '"' || kind == '\\') {
    *out_byte = kind;
    return FARM_OK;
  }
  int high = kind == 'x' ? hex_digit(scan->at[0]) : -1, low = high >= 0 ? hex_digit(scan->at[1]) : -1;
  if (low < 0) {
    scan->at--;
    return scan_failed(scan, "\\\", \\\\ or \\xNN");
  }
  *out_byte = (char)(high * 16 + low);
  scan->at += 2;
  return FARM_OK;
}

enum farm_status scan_quoted(struct scan *scan, const char **out_text, size_t *out_length) {
  TRY(scan_expect(scan, "\""));
  size_t length = 0, most = strcspn(scan->at, "\n");
  char *text = arena_alloc(scan->arena, most + 1);
  if (!text) return FARM_NO_MEMORY;
  while (*scan->at != '"') {
    if (!*scan->at || *scan->at == '\n') return scan_failed(scan, "a closing quote");
    char byte = *scan->at++;
    if (byte == '\\') TRY(escape_read(scan, &byte));
    text[length++] = byte;
  }
  scan->at++;
  *out_text = text;
  *out_length = length;
  return FARM_OK;
}

enum farm_status scan_word(struct scan *scan, const char *further, const char **out_text) {
  scan_space(scan);
  size_t length = 0;
  if (*scan->at == '"') {
    TRY(scan_quoted(scan, out_text, &length));
    FAIL_IF(strlen(*out_text) != length, FARM_INVALID, "line %d: a zero byte in a name", scan->line);
    return FARM_OK;
  }
  while (length < TEXT_MOST_WORD && word_byte(scan->at[length], further)) length++;
  if (!length) return scan_failed(scan, "a name");
  const char *text = arena_string(scan->arena, scan->at, length);
  if (!text) return FARM_NO_MEMORY;
  scan->at += length;
  *out_text = text;
  return FARM_OK;
}

bool scan_is_integer(const struct scan *scan) {
  struct scan ahead = *scan;
  scan_space(&ahead);
  const char *at = ahead.at + (*ahead.at == '-');
  size_t digits = strspn(at, "0123456789");
  return digits && !(at[digits] && strchr(".einIN", at[digits]));
}

enum farm_status scan_int(struct scan *scan, int64_t *out_value) {
  if (!scan_is_integer(scan)) return scan_failed(scan, "an integer");
  char *end;
  errno = 0;
  long long value = strtoll(scan->at + strspn(scan->at, " \t\r\n"), &end, 10);
  if (errno == ERANGE) { // the upper half of u64 keeps its bits
    errno = 0;
    value = (long long)strtoull(scan->at + strspn(scan->at, " \t\r\n"), &end, 10);
  }
  if (errno == ERANGE) return scan_failed(scan, "an integer of 64 bits");
  scan_space(scan);
  scan->at = end;
  *out_value = value;
  return FARM_OK;
}

enum farm_status scan_number(struct scan *scan, double *out_value) {
  static const struct {
    const char *text;
    double value;
  } names[] = {{"nan", NAN}, {"inf", INFINITY}, {"-inf", -INFINITY}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (scan_accept(scan, names[i].text)) {
      *out_value = names[i].value;
      return FARM_OK;
    }
  size_t length = strspn(scan->at, "+-.0123456789eE");
  char *end, text[64];
  if (!length || length >= sizeof text) return scan_failed(scan, "a number");
  memcpy(text, scan->at, length);
  text[length] = 0;
  *out_value = strtod(text, &end);
  if (*end) return scan_failed(scan, "a number");
  scan->at += length;
  return FARM_OK;
}
