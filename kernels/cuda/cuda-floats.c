/* See cuda-floats.h. */
#include "cuda-floats.h"

#include <string.h>

const char *cuda_float_type(enum dtype type) {
  return type == DTYPE_F32 ? "float" : type == DTYPE_F16 ? "f16" : type == DTYPE_BF16 ? "bf16" : NULL;
}

bool cuda_all_floats(const struct problem *problem) {
  for (int i = 0; i < problem->input_count + problem->output_count; i++)
    if (!cuda_float_type(problem->operands[i].dtype)) return false;
  return cuda_float_type(problem->accumulate) != NULL;
}

void cuda_blocks_launch(const char *entry, int64_t blocks, int threads, const void *args, size_t bytes, struct cuda_launch *out) {
  *out = (struct cuda_launch){.entry = entry, .grid = {(uint32_t)blocks, 1, 1}, .block = {(uint32_t)threads, 1, 1}};
  out->argument_bytes = (uint32_t)bytes;
  memcpy(out->arguments, args, bytes);
}
