/* See elements.h. Everything is done in rows of at most ELEMENTS_BLOCK elements on the stack, so that the dispatch on the
 * type is paid once per row.
 */
#include "elements.h"

#include <stdlib.h>
#include <string.h>

/* ---- movement ---- */

static uint32_t packed_get(const uint8_t *data, int bits, int64_t i) {
  int64_t bit = i * bits;
  return (uint32_t)(data[bit / 8] >> (bit % 8)) & ((1u << bits) - 1);
}

static void packed_set(uint8_t *data, int bits, int64_t i, uint32_t code) {
  int64_t bit = i * bits;
  uint32_t mask = ((1u << bits) - 1) << (bit % 8);
  data[bit / 8] = (uint8_t)((data[bit / 8] & ~mask) | (code << (bit % 8) & mask));
}

#define STRIDED_COPY(type)                                                                                                       \
  for (int64_t i = 0; i < count; i++)                                                                                            \
  memcpy((char *)dst + (dst_first + i * dst_step) * (int64_t)sizeof(type),                                                       \
         (const char *)src + (src_first + i * src_step) * (int64_t)sizeof(type), sizeof(type))

typedef struct {
  uint64_t half[2];
} wide_element;

void elements_copy(int bits, void *dst, int64_t dst_first, int64_t dst_step, const void *src, int64_t src_first, int64_t src_step,
                   int64_t count) {
  if (count <= 0) return;
  if (bits >= 8 && dst_step == 1 && src_step == 1) {
    size_t bytes = (size_t)bits / 8;
    memmove((char *)dst + (size_t)dst_first * bytes, (const char *)src + (size_t)src_first * bytes, (size_t)count * bytes);
  } else if (bits == 8) {
    STRIDED_COPY(uint8_t);
  } else if (bits == 16) {
    STRIDED_COPY(uint16_t);
  } else if (bits == 32) {
    STRIDED_COPY(uint32_t);
  } else if (bits == 64) {
    STRIDED_COPY(uint64_t);
  } else if (bits == 128) {
    STRIDED_COPY(wide_element);
  } else if (bits > 0) {
    for (int64_t i = 0; i < count; i++)
      packed_set(dst, bits, dst_first + i * dst_step, packed_get(src, bits, src_first + i * src_step));
  }
}

void elements_fill(int bits, void *dst, int64_t first, int64_t step, const void *value, int64_t count) {
  elements_copy(bits, dst, first, step, value, 0, 0, count);
}

void elements_move(int bits, struct nest *nest, void *dst, const void *src) {
  for (bool more = nest_start(nest); more; more = nest_next(nest))
    elements_copy(bits, dst, nest->offset[0], nest->step[0], src, nest->offset[1], nest->step[1], nest->row);
}

bool elements_movable(enum dtype type) { return dtype_bits(type) > 0; }

/* ---- whole tensors ---- */

enum farm_status elements_alloc(int64_t count, size_t bytes_each, void *out_pointer) {
  FAIL_IF(count < 0 || (uint64_t)count > (SIZE_MAX / 2) / bytes_each, FARM_INVALID, "a buffer of %lld elements is too large",
          (long long)count);
  void *memory = malloc(count ? (size_t)count * bytes_each : 1);
  FAIL_IF(!memory, FARM_NO_MEMORY, "out of memory for %lld elements of %zu bytes", (long long)count, bytes_each);
  memcpy(out_pointer, &memory, sizeof memory);
  return FARM_OK;
}

enum farm_status elements_to_f64(const struct tensor *tensor, double **out) {
  int64_t count = tensor_elems(tensor);
  TRY(elements_alloc(count, sizeof **out, out));
  if (count) dtype_load_f64_row(tensor->dtype, tensor->data, 0, count, *out);
  return FARM_OK;
}

enum farm_status elements_to_i64(const struct tensor *tensor, int64_t **out) {
  int64_t count = tensor_elems(tensor);
  TRY(elements_alloc(count, sizeof **out, out));
  if (count) dtype_load_i64_row(tensor->dtype, tensor->data, 0, count, *out);
  return FARM_OK;
}

