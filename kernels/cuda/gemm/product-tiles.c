/* Parameters of the products' tactics: which tiles there are, what they define for the kernel, how fast they may be. */
#include "product.h"

enum { SHARED_MOST = 48 << 10, MMA_DEPTH = 32 };

const int16_t product_tile_edges[2] = {128, 64}, product_warps[2] = {8, 4}, product_stages[3] = {3, 4, 2},
              product_splits[4] = {1, 2, 4, 8}, product_simt_edges[3] = {128, 64, 32}, product_depths[2] = {16, 8};

/* ---- matrix instructions ---- */

/* Multiply-adds per clock of mma.sync with f32 sums: 1024 on data centre parts since sm_80, half of that elsewhere; the estimate does not
 * tell devices apart, since all variants of a tactic scale alike. Small tiles read more per multiply-add. */
struct product_tile product_mma_tile(const struct variant *variant) {
  const int16_t *p = variant->params;
  struct product_tile tile = {p[MMA_BM], p[MMA_BN], MMA_DEPTH, 32 * p[MMA_WARPS], p[MMA_SPLITS], 0};
  const double small = p[MMA_BM] * p[MMA_BN] < 128 * 128 ? (p[MMA_BM] * p[MMA_BN] < 128 * 64 ? 0.5 : 0.75) : 1;
  tile.per_clock = 600 * small * (p[MMA_WARPS] == 4 ? 0.95 : 1) * (p[MMA_STAGES] == 2 ? 0.8 : 1);
  return tile;
}

static size_t mma_shared_bytes(const struct variant *variant) {
  const int16_t *p = variant->params;
  return (size_t)p[MMA_STAGES] * (size_t)(p[MMA_BM] + p[MMA_BN]) * MMA_DEPTH * 2;
}

bool product_mma_legal(const struct product_shape *shape, const struct variant *variant) {
  const int16_t *p = variant->params;
  const struct product_tile tile = product_mma_tile(variant);
  if (mma_shared_bytes(variant) > SHARED_MOST) return false;
  if (p[MMA_BM] == 128 && p[MMA_BN] == 128 && p[MMA_WARPS] == 4) return false; // 128 sums per thread leave no registers
  if (p[MMA_STAGES] == 2 && p[MMA_WARPS] == 4) return false;
  if (p[MMA_BM] > 64 && shape->rows <= 64) return false;
  if (p[MMA_BN] > 64 && shape->columns <= 64) return false;
  return product_fits(shape, &tile);
}

bool product_mma_types(const struct problem *problem, enum dtype type) {
  return cuda_sums_in_f32(problem) && problem->operands[0].dtype == type && problem->operands[1].dtype == type;
}

void product_mma_defines(const struct variant *variant, struct strbuf *out) {
  const int16_t *p = variant->params;
  const int warps_m = p[MMA_BM] < p[MMA_BN] && p[MMA_WARPS] == 4 ? 1 : p[MMA_BM] > p[MMA_BN] && p[MMA_WARPS] == 8 ? 4 : 2;
  strbuf_printf(out, "#define BM %d\n#define BN %d\n#define WARPS_M %d\n#define WARPS_N %d\n#define THREADS %d\n#define STAGES %d\n",
                p[MMA_BM], p[MMA_BN], warps_m, p[MMA_WARPS] / warps_m, 32 * p[MMA_WARPS], p[MMA_STAGES]);
}

/* ---- ordinary multiply-adds ---- */
static int edge_per_thread(int edge) { return edge == 128 ? 8 : 4; }

struct product_tile product_simt_tile(const struct variant *variant) {
  const int16_t *p = variant->params;
  const int tm = edge_per_thread(p[SIMT_BM]), tn = edge_per_thread(p[SIMT_BN]);
  struct product_tile tile = {p[SIMT_BM], p[SIMT_BN], p[SIMT_BK], p[SIMT_BM] / tm * (p[SIMT_BN] / tn), p[SIMT_SPLITS], 0};
  tile.per_clock = 128 * (tm * tn == 64 ? 0.75 : tm * tn == 32 ? 0.62 : 0.45) * (tile.threads < 128 ? 0.8 : 1);
  return tile;
}

bool product_simt_legal(const struct product_shape *shape, const struct variant *variant) {
  const int16_t *p = variant->params;
  const struct product_tile tile = product_simt_tile(variant);
  const int least = p[SIMT_BM] < p[SIMT_BN] ? p[SIMT_BM] : p[SIMT_BN];
  if (least * p[SIMT_BK] < tile.threads) return false; // a thread without an element to fetch
  if (p[SIMT_BM] > 32 && shape->rows <= p[SIMT_BM] / 2) return false;
  if (p[SIMT_BN] > 32 && shape->columns <= p[SIMT_BN] / 2) return false;
  return product_fits(shape, &tile);
}

void product_simt_defines(const struct variant *variant, struct strbuf *out) {
  const int16_t *p = variant->params;
  const struct product_tile tile = product_simt_tile(variant);
  strbuf_printf(out, "#define BM %d\n#define BN %d\n#define BK %d\n#define TM %d\n#define TN %d\n#define THREADS %d\n", p[SIMT_BM],
                p[SIMT_BN], p[SIMT_BK], edge_per_thread(p[SIMT_BM]), edge_per_thread(p[SIMT_BN]), tile.threads);
}
