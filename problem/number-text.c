/* See number-text.h. */
#include "number-text.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static locale_t plain_locale;
static pthread_once_t plain_locale_once = PTHREAD_ONCE_INIT;

static void plain_locale_make(void) { plain_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

/* The thread's locale becomes "C" until restored; without memory for one it stays as it is. */
static locale_t locale_enter(void) {
  pthread_once(&plain_locale_once, plain_locale_make);
  return uselocale(plain_locale);
}

void number_print_float(float value, char out[NUMBER_TEXT_MAX]) {
  if (isinf(value)) {
    strcpy(out, value < 0 ? "-inf" : "inf");
    return;
  }
  locale_t before = locale_enter();
  for (int digits = 1; digits <= 9; digits++) {
    snprintf(out, NUMBER_TEXT_MAX, "%.*g", digits, (double)value);
    if (strtof(out, NULL) == value) break;
  }
  uselocale(before);
}

static bool float_characters_only(const char *text, size_t length) {
  bool digit = false;
  for (size_t i = 0; i < length; i++) {
    if (text[i] >= '0' && text[i] <= '9')
      digit = true;
    else if (!strchr("+-.e", text[i]) || !text[i])
      return false;
  }
  return digit;
}

bool number_parse_float(const char *text, size_t length, float *out) {
  if (length == 3 && !memcmp(text, "inf", 3)) return *out = INFINITY, true;
  if (length == 4 && !memcmp(text, "-inf", 4)) return *out = -INFINITY, true;
  char copy[NUMBER_TEXT_MAX * 2], *end = NULL;
  if (!length || length >= sizeof copy || text[0] == '+' || !float_characters_only(text, length)) return false;
  memcpy(copy, text, length);
  copy[length] = 0;
  locale_t before = locale_enter();
  float value = strtof(copy, &end);
  uselocale(before);
  if (*end || !isfinite(value)) return false;
  *out = value;
  return true;
}

bool number_parse_int(const char *text, size_t length, int64_t *out) {
  bool negative = length && text[0] == '-';
  size_t at = negative;
  if (at == length || (text[at] == '0' && (length > 1 || negative))) return false;
  int64_t value = 0;
  for (; at < length; at++) {
    int digit = text[at] - '0';
    if (digit < 0 || digit > 9) return false;
    if (__builtin_mul_overflow(value, 10, &value)) return false;
    if (negative ? __builtin_sub_overflow(value, digit, &value) : __builtin_add_overflow(value, digit, &value)) return false;
  }
  *out = value;
  return true;
}
