/* See shape-util.h and the end of operator.h. */
#include "shape-util.h"

#include "../base/arena.h"

#include <string.h>

/* ---- inputs and outputs ---- */

const struct shape_info *shape_input(const struct shape_call *call, int input) {
  return input >= 0 && input < call->input_count ? call->inputs[input] : NULL;
}

enum dtype shape_input_dtype(const struct shape_call *call, int input) {
  const struct shape_info *info = shape_input(call, input);
  return info ? info->type.dtype : DTYPE_NONE;
}

int shape_input_rank(const struct shape_call *call, int input) {
  const struct shape_info *info = shape_input(call, input);
  return info ? info->type.rank : -1;
}

enum farm_status shape_require_rank(const struct shape_call *call, int input, int low, int high) {
  int rank = shape_input_rank(call, input);
  FAIL_IF(rank >= 0 && (rank < low || rank > high), FARM_INVALID, "input %d has rank %d, must be within %d and %d", input, rank,
          low, high);
  return FARM_OK;
}

enum farm_status shape_set(struct shape_call *call, int output, enum dtype dtype, int rank, const int64_t *dims) {
  FAIL_IF(rank > TENSOR_MAX_RANK, FARM_UNSUPPORTED, "output %d would have rank %d, more than %d", output, rank, TENSOR_MAX_RANK);
  if (output >= call->output_count) return FARM_OK;
  struct tensor *type = &call->outputs[output].type;
  *type = (struct tensor){.dtype = dtype, .rank = rank};
  for (int i = 0; i < rank; i++) type->dims[i] = dims ? dims[i] : DIM_UNKNOWN;
  return FARM_OK;
}

void shape_same_as_input(struct shape_call *call, int output, int input) {
  const struct shape_info *info = shape_input(call, input);
  if (!info || output >= call->output_count) return;
  call->outputs[output].type = info->type;
  call->outputs[output].type.data = NULL;
}

/* ---- dims ---- */

bool shape_dims_known(const struct tensor *type) {
  if (type->rank < 0) return false;
  for (int i = 0; i < type->rank; i++)
    if (type->dims[i] < 0) return false;
  return true;
}

int64_t dim_add(int64_t a, int64_t b) {
  if (a == 0) return b;
  if (b == 0) return a;
  int64_t sum;
  return a < 0 || b < 0 || __builtin_add_overflow(a, b, &sum) ? DIM_UNKNOWN : sum;
}

int64_t dim_sub(int64_t a, int64_t b) {
  if (b == 0) return a;
  if (a == b && a != DIM_UNKNOWN) return 0;
  return a < 0 || b < 0 || a < b ? DIM_UNKNOWN : a - b;
}

int64_t dim_mul(int64_t a, int64_t b) {
  if (a == 0 || b == 0) return 0;
  if (a == 1) return b;
  if (b == 1) return a;
  int64_t product;
  return a < 0 || b < 0 || __builtin_mul_overflow(a, b, &product) ? DIM_UNKNOWN : product;
}

int64_t dim_merge(int64_t a, int64_t b) {
  if (a >= 0) return a;
  if (b >= 0) return b;
  return a != DIM_UNKNOWN ? a : b;
}

enum farm_status shape_merge(const struct tensor *a, const struct tensor *b, struct tensor *out) {
  struct tensor merged = *(a->rank >= 0 ? a : b);
  char left[160], right[160];
  merged.dtype = a->dtype ? a->dtype : b->dtype;
  merged.data = NULL;
  bool clash = (a->dtype && b->dtype && a->dtype != b->dtype) || (a->rank >= 0 && b->rank >= 0 && a->rank != b->rank);
  for (int i = 0; !clash && a->rank >= 0 && b->rank >= 0 && i < merged.rank; i++) {
    clash = a->dims[i] >= 0 && b->dims[i] >= 0 && a->dims[i] != b->dims[i];
    merged.dims[i] = dim_merge(a->dims[i], b->dims[i]);
  }
  FAIL_IF(clash, FARM_INVALID, "%s and %s do not agree", tensor_text(a, left, sizeof left), tensor_text(b, right, sizeof right));
  *out = merged;
  return FARM_OK;
}

