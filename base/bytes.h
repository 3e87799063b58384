/* Little-endian encoding and bounded decoding of the project's own binary formats.
 *
 * The writer grows; the reader never passes its end: a read past it sets `failed` and returns zeros, so a decoder reads all
 * its fields and checks `bytes_reader_ok` once before believing any of them. Counts from outside must still be checked
 * against what can be there (`bytes_reader_count`) before anything is allocated.
 *
 * Strings and blobs are a u32 length followed by the bytes, no terminator, no padding.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

struct bytes_writer {
  uint8_t *data;
  size_t length, capacity;
  bool failed; // out of memory
};

void bytes_put(struct bytes_writer *writer, const void *data, size_t length);
void bytes_put_u8(struct bytes_writer *writer, uint8_t value);
void bytes_put_u16(struct bytes_writer *writer, uint16_t value);
void bytes_put_u32(struct bytes_writer *writer, uint32_t value);
void bytes_put_u64(struct bytes_writer *writer, uint64_t value);
void bytes_put_i64(struct bytes_writer *writer, int64_t value);
void bytes_put_f64(struct bytes_writer *writer, double value); // IEEE bits
void bytes_put_f32(struct bytes_writer *writer, float value);
void bytes_put_string(struct bytes_writer *writer, const char *text); // NULL is written as ""
void bytes_put_blob(struct bytes_writer *writer, const void *data, size_t length);
void bytes_align(struct bytes_writer *writer, size_t alignment); // pads with zeros
void bytes_writer_free(struct bytes_writer *writer);

struct bytes_reader {
  const uint8_t *data;
  size_t length, at;
  bool failed;
};

struct bytes_reader bytes_reader_of(const void *data, size_t length);
bool bytes_reader_ok(const struct bytes_reader *reader);              // nothing was read past the end
bool bytes_reader_finished(const struct bytes_reader *reader);        // ok, and everything was read
const uint8_t *bytes_get(struct bytes_reader *reader, size_t length); // NULL when it is not there
uint8_t bytes_get_u8(struct bytes_reader *reader);
uint16_t bytes_get_u16(struct bytes_reader *reader);
uint32_t bytes_get_u32(struct bytes_reader *reader);
uint64_t bytes_get_u64(struct bytes_reader *reader);
int64_t bytes_get_i64(struct bytes_reader *reader);
double bytes_get_f64(struct bytes_reader *reader);
float bytes_get_f32(struct bytes_reader *reader);
/* A count of things of at least `least_bytes` each that still fit into what is left; otherwise fails and returns 0. */
uint32_t bytes_get_count(struct bytes_reader *reader, size_t least_bytes);
/* A string copied into `arena`; a zero byte inside it fails. Never NULL ("" on failure). */
const char *bytes_get_string(struct bytes_reader *reader, struct arena *arena);
/* A blob in place; NULL with *out_length 0 on failure. */
const uint8_t *bytes_get_blob(struct bytes_reader *reader, size_t *out_length);

#endif
