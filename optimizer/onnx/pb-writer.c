/* See pb-writer.h. Ending a message moves its bytes up by the length's few bytes; holes inside move with them. */
#include "pb-writer.h"

#include "../../base/array.h"
#include "../../base/file.h"
#include "pb-reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VARINT_BYTES = 10, PIECE_BYTES = 1 << 16 };

static size_t varint_encode(uint64_t value, uint8_t out[VARINT_BYTES]) {
  size_t length = 0;
  for (; value >= 0x80; value >>= 7) out[length++] = (uint8_t)(value | 0x80);
  out[length++] = (uint8_t)value;
  return length;
}

static bool room(struct pb_writer *writer, size_t more) {
  if (!writer->failed && more <= SIZE_MAX / 2 - writer->length)
    writer->failed = array_reserve(&writer->data, &writer->capacity, writer->length + more) != FARM_OK;
  else
    writer->failed = true;
  return !writer->failed;
}

void pb_put_raw(struct pb_writer *writer, const void *data, size_t length) {
  if (!length || !room(writer, length)) return;
  memcpy(writer->data + writer->length, data, length);
  writer->length += length;
}

static void varint_put(struct pb_writer *writer, uint64_t value) {
  uint8_t bytes[VARINT_BYTES];
  pb_put_raw(writer, bytes, varint_encode(value, bytes));
}

static void tag_put(struct pb_writer *writer, uint32_t number, enum pb_wire wire) {
  varint_put(writer, (uint64_t)number << 3 | wire);
}

static void f32_put(struct pb_writer *writer, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  pb_put_raw(writer, (uint8_t[]){(uint8_t)bits, (uint8_t)(bits >> 8), (uint8_t)(bits >> 16), (uint8_t)(bits >> 24)}, 4);
}

void pb_begin(struct pb_writer *writer, uint32_t number) {
  tag_put(writer, number, PB_BYTES);
  if (writer->depth == PB_WRITER_MAX_DEPTH) writer->failed = true;
  if (writer->failed) return;
  writer->open[writer->depth].start = writer->length;
  writer->open[writer->depth++].first_hole = writer->hole_count;
}

void pb_end(struct pb_writer *writer) {
  if (writer->depth == 0) writer->failed = true;
  if (writer->failed) return;
  size_t start = writer->open[--writer->depth].start, first = writer->open[writer->depth].first_hole;
  uint64_t length = writer->length - start;
  for (size_t i = first; i < writer->hole_count; i++) length += writer->holes[i].length;
  uint8_t bytes[VARINT_BYTES];
  size_t width = varint_encode(length, bytes);
  if (!room(writer, width)) return;
  memmove(writer->data + start + width, writer->data + start, writer->length - start);
  memcpy(writer->data + start, bytes, width);
  writer->length += width;
  for (size_t i = first; i < writer->hole_count; i++) writer->holes[i].at += width;
}

void pb_put_i64(struct pb_writer *writer, uint32_t number, int64_t value) {
  tag_put(writer, number, PB_VARINT);
  varint_put(writer, (uint64_t)value);
}

void pb_put_f32(struct pb_writer *writer, uint32_t number, float value) {
  tag_put(writer, number, PB_FIXED32);
  f32_put(writer, value);
}

void pb_put_bytes(struct pb_writer *writer, uint32_t number, const void *data, size_t length) {
  tag_put(writer, number, PB_BYTES);
  varint_put(writer, length);
  pb_put_raw(writer, data, length);
}

void pb_put_text(struct pb_writer *writer, uint32_t number, const char *text) {
  pb_put_bytes(writer, number, text, strlen(text));
}

void pb_put_packed_i64(struct pb_writer *writer, uint32_t number, const int64_t *values, size_t count) {
  pb_begin(writer, number);
  for (size_t i = 0; i < count; i++) varint_put(writer, (uint64_t)values[i]);
  pb_end(writer);
}

void pb_put_packed_f32(struct pb_writer *writer, uint32_t number, const float *values, size_t count) {
  pb_begin(writer, number);
  for (size_t i = 0; i < count; i++) f32_put(writer, values[i]);
  pb_end(writer);
}

void pb_put_stream(struct pb_writer *writer, uint32_t number, uint64_t length, pb_fill_fn fill, void *context) {
  tag_put(writer, number, PB_BYTES);
  varint_put(writer, length);
  if (writer->failed) return;
  writer->failed = array_reserve(&writer->holes, &writer->hole_capacity, writer->hole_count + 1) != FARM_OK;
  if (!writer->failed) writer->holes[writer->hole_count++] = (struct pb_hole){writer->length, length, fill, context};
}

static enum farm_status hole_write(const struct pb_hole *hole, pb_sink_fn sink, void *context, uint8_t *piece) {
  for (uint64_t at = 0; at < hole->length;) {
    size_t length = hole->length - at < PIECE_BYTES ? (size_t)(hole->length - at) : PIECE_BYTES;
    TRY(hole->fill(hole->context, at, piece, length));
    TRY(sink(context, piece, length));
    at += length;
  }
  return FARM_OK;
}

enum farm_status pb_write(struct pb_writer *writer, pb_sink_fn sink, void *context) {
  FAIL_IF(writer->failed, FARM_NO_MEMORY, "a message could not be put together in memory");
  FAIL_IF(writer->depth, FARM_INVALID, "%d messages are not ended", writer->depth);
  uint8_t *piece = malloc(PIECE_BYTES);
  FAIL_IF(!piece, FARM_NO_MEMORY, "out of memory");
  enum farm_status status = FARM_OK;
  size_t at = 0;
  for (size_t i = 0; i < writer->hole_count; i++) {
    TRY_OR(sink(context, writer->data + at, writer->holes[i].at - at), free_piece);
    TRY_OR(hole_write(&writer->holes[i], sink, context, piece), free_piece);
    at = writer->holes[i].at;
  }
  if (writer->length > at) TRY_OR(sink(context, writer->data + at, writer->length - at), free_piece);
free_piece:
  free(piece);
  return status;
}

static enum farm_status file_sink(void *context, const void *data, size_t length) {
  FAIL_IF(length && fwrite(data, 1, length, context) != length, errno == ENOSPC ? FARM_NO_SPACE : FARM_IO, "%s", strerror(errno));
  return FARM_OK;
}

/* In parts: the whole need not fit into memory, which file_write_atomic asks for. */
enum farm_status pb_write_file(struct pb_writer *writer, const char *path) {
  struct file_write write;
  TRY(file_write_begin(path, &write));
  FILE *file = fdopen(dup(write.fd), "wb");
  enum farm_status status =
      file ? pb_write(writer, file_sink, file) : status_set(FARM_IO, "cannot write to it: %s", strerror(errno));
  if (file && fclose(file) != 0 && status == FARM_OK)
    status = status_set(errno == ENOSPC ? FARM_NO_SPACE : FARM_IO, "%s", strerror(errno));
  return file_write_end(&write, status == FARM_OK ? FARM_OK : status_prefix(status, "%s", path));
}

void pb_writer_free(struct pb_writer *writer) {
  free(writer->data);
  free(writer->holes);
  *writer = (struct pb_writer){0};
}
