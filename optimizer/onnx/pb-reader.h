/* The protobuf wire format, read in place and never past its end.
 *
 *   message = field*        field = tag payload        tag = varint (number << 3 | wire)
 *   wire 0: varint   1: 8 bytes   2: varint length, then that many bytes   5: 4 bytes   3, 4: groups, refused
 *
 * What is refused (FARM_INVALID): a varint of more than 10 bytes or 64 bits, field number 0 or beyond 2^29 - 1, a length larger
 * than what is left, groups, wire types 6 and 7. Slices point into the caller's bytes.
 */
#ifndef OPTIMIZER_ONNX_PB_READER_H
#define OPTIMIZER_ONNX_PB_READER_H

#include "../../base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pb_wire { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

struct pb_slice {
  const uint8_t *data;
  size_t length;
};

struct pb_reader {
  const uint8_t *at, *end;
};

struct pb_field {
  uint32_t number;
  enum pb_wire wire;
  uint64_t value;        // varint, or the little-endian bits of a fixed field
  struct pb_slice bytes; // PB_BYTES only
};

struct pb_reader pb_reader_of(struct pb_slice slice);
bool pb_finished(const struct pb_reader *reader);
enum farm_status pb_next(struct pb_reader *reader, struct pb_field *out_field); // not to be called when finished
enum farm_status pb_varint(struct pb_reader *reader, uint64_t *out_value);
/* Fixed-width elements of a packed field. */
enum farm_status pb_fixed(struct pb_reader *reader, size_t bytes, uint64_t *out_value); // bytes 4 or 8
/* How many varints a packed field holds: bytes that end one. */
size_t pb_varint_count(struct pb_slice slice);
float pb_float(uint64_t bits);
double pb_double(uint64_t bits);

#endif
