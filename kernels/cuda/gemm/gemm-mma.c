/* gemm on matrix instructions: f16 from sm_75 on, bf16 from sm_80 on. See product-mma.cu. */
#include "gemm.h"

static bool f16_applicable(const struct problem *problem) { return product_mma_types(problem, DTYPE_F16); }
static bool bf16_applicable(const struct problem *problem) { return product_mma_types(problem, DTYPE_BF16); }

static bool legal(const struct problem *problem, const struct variant *variant) {
  const struct product_shape shape = gemm_product_shape(problem);
  return product_mma_legal(&shape, variant);
}

static size_t workspace(const struct problem *problem, const struct variant *variant, int threads) {
  const struct product_shape shape = gemm_product_shape(problem);
  const struct product_tile tile = product_mma_tile(variant);
  (void)threads;
  return product_workspace(&shape, &tile);
}

static double cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class, int threads) {
  const struct product_shape shape = gemm_product_shape(problem);
  const struct product_tile tile = product_mma_tile(variant);
  (void)threads;
  return product_cost(problem, &shape, &tile, device_class);
}

static enum farm_status source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  static const char *const files[] = {"tile-source.cu", "product-mma.cu", NULL};
  struct strbuf defines = {0};
  product_mma_defines(variant, &defines);
  enum farm_status status = gemm_source(problem, strbuf_text(&defines), files, out);
  strbuf_free(&defines);
  return status;
}

static enum farm_status launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  const struct product_tile tile = product_mma_tile(call->variant);
  struct gemm_args args;
  gemm_args_fill(call, &tile, &args);
  product_launches("product_mma", &tile, &args.product, sizeof args, out, out_count);
  return FARM_OK;
}

static const struct cuda_tactic f16_mma = {.least_sm = 75, .source = source, .launches = launches},
                                bf16_mma = {.least_sm = 80, .source = source, .launches = launches};

#define GEMM_MMA(type, arch)                                                                                                           \
  const struct tactic gemm_##type##__mma__##arch = {                                                                               \
      .id = "gemm_" #type "__mma__" #arch,                                                                                         \
      .kind = PROBLEM_GEMM,                                                                                                      \
      .device = DEVICE_CUDA,                                                                                                     \
      .layout = LAYOUT_ANY,                                                                                                      \
      .source = "cuda-gemm",                                                                                                     \
      .packing_revision = GEMM_PACKING_REVISION,                                                                                 \
      .packed_operand = 1,                                                                                                       \
      .detail = &type##_mma,                                                                                                     \
      .params = PRODUCT_MMA_PARAMS,                                                                                              \
      .applicable = type##_applicable,                                                                                           \
      .legal = legal,                                                                                                            \
      .workspace = workspace,                                                                                                    \
      .cost = cost,                                                                                                              \
      .packed_bytes = gemm_cuda_packed_bytes,                                                                                    \
      .pack = gemm_cuda_pack,                                                                                                    \
  };
GEMM_MMA(f16, sm75)
GEMM_MMA(bf16, sm80)
