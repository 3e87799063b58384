/* What families that sum in f32 share on the host: which storage types they take, and a launch of one row of blocks. */
#ifndef KERNELS_CUDA_CUDA_FLOATS_H
#define KERNELS_CUDA_CUDA_FLOATS_H

#include "cuda-tactic.h"

/* What a storage type is called in the dialect: "float", "f16", "bf16"; NULL: another type. */
const char *cuda_float_type(enum dtype type);
/* Are all operands of such types, and are sums kept in f32 good enough? */
bool cuda_all_floats(const struct problem *problem);
/* `blocks` blocks of `threads`; `args` is the kernel's argument struct. */
void cuda_blocks_launch(const char *entry, int64_t blocks, int threads, const void *args, size_t bytes, struct cuda_launch *out);

#endif
