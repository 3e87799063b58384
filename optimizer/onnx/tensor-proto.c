/* See tensor-proto.h. */
#include "tensor-proto.h"

#include <string.h>

enum { FLOAT_DATA = 4, INT32_DATA = 5, STRING_DATA = 6, INT64_DATA = 7, DOUBLE_DATA = 10, UINT64_DATA = 11 };
enum { LOCATION_DEFAULT, LOCATION_EXTERNAL };
static const uint32_t typed_fields[] = {FLOAT_DATA, INT32_DATA, STRING_DATA, INT64_DATA, DOUBLE_DATA, UINT64_DATA};

/* How a typed field carries an element type: which field, and the bytes of one entry of it. Types of less than a byte put as many
 * elements as fit into an entry; complex ones use two entries. */
struct typed_form {
  uint32_t field;
  size_t entry_bytes;
};

static struct typed_form form_of(enum dtype dtype) {
  switch (dtype) {
  case DTYPE_F32:
  case DTYPE_C64:
    return (struct typed_form){FLOAT_DATA, 4};
  case DTYPE_F64:
  case DTYPE_C128:
    return (struct typed_form){DOUBLE_DATA, 8};
  case DTYPE_I64:
    return (struct typed_form){INT64_DATA, 8};
  case DTYPE_U64:
    return (struct typed_form){UINT64_DATA, 8};
  case DTYPE_U32:
    return (struct typed_form){UINT64_DATA, 4};
  default:
    return (struct typed_form){INT32_DATA, dtype_bits(dtype) < 8 ? 1 : (size_t)dtype_bits(dtype) / 8};
  }
}

/* What an access to an element needs. */
static size_t alignment_of(enum dtype dtype) { return form_of(dtype).entry_bytes; }

static enum farm_status type_read(const struct onnx_tensor *proto, struct tensor *out_type, size_t *out_bytes) {
  FAIL_IF(proto->data_type == DTYPE_STRING, FARM_UNSUPPORTED, "element type string is not supported [rule: element-type]");
  FAIL_IF(!(proto->data_type > 0 && proto->data_type < DTYPE_COUNT && dtype_known((int)proto->data_type)), FARM_INVALID,
          "unknown element type %lld", (long long)proto->data_type);
  FAIL_IF(proto->dims.count > TENSOR_MAX_RANK, FARM_UNSUPPORTED, "rank %d is not supported (at most %d) [rule: rank]",
          proto->dims.count, TENSOR_MAX_RANK);
  struct tensor type = {.dtype = (enum dtype)proto->data_type, .rank = proto->dims.count};
  for (int i = 0; i < type.rank; i++) {
    type.dims[i] = proto->dims.items[i];
    FAIL_IF(type.dims[i] < 0, FARM_INVALID, "dimension %d is %lld", i, (long long)type.dims[i]);
  }
  size_t bytes = tensor_bytes(&type);
  FAIL_IF(bytes == SIZE_MAX, FARM_INVALID, "the dimensions overflow");
  *out_type = type;
  *out_bytes = bytes;
  return FARM_OK;
}

/* Raw little-endian bytes: in place when an element can be read there. Booleans other than 0 and 1 become 1. */
static enum farm_status raw_take(struct tensor *tensor, const uint8_t *data, size_t bytes, struct arena *arena) {
  bool in_place = (uintptr_t)data % alignment_of(tensor->dtype) == 0;
  if (tensor->dtype == DTYPE_BOOL)
    for (size_t i = 0; i < bytes && in_place; i++) in_place = data[i] <= 1;
  if (in_place) {
    tensor->data = (void *)(uintptr_t)data;
    return FARM_OK;
  }
  uint8_t *copy = arena_copy(arena, data, bytes);
  if (!copy) return FARM_NO_MEMORY;
  if (tensor->dtype == DTYPE_BOOL)
    for (size_t i = 0; i < bytes; i++) copy[i] = copy[i] != 0;
  tensor->data = copy;
  return FARM_OK;
}

/* ---- typed fields: walked twice, to count and to fill ---- */

struct typed_walk {
  struct typed_form form;
  size_t count; // entries met
  uint8_t *out; // NULL: only count
};

static enum farm_status entry_take(struct typed_walk *walk, uint64_t bits) {
  if (walk->out) {
    size_t width = walk->form.entry_bytes;
    int64_t value = (int64_t)bits;
    if (width < 8 && walk->form.field != FLOAT_DATA) {
      int64_t limit = (int64_t)1 << (8 * width);
      FAIL_IF(value >= limit || value < -limit / 2, FARM_INVALID, "value %lld does not fit its element type", (long long)value);
    }
    uint8_t *at = walk->out + walk->count * width;
    for (size_t i = 0; i < width; i++) at[i] = (uint8_t)(bits >> (8 * i));
  }
  walk->count++;
  return FARM_OK;
}

static size_t fixed_bytes(uint32_t field) { return field == FLOAT_DATA ? 4 : field == DOUBLE_DATA ? 8 : 0; }

