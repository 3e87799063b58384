/* See pb-reader.h. */
#include "pb-reader.h"

#include <string.h>

struct pb_reader pb_reader_of(struct pb_slice slice) {
  static const uint8_t none[1];
  const uint8_t *data = slice.data ? slice.data : none;
  return (struct pb_reader){data, data + (slice.data ? slice.length : 0)};
}

bool pb_finished(const struct pb_reader *reader) { return reader->at == reader->end; }

enum farm_status pb_varint(struct pb_reader *reader, uint64_t *out_value) {
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    FAIL_IF(reader->at == reader->end, FARM_INVALID, "a varint is cut off");
    uint8_t byte = *reader->at++;
    FAIL_IF(shift == 63 && byte > 1, FARM_INVALID, "a varint has more than 64 bits");
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) {
      *out_value = value;
      return FARM_OK;
    }
  }
  return status_set(FARM_INVALID, "a varint has more than 10 bytes");
}

enum farm_status pb_fixed(struct pb_reader *reader, size_t bytes, uint64_t *out_value) {
  FAIL_IF((size_t)(reader->end - reader->at) < bytes, FARM_INVALID, "a fixed field of %zu bytes is cut off", bytes);
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; i++) value |= (uint64_t)reader->at[i] << (8 * i);
  reader->at += bytes;
  *out_value = value;
  return FARM_OK;
}

static enum farm_status slice_read(struct pb_reader *reader, struct pb_slice *out_slice) {
  uint64_t length;
  TRY(pb_varint(reader, &length));
  size_t left = (size_t)(reader->end - reader->at);
  FAIL_IF(length > left, FARM_INVALID, "a length of %llu bytes where %zu are left", (unsigned long long)length, left);
  *out_slice = (struct pb_slice){reader->at, (size_t)length};
  reader->at += length;
  return FARM_OK;
}

enum farm_status pb_next(struct pb_reader *reader, struct pb_field *out_field) {
  uint64_t tag;
  TRY(pb_varint(reader, &tag));
  FAIL_IF(tag > UINT32_MAX || tag >> 3 == 0, FARM_INVALID, "a tag has no valid field number");
  struct pb_field field = {.number = (uint32_t)(tag >> 3), .wire = (enum pb_wire)(tag & 7)};
  switch (tag & 7) {
  case PB_VARINT:
    TRY(pb_varint(reader, &field.value));
    break;
  case PB_FIXED64:
    TRY(pb_fixed(reader, 8, &field.value));
    break;
  case PB_FIXED32:
    TRY(pb_fixed(reader, 4, &field.value));
    break;
  case PB_BYTES:
    TRY(slice_read(reader, &field.bytes));
    break;
  default:
    return status_set(FARM_INVALID, "field %u has wire type %u (groups are not read)", field.number, (unsigned)(tag & 7));
  }
  *out_field = field;
  return FARM_OK;
}

size_t pb_varint_count(struct pb_slice slice) {
  size_t count = 0;
  for (size_t i = 0; i < slice.length; i++) count += slice.data[i] < 0x80;
  return count;
}

float pb_float(uint64_t bits) {
  uint32_t low = (uint32_t)bits;
  float value;
  memcpy(&value, &low, sizeof value);
  return value;
}

double pb_double(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}
