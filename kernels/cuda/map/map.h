/* What the parts of the map family share. */
#ifndef KERNELS_CUDA_MAP_MAP_H
#define KERNELS_CUDA_MAP_MAP_H

#include "../cuda-launch.h"

/* The text of a map up to its kernel: types, program, loads and stores, as map_values and map_store. It depends on the program,
 * the operands' types and dims they have, the rank, and whether 32 bits are enough for indices; on no extent. */
enum farm_status map_text(const struct problem *problem, struct strbuf *out);
/* Weighted count of a program's instructions: what one element costs, in multiply-adds. */
double map_operations(const struct map_program *program);

#endif
