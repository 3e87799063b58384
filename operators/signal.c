/* DFT and STFT: the plain sum over a table of roots of unity, exact in its indices, double throughout. Complex values are pairs
 * on the last axis; a last axis of 1 is real.
 */
#include "../base/pmath.h"
#include "nn-util.h"
#include "tables.h"

static const double PI = 3.14159265358979323846;
static const int64_t LENGTH_MOST = 1 << 24;

struct roots { // cos and sin of 2 pi k / length
  int64_t length;
  double *cosine, *sine;
};

static enum farm_status roots_make(struct arena *scratch, int64_t length, struct roots *out) {
  FAIL_IF(length < 1 || length > LENGTH_MOST, FARM_INVALID, "a transform of length %lld", (long long)length);
  out->length = length;
  TRY(nn_alloc(scratch, length, sizeof(double), &out->cosine));
  TRY(nn_alloc(scratch, length, sizeof(double), &out->sine));
  for (int64_t k = 0; k < length; k++) {
    double angle = 2 * PI * (double)k / (double)length;
    out->cosine[k] = pmath_cos(angle), out->sine[k] = pmath_sin(angle);
  }
  return FARM_OK;
}

struct line { // complex elements at at[i * step]; imaginary part follows when pairs
  const double *at;
  int64_t count, step; // elements beyond count are zero
  bool pairs;
};

/* One output of the transform of a line, `sign` -1 forwards, 1 back (without the division). */
static void transform(const struct roots *roots, const struct line *line, int64_t k, double sign, double *out_re,
                      double *out_im) {
  double re = 0, im = 0;
  int64_t count = line->count < roots->length ? line->count : roots->length, index = 0;
  for (int64_t i = 0; i < count; i++) {
    double x = line->at[i * line->step], y = line->pairs ? line->at[i * line->step + 1] : 0;
    double c = roots->cosine[index], s = sign * roots->sine[index];
    re += x * c - y * s, im += x * s + y * c;
    index += k;
    if (index >= roots->length) index -= roots->length;
  }
  *out_re = re, *out_im = im;
}

/* ---- DFT ---- */
struct dft {
  int axis;
  bool inverse, onesided;
  int64_t length; // of the transform; unknown in shape inference
};

static bool to_real(const struct dft *d) { return d->inverse && d->onesided; } // a half spectrum back to a real signal

static int64_t default_length(const struct dft *d, int64_t dim) {
  if (dim < 0) return to_real(d) ? DIM_UNKNOWN : dim;
  return to_real(d) ? 2 * (dim - 1) : dim;
}

static enum farm_status dft_read(const struct operator_row *row, const struct attrs *attrs, int rank, const int64_t *axis_input,
                                 struct dft *out) {
  int64_t axis = row->since_version < 20 ? attr_int(attrs, "axis", 1) : axis_input ? *axis_input : -2;
  *out = (struct dft){.inverse = attr_int(attrs, "inverse", 0) != 0, .onesided = attr_int(attrs, "onesided", 0) != 0};
  TRY(shape_axis(axis, rank, &out->axis));
  FAIL_IF(out->axis == rank - 1, FARM_INVALID, "the last axis holds real and imaginary parts");
  return FARM_OK;
}

static int64_t half_of(int64_t length) { return length < 0 ? DIM_UNKNOWN : length / 2 + 1; }

static enum farm_status dft_shape(struct shape_call *call) {
  struct dft d;
  int64_t dims[TENSOR_MAX_RANK], axis, length;
  int rank = nn_rank(call, 0), count = 0;
  TRY(nn_check_type(call, 0, NN_FLOATS));
  for (int i = 1; i < 3; i++) {
    TRY(nn_check_type(call, i, NN_INDICES));
    TRY(nn_check_single(call, i));
  }
  nn_output(call, 0, nn_dtype(call, 0), -1, NULL);
  TRY(nn_check_rank(call, 0, 2, TENSOR_MAX_RANK));
  if (rank < 0 || (nn_given(call, 2) && !nn_known_ints(call, 2, &axis, 1, &count))) return FARM_OK;
  TRY(dft_read(call->row, call->attrs, rank, nn_given(call, 2) ? &axis : NULL, &d));
  d.length = default_length(&d, nn_dim(call, 0, d.axis));
  if (nn_given(call, 1)) d.length = nn_known_ints(call, 1, &length, 1, &count) ? length : DIM_UNKNOWN;
  FAIL_IF(nn_given(call, 1) && d.length != DIM_UNKNOWN && (d.length < 1 || d.length > LENGTH_MOST), FARM_INVALID,
          "dft_length is %lld", (long long)d.length);
  for (int i = 0; i < rank; i++) dims[i] = nn_dim(call, 0, i);
  FAIL_IF(dims[rank - 1] >= 0 && dims[rank - 1] != 1 && dims[rank - 1] != 2, FARM_INVALID, "the last axis has %lld elements",
          (long long)dims[rank - 1]);
  dims[d.axis] = d.onesided && !d.inverse ? half_of(d.length) : d.length;
  dims[rank - 1] = to_real(&d) ? 1 : 2;
  nn_output(call, 0, nn_dtype(call, 0), rank, dims);
  return FARM_OK;
}

