/* Arguments of the map kernels. Operands are dense, so dims tell all of their strides; which dims one has is in the text. For
 * host and kernel.
 */
#ifndef KERNELS_CUDA_MAP_MAP_ARGS_H
#define KERNELS_CUDA_MAP_MAP_ARGS_H

struct map_args {
  FARM_POINTER(const void) in[12];
  FARM_POINTER(void) out[4];
  long long dims[8];
  long long outputs, reduced; // elements of each output; elements that one of them reduces (1 without a reduction)
  float params[32];
};

#endif
