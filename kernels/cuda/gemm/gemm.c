/* See gemm.h. */
#include "gemm.h"

#include <string.h>

/* One operand as it lies in memory: items of `lines` lines of `length` elements. */
struct matrix {
  int64_t items, lines, length;
  bool k_major;
  size_t element_bytes;
};

static struct matrix matrix_a(const struct problem *problem) {
  const int64_t *d = problem->dims;
  const bool turned = d[GEMM_TA] != 0;
  return (struct matrix){d[GEMM_A_SHARED] ? 1 : d[GEMM_B], turned ? d[GEMM_K] : d[GEMM_M], turned ? d[GEMM_M] : d[GEMM_K], !turned,
                         dtype_bytes(problem->operands[0].dtype, 1)};
}

static struct matrix matrix_b(const struct problem *problem) {
  const int64_t *d = problem->dims;
  const bool turned = d[GEMM_TB] != 0;
  return (struct matrix){d[GEMM_B_SHARED] ? 1 : d[GEMM_B], turned ? d[GEMM_N] : d[GEMM_K], turned ? d[GEMM_K] : d[GEMM_N], turned,
                         dtype_bytes(problem->operands[1].dtype, 1)};
}

static bool is_aligned(const struct matrix *matrix) { return matrix->length % (int64_t)(16 / matrix->element_bytes) == 0; }

static int64_t padded_length(const struct matrix *matrix) {
  const int64_t run = (int64_t)(16 / matrix->element_bytes);
  return (matrix->length + run - 1) / run * run;
}

static bool is_packed(const struct problem *problem) {
  const struct matrix b = matrix_b(problem);
  return problem->operands[1].constant && !is_aligned(&b);
}

/* ---- packing ---- */
size_t gemm_cuda_packed_bytes(const struct problem *problem, const struct variant *variant) {
  const struct matrix b = matrix_b(problem);
  (void)variant;
  return is_packed(problem) ? (size_t)(b.items * b.lines * padded_length(&b)) * b.element_bytes : 0;
}

void gemm_cuda_pack(const struct problem *problem, const struct variant *variant, const void *weights, void *out_packed) {
  const struct matrix b = matrix_b(problem);
  const size_t line = (size_t)b.length * b.element_bytes, padded = (size_t)padded_length(&b) * b.element_bytes;
  const char *from = weights;
  char *to = out_packed;
  (void)variant;
  for (int64_t i = 0; i < b.items * b.lines; i++, from += line, to += padded) {
    memcpy(to, from, line);
    memset(to + line, 0, padded - line);
  }
}

/* ---- source and arguments ---- */
struct product_shape gemm_product_shape(const struct problem *problem) {
  const int64_t *d = problem->dims;
  return (struct product_shape){d[GEMM_M], d[GEMM_N], d[GEMM_K], d[GEMM_B]};
}

static void operand_defines(const struct problem *problem, struct strbuf *out) {
  const struct matrix a = matrix_a(problem), b = matrix_b(problem);
  strbuf_printf(out, "#define A_TYPE %s\n#define B_TYPE %s\n#define OUT_TYPE %s\n", cuda_type_name(problem->operands[0].dtype),
                cuda_type_name(problem->operands[1].dtype), cuda_type_name(problem->operands[problem->input_count].dtype));
  strbuf_printf(out, "#define A_K_MAJOR %d\n#define A_ALIGNED %d\n#define B_K_MAJOR %d\n#define B_ALIGNED %d\n#define OUT_EVEN %d\n",
                a.k_major, is_aligned(&a), b.k_major, is_aligned(&b) || problem->operands[1].constant,
                problem->dims[GEMM_N] % 2 == 0);
}

enum farm_status gemm_source(const struct problem *problem, const char *defines, const char *const *files, struct strbuf *out) {
  cuda_source_begin(out);
  strbuf_add(out, defines);
  operand_defines(problem, out);
  TRY(cuda_source_file(out, "epilogue-args.h"));
  TRY(cuda_source_file(out, "product-args.h"));
  TRY(cuda_source_file(out, "gemm-args.h"));
  TRY(epilogue_source(problem, out));
  TRY(cuda_source_file(out, "matrix-operand.cu"));
  TRY(cuda_source_file(out, "gemm-operands.cu"));
  TRY(cuda_source_file(out, "product-end.cu"));
  for (; *files; files++) TRY(cuda_source_file(out, *files));
  return FARM_OK;
}

void gemm_args_fill(const struct cuda_call *call, const struct product_tile *tile, struct gemm_args *out) {
  const struct problem *problem = call->problem;
  const struct product_shape shape = gemm_product_shape(problem);
  const struct matrix a = matrix_a(problem), b = matrix_b(problem);
  const bool packed = is_packed(problem);
  *out = (struct gemm_args){.a = call->inputs[0], .b = packed ? call->packed : call->inputs[1], .out = call->outputs[0]};
  product_args_fill(&shape, tile, call->workspace, &out->product);
  epilogue_args_fill(call, &out->end);
  out->a_line = (int)a.length;
  out->b_line = (int)(packed ? padded_length(&b) : b.length);
  out->a_batch = problem->dims[GEMM_A_SHARED] ? 0 : a.lines * out->a_line;
  out->b_batch = problem->dims[GEMM_B_SHARED] ? 0 : b.lines * out->b_line;
}
