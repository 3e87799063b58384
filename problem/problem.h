/* A problem: one (fused) operation by itself, at exact dimensions: what a tactic solves and a record is about.
 *
 * It names the operation, dimensions, storage type of each operand, the accumulation type, which operands are constant and the
 * epilogue; never a layout, a device, or a thread count (those belong to the variant and the record). Its canonical text is its
 * identity; equal problems of different models have equal texts:
 *
 *   gemm m128 n3072 k768 f32 acc:f32 w:const +bias +gelu
 *   conv2d n1 c64 h56 w56 k64 r3 s3 pad1 f32 acc:f32 w:const +bias +add +relu
 *   map d128 d768 in:f32[01] in:f32[.1] out:f32 {%2=add %0 %1;%3=gelu %2;out %3}
 *   op com.microsoft.EmbedLayerNormalization-1 epsilon=1e-05 in:i32[1,8] in:f32[1000,32] … out:f32[1,8,32]
 *
 * The grammar is normative in docs/formats/problem-text.md. Types: one dtype word when all operands share it, else `in:` words.
 */
#ifndef PROBLEM_PROBLEM_H
#define PROBLEM_PROBLEM_H

#include "../base/arena.h"
#include "../base/digest.h"
#include "attr.h"
#include "epilogue.h"
#include "map-program.h"

/* Dimensions of each kind, in the order of struct problem's dims. `=D` gives the default that the text leaves out, `?` marks a flag
 * (the bare name for 1, nothing for 0), `a|b` alternatives written as bare words (0, 1). The `map`, `transpose` and `op` kinds have
 * variable dimensions of their own.
 *
 * gemm: out[b][m][n] = a[b][m][k] w[b][k][n]; ta: a is stored [k][m]; tb: w is stored [n][k]. The batch b is of both operands,
 * but with `ashared` (a is [m][k], used by all) or `bshared` (w is [k][n], used by all; only with ta: without it the batch is
 * folded into m). The flags occur with b > 1 only, never both. */
/*      name       text        dims */
#define PROBLEM_KIND_LIST(X)                                                                                 \
  X(GEMM, "gemm", "b=1 m n k ta? tb? ashared? bshared?")                                                     \
  X(CONV2D, "conv2d", "n c h w k r s strideh=1 stridew=1 padt=0 padl=0 padb=0 padr=0 dilh=1 dilw=1 g=1")     \
  X(POOL2D, "pool2d", "max|average n c h w r s strideh=1 stridew=1 padt=0 padl=0 padb=0 padr=0 dilh=1 dilw=1 countpad? ceil?") \
  X(SOFTMAX, "softmax", "log? outer len inner=1")                                                            \
  X(NORM, "norm", "layer|rms rows len scale=1 bias=1") /* scale, bias: is there such an operand */           \
  X(ATTENTION, "attention", "b heads kvheads seq kv d dv causal? mask=0 order=0")                            \
  X(TRANSPOSE, "transpose", "")           /* d… with the permutation: transpose d3136 d64 perm10 f32 */       \
  X(MAP, "map", "")                       /* d… r… */                                                        \
  X(OP, "op", "")                         /* any other operator, by name and attributes: mostly the reference alone */

enum problem_kind {
#define X(name, text, dims) PROBLEM_##name,
  PROBLEM_KIND_LIST(X)
#undef X
  PROBLEM_KIND_COUNT
};

/* Indices into dims for the fixed kinds. */
enum gemm_dim { GEMM_B, GEMM_M, GEMM_N, GEMM_K, GEMM_TA, GEMM_TB, GEMM_A_SHARED, GEMM_B_SHARED };
enum conv2d_dim {
  CONV_N, CONV_C, CONV_H, CONV_W, CONV_K, CONV_R, CONV_S, CONV_STRIDE_H, CONV_STRIDE_W,
  CONV_PAD_T, CONV_PAD_L, CONV_PAD_B, CONV_PAD_R, CONV_DIL_H, CONV_DIL_W, CONV_G
};
enum pool2d_dim {
  POOL_MODE, POOL_N, POOL_C, POOL_H, POOL_W, POOL_R, POOL_S, POOL_STRIDE_H, POOL_STRIDE_W,
  POOL_PAD_T, POOL_PAD_L, POOL_PAD_B, POOL_PAD_R, POOL_DIL_H, POOL_DIL_W, POOL_COUNT_PAD, POOL_CEIL
};
enum pool_mode { POOL_MAX, POOL_AVERAGE };
enum softmax_dim { SOFTMAX_LOG, SOFTMAX_OUTER, SOFTMAX_LEN, SOFTMAX_INNER };
enum norm_dim { NORM_MODE, NORM_ROWS, NORM_LEN, NORM_SCALE, NORM_BIAS };
enum norm_mode { NORM_LAYER, NORM_RMS };
/* order: 0 = q,k,v and out are [b][heads][seq][d]; 1 = [b][seq][heads][d]; 2 = one operand [b][seq][3][heads][d], out [b][seq][heads][d];
 * +4: k is [b][kvheads][d][kv] (already transposed; only with order 0).
 * mask: 0 none, 1 [kv], 2 [b][kv], 3 [seq][kv], 4 [b][heads][seq][kv],
 * 5 [b][1][seq][kv]; added to the scores. causal: query i sees keys 0 .. kv - seq + i. */
