/* Arguments of the softmax kernels. For host and kernel. */
#ifndef KERNELS_CUDA_SOFTMAX_SOFTMAX_ARGS_H
#define KERNELS_CUDA_SOFTMAX_SOFTMAX_ARGS_H

struct softmax_args {
  FARM_POINTER(const IN) x; // [outer][len][inner]
  FARM_POINTER(OUT) y;      // [outer][len][inner]
  long long outer, inner;
  int len;
};

#endif
