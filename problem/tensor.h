/* A tensor in host memory (or a description of one on a device): row-major, dense, no strides.
 *
 * Ownership is the holder's; a struct tensor never frees. dims[i] >= 0 in a real tensor. In shape inference a dim may be
 * negative: DIM_UNKNOWN, or a symbol -2 - k (see optimizer/ir/graph.h).
 */
#ifndef PROBLEM_TENSOR_H
#define PROBLEM_TENSOR_H

#include "../base/status.h"
#include "dtype.h"

enum { TENSOR_MAX_RANK = 8 };
enum { DIM_UNKNOWN = -1, DIM_FIRST_SYMBOL = -2 };

struct tensor {
  enum dtype dtype;
  int rank; // 0 = scalar
  int64_t dims[TENSOR_MAX_RANK];
  void *data; // NULL in a mere description, and for zero elements; 64-byte aligned when the runtime made it
};

/* Number of elements; -1 when a dim is negative or the product overflows int64 (also that of the dims beside a 0, so that any
 * product of dims of an accepted tensor is a number). A scalar has 1. */
int64_t tensor_elems(const struct tensor *tensor);
/* Bytes; SIZE_MAX when unknown or overflowing. */
size_t tensor_bytes(const struct tensor *tensor);
bool tensor_shape_equal(const struct tensor *a, const struct tensor *b); // rank and dims
int64_t tensor_dims_product(const int64_t *dims, int count);             // -1 on a negative dim or overflow
/* malloc'ed, zeroed, 64-byte aligned data for the description; free with tensor_free. */
enum farm_status tensor_alloc(struct tensor *tensor);
void tensor_free(struct tensor *tensor);
/* "f32[1,3,224,224]" into `out` (cut when too small); returns out. Negative dims print as "?" or "s0", "s1". */
const char *tensor_text(const struct tensor *tensor, char *out, size_t out_bytes);

#endif
