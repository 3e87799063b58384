/* gemm of at most 8 rows: every weight is read once. See gemm-skinny.cu. */
#include "gemm.h"

enum { MOST_ROWS = 8, WARPS = 8, PARAM_SPLITS = 0 };
static const int16_t splits_values[] = {1, 2, 4, 8, 16};

static bool applicable(const struct problem *problem) {
  return cuda_sums_in_f32(problem) && problem->dims[GEMM_M] <= MOST_ROWS;
}

/* Runs as gemm-skinny.cu takes them: 16 bytes where w is aligned, or packed. */
static struct product_tile tile_of(const struct problem *problem, const struct variant *variant) {
  const int64_t *d = problem->dims, length = d[GEMM_TB] ? d[GEMM_K] : d[GEMM_N];
  const int wide = (int)(16 / dtype_bytes(problem->operands[1].dtype, 1));
  const int run = problem->operands[1].constant || length % wide == 0 ? wide : 1;
  struct product_tile tile = {(int)d[GEMM_M], d[GEMM_TB] ? WARPS : 32 * run, d[GEMM_TB] ? 32 * run : WARPS, 32 * WARPS, 0, 0};
  tile.splits = variant->params[PARAM_SPLITS];
  tile.per_clock = 64;
  return tile;
}

static bool legal(const struct problem *problem, const struct variant *variant) {
  const struct product_shape shape = gemm_product_shape(problem);
  const struct product_tile tile = tile_of(problem, variant);
  return product_fits(&shape, &tile);
}

static size_t workspace(const struct problem *problem, const struct variant *variant, int threads) {
  const struct product_shape shape = gemm_product_shape(problem);
  const struct product_tile tile = tile_of(problem, variant);
  (void)threads;
  return product_workspace(&shape, &tile);
}

static double cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class, int threads) {
  const struct product_shape shape = gemm_product_shape(problem);
  struct product_tile tile = tile_of(problem, variant);
  (void)threads;
  return product_cost(problem, &shape, &tile, device_class);
}

static enum farm_status source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  static const char *const files[] = {"gemm-skinny.cu", NULL};
  struct strbuf defines = {0};
  (void)variant;
  strbuf_printf(&defines, "#define ROWS %d\n", (int)problem->dims[GEMM_M]);
  enum farm_status status = gemm_source(problem, strbuf_text(&defines), files, out);
  strbuf_free(&defines);
  return status;
}

static enum farm_status launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  const struct product_tile tile = tile_of(call->problem, call->variant);
  struct gemm_args args;
  gemm_args_fill(call, &tile, &args);
  product_launches("gemm_skinny", &tile, &args.product, sizeof args, out, out_count);
  return FARM_OK;
}

static const struct cuda_tactic skinny = {.least_sm = 75, .source = source, .launches = launches};

const struct tactic gemm__skinny__sm75 = {
    .id = "gemm__skinny__sm75",
    .kind = PROBLEM_GEMM,
    .device = DEVICE_CUDA,
    .layout = LAYOUT_ANY,
    .source = "cuda-gemm",
    .packing_revision = GEMM_PACKING_REVISION,
    .packed_operand = 1,
    .detail = &skinny,
    .params = {{"splits", splits_values, sizeof splits_values / sizeof *splits_values}},
    .applicable = applicable,
    .legal = legal,
    .workspace = workspace,
    .cost = cost,
    .packed_bytes = gemm_cuda_packed_bytes,
    .pack = gemm_cuda_pack,
};
