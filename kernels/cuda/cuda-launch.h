/* Small things that most families' host code needs: storage types as the dialect writes them, and a launch of one row of blocks. */
#ifndef KERNELS_CUDA_CUDA_LAUNCH_H
#define KERNELS_CUDA_CUDA_LAUNCH_H

#include "cuda-tactic.h"

/* What a storage type is called in the dialect: "float", "f16", "bf16"; NULL: no type that kernels summing in f32 take. */
const char *cuda_float_name(enum dtype type);
/* Are all operands of such types, and are sums kept in f32 good enough? */
bool cuda_floats_only(const struct problem *problem);
/* `blocks` blocks of `threads`; `args` is the kernel's argument struct. */
void cuda_launch_fill(const char *entry, int64_t blocks, int threads, const void *args, size_t bytes, struct cuda_launch *out);

#endif
