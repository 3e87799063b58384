/* DeformConv (2-D): a convolution whose taps are moved by offsets, read between elements, and weighted by a mask.
 *
 *   x [n][c][h][w]   w [m][c/group][kh][kw]   offset [n][offset_group * kh * kw * 2][oh][ow] (y, x)
 *   mask [n][offset_group * kh * kw][oh][ow]   y [n][m][oh][ow]
 */
#include "../base/pmath.h"
#include "convolve.h"
#include "dense.h"
#include "tables.h"

#include <string.h>

enum { X, W, OFFSET, BIAS, MASK };

static enum farm_status check_field(const struct shape_call *call, int input, const struct convolution *c, int64_t per_tap) {
  int64_t groups = attr_int(call->attrs, "offset_group", 1), taps = window_taps(&c->window), channels = DIM_UNKNOWN;
  FAIL_IF(groups < 1 || groups > INT32_MAX || (c->in_channels >= 0 && c->in_channels % groups), FARM_INVALID,
          "offset_group is %lld", (long long)groups);
  TRY(nn_check_rank(call, input, 4, 4));
  if (taps >= 0) {
    TRY(nn_dim_multiply(taps, groups, &channels));
    TRY(nn_dim_multiply(channels, per_tap, &channels));
  }
  const int64_t want[] = {c->batch, channels, c->window.out[0], c->window.out[1]};
  for (int i = 0; i < 4; i++) TRY(nn_check_dim(call, input, i, want[i]));
  return FARM_OK;
}

static enum farm_status deform_shape(struct shape_call *call) {
  struct convolution c;
  for (int i = 0; i < 5; i++) TRY(nn_check_type(call, i, NN_FLOATS));
  FAIL_IF(nn_rank(call, X) >= 0 && nn_rank(call, X) != 4, FARM_UNSUPPORTED, "only two spatial axes are supported");
  TRY(nn_check_rank(call, W, 4, 4));
  FAIL_IF(!nn_given(call, X) || !nn_given(call, W) || !nn_given(call, OFFSET), FARM_INVALID, "X, W and offset are required");
  TRY(convolution_shape(call, X, W, BIAS, false, nn_dtype(call, X)));
  TRY(convolution_read(call->attrs, nn_type(call, X), nn_type(call, W), false, &c));
  if (c.rank < 0) return FARM_OK;
  TRY(check_field(call, OFFSET, &c, 2));
  return nn_given(call, MASK) ? check_field(call, MASK, &c, 1) : FARM_OK;
}

/* One batch element and group. */
struct bent {
  const struct convolution *c;
  const double *x, *offset, *mask, *bias; // of this batch element; mask and bias may be NULL
  int64_t batch, group, offset_groups, taps, sites;
  struct tensor *y;
};

static double element(const double *plane, const int64_t *size, double y, double x) {
  if (!(y >= 0 && x >= 0 && y < (double)size[0] && x < (double)size[1])) return 0;
  return plane[(int64_t)y * size[1] + (int64_t)x];
}

static double between(const double *plane, const int64_t *size, double y, double x) {
  double top = pmath_floor(y), left = pmath_floor(x), dy = y - top, dx = x - left;
  if (!(y > -1 && x > -1 && y < (double)size[0] && x < (double)size[1])) return 0;
  return (1 - dy) * ((1 - dx) * element(plane, size, top, left) + dx * element(plane, size, top, left + 1)) +
         dy * ((1 - dx) * element(plane, size, top + 1, left) + dx * element(plane, size, top + 1, left + 1));
}

