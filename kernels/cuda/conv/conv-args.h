/* Arguments of the convolution kernels. For host and kernel. */
#ifndef KERNELS_CUDA_CONV_CONV_ARGS_H
#define KERNELS_CUDA_CONV_CONV_ARGS_H

struct conv_args {
  struct product_args product; // one item of its batch per group; the direct kernel uses none of it
  struct epilogue_args end;
  FARM_POINTER(const void) x;   // [n][c][h][w], or [n][h][w][c]
  FARM_POINTER(const void) w;   // [k][c/g][r][s]; or packed: see conv.h
  FARM_POINTER(void) out;       // [n][k][oh][ow], or [n][oh][ow][k]
  long long image, w_group;     // elements of one image; from one group's weights to the next
  int c, h, w_extent, k, group_c, group_k;
  int out_w, out_hw, pixels;    // pixels: of all images
  int stride_h, stride_w, pad_t, pad_l, dil_h, dil_w;
  int w_line;                   // elements from one filter to the next
};

#endif
