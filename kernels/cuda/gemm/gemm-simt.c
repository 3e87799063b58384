/* gemm on ordinary multiply-adds: f32, and any mixture of storage types. See product-simt.cu. */
#include "gemm.h"

static bool legal(const struct problem *problem, const struct variant *variant) {
  const struct product_shape shape = gemm_product_shape(problem);
  return product_simt_legal(&shape, variant);
}

static size_t workspace(const struct problem *problem, const struct variant *variant, int threads) {
  const struct product_shape shape = gemm_product_shape(problem);
  const struct product_tile tile = product_simt_tile(variant);
  (void)threads;
  return product_workspace(&shape, &tile);
}

static double cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class, int threads) {
  const struct product_shape shape = gemm_product_shape(problem);
  const struct product_tile tile = product_simt_tile(variant);
  (void)threads;
  return product_cost(problem, &shape, &tile, device_class);
}

static enum farm_status source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  static const char *const files[] = {"tile-source.cu", "product-simt.cu", NULL};
  struct strbuf defines = {0};
  product_simt_defines(variant, &defines);
  enum farm_status status = gemm_source(problem, strbuf_text(&defines), files, out);
  strbuf_free(&defines);
  return status;
}

static enum farm_status launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  const struct product_tile tile = product_simt_tile(call->variant);
  struct gemm_args args;
  gemm_args_fill(call, &tile, &args);
  product_launches("product_simt", &tile, &args.product, sizeof args, out, out_count);
  return FARM_OK;
}

static const struct cuda_tactic simt = {.least_sm = 75, .source = source, .launches = launches};

const struct tactic gemm__simt__sm75 = {
    .id = "gemm__simt__sm75",
    .kind = PROBLEM_GEMM,
    .device = DEVICE_CUDA,
    .layout = LAYOUT_ANY,
    .source = "cuda-gemm",
    .packing_revision = GEMM_PACKING_REVISION,
    .packed_operand = 1,
    .detail = &simt,
    .params = PRODUCT_SIMT_PARAMS,
    .applicable = cuda_sums_in_f32,
    .legal = legal,
    .workspace = workspace,
    .cost = cost,
    .packed_bytes = gemm_cuda_packed_bytes,
    .pack = gemm_cuda_pack,
};