static enum farm_status packed_take(struct typed_walk *walk, struct pb_slice bytes) {
  size_t fixed = fixed_bytes(walk->form.field);
  FAIL_IF(fixed && bytes.length % fixed, FARM_INVALID, "packed numbers in %zu bytes", bytes.length);
  if (!walk->out) {
    walk->count += fixed ? bytes.length / fixed : pb_varint_count(bytes);
    return FARM_OK;
  }
  struct pb_reader reader = pb_reader_of(bytes);
  while (!pb_finished(&reader)) {
    uint64_t bits;
    TRY(fixed ? pb_fixed(&reader, fixed, &bits) : pb_varint(&reader, &bits));
    TRY(entry_take(walk, bits));
  }
  return FARM_OK;
}

static enum farm_status field_take(struct typed_walk *walk, const struct pb_field *field) {
  if (field->wire == PB_BYTES) return packed_take(walk, field->bytes);
  size_t fixed = fixed_bytes(field->number);
  enum pb_wire wire = fixed == 4 ? PB_FIXED32 : fixed == 8 ? PB_FIXED64 : PB_VARINT;
  FAIL_IF(field->wire != wire, FARM_INVALID, "field %u has wire type %d", field->number, (int)field->wire);
  return entry_take(walk, field->value);
}

static enum farm_status typed_walk(const struct onnx_tensor *proto, struct typed_walk *walk) {
  for (int i = 0; i < proto->source.count; i++) {
    struct pb_reader reader = pb_reader_of(proto->source.items[i]);
    while (!pb_finished(&reader)) {
      struct pb_field field;
      TRY(pb_next(&reader, &field));
      if (field.number == walk->form.field) TRY(field_take(walk, &field));
    }
  }
  return FARM_OK;
}

static enum farm_status typed_take(const struct onnx_tensor *proto, struct tensor *tensor, size_t bytes, struct arena *arena) {
  struct typed_walk walk = {.form = form_of(tensor->dtype)};
  TRY(typed_walk(proto, &walk));
  size_t need = bytes / walk.form.entry_bytes;
  FAIL_IF(walk.count != need, FARM_INVALID, "%zu values where type and dimensions ask for %zu", walk.count, need);
  walk.out = arena_alloc(arena, bytes);
  if (!walk.out) return FARM_NO_MEMORY;
  walk.count = 0;
  TRY(typed_walk(proto, &walk));
  FAIL_IF(walk.count != need, FARM_INVALID, "a packed field ends inside a varint");
  if (tensor->dtype == DTYPE_BOOL)
    for (size_t i = 0; i < bytes; i++) walk.out[i] = walk.out[i] != 0;
  tensor->data = walk.out;
  return FARM_OK;
}

/* A typed field of another type than the tensor's would silently be ignored; refuse it. */
static enum farm_status typed_fields_check(const struct onnx_tensor *proto, uint32_t allowed) {
  for (size_t i = 0; i < sizeof typed_fields / sizeof *typed_fields; i++)
    FAIL_IF(typed_fields[i] != allowed && proto->present & UINT32_C(1) << typed_fields[i], FARM_INVALID,
            "field %u does not fit element type %s or comes beside other data", typed_fields[i],
            dtype_name((enum dtype)proto->data_type));
  return FARM_OK;
}

static enum farm_status contents_load(const struct onnx_tensor *proto, struct tensor *tensor, size_t bytes, struct arena *arena,
                                      struct external_data *external) {
  bool raw = proto->present & ONNX_TENSOR_RAW && proto->raw_data.length > 0;
  if (proto->location == LOCATION_EXTERNAL) {
    FAIL_IF(raw, FARM_INVALID, "raw data beside external data");
    TRY(typed_fields_check(proto, 0));
    const uint8_t *data;
    TRY(external_data_find(external, proto, bytes, &data));
    return bytes ? raw_take(tensor, data, bytes, arena) : FARM_OK;
  }
  TRY(typed_fields_check(proto, raw ? 0 : form_of(tensor->dtype).field));
  if (!raw) return typed_take(proto, tensor, bytes, arena);
  FAIL_IF(proto->raw_data.length != bytes, FARM_INVALID, "%zu bytes of raw data where type and dimensions ask for %zu",
          proto->raw_data.length, bytes);
  return raw_take(tensor, proto->raw_data.data, bytes, arena);
}

enum farm_status onnx_tensor_load(const struct onnx_tensor *proto, struct arena *arena, struct external_data *external,
                                  struct tensor *out_tensor) {
  struct tensor tensor = {0};
  size_t bytes = 0;
  enum farm_status status = type_read(proto, &tensor, &bytes);
  if (status == FARM_OK && proto->present & ONNX_TENSOR_SEGMENT) status = status_set(FARM_INVALID, "segments are not read");
  if (status == FARM_OK && proto->location != LOCATION_DEFAULT && proto->location != LOCATION_EXTERNAL)
    status = status_set(FARM_INVALID, "unknown data location %lld", (long long)proto->location);
  if (status == FARM_OK) status = contents_load(proto, &tensor, bytes, arena, external);
  if (status != FARM_OK) return status_prefix(status, "tensor \"%.200s\"", proto->name ? proto->name : "");
  if (bytes == 0) tensor.data = NULL;
  *out_tensor = tensor;
  return FARM_OK;
}
