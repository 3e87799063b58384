/* Arguments of the pooling kernels. For host and kernel. */
#ifndef KERNELS_CUDA_POOL_POOL_ARGS_H
#define KERNELS_CUDA_POOL_POOL_ARGS_H

struct pool_args {
  FARM_POINTER(const void) x; // [n][c][h][w], or [n][h][w][c]
  FARM_POINTER(void) out;     // [n][c][oh][ow], or [n][oh][ow][c]
  int outputs; // below 2^31 - 256: divisions of 64 bits are slow
  int c, h, w, out_h, out_w;
  int r, s, stride_h, stride_w, pad_t, pad_l, pad_b, pad_r, dil_h, dil_w;
  int count_padding; // averages divide by taps in data and padding, else by those in the data
};

#endif
