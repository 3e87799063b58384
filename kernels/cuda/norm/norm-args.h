/* Arguments of the norm kernels. For host and kernel. */
#ifndef KERNELS_CUDA_NORM_NORM_ARGS_H
#define KERNELS_CUDA_NORM_NORM_ARGS_H

struct norm_args {
  FARM_POINTER(const IN) x;        // [rows][len]
  FARM_POINTER(const SCALE) scale; // [len]; not read without HAS_SCALE
  FARM_POINTER(const BIAS) bias;   // [len]; not read without HAS_BIAS
  FARM_POINTER(OUT) y;             // [rows][len]
  long long rows;
  int len;
  float epsilon;
};

#endif
