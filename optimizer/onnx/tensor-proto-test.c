/* Tensors: every element type comes back from raw data and from typed fields, packed and not; files go round. */
#include "tensor-proto.h"

#include "../../tests/kit/test.h"
#include "onnx-writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INT32_FIELD = 5, FLOAT_FIELD = 4, INT64_FIELD = 7, DOUBLE_FIELD = 10, UINT64_FIELD = 11 };

static enum farm_status load(struct pb_writer *writer, struct arena *arena, struct tensor *out_tensor) {
  struct onnx_tensor proto = {0};
  uint8_t *bytes = arena_copy(arena, writer->data, writer->length);
  REQUIRE(bytes != NULL);
  size_t length = writer->length;
  pb_writer_free(writer);
  TRY(onnx_tensor_decode((struct pb_slice){bytes, length}, arena, &proto));
  return onnx_tensor_load(&proto, arena, NULL, out_tensor);
}

static void head(struct pb_writer *writer, enum dtype dtype, int64_t count) {
  pb_put_i64(writer, 1, count);
  pb_put_i64(writer, 2, dtype);
}

static uint32_t field_of(enum dtype dtype) {
  switch (dtype) {
  case DTYPE_F32:
  case DTYPE_C64:
    return FLOAT_FIELD;
  case DTYPE_F64:
  case DTYPE_C128:
    return DOUBLE_FIELD;
  case DTYPE_I64:
    return INT64_FIELD;
  case DTYPE_U32:
  case DTYPE_U64:
    return UINT64_FIELD;
  default:
    return INT32_FIELD;
  }
}

/* The bits of entry i as a varint carries them: sign extended for signed integers. */
static int64_t entry_bits(enum dtype dtype, const uint8_t *raw, size_t width, size_t i) {
  uint64_t bits = 0;
  for (size_t b = 0; b < width; b++) bits |= (uint64_t)raw[i * width + b] << (8 * b);
  bool negative = dtype_class(dtype) == DTYPE_CLASS_INT && width < 8 && bits >> (8 * width - 1);
  return (int64_t)(negative ? bits | UINT64_MAX << (8 * width) : bits);
}

static void typed_put(struct pb_writer *writer, enum dtype dtype, const uint8_t *raw, size_t bytes, bool packed) {
  uint32_t field = field_of(dtype);
  size_t width = dtype_bits(dtype) < 8 ? 1 : dtype == DTYPE_C64 ? 4 : dtype == DTYPE_C128 ? 8 : (size_t)dtype_bits(dtype) / 8;
  bool fixed = field == FLOAT_FIELD || field == DOUBLE_FIELD;
  if (fixed && packed) {
    pb_put_bytes(writer, field, raw, bytes);
    return;
  }
  int64_t values[64];
  for (size_t i = 0; i < bytes / width; i++) {
    values[i] = entry_bits(dtype, raw, width, i);
    if (packed) continue;
    if (!fixed)
      pb_put_i64(writer, field, values[i]);
    else {
      uint8_t tag = (uint8_t)(field << 3 | (width == 4 ? PB_FIXED32 : PB_FIXED64));
      pb_put_raw(writer, &tag, 1);
      pb_put_raw(writer, raw + i * width, width);
    }
  }
  if (packed) pb_put_packed_i64(writer, field, values, bytes / width);
}

TEST(tensors_of_every_type_and_encoding, "") {
  uint8_t raw[16 * 7];
  for (int type = 1; type < DTYPE_COUNT; type++) {
    if (!dtype_known(type) || type == DTYPE_STRING) continue;
    enum dtype dtype = (enum dtype)type;
    size_t bytes = dtype_bytes(dtype, 7);
    for (size_t i = 0; i < bytes; i++) raw[i] = type == DTYPE_BOOL ? i & 1 : (uint8_t)(i * 37 + 200);
    for (int form = 0; form < 3; form++) {
      struct arena arena = {0};
      struct pb_writer writer = {0};
      struct tensor tensor;
      head(&writer, dtype, 7);
      if (form == 0)
        pb_put_bytes(&writer, 9, raw, bytes);
      else
        typed_put(&writer, dtype, raw, bytes, form == 1);
      enum farm_status status = load(&writer, &arena, &tensor);
      CHECK_MESSAGE(status == FARM_OK, "%s form %d: %s", dtype_name(dtype), form, status_message());
      if (status == FARM_OK) CHECK_MESSAGE(memcmp(tensor.data, raw, bytes) == 0, "%s form %d", dtype_name(dtype), form);
      arena_free(&arena);
    }
  }
}

