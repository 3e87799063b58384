/* Sliding windows: the arithmetic of kernel_shape, strides, dilations, pads and auto_pad, shared by convolutions and pooling.
 *
 *    before    in                after
 *   |<---->|<------------------>|<---->|     extent = (kernel - 1) * dilation + 1
 *   [ extent ]  stride→  [ extent ]          out = (before + in + after - extent) / stride + 1
 */
#ifndef OPERATORS_WINDOW_H
#define OPERATORS_WINDOW_H

#include "nn-util.h"

enum { WINDOW_MAX = TENSOR_MAX_RANK - 2 };
enum window_padding { WINDOW_EXPLICIT, WINDOW_SAME_UPPER, WINDOW_SAME_LOWER, WINDOW_VALID };

struct window {
  int axes;
  enum window_padding padding;
  int64_t in[WINDOW_MAX], out[WINDOW_MAX]; // may be unknown in shape inference
  int64_t kernel[WINDOW_MAX];              // may be unknown when it comes from the weights' shape
  int64_t stride[WINDOW_MAX], dilation[WINDOW_MAX], before[WINDOW_MAX], after[WINDOW_MAX];
};

/* Reads the attributes. `weight_dims` (the spatial dims of a convolution's weights, else NULL) must agree with kernel_shape. */
enum farm_status window_read(const struct attrs *attrs, int axes, const int64_t *weight_dims, struct window *out);
/* Sets in and out (and the pads that auto_pad implies) of a window that slides over the input. */
enum farm_status window_slide(struct window *window, const int64_t *in, bool ceil_mode);
/* Sets in and out of a transposed convolution; output_padding and output_shape as the attributes say. */
enum farm_status window_spread(struct window *window, const int64_t *in, const struct attrs *attrs);
int64_t window_taps(const struct window *window);  // product of kernel
int64_t window_sites(const struct window *window); // product of out
/* The input offset (in elements within one channel) that tap `tap` of output site `site` reads; -1 in the padding. */
int64_t window_offset(const struct window *window, const int64_t *site, const int64_t *tap);
/* The same for a transposed convolution: the input element that tap spreads to this site; -1 when none does. */
int64_t window_spread_offset(const struct window *window, const int64_t *site, const int64_t *tap);
/* Counts `at` up, last axis fastest; false after the last. */
bool window_next(int axes, const int64_t *dims, int64_t *at);
void window_split(int axes, const int64_t *dims, int64_t index, int64_t *out_at); // linear index to coordinates

#endif
