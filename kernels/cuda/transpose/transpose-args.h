/* Arguments of the transpose kernels. Elements are moved as unsigned integers of their size. For host and kernel. */
#ifndef KERNELS_CUDA_TRANSPOSE_TRANSPOSE_ARGS_H
#define KERNELS_CUDA_TRANSPOSE_TRANSPOSE_ARGS_H

struct transpose_strided_args {
  FARM_POINTER(const ELEM) x;
  FARM_POINTER(ELEM) y;
  long long elems;
  long long dims[8], strides[8]; // of the output; from one element along each of them to the next one in x
};

/* x [.. b .. a], y [.. a .. b], each with its own order of the rest in between. */
struct transpose_tiled_args {
  FARM_POINTER(const ELEM) x;
  FARM_POINTER(ELEM) y;
  long long a, b;               // extents
  long long b_stride, a_stride; // of b in x, of a in y; a in x and b in y are innermost
  long long rest;               // product of the other extents
  long long dims[6], x_strides[6], y_strides[6];
};

#endif
