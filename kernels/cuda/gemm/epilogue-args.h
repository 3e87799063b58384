/* Arguments of an epilogue: the operands that its steps take, in their order, and two numbers per step. For host and kernel. */
#ifndef KERNELS_CUDA_GEMM_EPILOGUE_ARGS_H
#define KERNELS_CUDA_GEMM_EPILOGUE_ARGS_H

struct epilogue_args {
  FARM_POINTER(const void) extra[6];
  float p[12];
};

#endif
