/* The loop nest of elements.h. Loops that are contiguous for every operand are merged first, so that the row is long. */
#include "elements.h"

#include <string.h>

void nest_init(struct nest *nest, int rank, const int64_t *dims) {
  memset(nest, 0, sizeof *nest);
  nest->rank = rank;
  for (int i = 0; i < rank; i++) nest->dims[i] = dims[i];
}

void nest_operand(struct nest *nest, int64_t start, const int64_t *strides) {
  int k = nest->operands++;
  nest->start[k] = start;
  for (int i = 0; i < nest->rank; i++) nest->strides[k][i] = strides[i];
}

static void loop_drop(struct nest *nest, int at) {
  nest->rank--;
  for (int i = at; i < nest->rank; i++) {
    nest->dims[i] = nest->dims[i + 1];
    for (int k = 0; k < nest->operands; k++) nest->strides[k][i] = nest->strides[k][i + 1];
  }
}

static bool mergeable(const struct nest *nest, int outer) {
  for (int k = 0; k < nest->operands; k++)
    if (nest->strides[k][outer] != nest->strides[k][outer + 1] * nest->dims[outer + 1]) return false;
  return true;
}

bool nest_start(struct nest *nest) {
  for (int i = 0; i < nest->rank; i++)
    if (nest->dims[i] <= 0) return false;
  for (int i = nest->rank - 1; i >= 0; i--)
    if (nest->dims[i] == 1) loop_drop(nest, i);
  for (int i = nest->rank - 2; i >= 0; i--) {
    if (!mergeable(nest, i)) continue;
    nest->dims[i + 1] *= nest->dims[i];
    loop_drop(nest, i);
  }
  int inner = nest->rank - 1;
  nest->row = inner < 0 ? 1 : nest->dims[inner];
  for (int k = 0; k < nest->operands; k++) {
    nest->offset[k] = nest->start[k];
    nest->step[k] = inner < 0 ? 0 : nest->strides[k][inner];
  }
  memset(nest->index, 0, sizeof nest->index);
  return true;
}

bool nest_next(struct nest *nest) {
  for (int i = nest->rank - 2; i >= 0; i--) {
    if (++nest->index[i] < nest->dims[i]) {
      for (int k = 0; k < nest->operands; k++) nest->offset[k] += nest->strides[k][i];
      return true;
    }
    nest->index[i] = 0;
    for (int k = 0; k < nest->operands; k++) nest->offset[k] -= nest->strides[k][i] * (nest->dims[i] - 1);
  }
  return false;
}

void tensor_strides(const struct tensor *tensor, int64_t *out_strides) {
  int64_t stride = 1;
  for (int i = tensor->rank - 1; i >= 0; i--) {
    out_strides[i] = stride;
    stride *= tensor->dims[i];
  }
}

void broadcast_strides(const struct tensor *in, const struct tensor *out, int64_t *out_strides) {
  int64_t own[TENSOR_MAX_RANK];
  tensor_strides(in, own);
  int skip = out->rank - in->rank;
  for (int i = 0; i < out->rank; i++) out_strides[i] = i < skip || in->dims[i - skip] == 1 ? 0 : own[i - skip];
}
