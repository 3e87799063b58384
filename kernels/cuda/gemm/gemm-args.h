/* Arguments of the gemm kernels. For host and kernel. */
#ifndef KERNELS_CUDA_GEMM_GEMM_ARGS_H
#define KERNELS_CUDA_GEMM_GEMM_ARGS_H

struct gemm_args {
  struct product_args product;
  struct epilogue_args end;
  FARM_POINTER(const void) a;       // [batch][m][k], or [batch][k][m]
  FARM_POINTER(const void) b;       // [batch][k][n], or [batch][n][k]
  FARM_POINTER(void) out;           // [batch][m][n]
  long long a_batch, b_batch;       // elements from one item of the batch to the next; 0: shared
  int a_line, b_line;               // elements from one line in memory to the next
};

#endif
