/* Arguments of the cast kernel. For host and kernel. */
#ifndef KERNELS_CUDA_OP_CAST_ARGS_H
#define KERNELS_CUDA_OP_CAST_ARGS_H

struct cast_args {
  FARM_POINTER(const FROM) x;
  FARM_POINTER(TO) y;
  long long elems;
};

#endif
