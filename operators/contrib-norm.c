/* com.microsoft's normalisations of a sum: SkipLayerNormalization and SkipSimplifiedLayerNormalization (input + skip + bias),
 * EmbedLayerNormalization (word + position + segment embedding).
 */
#include "norm.h"
#include "tables.h"

#include <string.h>

/* Normalises rows of [count][width] in place and keeps what outputs want. */
struct rows {
  double *values; // [count][width]
  int64_t count, width;
  const double *scale, *bias; // [width]; bias may be NULL
  double epsilon;
  bool centred;
};

static void rows_normalise(const struct rows *rows, struct tensor *mean, struct tensor *inverse) {
  for (int64_t row = 0; row < rows->count; row++) {
    double *at = rows->values + row * rows->width;
    struct moments moments = norm_moments(at, rows->width, rows->epsilon, rows->centred);
    for (int64_t i = 0; i < rows->width; i++)
      at[i] = (at[i] - moments.mean) * moments.inverse_deviation * rows->scale[i] + (rows->bias ? rows->bias[i] : 0);
    if (mean) nn_store_range(mean, row, 1, &moments.mean);
    if (inverse) nn_store_range(inverse, row, 1, &moments.inverse_deviation);
  }
}

/* ---- input, skip, gamma, (beta,) bias ─► output, mean, inverse deviation, sum ---- */
static bool is_simplified(const struct operator_row *row) { return strncmp(row->name, "SkipS", 5) == 0; }

static enum farm_status skip_shape(struct shape_call *call) {
  int rank = nn_rank(call, 0), last = is_simplified(call->row) ? 3 : 4;
  int64_t dims[TENSOR_MAX_RANK];
  TRY(nn_check_rank(call, 0, 2, 3));
  TRY(nn_check_rank(call, 1, 1, 3));
  for (int i = 0; i < 5; i++) TRY(nn_check_type(call, i, NN_FLOATS));
  for (int i = 0; i < 4; i++) nn_output(call, i, i == 1 || i == 2 ? DTYPE_F32 : nn_dtype(call, 0), -1, NULL);
  if (rank < 0) return FARM_OK;
  for (int i = 2; i <= last; i++) TRY(nn_check_vector(call, i, nn_dim(call, 0, rank - 1)));
  for (int i = 0, own = nn_rank(call, 1); i < own; i++) {
    FAIL_IF(own > rank, FARM_INVALID, "skip has a higher rank than input");
    if (i == own - 1 || nn_dim(call, 1, i) != 1) TRY(nn_check_dim(call, 1, i, nn_dim(call, 0, rank - own + i)));
  }
  for (int i = 0; i < rank; i++) dims[i] = nn_dim(call, 0, i);
  nn_output(call, 0, nn_dtype(call, 0), rank, dims);
  nn_output(call, 3, nn_dtype(call, 0), rank, dims);
  dims[rank - 1] = 1;
  nn_output(call, 1, DTYPE_F32, rank, dims);
  nn_output(call, 2, DTYPE_F32, rank, dims);
  return FARM_OK;
}

/* skip repeats over the leading axes, or over a batch axis of 1: its rows line up at the end. */
static enum farm_status skip_add(const struct reference_call *call, struct arena *scratch, double *values, int bias) {
  const struct tensor *x = call->inputs[0], *skip = call->inputs[1];
  int64_t width = x->dims[x->rank - 1], elems = tensor_elems(x), skips = tensor_elems(skip);
  bool by_batch = skip->rank == 3 && x->rank == 3 && skip->dims[1] == 1 && x->dims[1] != 1; // [batch or 1][1][width]
  double *added = NULL, *biases = NULL;
  TRY(nn_load(scratch, skip, &added));
  TRY(nn_load(scratch, nn_in(call, bias), &biases));
  for (int64_t i = 0; i < elems; i++) {
    int64_t at = by_batch ? i / (width * x->dims[1]) * width + i % width : i;
    values[i] += added[at % skips] + (biases ? biases[i % width] : 0);
  }
  return FARM_OK;
}

static enum farm_status skip_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *x = call->inputs[0];
  bool simplified = is_simplified(call->row);
  double *values = NULL, *scale = NULL, *bias = NULL;
  for (int i = 0; i < call->output_count; i++)
    if (call->outputs[i]) TRY(reference_output(call, i));
  TRY(nn_load(scratch, x, &values));
  TRY(nn_load(scratch, call->inputs[2], &scale));
  if (!simplified) TRY(nn_load(scratch, nn_in(call, 3), &bias));
  if (tensor_elems(x) == 0) return FARM_OK;
  TRY(skip_add(call, scratch, values, simplified ? 3 : 4));
  if (nn_out(call, 3)) nn_store(call->outputs[3], values);
  int64_t width = x->dims[x->rank - 1];
  struct rows rows = {values,     tensor_elems(x) / width,
                      width,      scale,
                      bias,       (double)attr_float(call->attrs, "epsilon", simplified ? 1e-6f : 1e-12f),
                      !simplified};
  rows_normalise(&rows, nn_out(call, 1), nn_out(call, 2));
  if (nn_out(call, 0)) nn_store(call->outputs[0], values);
  return FARM_OK;
}
NN_REFERENCE(skip_reference)

