/* Arguments of the box kernel: y dense [dims…], its element (i0, i1, …) is x[i0 strides[0] + i1 strides[1] + …], all in units of
 * `unit` bytes; `x` points at the first element. For host and kernel. */
#ifndef KERNELS_CUDA_OP_BOX_ARGS_H
#define KERNELS_CUDA_OP_BOX_ARGS_H

struct box_args {
  FARM_POINTER(const u8) x;
  FARM_POINTER(u8) y;
  long long units; // of y
  int unit, rank;  // rank: 1 and more
  long long dims[16], strides[16];
};

#endif
