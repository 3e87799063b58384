/* See tensor.h. */
#include "tensor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

int64_t tensor_dims_product(const int64_t *dims, int count) {
  int64_t product = 1; // of the dims that are not 0: so that no product of some of them can overflow either
  bool zero = false;
  for (int i = 0; i < count; i++) {
    if (dims[i] == 0)
      zero = true;
    else if (dims[i] < 0 || __builtin_mul_overflow(product, dims[i], &product))
      return -1;
  }
  return zero ? 0 : product;
}

int64_t tensor_elems(const struct tensor *tensor) {
  if (tensor->rank < 0 || tensor->rank > TENSOR_MAX_RANK) return -1;
  return tensor_dims_product(tensor->dims, tensor->rank);
}

size_t tensor_bytes(const struct tensor *tensor) { return dtype_bytes(tensor->dtype, tensor_elems(tensor)); }

bool tensor_shape_equal(const struct tensor *a, const struct tensor *b) {
  if (a->rank != b->rank) return false;
  return a->rank <= 0 || memcmp(a->dims, b->dims, (size_t)a->rank * sizeof a->dims[0]) == 0;
}

enum farm_status tensor_alloc(struct tensor *tensor) {
  char text[160];
  size_t bytes = tensor_bytes(tensor);
  FAIL_IF(bytes > SIZE_MAX - ALIGNMENT, FARM_INVALID, "no size can be told for %s", tensor_text(tensor, text, sizeof text));
  size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  void *data = aligned_alloc(ALIGNMENT, rounded ? rounded : ALIGNMENT);
  FAIL_IF(!data, FARM_NO_MEMORY, "out of memory for %s", tensor_text(tensor, text, sizeof text));
  memset(data, 0, rounded ? rounded : ALIGNMENT);
  tensor->data = data;
  return FARM_OK;
}

void tensor_free(struct tensor *tensor) {
  free(tensor->data);
  tensor->data = NULL;
}

static int dim_text(int64_t dim, char *out, size_t bytes) {
  if (dim >= 0) return snprintf(out, bytes, "%lld", (long long)dim);
  if (dim == DIM_UNKNOWN) return snprintf(out, bytes, "?");
  return snprintf(out, bytes, "s%lld", (long long)(DIM_FIRST_SYMBOL - dim));
}

const char *tensor_text(const struct tensor *tensor, char *out, size_t out_bytes) {
  char text[32 + TENSOR_MAX_RANK * 24];
  int at = snprintf(text, sizeof text, "%s[", dtype_name(tensor->dtype));
  if (tensor->rank < 0) at += snprintf(text + at, sizeof text - (size_t)at, "...");
  for (int i = 0; i < tensor->rank && i < TENSOR_MAX_RANK; i++) {
    if (i) text[at++] = ',';
    at += dim_text(tensor->dims[i], text + at, sizeof text - (size_t)at);
  }
  snprintf(text + at, sizeof text - (size_t)at, "]");
  if (out_bytes) snprintf(out, out_bytes, "%s", text);
  return out;
}
