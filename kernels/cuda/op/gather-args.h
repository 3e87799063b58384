/* Arguments of the gather kernel: x [outer][axis][units], indices [count], y [outer][count][units]. For host and kernel. */
#ifndef KERNELS_CUDA_OP_GATHER_ARGS_H
#define KERNELS_CUDA_OP_GATHER_ARGS_H

struct gather_args {
  FARM_POINTER(const UNIT) x;
  FARM_POINTER(const INDEX) indices;
  FARM_POINTER(UNIT) y;
  long long rows;             // outer * count
  long long count, axis;
  long long units;            // of UNIT in a row
  unsigned long long poison;  // 8 bytes of what stands where an index is out of range
};

#endif
