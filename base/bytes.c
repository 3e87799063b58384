/* See bytes.h. */
#include "bytes.h"

#include "arena.h"

#include <stdlib.h>
#include <string.h>

void bytes_put(struct bytes_writer *writer, const void *data, size_t length) {
  if (writer->failed) return;
  if (length > writer->capacity - writer->length) {
    size_t capacity = writer->capacity ? writer->capacity : 256;
    while (capacity - writer->length < length) {
      if (capacity > SIZE_MAX / 2) goto failed;
      capacity *= 2;
    }
    uint8_t *grown = realloc(writer->data, capacity);
    if (!grown) goto failed;
    writer->data = grown;
    writer->capacity = capacity;
  }
  if (length) memcpy(writer->data + writer->length, data, length);
  writer->length += length;
  return;
failed:
  writer->failed = true;
}

static void put_number(struct bytes_writer *writer, uint64_t value, size_t bytes) {
  uint8_t encoded[8];
  for (size_t i = 0; i < bytes; i++) encoded[i] = (uint8_t)(value >> (8 * i));
  bytes_put(writer, encoded, bytes);
}

void bytes_put_u8(struct bytes_writer *writer, uint8_t value) { put_number(writer, value, 1); }
void bytes_put_u16(struct bytes_writer *writer, uint16_t value) { put_number(writer, value, 2); }
void bytes_put_u32(struct bytes_writer *writer, uint32_t value) { put_number(writer, value, 4); }
void bytes_put_u64(struct bytes_writer *writer, uint64_t value) { put_number(writer, value, 8); }
void bytes_put_i64(struct bytes_writer *writer, int64_t value) { put_number(writer, (uint64_t)value, 8); }

void bytes_put_f64(struct bytes_writer *writer, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  bytes_put_u64(writer, bits);
}

void bytes_put_f32(struct bytes_writer *writer, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  bytes_put_u32(writer, bits);
}

void bytes_put_blob(struct bytes_writer *writer, const void *data, size_t length) {
  if (length > UINT32_MAX) {
    writer->failed = true;
    return;
  }
  bytes_put_u32(writer, (uint32_t)length);
  bytes_put(writer, data, length);
}

void bytes_put_string(struct bytes_writer *writer, const char *text) { bytes_put_blob(writer, text, text ? strlen(text) : 0); }

void bytes_align(struct bytes_writer *writer, size_t alignment) {
  while (!writer->failed && writer->length % alignment) bytes_put_u8(writer, 0);
}

void bytes_writer_free(struct bytes_writer *writer) {
  free(writer->data);
  *writer = (struct bytes_writer){0};
}

struct bytes_reader bytes_reader_of(const void *data, size_t length) {
  return (struct bytes_reader){.data = data, .length = length};
}

bool bytes_reader_ok(const struct bytes_reader *reader) { return !reader->failed; }
bool bytes_reader_finished(const struct bytes_reader *reader) { return !reader->failed && reader->at == reader->length; }

const uint8_t *bytes_get(struct bytes_reader *reader, size_t length) {
  if (reader->failed || length > reader->length - reader->at) {
    reader->failed = true;
    return NULL;
  }
  const uint8_t *here = reader->data + reader->at;
  reader->at += length;
  return here;
}

static uint64_t get_number(struct bytes_reader *reader, size_t bytes) {
  const uint8_t *encoded = bytes_get(reader, bytes);
  uint64_t value = 0;
  if (encoded)
    for (size_t i = 0; i < bytes; i++) value |= (uint64_t)encoded[i] << (8 * i);
  return value;
}

uint8_t bytes_get_u8(struct bytes_reader *reader) { return (uint8_t)get_number(reader, 1); }
uint16_t bytes_get_u16(struct bytes_reader *reader) { return (uint16_t)get_number(reader, 2); }
uint32_t bytes_get_u32(struct bytes_reader *reader) { return (uint32_t)get_number(reader, 4); }
uint64_t bytes_get_u64(struct bytes_reader *reader) { return get_number(reader, 8); }
int64_t bytes_get_i64(struct bytes_reader *reader) { return (int64_t)get_number(reader, 8); }

double bytes_get_f64(struct bytes_reader *reader) {
  uint64_t bits = bytes_get_u64(reader);
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

float bytes_get_f32(struct bytes_reader *reader) {
  uint32_t bits = bytes_get_u32(reader);
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

uint32_t bytes_get_count(struct bytes_reader *reader, size_t least_bytes) {
  uint32_t count = bytes_get_u32(reader);
  if (reader->failed || (least_bytes && count > (reader->length - reader->at) / least_bytes)) {
    reader->failed = true;
    return 0;
  }
  return count;
}

const uint8_t *bytes_get_blob(struct bytes_reader *reader, size_t *out_length) {
  uint32_t length = bytes_get_u32(reader);
  const uint8_t *data = bytes_get(reader, length);
  *out_length = data ? length : 0;
  return data;
}

const char *bytes_get_string(struct bytes_reader *reader, struct arena *arena) {
  size_t length;
  const uint8_t *data = bytes_get_blob(reader, &length);
  if (data && memchr(data, 0, length)) reader->failed = true;
  if (!data || reader->failed) return "";
  const char *text = arena_string(arena, (const char *)data, length);
  if (!text) reader->failed = true;
  return text ? text : "";
}