void elements_from_f64(struct tensor *tensor, const double *values) {
  int64_t count = tensor_elems(tensor);
  if (count > 0) dtype_store_f64_row(tensor->dtype, tensor->data, 0, count, values);
}

void elements_from_i64(struct tensor *tensor, const int64_t *values) {
  int64_t count = tensor_elems(tensor);
  if (count > 0) dtype_store_i64_row(tensor->dtype, tensor->data, 0, count, values);
}

/* ---- elementwise ---- */

static int64_t block_of(int64_t left) { return left < ELEMENTS_BLOCK ? left : ELEMENTS_BLOCK; }

void elements_map_f64(const struct tensor *in, struct tensor *out, map_f64_fn f, const double *params) {
  double x[ELEMENTS_BLOCK];
  int64_t total = tensor_elems(out);
  for (int64_t at = 0, count; at < total; at += count) {
    count = block_of(total - at);
    dtype_load_f64_row(in->dtype, in->data, at, count, x);
    for (int64_t i = 0; i < count; i++) x[i] = f(x[i], params);
    dtype_store_f64_row(out->dtype, out->data, at, count, x);
  }
}

void elements_map_i64(const struct tensor *in, struct tensor *out, map_i64_fn f, const double *params) {
  int64_t x[ELEMENTS_BLOCK];
  int64_t total = tensor_elems(out);
  for (int64_t at = 0, count; at < total; at += count) {
    count = block_of(total - at);
    dtype_load_i64_row(in->dtype, in->data, at, count, x);
    for (int64_t i = 0; i < count; i++) x[i] = f(x[i], params);
    dtype_store_i64_row(out->dtype, out->data, at, count, x);
  }
}

/* A row of an operand whose step is 0 or 1; with another step (never for broadcasts of dense tensors) element by element. */
static void load_f64(const struct tensor *t, int64_t first, int64_t step, int64_t count, double *out) {
  if (step == 1) {
    dtype_load_f64_row(t->dtype, t->data, first, count, out);
    return;
  }
  double value = 0;
  for (int64_t i = 0; i < count; i++) {
    if (i == 0 || step) dtype_load_f64_row(t->dtype, t->data, first + i * step, 1, &value);
    out[i] = value;
  }
}

static void load_i64(const struct tensor *t, int64_t first, int64_t step, int64_t count, int64_t *out) {
  if (step == 1) {
    dtype_load_i64_row(t->dtype, t->data, first, count, out);
    return;
  }
  int64_t value = 0;
  for (int64_t i = 0; i < count; i++) {
    if (i == 0 || step) dtype_load_i64_row(t->dtype, t->data, first + i * step, 1, &value);
    out[i] = value;
  }
}

static bool zip_start(struct nest *nest, const struct tensor *a, const struct tensor *b, const struct tensor *out) {
  int64_t strides[TENSOR_MAX_RANK];
  nest_init(nest, out->rank, out->dims);
  tensor_strides(out, strides);
  nest_operand(nest, 0, strides);
  broadcast_strides(a, out, strides);
  nest_operand(nest, 0, strides);
  broadcast_strides(b, out, strides);
  nest_operand(nest, 0, strides);
  return nest_start(nest);
}

void elements_zip_f64(const struct tensor *a, const struct tensor *b, struct tensor *out, zip_f64_fn f, const double *params) {
  double x[ELEMENTS_BLOCK], y[ELEMENTS_BLOCK];
  struct nest nest;
  for (bool more = zip_start(&nest, a, b, out); more; more = nest_next(&nest)) {
    for (int64_t at = 0, count; at < nest.row; at += count) {
      count = block_of(nest.row - at);
      load_f64(a, nest.offset[1] + at * nest.step[1], nest.step[1], count, x);
      load_f64(b, nest.offset[2] + at * nest.step[2], nest.step[2], count, y);
      for (int64_t i = 0; i < count; i++) x[i] = f(x[i], y[i], params);
      dtype_store_f64_row(out->dtype, out->data, nest.offset[0] + at, count, x);
    }
  }
}

