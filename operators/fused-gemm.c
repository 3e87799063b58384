/* tunefarm.Gemm: a matrix product (numpy's rules, ranks 2 and up) with an epilogue. See fused.h. */
#include "fused.h"
#include "product.h"
#include "tables.h"

static enum farm_status gemm_shape(struct shape_call *call) {
  const bool ta = attr_int(call->attrs, "trans_a", 0) != 0, tb = attr_int(call->attrs, "trans_b", 0) != 0;
  for (int i = 0; i < 2; i++) {
    TRY(nn_check_type(call, i, NN_FLOATS));
    TRY(nn_check_rank(call, i, 2, TENSOR_MAX_RANK));
  }
  TRY(nn_check_same_type(call, 0, 1));
  TRY(product_shape(call, 0, 1, ta, tb, nn_dtype(call, 0)));
  int b_rank = nn_rank(call, 1);
  return fused_epilogue_shape(call, 2, b_rank < 0 ? DIM_UNKNOWN : nn_dim(call, 1, tb ? b_rank - 2 : b_rank - 1));
}

struct gemm_end {
  struct fused_end end;
  struct tensor *y;
  int64_t n;
};

static void gemm_write(void *context, int64_t first, int count, const double *sums) {
  const struct gemm_end *gemm = context;
  for (int i = 0; i < count; i++) {
    double value = fused_end_apply(&gemm->end, sums[i], first + i, (first + i) % gemm->n);
    nn_store_range(gemm->y, first + i, 1, &value);
  }
}

static enum farm_status gemm_reference_body(struct reference_call *call, struct arena *scratch) {
  const bool ta = attr_int(call->attrs, "trans_a", 0) != 0, tb = attr_int(call->attrs, "trans_b", 0) != 0;
  struct product product;
  struct gemm_end gemm = {0};
  TRY(product_read(call->inputs[0], call->inputs[1], ta, tb, &product));
  TRY(reference_output(call, 0));
  TRY(fused_end_load(call, scratch, 2, &gemm.end));
  gemm.y = call->outputs[0], gemm.n = product.n;
  product.context = &gemm, product.write = gemm_write;
  return product_run(&product);
}
NN_REFERENCE(gemm_reference)

const struct operator_row operators_fused_gemm[] = {
    {"tunefarm", "Gemm", 1, 2, 2 + EPILOGUE_MAX, 1, 1, 0, 0, gemm_shape, gemm_reference},
};
OPERATOR_ROWS(fused_gemm);
