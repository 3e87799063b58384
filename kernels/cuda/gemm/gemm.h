/* gemm on a GPU: what its tactics share. Four ways to compute one:
 *
 *   mma        matrix instructions: f16 or bf16 operands (product-mma.cu)
 *   simt       ordinary multiply-adds, any storage (product-simt.cu)
 *   skinny     at most 8 rows: the weights' bandwidth is all (gemm-skinny.cu)
 *   cublaslt   the library (gemm-cublaslt.c)
 *
 * There is no tactic on tf32: a problem of f32 says that sums of its products are exact to f32's rounding (problem_tolerance), and no
 * word of a problem's text allows less.
 *
 * A constant w whose lines in memory are no multiple of 16 bytes is packed: each line is filled up with zeros.
 */
#ifndef KERNELS_CUDA_GEMM_GEMM_H
#define KERNELS_CUDA_GEMM_GEMM_H

#include "product.h"

#include "gemm-args.h" // behind the structs that it is made of

enum { GEMM_PACKING_REVISION = 1 };

struct product_shape gemm_product_shape(const struct problem *problem);
/* The translation unit: `defines` of the tactic's tile, then `files`, of which the last has the kernel. NULL ends the list. */
enum farm_status gemm_source(const struct problem *problem, const char *defines, const char *const *files, struct strbuf *out);
void gemm_args_fill(const struct cuda_call *call, const struct product_tile *tile, struct gemm_args *out);

size_t gemm_cuda_packed_bytes(const struct problem *problem, const struct variant *variant);
void gemm_cuda_pack(const struct problem *problem, const struct variant *variant, const void *weights, void *out_packed);

#endif
