/* com.microsoft.MatMulNBits: A [..., k] times a matrix of 2, 4 or 8 bit weights in blocks along k.
 *
 *   B [n][blocks][block_size * bits / 8]: low bits first       scales [n * blocks]
 *   zero_points: packed like B, each row of blocks padded to whole bytes; or floats [n * blocks]; absent: the middle
 */
#include "product.h"
#include "tables.h"

enum { A, B, SCALES, ZERO_POINTS, GROUP_INDEX, BIAS };

struct packing {
  int64_t k, n, bits, block, blocks;
};

static enum farm_status packing_read(const struct attrs *attrs, struct packing *out) {
  *out = (struct packing){attr_int(attrs, "K", 0), attr_int(attrs, "N", 0), attr_int(attrs, "bits", 4),
                          attr_int(attrs, "block_size", 0), 0};
  FAIL_IF(out->k < 1 || out->n < 1 || out->k > INT32_MAX || out->n > INT32_MAX, FARM_INVALID, "K and N are %lld and %lld",
          (long long)out->k, (long long)out->n);
  FAIL_IF(out->bits != 2 && out->bits != 4 && out->bits != 8, FARM_INVALID, "bits is %lld", (long long)out->bits);
  FAIL_IF(out->block < 16 || out->block > 1 << 20 || (out->block & (out->block - 1)), FARM_INVALID, "block_size is %lld",
          (long long)out->block);
  out->blocks = (out->k + out->block - 1) / out->block;
  return FARM_OK;
}

static enum farm_status check_elems(const struct shape_call *call, int input, int64_t want) {
  const struct tensor *type = nn_type(call, input);
  int64_t elems = type && type->rank >= 0 ? tensor_elems(type) : -1;
  FAIL_IF(elems >= 0 && elems != want, FARM_INVALID, "input %d has %lld elements, not %lld", input, (long long)elems,
          (long long)want);
  return FARM_OK;
}

static enum farm_status nbits_shape(struct shape_call *call) {
  struct packing p;
  int rank = nn_rank(call, A);
  int64_t dims[TENSOR_MAX_RANK];
  TRY(packing_read(call->attrs, &p));
  TRY(nn_check_type(call, A, NN_FLOATS));
  TRY(nn_check_type(call, B, NN_TYPE(U8)));
  TRY(nn_check_type(call, SCALES, NN_FLOATS));
  FAIL_IF(nn_given(call, GROUP_INDEX), FARM_UNSUPPORTED, "g_idx is not supported");
  TRY(check_elems(call, B, p.n * p.blocks * (p.block * p.bits / 8)));
  TRY(check_elems(call, SCALES, p.n * p.blocks));
  TRY(check_elems(call, ZERO_POINTS,
                  nn_dtype(call, ZERO_POINTS) == DTYPE_U8 ? p.n * ((p.blocks * p.bits + 7) / 8) : p.n * p.blocks));
  TRY(nn_check_vector(call, BIAS, p.n));
  nn_output(call, 0, nn_dtype(call, A), -1, NULL);
  if (rank < 0) return FARM_OK;
  TRY(nn_check_rank(call, A, 1, TENSOR_MAX_RANK));
  TRY(nn_check_dim(call, A, rank - 1, p.k));
  for (int i = 0; i < rank; i++) dims[i] = i < rank - 1 ? nn_dim(call, A, i) : p.n;
  nn_output(call, 0, nn_dtype(call, A), rank, dims);
  return FARM_OK;
}

static int unpack(const uint8_t *packed, int64_t i, int64_t bits) {
  int64_t at = i * bits;
  return packed[at / 8] >> (at % 8) & ((1 << bits) - 1);
}

static double zero_of(const struct packing *p, const struct tensor *zeros, int64_t row, int64_t block) {
  if (!zeros) return (double)(1 << (p->bits - 1));
  if (zeros->dtype != DTYPE_U8) return dtype_load_f64(zeros->dtype, zeros->data, row * p->blocks + block);
  return unpack((const uint8_t *)zeros->data + row * ((p->blocks * p->bits + 7) / 8), block, p->bits);
}

static void unpack_row(const struct packing *p, const struct reference_call *call, int64_t row, double *out) {
  const struct tensor *scales = call->inputs[SCALES];
  int64_t block_bytes = p->block * p->bits / 8;
  for (int64_t i = 0; i < p->k; i++) {
    int64_t block = i / p->block;
    const uint8_t *at = (const uint8_t *)call->inputs[B]->data + (row * p->blocks + block) * block_bytes;
    double scale = dtype_load_f64(scales->dtype, scales->data, row * p->blocks + block);
    out[i] = (unpack(at, i % p->block, p->bits) - zero_of(p, nn_in(call, ZERO_POINTS), row, block)) * scale;
  }
}

struct end {
  struct tensor *y;
  const double *bias; // [n] or NULL
  int64_t n;
};

static void end_write(void *context, int64_t first, int count, const double *sums) {
  const struct end *end = context;
  double values[64];
  for (int i = 0; i < count; i++) values[i] = sums[i] + (end->bias ? end->bias[(first + i) % end->n] : 0);
  nn_store_range(end->y, first, count, values);
}

static enum farm_status nbits_reference_body(struct reference_call *call, struct arena *scratch) {
  struct packing p;
  struct product product;
  double *weights = NULL, *bias = NULL;
  TRY(packing_read(call->attrs, &p));
  struct tensor b = {DTYPE_F32, 2, {p.n, p.k}, NULL}; // described only: its elements are in `weights`
  TRY(reference_output(call, 0));
  TRY(nn_load(scratch, nn_in(call, BIAS), &bias));
  TRY(nn_alloc(scratch, p.n * p.k, sizeof *weights, &weights));
  for (int64_t row = 0; row < p.n; row++) unpack_row(&p, call, row, weights + row * p.k);
  TRY(product_read(call->inputs[A], &b, false, true, &product));
  struct end end = {call->outputs[0], bias, p.n};
  product.b.values = weights, product.context = &end, product.write = end_write;
  return product_run(&product);
}
NN_REFERENCE(nbits_reference)

const struct operator_row operators_matmul_nbits[] = {
    {"com.microsoft", "MatMulNBits", 1, 3, 6, 1, 1, 0, 0, nbits_shape, nbits_reference},
};
OPERATOR_ROWS(matmul_nbits);