/* A real signal from the lower half of its spectrum: the upper half is its mirror image. */
static void mirror(const double *half, int64_t count, int64_t step, int64_t length, double *full) {
  for (int64_t k = 0; k < length; k++) {
    int64_t from = k <= length / 2 ? k : length - k;
    full[2 * k] = from < count ? half[from * step] : 0;
    full[2 * k + 1] = from < count ? (k <= length / 2 ? 1 : -1) * half[from * step + 1] : 0;
  }
  full[1] = 0;
  if (length % 2 == 0) full[length + 1] = 0;
}

struct dft_run {
  struct dft d;
  struct roots roots;
  int64_t in, out, inner, parts_in, parts_out; // along the axis; inner: elements of the axes between it and the last
  double *work;                                // [length][2] for mirror
};

static void dft_line(const struct dft_run *r, const double *x, double *y) {
  struct line line = {x, r->in, r->inner * r->parts_in, r->parts_in == 2};
  if (to_real(&r->d)) {
    mirror(x, r->in, r->inner * r->parts_in, r->d.length, r->work);
    line = (struct line){r->work, r->d.length, 2, true};
  }
  for (int64_t k = 0; k < r->out; k++) {
    double re, im, divisor = r->d.inverse ? (double)r->d.length : 1;
    transform(&r->roots, &line, k, r->d.inverse ? 1 : -1, &re, &im);
    y[k * r->inner * r->parts_out] = re / divisor;
    if (r->parts_out == 2) y[k * r->inner * r->parts_out + 1] = im / divisor;
  }
}

static enum farm_status dft_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *x = call->inputs[0], *length = nn_in(call, 1), *axis = nn_in(call, 2);
  struct tensor *y = call->outputs[0];
  struct dft_run r = {0};
  int64_t axis_value = nn_integer(axis, 0);
  double *values = NULL, *out = NULL;
  TRY(dft_read(call->row, call->attrs, x->rank, axis ? &axis_value : NULL, &r.d));
  r.in = x->dims[r.d.axis], r.parts_in = x->dims[x->rank - 1], r.parts_out = to_real(&r.d) ? 1 : 2;
  r.d.length = length ? nn_integer(length, 0) : default_length(&r.d, r.in);
  FAIL_IF(to_real(&r.d) && r.parts_in != 2, FARM_INVALID, "a half spectrum needs complex values");
  TRY(roots_make(scratch, r.d.length, &r.roots));
  r.out = r.d.onesided && !r.d.inverse ? half_of(r.d.length) : r.d.length;
  r.inner = nn_product(x, r.d.axis + 1, x->rank - 1);
  for (int i = 0; i < x->rank; i++) y->dims[i] = x->dims[i];
  y->dims[r.d.axis] = r.out, y->dims[x->rank - 1] = r.parts_out;
  TRY(reference_output(call, 0));
  TRY(nn_load(scratch, x, &values));
  TRY(nn_alloc(scratch, tensor_elems(y), sizeof *out, &out));
  TRY(nn_alloc(scratch, r.d.length, 2 * sizeof *r.work, &r.work));
  int64_t outer = tensor_elems(y) ? nn_product(x, 0, r.d.axis) : 0;
  for (int64_t i = 0; i < outer * r.inner; i++) {
    int64_t o = i / r.inner, inner = i % r.inner;
    dft_line(&r, values + (o * r.in * r.inner + inner) * r.parts_in, out + (o * r.out * r.inner + inner) * r.parts_out);
  }
  nn_store(y, out);
  return FARM_OK;
}
NN_REFERENCE(dft_reference)

