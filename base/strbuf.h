/* A growing text. Start with `struct strbuf text = {0};`; `text.data` is always zero-terminated once anything was added
 * (NULL before). Allocation failure sets `failed`; further adds do nothing: check once, at the end. */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include <stdbool.h>
#include <stddef.h>

struct strbuf {
  char *data;
  size_t length, capacity;
  bool failed;
};

void strbuf_add(struct strbuf *buffer, const char *text);
void strbuf_add_bytes(struct strbuf *buffer, const void *bytes, size_t length);
void strbuf_printf(struct strbuf *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *strbuf_text(const struct strbuf *buffer); // "" while empty
void strbuf_clear(struct strbuf *buffer);             // empty, keeps the memory
void strbuf_free(struct strbuf *buffer);

#endif