enum attention_dim {
  ATTENTION_B, ATTENTION_HEADS, ATTENTION_KV_HEADS, ATTENTION_SEQ, ATTENTION_KV, ATTENTION_D, ATTENTION_DV,
  ATTENTION_CAUSAL, ATTENTION_MASK, ATTENTION_ORDER
};

enum { PROBLEM_MAX_DIMS = 20, PROBLEM_MAX_OPERANDS = 16 };

struct problem_operand {
  enum dtype dtype;
  bool constant;    // a weight: packed when the engine is linked; timed cold. Marked for a and w of gemm and w of conv only
  uint32_t uses;    // map: bit i set when the operand varies along dims[i]; clear = broadcast. Others: unused
};

struct problem {
  enum problem_kind kind;
  int dim_count; // of the fixed kinds: all of them, defaults filled in. map, transpose: rank after coalescing
  int64_t dims[PROBLEM_MAX_DIMS];
  uint32_t reduced;              // map: bit i: dims[i] is reduced
  int8_t perm[TENSOR_MAX_RANK];  // transpose: output dim i is input dim perm[i]
  int input_count, output_count; // operands: inputs first (extra operands of the epilogue at the end), then outputs
  struct problem_operand operands[PROBLEM_MAX_OPERANDS]; // OP: empty; its types are in `op_text`
  enum dtype accumulate; // written as acc: for gemm, conv2d, attention; f32 (f64 for f64) else; NONE for transpose and op
  struct epilogue epilogue;         // parameters do not count for identity
  const struct map_program *program; // map only; params outside
  const char *op_text;              // OP only: everything after "op "
};

/* Canonical text, into the arena; never longer than PROBLEM_TEXT_MAX (a longer `op` text ends in its own digest). */
enum { PROBLEM_TEXT_MAX = 4096 };
const char *problem_print(const struct problem *problem, struct arena *arena); // NULL: out of memory
/* Accepts any order of words and spelt-out defaults; the result prints canonically. FARM_USAGE with what is wrong and where. */
enum farm_status problem_parse(const char *text, struct arena *arena, struct problem *out);
struct digest problem_digest(const struct problem *problem); // of the canonical text

/* Fills operand and output counts of a fixed kind, map or transpose from its dims and epilogue (types untouched); for makers of
 * problems. FARM_INVALID when there are too many. */
enum farm_status problem_count_operands(struct problem *problem);
/* Is this a problem in canonical form that every tactic may believe: dims in range, sizes that do not overflow, outputs not empty,
 * flags that go together? FARM_INVALID with the rule. problem_parse and operation_problem end with it. */
enum farm_status problem_check(const struct problem *problem);
/* Merge what can be merged: transpose dims that stay neighbours; map dims that all operands use alike; drop dims of 1. */
void problem_coalesce(struct problem *problem);

const char *problem_kind_name(enum problem_kind kind);
/* Multiply-adds (0 for pure moves) and bytes read and written once: what a roofline needs. */
double problem_macs(const struct problem *problem);
double problem_bytes(const struct problem *problem);
/* The same with no operand constant: what a kernel that packs nothing is asked to solve. */
struct problem problem_of_variables(const struct problem *problem);
/* Row-major descriptions of every operand (inputs then outputs) in the problem's natural order (nchw for conv); FARM_UNSUPPORTED
 * for OP. A worker makes operands from these; extra epilogue operands included. */
enum farm_status problem_operand_types(const struct problem *problem, struct tensor *out_types);
/* Output extents of a conv or pool along h and w. */
void problem_output_hw(const struct problem *problem, int64_t *out_h, int64_t *out_w);

#endif
