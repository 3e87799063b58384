/* Convolutions as implicit products: the tactics on matrix instructions and on ordinary multiply-adds, in both layouts. */
#include "conv.h"

/* ---- matrix instructions ---- */
static bool f16_applicable(const struct problem *problem) { return product_mma_types(problem, DTYPE_F16) && conv_cuda_fits(problem); }
static bool bf16_applicable(const struct problem *problem) { return product_mma_types(problem, DTYPE_BF16) && conv_cuda_fits(problem); }

static bool mma_legal(const struct problem *problem, const struct variant *variant) {
  const struct product_shape shape = conv_product_shape(problem, variant);
  return product_mma_legal(&shape, variant);
}

static size_t mma_workspace(const struct problem *problem, const struct variant *variant, int threads) {
  const struct product_shape shape = conv_product_shape(problem, variant);
  const struct product_tile tile = product_mma_tile(variant);
  (void)threads;
  return product_workspace(&shape, &tile);
}

static double mma_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                       int threads) {
  const struct product_shape shape = conv_product_shape(problem, variant);
  const struct product_tile tile = product_mma_tile(variant);
  (void)threads;
  return product_cost(problem, &shape, &tile, device_class);
}

static enum farm_status mma_source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  static const char *const files[] = {"product-end.cu", "tile-source.cu", "product-mma.cu", NULL};
  struct strbuf defines = {0};
  product_mma_defines(variant, &defines);
  enum farm_status status = conv_source(problem, variant, strbuf_text(&defines), files, out);
  strbuf_free(&defines);
  return status;
}

static enum farm_status product_launch(const struct cuda_call *call, const char *entry, const struct product_tile *tile,
                                       struct cuda_launch *out, int *out_count) {
  const struct product_shape shape = conv_product_shape(call->problem, call->variant);
  struct conv_args args;
  conv_args_fill(call, &args);
  product_args_fill(&shape, tile, call->workspace, &args.product);
  product_launches(entry, tile, &args.product, sizeof args, out, out_count);
  return FARM_OK;
}

static enum farm_status mma_launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  const struct product_tile tile = product_mma_tile(call->variant);
  return product_launch(call, "product_mma", &tile, out, out_count);
}

/* ---- ordinary multiply-adds ---- */
static bool simt_legal(const struct problem *problem, const struct variant *variant) {
  const struct product_shape shape = conv_product_shape(problem, variant);
  return product_simt_legal(&shape, variant);
}

static size_t simt_workspace(const struct problem *problem, const struct variant *variant, int threads) {
  const struct product_shape shape = conv_product_shape(problem, variant);
  const struct product_tile tile = product_simt_tile(variant);
  (void)threads;
  return product_workspace(&shape, &tile);
}

static double simt_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                        int threads) {
  const struct product_shape shape = conv_product_shape(problem, variant);
  const struct product_tile tile = product_simt_tile(variant);
  (void)threads;
  return product_cost(problem, &shape, &tile, device_class);
}

static enum farm_status simt_source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  static const char *const files[] = {"product-end.cu", "tile-source.cu", "product-simt.cu", NULL};
  struct strbuf defines = {0};
  product_simt_defines(variant, &defines);
  enum farm_status status = conv_source(problem, variant, strbuf_text(&defines), files, out);
  strbuf_free(&defines);
  return status;
}

static enum farm_status simt_launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  const struct product_tile tile = product_simt_tile(call->variant);
  return product_launch(call, "product_simt", &tile, out, out_count);
}

/* ---- rows ---- */
static const struct cuda_tactic f16_mma = {.least_sm = 75, .source = mma_source, .launches = mma_launches},
                                bf16_mma = {.least_sm = 80, .source = mma_source, .launches = mma_launches},
                                simt = {.least_sm = 75, .source = simt_source, .launches = simt_launches};

#define CONV_PRODUCT(symbol, text, layout_value, detail_value, param_list, applicable_fn, prefix)                                \
  const struct tactic symbol = {                                                                                                 \
      .id = text,                                                                                                                \
      .kind = PROBLEM_CONV2D,                                                                                                    \
      .device = DEVICE_CUDA,                                                                                                     \
      .layout = layout_value,                                                                                                    \
      .source = "cuda-conv",                                                                                                     \
      .packing_revision = CONV_PACKING_REVISION,                                                                                 \
      .packed_operand = 1,                                                                                                       \
      .detail = &detail_value,                                                                                                   \
      .params = param_list,                                                                                                      \
      .applicable = applicable_fn,                                                                                               \
      .legal = prefix##_legal,                                                                                                   \
      .workspace = prefix##_workspace,                                                                                           \
      .cost = prefix##_cost,                                                                                                     \
      .packed_bytes = conv_cuda_packed_bytes,                                                                                    \
      .pack = conv_cuda_pack,                                                                                                    \
  };

#define CONV_MMA(type, arch, layout, layout_value)                                                                                     \
  CONV_PRODUCT(conv2d_##type##_##layout##__mma__##arch, "conv2d_" #type "_" #layout "__mma__" #arch, layout_value, type##_mma,       \
               PRODUCT_MMA_PARAMS, type##_applicable, mma)
CONV_MMA(f16, sm75, nhwc, LAYOUT_NHWC)
CONV_MMA(f16, sm75, nchw, LAYOUT_NCHW)
CONV_MMA(bf16, sm80, nhwc, LAYOUT_NHWC)
CONV_MMA(bf16, sm80, nchw, LAYOUT_NCHW)
CONV_PRODUCT(conv2d_nhwc__simt__sm75, "conv2d_nhwc__simt__sm75", LAYOUT_NHWC, simt, PRODUCT_SIMT_PARAMS, conv_cuda_fits, simt)
CONV_PRODUCT(conv2d_nchw__simt__sm75, "conv2d_nchw__simt__sm75", LAYOUT_NCHW, simt, PRODUCT_SIMT_PARAMS, conv_cuda_fits, simt)