static double bent_value(const struct bent *b, int64_t channel, int64_t tap, int64_t site) {
  const struct window *w = &b->c->window;
  int64_t group = channel / (b->c->in_channels / b->offset_groups), field = group * b->taps + tap;
  const int64_t at[2] = {site / w->out[1], site % w->out[1]}, kernel[2] = {tap / w->kernel[1], tap % w->kernel[1]};
  double place[2];
  for (int i = 0; i < 2; i++)
    place[i] =
        (double)(at[i] * w->stride[i] - w->before[i] + kernel[i] * w->dilation[i]) + b->offset[(field * 2 + i) * b->sites + site];
  double value = between(b->x + channel * w->in[0] * w->in[1], w->in, place[0], place[1]);
  return b->mask ? value * b->mask[field * b->sites + site] : value;
}

static int64_t inner_channels(const struct bent *b) { return b->c->in_channels / b->c->groups; }
static int64_t outer_channels(const struct bent *b) { return b->c->out_channels / b->c->groups; }

static void bent_row(void *context, int64_t row, double *out) {
  const struct bent *b = context;
  int64_t count = inner_channels(b) * b->taps;
  memcpy(out, b->c->w + (b->group * outer_channels(b) + row) * count, (size_t)count * sizeof *out);
}

static void bent_panel(void *context, int64_t column, int count, double *out) {
  const struct bent *b = context;
  for (int64_t c = 0; c < inner_channels(b); c++)
    for (int64_t tap = 0; tap < b->taps; tap++, out += DENSE_COLUMNS)
      for (int j = 0; j < count; j++) out[j] = bent_value(b, b->group * inner_channels(b) + c, tap, column + j);
}

static void bent_write(void *context, int64_t row, int64_t column, int count, const double *sums) {
  const struct bent *b = context;
  int64_t channel = b->group * outer_channels(b) + row;
  double values[DENSE_COLUMNS];
  for (int i = 0; i < count; i++) values[i] = sums[i] + (b->bias ? b->bias[channel] : 0);
  nn_store_range(b->y, (b->batch * b->c->out_channels + channel) * b->sites + column, count, values);
}

static enum farm_status deform_reference_body(struct reference_call *call, struct arena *scratch) {
  struct convolution c;
  double *x = NULL, *w = NULL, *offset = NULL, *bias = NULL, *mask = NULL;
  TRY(convolution_read(call->attrs, call->inputs[X], call->inputs[W], false, &c));
  TRY(reference_output(call, 0));
  if (tensor_elems(call->outputs[0]) == 0) return FARM_OK;
  TRY(nn_load(scratch, call->inputs[X], &x));
  TRY(nn_load(scratch, call->inputs[W], &w));
  TRY(nn_load(scratch, call->inputs[OFFSET], &offset));
  TRY(nn_load(scratch, nn_in(call, BIAS), &bias));
  TRY(nn_load(scratch, nn_in(call, MASK), &mask));
  c.w = w;
  struct bent b = {.c = &c,
                   .bias = bias,
                   .offset_groups = attr_int(call->attrs, "offset_group", 1),
                   .taps = window_taps(&c.window),
                   .sites = window_sites(&c.window),
                   .y = call->outputs[0]};
  for (b.batch = 0; b.batch < c.batch; b.batch++) {
    b.x = x + b.batch * c.in_channels * c.window.in[0] * c.window.in[1];
    b.offset = offset + b.batch * b.offset_groups * b.taps * 2 * b.sites;
    b.mask = mask ? mask + b.batch * b.offset_groups * b.taps * b.sites : NULL;
    for (b.group = 0; b.group < c.groups; b.group++) {
      struct dense dense = {outer_channels(&b), b.sites, inner_channels(&b) * b.taps, &b, bent_row, bent_panel, bent_write};
      TRY(dense_multiply(&dense, scratch));
    }
  }
  return FARM_OK;
}
NN_REFERENCE(deform_reference)

const struct operator_row operators_deform_conv[] = {
    {"", "DeformConv", 19, 3, 5, 1, 1, 0, 0, deform_shape, deform_reference},
    {"", "DeformConv", 22, 3, 5, 1, 1, 0, 0, deform_shape, deform_reference},
};
OPERATOR_ROWS(deform_conv);