enum farm_status shape_axis(int64_t axis, int rank, int *out_axis) {
  FAIL_IF(axis < -(int64_t)rank || axis >= rank, FARM_INVALID, "axis %lld is out of range for rank %d", (long long)axis, rank);
  *out_axis = (int)(axis < 0 ? axis + rank : axis);
  return FARM_OK;
}

/* One dim of a broadcast: false when two numbers clash. A symbol beside a number > 1 can only be that number or 1. */
static bool broadcast_dim(int64_t a, int64_t b, int64_t *out) {
  if (a == b || b == 1)
    *out = a;
  else if (a == 1)
    *out = b;
  else if (a < 0 && b < 0)
    *out = DIM_UNKNOWN;
  else if (a < 0)
    *out = b;
  else if (b < 0)
    *out = a;
  else
    return false;
  return true;
}

enum farm_status shape_broadcast(const struct tensor *a, const struct tensor *b, struct tensor *out) {
  struct tensor result = {.dtype = a->dtype, .rank = a->rank > b->rank ? a->rank : b->rank};
  char left[160], right[160];
  if (a->rank < 0 || b->rank < 0) result.rank = -1;
  for (int i = 1; i <= result.rank; i++) {
    int64_t p = i <= a->rank ? a->dims[a->rank - i] : 1, q = i <= b->rank ? b->dims[b->rank - i] : 1;
    FAIL_IF(!broadcast_dim(p, q, &result.dims[result.rank - i]), FARM_INVALID, "%s and %s cannot be broadcast together",
            tensor_text(a, left, sizeof left), tensor_text(b, right, sizeof right));
  }
  *out = result;
  return FARM_OK;
}

enum farm_status shape_broadcast_inputs(struct shape_call *call, int first, int count, struct tensor *out) {
  struct tensor result = {.rank = 0};
  for (int i = first; i < first + count; i++) {
    const struct shape_info *info = shape_input(call, i);
    if (info) TRY(shape_broadcast(&result, &info->type, &result));
  }
  result.dtype = shape_input_dtype(call, first);
  *out = result;
  return FARM_OK;
}

/* ---- contents ---- */

static bool content_type(enum dtype type) { return dtype_is_integer(type) || type == DTYPE_BOOL; }

bool shape_content(const struct shape_info *info, struct shape_content *out) {
  out->count = 0;
  if (!info) return false;
  const struct tensor *type = info->constant ? info->constant : &info->type;
  int64_t elems = tensor_elems(type);
  if (elems < 0 || elems > SHAPE_MAX_KNOWN || !content_type(type->dtype) || (!info->constant && !info->known)) return false;
  out->count = (int)elems;
  for (int i = 0; i < out->count; i++) {
    out->value[i] = info->constant ? dtype_load_i64(type->dtype, type->data, i) : info->known[i];
    out->symbolic[i] = !info->constant && info->symbolic && info->symbolic[i];
  }
  return true;
}

bool shape_content_numbers(const struct shape_content *content) {
  for (int i = 0; i < content->count; i++)
    if (content->symbolic[i]) return false;
  return true;
}

enum farm_status shape_set_content(struct shape_call *call, int output, const struct shape_content *content) {
  if (output >= call->output_count) return FARM_OK;
  struct shape_info *info = &call->outputs[output];
  if (tensor_elems(&info->type) != content->count || !call->arena) return FARM_OK;
  int64_t *known = arena_copy(call->arena, content->value, sizeof content->value[0] * (size_t)content->count);
  bool *symbolic = arena_copy(call->arena, content->symbolic, sizeof content->symbolic[0] * (size_t)content->count);
  if (!known || !symbolic) return FARM_NO_MEMORY;
  info->known = known;
  info->symbolic = symbolic;
  return FARM_OK;
}

