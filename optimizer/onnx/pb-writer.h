/* Writing protobuf: fields in any order, messages nested by begin and end, large payloads made only while writing out.
 *
 *   pb_begin(w, 7); pb_put_text(w, 2, "main"); pb_put_stream(w, 9, bytes, fill, context); pb_end(w); pb_write(w, sink, file)
 *
 * The small fields are kept in memory; a stream is a hole of known length that `fill` fills piece by piece in pb_write, so a
 * model of many GiB needs little memory. A message's length is put before it at its end. Failure is sticky: pb_write reports it.
 */
#ifndef OPTIMIZER_ONNX_PB_WRITER_H
#define OPTIMIZER_ONNX_PB_WRITER_H

#include "../../base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PB_WRITER_MAX_DEPTH = 64 };

/* Makes bytes [offset, offset + length) of a payload. */
typedef enum farm_status (*pb_fill_fn)(void *context, uint64_t offset, void *out, size_t length);
/* Takes the finished bytes in order. */
typedef enum farm_status (*pb_sink_fn)(void *context, const void *data, size_t length);

struct pb_hole {
  size_t at; // in the writer's data
  uint64_t length;
  pb_fill_fn fill;
  void *context;
};

struct pb_writer {
  uint8_t *data;
  size_t length, capacity;
  struct pb_hole *holes;
  size_t hole_count, hole_capacity;
  struct {
    size_t start, first_hole;
  } open[PB_WRITER_MAX_DEPTH];
  int depth;
  bool failed;
};

void pb_begin(struct pb_writer *writer, uint32_t number);
void pb_end(struct pb_writer *writer);
void pb_put_i64(struct pb_writer *writer, uint32_t number, int64_t value);
void pb_put_f32(struct pb_writer *writer, uint32_t number, float value);
void pb_put_text(struct pb_writer *writer, uint32_t number, const char *text);
void pb_put_bytes(struct pb_writer *writer, uint32_t number, const void *data, size_t length);
void pb_put_packed_i64(struct pb_writer *writer, uint32_t number, const int64_t *values, size_t count);
void pb_put_packed_f32(struct pb_writer *writer, uint32_t number, const float *values, size_t count);
void pb_put_stream(struct pb_writer *writer, uint32_t number, uint64_t length, pb_fill_fn fill, void *context);
void pb_put_raw(struct pb_writer *writer, const void *data, size_t length); // bytes as they are: for tests of bad files
/* All open messages must be ended. */
enum farm_status pb_write(struct pb_writer *writer, pb_sink_fn sink, void *context);
enum farm_status pb_write_file(struct pb_writer *writer, const char *path); // complete or absent
void pb_writer_free(struct pb_writer *writer);

#endif