/* ---- STFT: signal [n][len][1 or 2] ─► [n][frames][bins][2] ---- */
static enum farm_status stft_sizes(const struct attrs *attrs, int64_t len, int64_t step, int64_t frame, int64_t *out_frames,
                                   int64_t *out_bins) {
  FAIL_IF(step < 1 || frame < 1 || frame > LENGTH_MOST || frame > len, FARM_INVALID, "frames of %lld every %lld in %lld",
          (long long)frame, (long long)step, (long long)len);
  *out_frames = (len - frame) / step + 1;
  *out_bins = attr_int(attrs, "onesided", 1) ? half_of(frame) : frame;
  return FARM_OK;
}

static enum farm_status stft_shape(struct shape_call *call) {
  int64_t step = -1, frame = nn_dim(call, 2, 0), known, frames = DIM_UNKNOWN, bins = DIM_UNKNOWN, len = nn_dim(call, 0, 1);
  int count = 0;
  TRY(nn_check_type(call, 0, NN_FLOATS));
  TRY(nn_check_type(call, 1, NN_INDICES));
  TRY(nn_check_type(call, 2, NN_FLOATS));
  TRY(nn_check_type(call, 3, NN_INDICES));
  TRY(nn_check_rank(call, 0, 2, 3));
  TRY(nn_check_rank(call, 2, 1, 1));
  TRY(nn_check_single(call, 1));
  TRY(nn_check_single(call, 3));
  FAIL_IF(!nn_given(call, 2) && !nn_given(call, 3), FARM_INVALID, "a window or frame_length is required");
  int64_t last = nn_dim(call, 0, 2);
  FAIL_IF(last >= 0 && last != 1 && last != 2, FARM_INVALID, "the last axis has %lld elements", (long long)last);
  bool have_step = nn_known_ints(call, 1, &step, 1, &count), have_frame = frame >= 0;
  if (nn_known_ints(call, 3, &known, 1, &count)) {
    FAIL_IF(frame >= 0 && frame != known, FARM_INVALID, "the window has %lld elements, frame_length is %lld", (long long)frame,
            (long long)known);
    frame = known, have_frame = true;
  }
  if (have_step && have_frame && len >= 0) TRY(stft_sizes(call->attrs, len, step, frame, &frames, &bins));
  nn_output(call, 0, nn_dtype(call, 0), 4, (int64_t[]){nn_dim(call, 0, 0), frames, bins, 2});
  return FARM_OK;
}

static enum farm_status stft_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *x = call->inputs[0], *window = nn_in(call, 2);
  struct tensor *y = call->outputs[0];
  struct roots roots = {0};
  int64_t step = nn_integer(call->inputs[1], 0),
          frame = nn_integer(nn_in(call, 3), window ? window->dims[0] : 0);
  int64_t parts = x->rank == 3 ? x->dims[2] : 1, len = x->dims[1], frames, bins;
  double *values = NULL, *weights = NULL, *work = NULL;
  TRY(stft_sizes(call->attrs, len, step, frame, &frames, &bins));
  FAIL_IF(window && window->dims[0] != frame, FARM_INVALID, "the window has %lld elements", (long long)window->dims[0]);
  y->rank = 4, y->dims[0] = x->dims[0], y->dims[1] = frames, y->dims[2] = bins, y->dims[3] = 2;
  TRY(reference_output(call, 0));
  TRY(roots_make(scratch, frame, &roots));
  TRY(nn_load(scratch, x, &values));
  TRY(nn_load(scratch, window, &weights));
  TRY(nn_alloc(scratch, frame * parts, sizeof *work, &work));
  for (int64_t i = 0; i < x->dims[0] * frames; i++) {
    const double *from = values + (i / frames * len + i % frames * step) * parts;
    for (int64_t k = 0; k < frame * parts; k++) work[k] = from[k] * (weights ? weights[k / parts] : 1);
    struct line line = {work, frame, parts, parts == 2};
    for (int64_t k = 0; k < bins; k++) {
      double pair[2];
      transform(&roots, &line, k, -1, &pair[0], &pair[1]);
      nn_store_range(y, (i * bins + k) * 2, 2, pair);
    }
  }
  return FARM_OK;
}
NN_REFERENCE(stft_reference)

const struct operator_row operators_signal[] = {
    {"", "DFT", 17, 1, 2, 1, 1, 0, 1 << 1, dft_shape, dft_reference},
    {"", "DFT", 20, 1, 3, 1, 1, 0, 1 << 1 | 1 << 2, dft_shape, dft_reference},
    {"", "STFT", 17, 2, 4, 1, 1, 0, 1 << 1 | 1 << 3, stft_shape, stft_reference},
};
OPERATOR_ROWS(signal);
