/* What the files that turn operations into problems share. Each maker fills one kind from an operation on concrete operands;
 * FARM_UNSUPPORTED without a message says "not as this kind": the operation becomes an `op`.
 */
#ifndef OPERATORS_OPERATION_KINDS_H
#define OPERATORS_OPERATION_KINDS_H

#include "operation.h"

struct operands {
  const struct operation *operation;
  const struct tensor *const *inputs;
  int input_count;
  uint64_t constants;
  const struct tensor *const *outputs;
  int output_count;
  struct arena *arena;
};

typedef enum farm_status (*problem_maker_fn)(const struct operands *operands, struct problem *problem);

enum farm_status make_gemm(const struct operands *operands, struct problem *problem);       // MatMul, Gemm, tunefarm.Gemm
enum farm_status make_conv(const struct operands *operands, struct problem *problem);       // Conv, tunefarm.Conv
enum farm_status make_pool(const struct operands *operands, struct problem *problem);       // MaxPool, …, tunefarm.Pool
enum farm_status make_softmax(const struct operands *operands, struct problem *problem);
enum farm_status make_norm(const struct operands *operands, struct problem *problem);
enum farm_status make_attention(const struct operands *operands, struct problem *problem);
enum farm_status make_transpose(const struct operands *operands, struct problem *problem);
enum farm_status make_map(const struct operands *operands, struct problem *problem);         // tunefarm.Map
enum farm_status make_elementwise(const struct operands *operands, struct problem *problem); // ONNX's elementwise operators
enum farm_status make_op(const struct operands *operands, struct problem *problem);

/* Epilogue of an operation with its parameters: the attribute of a fused one; what Gemm's alpha and C, or Conv's B mean. */
enum farm_status operation_epilogue(const struct operation *operation, int input_count, struct epilogue *out);
const struct tensor *operand_in(const struct operands *operands, int input); // NULL when omitted or beyond the count
bool operands_float(const struct operands *operands);                      // all given operands are f32, f16, bf16 or f64
/* Types of the problem's operands from the operation's, in order; constants where the kind marks them. Counts must be filled. */
enum farm_status operands_take(const struct operands *operands, struct problem *problem);

#endif
