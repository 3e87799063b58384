/* What the pooling kernels share: the geometry of a call and which taps of a window lie in the data. */
#ifndef KERNELS_CPU_POOL_POOL_H
#define KERNELS_CPU_POOL_POOL_H

#include "../../../problem/problem.h"

/* One axis: output o reads inputs o * stride - pad + tap * dilation. */
struct pool_axis {
  int64_t in, out, window, stride, dilation, pad_before, pad_after;
};

struct pool_shape {
  int64_t n, c;
  struct pool_axis h, w;
  bool average, count_padding;
};

void pool_shape_read(const struct problem *problem, struct pool_shape *out);
/* Taps [first, end) of output `o` that lie in the data; none: first == end. */
void pool_taps(const struct pool_axis *axis, int64_t o, int64_t *out_first, int64_t *out_end);
/* What an average divides by along this axis: taps in the data, or in data and padding; 0 when there are none. */
int64_t pool_count(const struct pool_axis *axis, int64_t o, bool count_padding);
bool pool_is_f32(const struct problem *problem);
bool pool_is_global(const struct problem *problem); // one window that covers the plane, nothing else
double pool_work(const struct problem *problem);    // output elements x taps

#endif