TEST(tensor_booleans_become_0_or_1, "") {
  struct arena arena = {0};
  struct pb_writer writer = {0};
  struct tensor tensor;
  head(&writer, DTYPE_BOOL, 3);
  pb_put_bytes(&writer, 9, "\x00\x02\xff", 3);
  REQUIRE_OK(load(&writer, &arena, &tensor));
  CHECK(memcmp(tensor.data, "\0\1\1", 3) == 0);
  arena_free(&arena);
}

TEST(tensors_without_elements_or_dims, "") {
  struct arena arena = {0};
  struct pb_writer writer = {0};
  struct tensor tensor;
  head(&writer, DTYPE_F32, 0);
  REQUIRE_OK(load(&writer, &arena, &tensor));
  CHECK(tensor.rank == 1 && tensor.dims[0] == 0 && !tensor.data);
  pb_put_i64(&writer, 2, DTYPE_I64);
  pb_put_i64(&writer, INT64_FIELD, -5);
  REQUIRE_OK(load(&writer, &arena, &tensor));
  CHECK(tensor.rank == 0 && *(int64_t *)tensor.data == -5);
  arena_free(&arena);
}

TEST(tensors_that_are_refused, "") {
  static const struct {
    const char *why;
    int64_t type, count, location;
    uint32_t field;
    size_t length;
    enum farm_status status;
  } cases[] = {
      {"strings", DTYPE_STRING, 1, 0, 6, 3, FARM_UNSUPPORTED},
      {"type 0", 0, 1, 0, 9, 4, FARM_INVALID},
      {"type -1", -1, 1, 0, 9, 4, FARM_INVALID},
      {"type 2^40", (int64_t)1 << 40, 1, 0, 9, 4, FARM_INVALID},
      {"segment", DTYPE_F32, 0, 0, 3, 0, FARM_INVALID},
      {"location 2", DTYPE_F32, 0, 2, 0, 0, FARM_INVALID},
      {"more raw", DTYPE_U8, 3, 0, 9, 4, FARM_INVALID},
      {"less raw", DTYPE_U8, 5, 0, 9, 4, FARM_INVALID},
      {"nibbles", DTYPE_I4, 9, 0, 9, 4, FARM_INVALID},
      {"packed floats", DTYPE_F32, 1, 0, FLOAT_FIELD, 3, FARM_INVALID},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct arena arena = {0};
    struct pb_writer writer = {0};
    struct tensor tensor;
    pb_put_i64(&writer, 1, cases[i].count);
    pb_put_i64(&writer, 2, cases[i].type);
    if (cases[i].field) pb_put_bytes(&writer, cases[i].field, "\0\0\0\0\0\0\0\0", cases[i].length);
    if (cases[i].location) pb_put_i64(&writer, 14, cases[i].location);
    enum farm_status status = load(&writer, &arena, &tensor);
    CHECK_MESSAGE(status == cases[i].status, "%s: %s", cases[i].why, status_name(status));
    arena_free(&arena);
  }
}

TEST(tensor_raw_beside_typed_is_refused, "") {
  struct arena arena = {0};
  struct pb_writer writer = {0};
  struct tensor tensor;
  head(&writer, DTYPE_F32, 1);
  pb_put_bytes(&writer, 9, "\0\0\0\0", 4);
  pb_put_bytes(&writer, FLOAT_FIELD, "\0\0\0\0", 4);
  CHECK(load(&writer, &arena, &tensor) == FARM_INVALID);
  arena_free(&arena);
}

TEST(tensor_files_go_round, "") {
  char path[512];
  struct arena arena = {0};
  struct tensor tensor = {.dtype = DTYPE_F64, .rank = 2, .dims = {1, 2}, .data = (double[]){0.5, -3}}, back;
  const char *name;
  snprintf(path, sizeof path, "%s/t.pb", test_folder());
  REQUIRE_OK(onnx_tensor_write(path, "a name", &tensor));
  REQUIRE_OK(onnx_tensor_read(path, &arena, &back, &name));
  CHECK_TEXT(name, "a name");
  CHECK(tensor_shape_equal(&tensor, &back) && memcmp(tensor.data, back.data, 16) == 0);
  CHECK(onnx_tensor_read("/nonexistent/t.pb", &arena, &back, NULL) == FARM_NOT_FOUND);
  arena_free(&arena);
}