void elements_zip_i64(const struct tensor *a, const struct tensor *b, struct tensor *out, zip_i64_fn f) {
  int64_t x[ELEMENTS_BLOCK], y[ELEMENTS_BLOCK];
  struct nest nest;
  for (bool more = zip_start(&nest, a, b, out); more; more = nest_next(&nest)) {
    for (int64_t at = 0, count; at < nest.row; at += count) {
      count = block_of(nest.row - at);
      load_i64(a, nest.offset[1] + at * nest.step[1], nest.step[1], count, x);
      load_i64(b, nest.offset[2] + at * nest.step[2], nest.step[2], count, y);
      for (int64_t i = 0; i < count; i++) x[i] = f(x[i], y[i], a->dtype);
      dtype_store_i64_row(out->dtype, out->data, nest.offset[0] + at, count, x);
    }
  }
}

/* ---- inputs ---- */

const struct tensor *reference_input(const struct reference_call *call, int input) {
  return input >= 0 && input < call->input_count ? call->inputs[input] : NULL;
}

enum farm_status reference_ints(const struct reference_call *call, int input, int64_t *out, int most, int *out_count) {
  const struct tensor *tensor = reference_input(call, input);
  *out_count = -1;
  if (!tensor) return FARM_OK;
  int64_t count = tensor_elems(tensor);
  FAIL_IF(!dtype_is_integer(tensor->dtype), FARM_INVALID, "input %d is %s, an integer type is needed", input,
          dtype_name(tensor->dtype));
  FAIL_IF(count < 0 || count > most, FARM_INVALID, "input %d has %lld elements, at most %d can be", input, (long long)count,
          most);
  if (count) dtype_load_i64_row(tensor->dtype, tensor->data, 0, count, out);
  *out_count = (int)count;
  return FARM_OK;
}

enum farm_status reference_list(const struct reference_call *call, const char *attr, int input, int64_t *out, int most,
                                int *out_count) {
  int count = attr_ints(call->attrs, attr, out, most);
  FAIL_IF(count > most, FARM_INVALID, "%s has %d elements, at most %d can be", attr, count, most);
  *out_count = count;
  return count >= 0 ? FARM_OK : reference_ints(call, input, out, most, out_count);
}

enum farm_status element_index(const struct tensor *indices, int64_t i, int64_t dim, int64_t *out_index) {
  int64_t index = dtype_load_i64(indices->dtype, indices->data, i);
  FAIL_IF(index < -dim || index >= dim, FARM_INVALID, "index %lld is out of range for %lld elements", (long long)index,
          (long long)dim);
  *out_index = index < 0 ? index + dim : index;
  return FARM_OK;
}

enum farm_status element_tuple_offset(const struct tensor *indices, int64_t first, int count, const int64_t *dims,
                                      const int64_t *strides, int64_t *out_offset) {
  int64_t index = 0, offset = 0;
  for (int d = 0; d < count; d++) {
    TRY(element_index(indices, first + d, dims[d], &index));
    offset += index * strides[d];
  }
  *out_offset = offset;
  return FARM_OK;
}

enum farm_status elements_along_axis(const struct tensor *indices, const struct tensor *data, int axis, axis_visit_fn visit,
                                     void *context) {
  struct nest nest;
  int64_t own[TENSOR_MAX_RANK], strides[TENSOR_MAX_RANK], index = 0;
  tensor_strides(indices, own);
  tensor_strides(data, strides);
  int64_t axis_stride = strides[axis];
  strides[axis] = 0;
  nest_init(&nest, indices->rank, indices->dims);
  nest_operand(&nest, 0, own);
  nest_operand(&nest, 0, strides);
  for (bool more = nest_start(&nest); more; more = nest_next(&nest))
    for (int64_t i = 0; i < nest.row; i++) {
      int64_t at = nest.offset[0] + i * nest.step[0];
      TRY(element_index(indices, at, data->dims[axis], &index));
      visit(context, at, nest.offset[1] + i * nest.step[1] + index * axis_stride);
    }
  return FARM_OK;
}
