/* conv2d on a GPU: what its tactics share. Three ways to compute one, each in both layouts:
 *
 *   mma      implicit product on matrix instructions: f16 or bf16 operands (product-mma.cu over conv-operands.cu)
 *   simt     the same on ordinary multiply-adds, any storage
 *   direct   one channel per group: a thread per result (conv-direct.cu)
 *
 * Weights of the products, for channels last and constant: [g][k/g][r][s][c/g], so that the depth follows the channels; else as they
 * come. Lines (one filter each) are filled up with zeros to a multiple of 16 bytes; what is so already stays unpacked. Of the direct
 * kernel, channels last and constant: [r][s][k].
 */
#ifndef KERNELS_CUDA_CONV_CONV_H
#define KERNELS_CUDA_CONV_CONV_H

#include "../gemm/product.h"

#include "conv-args.h" // behind the structs that it is made of

enum { CONV_PACKING_REVISION = 1 };

bool conv_cuda_fits(const struct problem *problem); // what offsets within an image have room for
struct product_shape conv_product_shape(const struct problem *problem, const struct variant *variant);
enum farm_status conv_source(const struct problem *problem, const struct variant *variant, const char *defines,
                             const char *const *files, struct strbuf *out);
/* All but the product. */
void conv_args_fill(const struct cuda_call *call, struct conv_args *out);

size_t conv_cuda_packed_bytes(const struct problem *problem, const struct variant *variant);
void conv_cuda_pack(const struct problem *problem, const struct variant *variant, const void *weights, void *out_packed);

#endif
