/* See convolve.h. One dense product per batch element and group: rows are output channels, columns output sites, and a panel
 * of eight columns is gathered from the input through a table of offsets per (tap, column), the same for every channel.
 */
#include "convolve.h"

#include "dense.h"

#include <string.h>

static enum farm_status convolution_read_channels(const struct attrs *attrs, const struct tensor *x, const struct tensor *w,
                                                  struct convolution *out) {
  out->groups = attr_int(attrs, "group", 1);
  FAIL_IF(out->groups < 1 || out->groups > INT32_MAX, FARM_INVALID, "group is %lld", (long long)out->groups);
  out->batch = x->rank >= 0 ? x->dims[0] : DIM_UNKNOWN;
  out->in_channels = x->rank >= 0 ? x->dims[1] : DIM_UNKNOWN;
  out->out_channels = DIM_UNKNOWN;
  if (w->rank < 0) return FARM_OK;
  int64_t full = out->transposed ? w->dims[0] : w->dims[1], other = out->transposed ? w->dims[1] : w->dims[0];
  if (out->transposed) {
    TRY(nn_dim_merge(out->in_channels, full, &out->in_channels));
    TRY(nn_dim_multiply(other, out->groups, &out->out_channels));
  } else {
    int64_t channels;
    TRY(nn_dim_multiply(full, out->groups, &channels));
    TRY(nn_dim_merge(out->in_channels, channels, &out->in_channels));
    out->out_channels = other;
  }
  int64_t divided = out->transposed ? out->in_channels : out->out_channels;
  FAIL_IF(divided >= 0 && divided % out->groups, FARM_INVALID, "%lld channels do not divide into %lld groups", (long long)divided,
          (long long)out->groups);
  return FARM_OK;
}

enum farm_status convolution_read(const struct attrs *attrs, const struct tensor *x, const struct tensor *w, bool transposed,
                                  struct convolution *out) {
  *out = (struct convolution){.transposed = transposed, .rank = x->rank >= 0 ? x->rank : w->rank};
  if (out->rank < 0) return FARM_OK;
  FAIL_IF(out->rank < 3, FARM_INVALID, "an input of rank %d has no spatial axis", out->rank);
  FAIL_IF(x->rank >= 0 && w->rank >= 0 && x->rank != w->rank, FARM_INVALID, "input has rank %d but weights %d", x->rank, w->rank);
  int64_t unknown[WINDOW_MAX];
  for (int i = 0; i < WINDOW_MAX; i++) unknown[i] = DIM_UNKNOWN;
  TRY(convolution_read_channels(attrs, x, w, out));
  TRY(window_read(attrs, out->rank - 2, w->rank >= 0 ? w->dims + 2 : NULL, &out->window));
  const int64_t *in = x->rank >= 0 ? x->dims + 2 : unknown;
  return transposed ? window_spread(&out->window, in, attrs) : window_slide(&out->window, in, false);
}

enum farm_status convolution_shape(struct shape_call *call, int x, int w, int bias, bool transposed, enum dtype dtype) {
  struct convolution convolution;
  const struct tensor *weights = nn_type(call, w), *input = nn_type(call, x);
  FAIL_IF(!weights || !input, FARM_INVALID, "input and weights are required");
  TRY(convolution_read(call->attrs, input, weights, transposed, &convolution));
  if (bias >= 0 && convolution.rank >= 0) TRY(nn_check_vector(call, bias, convolution.out_channels));
  int64_t dims[TENSOR_MAX_RANK] = {convolution.batch, convolution.out_channels};
  for (int i = 2; i < convolution.rank; i++) dims[i] = convolution.window.out[i - 2];
  nn_output(call, 0, dtype, convolution.rank, dims);
  return FARM_OK;
}

/* One product: what the callbacks of dense need. */
struct part {
  const struct convolution *convolution;
  const double *x;                                            // [in_channels/groups][in...] of this batch element and group
  int64_t first;                                              // element of the output where this batch element and group begin
  int64_t channel;                                            // first output channel of the group
  int64_t taps, sites, in_spatial, in_channels, out_channels; // per group
  int64_t *offsets;                                           // [taps][8]
};

static void part_row(void *context, int64_t row, double *out) {
  const struct part *part = context;
  const struct convolution *c = part->convolution;
  if (!c->transposed) {
    memcpy(out, c->w + (part->channel + row) * part->in_channels * part->taps,
           (size_t)(part->in_channels * part->taps) * sizeof *out);
    return;
  }
  int64_t group = part->channel / part->out_channels;
  for (int64_t i = 0; i < part->in_channels; i++)
    memcpy(out + i * part->taps, c->w + ((group * part->in_channels + i) * part->out_channels + row) * part->taps,
           (size_t)part->taps * sizeof *out);
}

static void part_offsets(const struct part *part, int64_t column, int count) {
  const struct window *window = &part->convolution->window;
  for (int j = 0; j < count; j++) {
    int64_t site[WINDOW_MAX], tap[WINDOW_MAX] = {0}, *at = part->offsets + j;
    window_split(window->axes, window->out, column + j, site);
    do {
      *at = part->convolution->transposed ? window_spread_offset(window, site, tap) : window_offset(window, site, tap);
      at += DENSE_COLUMNS;
    } while (window_next(window->axes, window->kernel, tap));
  }
}

static void part_panel(void *context, int64_t column, int count, double *out) {
  const struct part *part = context;
  part_offsets(part, column, count);
  for (int64_t channel = 0; channel < part->in_channels; channel++) {
    const double *x = part->x + channel * part->in_spatial;
    const int64_t *at = part->offsets;
    for (int64_t tap = 0; tap < part->taps; tap++, at += DENSE_COLUMNS, out += DENSE_COLUMNS)
      for (int j = 0; j < count; j++) out[j] = at[j] < 0 ? 0 : x[at[j]];
  }
}

static void part_write(void *context, int64_t row, int64_t column, int count, const double *sums) {
  const struct part *part = context;
  const struct convolution *c = part->convolution;
  c->write(c->context, part->first + row * part->sites + column, part->channel + row, count, sums);
}

enum farm_status convolution_run(const struct convolution *c, struct arena *scratch) {
  struct part part = {.convolution = c, .taps = window_taps(&c->window), .sites = window_sites(&c->window)};
  part.in_spatial = tensor_dims_product(c->window.in, c->window.axes);
  part.in_channels = c->in_channels / c->groups, part.out_channels = c->out_channels / c->groups;
  FAIL_IF(part.taps < 0 || part.sites < 0, FARM_INVALID, "a convolution overflows");
  if (c->batch == 0 || part.out_channels == 0 || part.sites == 0) return FARM_OK;
  TRY(nn_alloc(scratch, part.taps, DENSE_COLUMNS * sizeof *part.offsets, &part.offsets));
  for (int64_t i = 0; i < c->batch * c->groups; i++) {
    part.x = c->x + i * part.in_channels * part.in_spatial;
    part.first = i * part.out_channels * part.sites;
    part.channel = i % c->groups * part.out_channels;
    struct arena working = {0};
    struct dense dense = {part.out_channels, part.sites, part.in_channels * part.taps, &part, part_row, part_panel, part_write};
    enum farm_status status = dense_multiply(&dense, &working);
    arena_free(&working);
    TRY(status);
  }
  return FARM_OK;
}
