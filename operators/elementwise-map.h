/* Elementwise ONNX operators as map programs: what a node computes, for its problem and for fusing it with its neighbours.
 *
 * Operand i of the program is input out->inputs[i] of the node; the program is canonical. FARM_UNSUPPORTED (without a message) when the
 * operator is not elementwise arithmetic on f32, f16, bf16 or bool that a program can express.
 */
#ifndef OPERATORS_ELEMENTWISE_MAP_H
#define OPERATORS_ELEMENTWISE_MAP_H

#include "operation.h"

struct elementwise_map {
  struct map_program program;
  float params[MAP_MAX_PARAMS];
  int inputs[MAP_MAX_OPERANDS];
};

/* By the operator and the number of inputs alone (types are the caller's to check). */
enum farm_status elementwise_map_of(const struct operation *operation, int input_count, struct elementwise_map *out);
bool elementwise_type(enum dtype dtype); // one that maps load and store
/* elementwise_map_of, and all types fit: inputs given and of such types, output too. */
enum farm_status elementwise_map_typed(const struct operation *operation, const struct tensor *const *inputs, int input_count,
                                       const struct tensor *output, struct elementwise_map *out);

#endif
