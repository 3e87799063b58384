/* HannWindow, HammingWindow, BlackmanWindow, MelWeightMatrix: tables for spectra, made from a few numbers. */
#include "../base/pmath.h"
#include "nn-util.h"
#include "tables.h"

static const double PI = 3.14159265358979323846;
static const int64_t SIZE_MOST = (int64_t)1 << 32;

static enum farm_status output_dtype(const struct attrs *attrs, enum dtype *out) {
  int64_t dtype = attr_int(attrs, "output_datatype", DTYPE_F32);
  FAIL_IF(dtype < 0 || dtype >= DTYPE_COUNT || !((unsigned)NN_NUMBERS >> dtype & 1), FARM_INVALID, "output_datatype is %lld",
          (long long)dtype);
  *out = (enum dtype)dtype;
  return FARM_OK;
}

/* A window is a sum of three cosines of multiples of the angle. */
struct cosines {
  double constant, once, twice;
};

static const struct cosines hann = {0.5, -0.5, 0}, hamming = {25.0 / 46, -21.0 / 46, 0}, blackman = {0.42, -0.5, 0.08};

static enum farm_status window_shape(struct shape_call *call) {
  enum dtype dtype = DTYPE_F32;
  int64_t size = DIM_UNKNOWN, known;
  int count = 0;
  TRY(nn_check_type(call, 0, NN_INDICES));
  TRY(nn_check_single(call, 0));
  TRY(output_dtype(call->attrs, &dtype));
  if (nn_known_ints(call, 0, &known, 1, &count) && count == 1) {
    FAIL_IF(known < 0 || known > SIZE_MOST, FARM_INVALID, "a window of %lld", (long long)known);
    size = known;
  }
  nn_output(call, 0, dtype, 1, &size);
  return FARM_OK;
}

static enum farm_status window_run(struct reference_call *call, const struct cosines *c) {
  struct tensor *y = call->outputs[0];
  int64_t size = nn_integer(call->inputs[0], 0);
  FAIL_IF(size < 0 || size > SIZE_MOST, FARM_INVALID, "a window of %lld", (long long)size);
  y->rank = 1, y->dims[0] = size;
  TRY(reference_output(call, 0));
  double period = (double)(attr_int(call->attrs, "periodic", 1) ? size : size - 1);
  for (int64_t i = 0; i < size; i++) {
    double angle = period > 0 ? 2 * PI * (double)i / period : 0;
    double value = c->constant + c->once * pmath_cos(angle) + c->twice * pmath_cos(2 * angle);
    nn_store_range(y, i, 1, &value);
  }
  return FARM_OK;
}

static enum farm_status hann_reference(struct reference_call *call) { return window_run(call, &hann); }
static enum farm_status hamming_reference(struct reference_call *call) { return window_run(call, &hamming); }
static enum farm_status blackman_reference(struct reference_call *call) { return window_run(call, &blackman); }

/* ---- MelWeightMatrix: triangles, evenly spaced on the mel scale, over the bins of a spectrum ---- */
enum { BINS, LENGTH, RATE, LOWER, UPPER };

static enum farm_status mel_sizes(int64_t bins, int64_t length) {
  FAIL_IF(bins < 0 || bins > SIZE_MOST || length < 0 || length > SIZE_MOST, FARM_INVALID, "%lld mel bins over %lld samples",
          (long long)bins, (long long)length);
  return FARM_OK;
}

static enum farm_status mel_shape(struct shape_call *call) {
  enum dtype dtype = DTYPE_F32;
  int64_t bins = DIM_UNKNOWN, length = DIM_UNKNOWN, known;
  int count = 0;
  for (int i = 0; i < 5; i++) {
    TRY(nn_check_type(call, i, i < LOWER ? NN_INDICES : NN_FLOATS));
    TRY(nn_check_single(call, i));
  }
  TRY(output_dtype(call->attrs, &dtype));
  if (nn_known_ints(call, BINS, &known, 1, &count) && count == 1) {
    TRY(mel_sizes(known, 0));
    bins = known;
  }
  if (nn_known_ints(call, LENGTH, &known, 1, &count) && count == 1) {
    TRY(mel_sizes(0, known));
    length = known;
  }
  nn_output(call, 0, dtype, 2, (int64_t[]){length < 0 ? DIM_UNKNOWN : length / 2 + 1, bins});
  return FARM_OK;
}

/* The spectrum bin of mel point i of bins + 2. */
static int64_t mel_point(int64_t i, int64_t bins, int64_t length, double rate, double low, double high) {
  double ten = pmath_log(10), low_mel = 2595 * pmath_log1p(low / 700) / ten, high_mel = 2595 * pmath_log1p(high / 700) / ten;
  double mel = (double)i * (high_mel - low_mel) / (double)(bins + 2) + low_mel;
  double bin = pmath_floor((double)(length + 1) * (700 * pmath_expm1(mel / 2595 * ten)) / rate);
  return bin >= 0 && bin <= (double)length ? (int64_t)bin : -1;
}

static enum farm_status mel_column(struct tensor *y, int64_t column, const int64_t point[3]) {
  int64_t rows = y->dims[0], columns = y->dims[1];
  for (int i = 0; i < 3; i++)
    FAIL_IF(point[i] < 0 || point[i] > rows || (i < 2 && point[i] == rows), FARM_INVALID, "an edge lies beyond the spectrum");
  for (int64_t row = 0; row < rows; row++) {
    double value = 0;
    if (row == point[1] && point[1] == point[0])
      value = 1;
    else if (row >= point[0] && row < point[1])
      value = (double)(row - point[0]) / (double)(point[1] - point[0]);
    else if (row == point[1])
      value = 1;
    else if (row > point[1] && row < point[2])
      value = (double)(point[2] - row) / (double)(point[2] - point[1]);
    nn_store_range(y, row * columns + column, 1, &value);
  }
  return FARM_OK;
}

static enum farm_status mel_reference(struct reference_call *call) {
  struct tensor *y = call->outputs[0];
  double number[5];
  for (int i = 0; i < 5; i++) number[i] = nn_scalar(call->inputs[i], 0);
  int64_t bins = (int64_t)number[BINS], length = (int64_t)number[LENGTH];
  TRY(mel_sizes(bins, length));
  FAIL_IF(!(number[RATE] > 0 && number[LOWER] >= 0 && number[UPPER] >= 0), FARM_INVALID,
          "the sample rate or an edge is no frequency");
  y->rank = 2, y->dims[0] = length / 2 + 1, y->dims[1] = bins;
  TRY(reference_output(call, 0));
  for (int64_t i = 0; i < bins; i++) {
    int64_t point[3];
    for (int k = 0; k < 3; k++) point[k] = mel_point(i + k, bins, length, number[RATE], number[LOWER], number[UPPER]);
    TRY(mel_column(y, i, point));
  }
  return FARM_OK;
}

const struct operator_row operators_signal_windows[] = {
    {"", "HannWindow", 17, 1, 1, 1, 1, 0, 1, window_shape, hann_reference},
    {"", "HammingWindow", 17, 1, 1, 1, 1, 0, 1, window_shape, hamming_reference},
    {"", "BlackmanWindow", 17, 1, 1, 1, 1, 0, 1, window_shape, blackman_reference},
    {"", "MelWeightMatrix", 17, 5, 5, 1, 1, 0, 1 << BINS | 1 << LENGTH | 1 << RATE, mel_shape, mel_reference},
};
OPERATOR_ROWS(signal_windows);