/* ---- EmbedLayerNormalization ---- */
enum { IDS, SEGMENTS, WORD, POSITION, SEGMENT, GAMMA, BETA, MASK, POSITIONS };

static enum farm_status embed_shape(struct shape_call *call) {
  int64_t width = DIM_UNKNOWN;
  static const int ids[] = {IDS, SEGMENTS, MASK, POSITIONS}, tables[] = {WORD, POSITION, SEGMENT};
  for (int i = 0; i < 4; i++) TRY(nn_check_type(call, ids[i], NN_INDICES));
  for (int i = 0; i < 4; i++) TRY(nn_check_rank(call, ids[i], 2, 2));
  for (int i = 0; i < 3; i++) {
    TRY(nn_check_rank(call, tables[i], 2, 2));
    TRY(nn_check_type(call, tables[i], NN_FLOATS));
    TRY(nn_dim_merge(width, nn_dim(call, tables[i], 1), &width));
  }
  int64_t batch = nn_dim(call, IDS, 0), len = nn_dim(call, IDS, 1);
  for (int i = 1; i < 4; i++) {
    if (ids[i] != POSITIONS || nn_dim(call, POSITIONS, 0) != 1) TRY(nn_check_dim(call, ids[i], 0, batch));
    TRY(nn_check_dim(call, ids[i], 1, len));
  }
  for (int i = GAMMA; i <= BETA; i++) TRY(nn_check_vector(call, i, width));
  FAIL_IF(nn_given(call, SEGMENTS) && !nn_given(call, SEGMENT), FARM_INVALID, "segment_ids need a segment embedding");
  bool own_positions = nn_given(call, POSITIONS);
  FAIL_IF(!own_positions && len >= 0 && nn_dim(call, POSITION, 0) >= 0 && len > nn_dim(call, POSITION, 0), FARM_INVALID,
          "%lld steps but %lld positions", (long long)len, (long long)nn_dim(call, POSITION, 0));
  nn_output(call, 0, nn_dtype(call, WORD), 3, (int64_t[]){batch, len, width});
  nn_output(call, 1, DTYPE_I32, 1, (int64_t[]){batch});
  nn_output(call, 2, nn_dtype(call, WORD), 3, (int64_t[]){batch, len, width});
  return FARM_OK;
}

static enum farm_status embed_add(const struct tensor *table, int64_t row, double *values) {
  double *at = values;
  FAIL_IF(row < 0 || row >= table->dims[0], FARM_INVALID, "embedding %lld of %lld", (long long)row, (long long)table->dims[0]);
  for (int64_t i = 0; i < table->dims[1]; i++) at[i] += dtype_load_f64(table->dtype, table->data, row * table->dims[1] + i);
  return FARM_OK;
}

static int64_t id_at(const struct tensor *ids, int64_t i) { return dtype_load_i64(ids->dtype, ids->data, i % tensor_elems(ids)); }

static void mask_counts(const struct tensor *mask, struct tensor *out) {
  for (int64_t b = 0; b < out->dims[0]; b++) {
    int64_t count = 0;
    for (int64_t i = 0; mask && i < mask->dims[1]; i++)
      count += dtype_load_i64(mask->dtype, mask->data, b * mask->dims[1] + i) == 1;
    dtype_store_i64(out->dtype, out->data, b, count);
  }
}

static enum farm_status embed_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *ids = call->inputs[IDS], *segments = nn_in(call, SEGMENTS), *positions = nn_in(call, POSITIONS);
  int64_t count = tensor_elems(ids), width = call->inputs[WORD]->dims[1];
  double *values = NULL, *scale = NULL, *bias = NULL;
  for (int i = 0; i < call->output_count; i++)
    if (call->outputs[i]) TRY(reference_output(call, i));
  TRY(nn_alloc(scratch, count * width, sizeof *values, &values));
  TRY(nn_load(scratch, call->inputs[GAMMA], &scale));
  TRY(nn_load(scratch, call->inputs[BETA], &bias));
  for (int64_t i = 0; i < count; i++) {
    TRY(embed_add(call->inputs[WORD], id_at(ids, i), values + i * width));
    TRY(embed_add(call->inputs[POSITION], positions ? id_at(positions, i) : i % ids->dims[1], values + i * width));
    if (segments) TRY(embed_add(call->inputs[SEGMENT], id_at(segments, i), values + i * width));
  }
  if (nn_out(call, 2)) nn_store(call->outputs[2], values);
  if (nn_out(call, 1)) mask_counts(nn_in(call, MASK), call->outputs[1]);
  struct rows rows = {values, count, width, scale, bias, (double)attr_float(call->attrs, "epsilon", 1e-12f), true};
  rows_normalise(&rows, NULL, NULL);
  if (nn_out(call, 0)) nn_store(call->outputs[0], values);
  return FARM_OK;
}
NN_REFERENCE(embed_reference)

const struct operator_row operators_contrib_norm[] = {
    {"com.microsoft", "SkipLayerNormalization", 1, 3, 5, 1, 4, 0, 0, skip_shape, skip_reference},
    {"com.microsoft", "SkipSimplifiedLayerNormalization", 1, 3, 4, 1, 4, 0, 0, skip_shape, skip_reference},
    {"com.microsoft", "EmbedLayerNormalization", 1, 7, 9, 1, 3, 0, 0, embed_shape, embed_reference},
};
OPERATOR_ROWS(contrib_norm);
