/* See window.h. Attribute values are bounded to 31 bits, so that no product of two of them overflows. */
#include "window.h"

#include <string.h>

static const int64_t WINDOW_MOST = INT32_MAX, WINDOW_INPUT_MOST = (int64_t)1 << 60;

static enum farm_status window_ints(const struct attrs *attrs, const char *name, int count, int64_t least, int64_t *values) {
  int64_t read[2 * WINDOW_MAX];
  const struct attr *attr = attr_find(attrs, name);
  if (!attr || attr->type != ATTR_INTS) return FARM_OK;
  FAIL_IF(attr->count != count, FARM_INVALID, "%s has %d values, not %d", name, attr->count, count);
  attr_ints(attrs, name, read, count);
  for (int i = 0; i < count; i++)
    FAIL_IF(read[i] < least || read[i] > WINDOW_MOST, FARM_INVALID, "%s holds %lld", name, (long long)read[i]);
  memcpy(values, read, (size_t)count * sizeof *values);
  return FARM_OK;
}

static enum farm_status window_read_padding(const struct attrs *attrs, struct window *window) {
  static const char *const names[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"};
  const char *text = attr_string(attrs, "auto_pad", "NOTSET");
  int mode = 0;
  while (mode < 4 && strcmp(names[mode], text) != 0) mode++;
  FAIL_IF(mode == 4 && *text, FARM_INVALID, "auto_pad is \"%s\"", text);
  window->padding = (enum window_padding)(mode & 3);
  if (window->padding != WINDOW_EXPLICIT) return FARM_OK;
  int64_t pads[2 * WINDOW_MAX] = {0};
  TRY(window_ints(attrs, "pads", 2 * window->axes, 0, pads));
  for (int i = 0; i < window->axes; i++) window->before[i] = pads[i], window->after[i] = pads[window->axes + i];
  return FARM_OK;
}

enum farm_status window_read(const struct attrs *attrs, int axes, const int64_t *weight_dims, struct window *out) {
  FAIL_IF(axes < 0 || axes > WINDOW_MAX, FARM_INVALID, "%d spatial axes are too many", axes);
  *out = (struct window){.axes = axes};
  for (int i = 0; i < axes; i++) out->stride[i] = out->dilation[i] = 1, out->kernel[i] = DIM_UNKNOWN;
  TRY(window_ints(attrs, "kernel_shape", axes, 1, out->kernel));
  TRY(window_ints(attrs, "strides", axes, 1, out->stride));
  TRY(window_ints(attrs, "dilations", axes, 1, out->dilation));
  for (int i = 0; weight_dims && i < axes; i++) {
    FAIL_IF(weight_dims[i] == 0 || weight_dims[i] > WINDOW_MOST, FARM_INVALID, "the weights' kernel is %lld wide",
            (long long)weight_dims[i]);
    FAIL_IF(weight_dims[i] > 0 && out->kernel[i] > 0 && out->kernel[i] != weight_dims[i], FARM_INVALID,
            "kernel_shape says %lld where the weights have %lld", (long long)out->kernel[i], (long long)weight_dims[i]);
    if (weight_dims[i] > 0) out->kernel[i] = weight_dims[i];
  }
  return window_read_padding(attrs, out);
}

static int64_t window_extent(const struct window *window, int i) { return (window->kernel[i] - 1) * window->dilation[i] + 1; }

static void window_same_pads(struct window *window, int i, int64_t total) {
  if (total < 0) total = 0;
  window->before[i] = window->padding == WINDOW_SAME_LOWER ? (total + 1) / 2 : total / 2;
  window->after[i] = total - window->before[i];
}

static enum farm_status window_slide_axis(struct window *window, int i, bool ceil_mode) {
  int64_t in = window->in[i], stride = window->stride[i], extent = window_extent(window, i);
  FAIL_IF(in > WINDOW_INPUT_MOST, FARM_INVALID, "a spatial dimension of %lld is too large", (long long)in);
  if (window->padding == WINDOW_SAME_UPPER || window->padding == WINDOW_SAME_LOWER) {
    window->out[i] = in < 0 ? (stride == 1 ? in : DIM_UNKNOWN) : (in + stride - 1) / stride;
    if (in > 0 && window->kernel[i] > 0) window_same_pads(window, i, (window->out[i] - 1) * stride + extent - in);
    return FARM_OK;
  }
  int64_t padding = window->before[i] + window->after[i];
  if (in < 0 || window->kernel[i] < 0) {
    window->out[i] = window->kernel[i] > 0 && stride == 1 && padding == extent - 1 ? in : DIM_UNKNOWN;
    return FARM_OK;
  }
  int64_t room = in + padding - extent;
  if (in == 0 && room < 0) return window->out[i] = 0, FARM_OK;
  FAIL_IF(room < 0, FARM_INVALID, "a window of %lld does not fit into %lld padded elements", (long long)extent,
          (long long)(in + padding));
  window->out[i] = room / stride + 1;
  bool partial = ceil_mode && room % stride != 0 && window->out[i] * stride < in + window->before[i];
  if (partial) window->out[i]++;
  return FARM_OK;
}

enum farm_status window_slide(struct window *window, const int64_t *in, bool ceil_mode) {
  memcpy(window->in, in, (size_t)window->axes * sizeof *in);
  for (int i = 0; i < window->axes; i++) TRY(window_slide_axis(window, i, ceil_mode));
  return FARM_OK;
}

static enum farm_status window_spread_axis(struct window *window, int i, int64_t extra, int64_t wanted) {
  int64_t in = window->in[i], stride = window->stride[i], full;
  FAIL_IF(in == 0, FARM_INVALID, "a spatial dimension is 0");
  window->out[i] = wanted > 0 ? wanted : DIM_UNKNOWN;
  bool same = window->padding == WINDOW_SAME_UPPER || window->padding == WINDOW_SAME_LOWER;
  if (in < 0 || window->kernel[i] < 0) return FARM_OK;
  FAIL_IF(__builtin_mul_overflow(in - 1, stride, &full) || full > WINDOW_INPUT_MOST, FARM_INVALID, "a dimension overflows");
  full += extra + window_extent(window, i);
  if (wanted <= 0 && same) window->out[i] = wanted = in * stride;
  if (wanted > 0) { // output_shape: the pads follow from it
    int64_t total = full > wanted ? full - wanted : 0;
    window->before[i] = window->padding == WINDOW_SAME_UPPER ? total / 2 : total - total / 2;
    window->after[i] = total - window->before[i];
    return FARM_OK;
  }
  window->out[i] = full - window->before[i] - window->after[i];
  FAIL_IF(window->out[i] < 0, FARM_INVALID, "pads take more than the %lld elements there are", (long long)full);
  return FARM_OK;
}

enum farm_status window_spread(struct window *window, const int64_t *in, const struct attrs *attrs) {
  int64_t extra[WINDOW_MAX] = {0}, shape[TENSOR_MAX_RANK] = {0};
  TRY(window_ints(attrs, "output_padding", window->axes, 0, extra));
  const struct attr *attr = attr_find(attrs, "output_shape");
  int skip =
      attr && attr->type == ATTR_INTS && attr->count == window->axes + 2 ? 2 : 0; // with batch and channels, as some write it
  TRY(window_ints(attrs, "output_shape", window->axes + skip, 0, shape));
  memcpy(window->in, in, (size_t)window->axes * sizeof *in);
  for (int i = 0; i < window->axes; i++) TRY(window_spread_axis(window, i, extra[i], shape[skip + i]));
  return FARM_OK;
}

int64_t window_taps(const struct window *window) { return tensor_dims_product(window->kernel, window->axes); }
int64_t window_sites(const struct window *window) { return tensor_dims_product(window->out, window->axes); }

int64_t window_offset(const struct window *window, const int64_t *site, const int64_t *tap) {
  int64_t offset = 0;
  for (int i = 0; i < window->axes; i++) {
    int64_t at = site[i] * window->stride[i] - window->before[i] + tap[i] * window->dilation[i];
    if (at < 0 || at >= window->in[i]) return -1;
    offset = offset * window->in[i] + at;
  }
  return offset;
}

int64_t window_spread_offset(const struct window *window, const int64_t *site, const int64_t *tap) {
  int64_t offset = 0;
  for (int i = 0; i < window->axes; i++) {
    int64_t at = site[i] + window->before[i] - tap[i] * window->dilation[i];
    if (at < 0 || at % window->stride[i] || at / window->stride[i] >= window->in[i]) return -1;
    offset = offset * window->in[i] + at / window->stride[i];
  }
  return offset;
}

bool window_next(int axes, const int64_t *dims, int64_t *at) {
  for (int i = axes - 1; i >= 0; i--) {
    if (++at[i] < dims[i]) return true;
    at[i] = 0;
  }
  return false;
}

void window_split(int axes, const int64_t *dims, int64_t index, int64_t *out_at) {
  for (int i = axes - 1; i >= 0; i--) out_at[i] = index % dims[i], index /= dims[i];
}
