/* See strbuf.h. */
#include "strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct strbuf *buffer, size_t more) {
  if (buffer->failed) return false;
  size_t need = buffer->length + more + 1;
  if (need <= buffer->capacity) return true;
  size_t capacity = buffer->capacity ? buffer->capacity : 64;
  while (capacity < need) capacity *= 2;
  char *data = realloc(buffer->data, capacity);
  if (!data) {
    buffer->failed = true;
    return false;
  }
  buffer->data = data;
  buffer->capacity = capacity;
  return true;
}

void strbuf_add_bytes(struct strbuf *buffer, const void *bytes, size_t length) {
  if (!reserve(buffer, length)) return;
  if (length) memcpy(buffer->data + buffer->length, bytes, length);
  buffer->length += length;
  buffer->data[buffer->length] = 0;
}

void strbuf_add(struct strbuf *buffer, const char *text) { strbuf_add_bytes(buffer, text, strlen(text)); }

void strbuf_printf(struct strbuf *buffer, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (length >= 0 && reserve(buffer, (size_t)length)) {
    vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, again);
    buffer->length += (size_t)length;
  }
  va_end(again);
}

const char *strbuf_text(const struct strbuf *buffer) { return buffer->data ? buffer->data : ""; }

void strbuf_clear(struct strbuf *buffer) {
  buffer->length = 0;
  if (buffer->data) buffer->data[0] = 0;
}

void strbuf_free(struct strbuf *buffer) {
  free(buffer->data);
  *buffer = (struct strbuf){0};
}