bool shape_known_ints(const struct shape_info *info, int64_t *out, int most, int *out_count) {
  struct shape_content content;
  if (!shape_content(info, &content) || !shape_content_numbers(&content) || content.count > most) return false;
  memcpy(out, content.value, sizeof content.value[0] * (size_t)content.count);
  *out_count = content.count;
  return true;
}

bool shape_known_int(const struct shape_info *info, int64_t *out) {
  int count;
  int64_t value;
  if (!shape_known_ints(info, &value, 1, &count) || count != 1) return false;
  *out = value;
  return true;
}

bool shape_known_float(const struct shape_info *info, double *out) {
  if (!info || !info->constant || tensor_elems(info->constant) != 1) return false;
  *out = dtype_load_f64(info->constant->dtype, info->constant->data, 0);
  return true;
}

enum farm_status shape_ints(const struct shape_call *call, const char *attr, int input, int64_t *out, int most, int *out_count,
                            enum shape_list *out_state) {
  const struct shape_info *info = shape_input(call, input);
  int count = attr_ints(call->attrs, attr, out, most);
  *out_state = count >= 0 ? SHAPE_LIST_KNOWN : SHAPE_LIST_ABSENT;
  if (count < 0 && info) {
    int64_t elems = tensor_elems(&info->type);
    bool known = shape_known_ints(info, out, most, &count);
    if (!known) count = elems < 0 || elems > INT32_MAX ? -1 : (int)elems;
    *out_state = known ? SHAPE_LIST_KNOWN : SHAPE_LIST_UNKNOWN;
  }
  FAIL_IF(count > most, FARM_INVALID, "%s has %d elements, at most %d can be", attr, count, most);
  *out_count = count;
  return FARM_OK;
}

bool shape_content_dims(const struct shape_info *info, int64_t *out_dims, int most, int *out_rank) {
  struct shape_content content;
  if (!info) return false;
  if (shape_content(info, &content)) {
    if (content.count > most) return false;
    *out_rank = content.count;
    for (int i = 0; i < content.count; i++)
      out_dims[i] = content.symbolic[i] || content.value[i] >= 0 ? content.value[i] : DIM_UNKNOWN;
    return true;
  }
  if (info->type.rank != 1 || info->type.dims[0] < 0 || info->type.dims[0] > most) return false;
  *out_rank = (int)info->type.dims[0];
  for (int i = 0; i < *out_rank; i++) out_dims[i] = DIM_UNKNOWN;
  return true;
}

enum farm_status shape_refuse_negative(const struct shape_call *call, int input) {
  struct shape_content content;
  bool known = shape_content(shape_input(call, input), &content);
  for (int i = 0; known && i < content.count; i++)
    FAIL_IF(!content.symbolic[i] && content.value[i] < 0, FARM_INVALID, "element %d of input %d is %lld", i, input,
            (long long)content.value[i]);
  return FARM_OK;
}

/* ---- the usual shape functions ---- */

static enum farm_status require_numbers(const struct shape_call *call) {
  for (int i = 0; i < call->input_count; i++) {
    enum dtype type = shape_input_dtype(call, i);
    FAIL_IF(type && dtype_class(type) == DTYPE_CLASS_OTHER, FARM_UNSUPPORTED, "input %d is %s: no arithmetic is there for it", i,
            dtype_name(type));
  }
  return FARM_OK;
}

enum farm_status shape_unary(struct shape_call *call) {
  TRY(require_numbers(call));
  shape_same_as_input(call, 0, 0);
  return shape_content_compute(call);
}

enum farm_status shape_broadcast_all(struct shape_call *call) {
  struct tensor type;
  TRY(require_numbers(call));
  TRY(shape_broadcast_inputs(call, 0, call->input_count, &type));
  TRY(shape_set(call, 0, type.dtype, type.rank, type.dims));
  return shape_content_compute(call);
}

enum farm_status shape_broadcast_bool(struct shape_call *call) {
  struct tensor type;
  TRY(require_numbers(call));
  TRY(shape_broadcast_inputs(call, 0, call->input_count, &type));
  TRY(shape_set(call, 0, DTYPE_BOOL, type.rank, type.dims));
  return shape_content_compute(call);
}
