/* What detectors need: NonMaxSuppression, RoiAlign, MaxRoiPool. */
#include "../base/pmath.h"
#include "nn-util.h"
#include "tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- NonMaxSuppression: boxes [b][n][4], scores [b][c][n] ─► [selected][3] = (batch, class, box) ---- */
static enum farm_status nms_shape(struct shape_call *call) {
  static const uint32_t types[] = {NN_TYPE(F32), NN_TYPE(F32), NN_TYPE(I64), NN_TYPE(F32), NN_TYPE(F32)};
  for (int i = 0; i < 5; i++) TRY(nn_check_type(call, i, types[i]));
  for (int i = 0; i < 2; i++) TRY(nn_check_rank(call, i, 3, 3));
  for (int i = 2; i < 5; i++) TRY(nn_check_single(call, i));
  TRY(nn_check_dim(call, 0, 2, 4));
  TRY(nn_check_dim(call, 1, 0, nn_dim(call, 0, 0)));
  TRY(nn_check_dim(call, 1, 2, nn_dim(call, 0, 1)));
  nn_output(call, 0, DTYPE_I64, 2, (int64_t[]){DIM_UNKNOWN, 3});
  return FARM_OK;
}

struct box {
  double low[2], high[2]; // y, x
};

static struct box box_read(const double *b, bool centred) {
  struct box box;
  for (int i = 0; i < 2; i++) {
    double first = centred ? b[1 - i] - b[3 - i] / 2 : b[i], second = centred ? b[1 - i] + b[3 - i] / 2 : b[i + 2];
    box.low[i] = first < second ? first : second, box.high[i] = first < second ? second : first;
  }
  return box;
}

static double box_area(const struct box *b) { return (b->high[0] - b->low[0]) * (b->high[1] - b->low[1]); }

static bool boxes_overlap(const struct box *a, const struct box *b, double threshold) {
  struct box common;
  for (int i = 0; i < 2; i++) {
    common.low[i] = a->low[i] > b->low[i] ? a->low[i] : b->low[i];
    common.high[i] = a->high[i] < b->high[i] ? a->high[i] : b->high[i];
    if (!(common.high[i] > common.low[i])) return false;
  }
  double area = box_area(&common), both = box_area(a) + box_area(b) - area;
  return box_area(a) > 0 && box_area(b) > 0 && both > 0 && area / both > threshold;
}

struct candidate {
  double score;
  int64_t index;
};

static int candidate_order(const void *a, const void *b) {
  const struct candidate *x = a, *y = b;
  if (x->score != y->score) return x->score > y->score ? -1 : 1;
  return (x->index > y->index) - (x->index < y->index);
}

struct nms {
  const double *boxes, *scores;
  int64_t count, classes, most;
  double overlap, score;
  bool has_score, centred;
  struct candidate *candidates; // [count]
  struct box *kept;             // [count]
};

/* Selected boxes of one class go to out[(batch, class, box)]; returns how many. */
static int64_t nms_class(const struct nms *n, int64_t batch, int64_t class_index, int64_t *out) {
  int64_t candidates = 0, kept = 0;
  const double *scores = n->scores + (batch * n->classes + class_index) * n->count;
  for (int64_t i = 0; i < n->count; i++)
    if (scores[i] == scores[i] && (!n->has_score || scores[i] > n->score))
      n->candidates[candidates++] = (struct candidate){scores[i], i};
  qsort(n->candidates, (size_t)candidates, sizeof *n->candidates, candidate_order);
  for (int64_t i = 0; i < candidates && kept < n->most; i++) {
    struct box box = box_read(n->boxes + (batch * n->count + n->candidates[i].index) * 4, n->centred);
    bool suppressed = false;
    for (int64_t k = 0; k < kept && !suppressed; k++) suppressed = boxes_overlap(&n->kept[k], &box, n->overlap);
    if (suppressed) continue;
    memcpy(out + 3 * kept, (int64_t[]){batch, class_index, n->candidates[i].index}, 3 * sizeof *out);
    n->kept[kept++] = box;
  }
  return kept;
}

static enum farm_status nms_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *boxes = call->inputs[0], *scores = call->inputs[1];
  struct nms n = {.count = boxes->dims[1],
                  .classes = scores->dims[1],
                  .most = nn_integer(nn_in(call, 2), 0),
                  .overlap = nn_scalar(nn_in(call, 3), 0),
                  .has_score = nn_in(call, 4) != NULL,
                  .score = nn_scalar(nn_in(call, 4), 0),
                  .centred = attr_int(call->attrs, "center_point_box", 0) != 0};
  double *box_values = NULL, *score_values = NULL;
  int64_t *selected = NULL, total = 0, most = n.most < n.count ? n.most : n.count;
  TRY(nn_load(scratch, boxes, &box_values));
  TRY(nn_load(scratch, scores, &score_values));
  TRY(nn_alloc(scratch, n.count, sizeof *n.candidates, &n.candidates));
  TRY(nn_alloc(scratch, n.count, sizeof *n.kept, &n.kept));
  int64_t lists = n.count > 0 ? boxes->dims[0] * n.classes : 0;
  TRY(nn_alloc(scratch, lists * (most > 0 ? most : 0), 3 * sizeof *selected, &selected));
  n.boxes = box_values, n.scores = score_values;
  for (int64_t i = 0; i < lists && most > 0; i++) total += nms_class(&n, i / n.classes, i % n.classes, selected + 3 * total);
  struct tensor *y = call->outputs[0];
  y->rank = 2, y->dims[0] = total, y->dims[1] = 3;
  TRY(reference_output(call, 0));
  if (total) memcpy(y->data, selected, (size_t)total * 3 * sizeof *selected);
  return FARM_OK;
}
NN_REFERENCE(nms_reference)

/* ---- RoiAlign: x [n][c][h][w], rois [r][4] = (x1, y1, x2, y2), batch_indices [r] ─► [r][c][oh][ow] ---- */
enum { SAMPLES_MOST = 1 << 12 };

static enum farm_status align_shape(struct shape_call *call) {
  int64_t h = attr_int(call->attrs, "output_height", 1), w = attr_int(call->attrs, "output_width", 1);
  int64_t ratio = attr_int(call->attrs, "sampling_ratio", 0), rois;
  for (int i = 0; i < 2; i++) TRY(nn_check_type(call, i, NN_FLOATS));
  TRY(nn_check_type(call, 2, NN_TYPE(I64)));
  FAIL_IF(h < 1 || w < 1 || h > INT32_MAX || w > INT32_MAX || ratio < 0 || ratio > SAMPLES_MOST, FARM_INVALID,
          "output_height, output_width or sampling_ratio is out of range");
  const char *mode = attr_string(call->attrs, "mode", "avg");
  FAIL_IF(strcmp(mode, "avg") != 0 && strcmp(mode, "max") != 0, FARM_INVALID, "mode is \"%s\"", mode);
  TRY(nn_check_rank(call, 0, 4, 4));
  TRY(nn_check_rank(call, 1, 2, 2));
  TRY(nn_check_dim(call, 1, 1, 4));
  TRY(nn_check_vector(call, 2, nn_dim(call, 1, 0)));
  FAIL_IF(nn_dim(call, 0, 2) == 0 || nn_dim(call, 0, 3) == 0, FARM_INVALID, "the input has no extent");
  TRY(nn_dim_merge(nn_dim(call, 1, 0), nn_dim(call, 2, 0), &rois));
  nn_output(call, 0, nn_dtype(call, 0), 4, (int64_t[]){rois, nn_dim(call, 0, 1), h, w});
  return FARM_OK;
}

struct align_axis {
  double start, bin;
  int64_t samples, size;
};

struct bilinear { // along one axis
  int64_t low, high;
  double low_weight, high_weight;
  bool outside;
};

static struct bilinear bilinear_at(const struct align_axis *a, int64_t out, int64_t sample) {
  double at = a->start + (double)out * a->bin + ((double)sample + 0.5) * a->bin / (double)a->samples;
  struct bilinear b = {.outside = !(at >= -1 && at <= (double)a->size)};
  if (b.outside) return b;
  if (at < 0) at = 0;
  b.low = (int64_t)at;
  if (b.low >= a->size - 1)
    b.low = b.high = a->size - 1, at = (double)b.low;
  else
    b.high = b.low + 1;
  b.high_weight = at - (double)b.low, b.low_weight = 1 - b.high_weight;
  return b;
}

static double align_sample(const double *plane, int64_t width, const struct bilinear *y, const struct bilinear *x, bool max) {
  if (y->outside || x->outside) return 0;
  const double part[4] = {y->low_weight * x->low_weight * plane[y->low * width + x->low],
                          y->low_weight * x->high_weight * plane[y->low * width + x->high],
                          y->high_weight * x->low_weight * plane[y->high * width + x->low],
                          y->high_weight * x->high_weight * plane[y->high * width + x->high]};
  double result = part[0];
  for (int i = 1; i < 4; i++) result = !max ? result + part[i] : part[i] > result ? part[i] : result;
  return result;
}

static double align_bin(const double *plane, const struct align_axis axes[2], int64_t oy, int64_t ox, bool max) {
  double result = 0;
  bool first = true;
  for (int64_t i = 0; i < axes[0].samples; i++) {
    struct bilinear y = bilinear_at(&axes[0], oy, i);
    for (int64_t j = 0; j < axes[1].samples; j++, first = false) {
      struct bilinear x = bilinear_at(&axes[1], ox, j);
      double value = align_sample(plane, axes[1].size, &y, &x, max);
      result = !max ? result + value : first || value > result ? value : result;
    }
  }
  int64_t count = axes[0].samples * axes[1].samples;
  return max ? result : result / (double)(count > 0 ? count : 1);
}

static enum farm_status align_axes(const struct reference_call *call, const double *roi, struct align_axis axes[2]) {
  const char *coordinates = attr_string(call->attrs, "coordinate_transformation_mode", "half_pixel");
  bool half = call->row->since_version >= 16 && strcmp(coordinates, "half_pixel") == 0;
  double scale = (double)attr_float(call->attrs, "spatial_scale", 1);
  int64_t ratio = attr_int(call->attrs, "sampling_ratio", 0);
  for (int i = 0; i < 2; i++) { // y, x
    double low = roi[1 - i] * scale - (half ? 0.5 : 0), extent = roi[3 - i] * scale - (half ? 0.5 : 0) - low;
    if (!half && extent < 1) extent = 1;
    axes[i].start = low, axes[i].bin = extent / (double)call->outputs[0]->dims[2 + i],
    axes[i].size = call->inputs[0]->dims[2 + i];
    double samples = ratio > 0 ? (double)ratio : pmath_ceil(axes[i].bin);
    FAIL_IF(!(samples <= SAMPLES_MOST), FARM_INVALID, "a region spans %g samples", samples);
    axes[i].samples = samples > 0 ? (int64_t)samples : 0;
  }
  return FARM_OK;
}

static enum farm_status align_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *x = call->inputs[0], *indices = call->inputs[2];
  double *values = NULL, *rois = NULL;
  bool max = strcmp(attr_string(call->attrs, "mode", "avg"), "max") == 0;
  TRY(reference_output(call, 0));
  TRY(nn_load(scratch, x, &values));
  TRY(nn_load(scratch, call->inputs[1], &rois));
  struct tensor *y = call->outputs[0];
  int64_t bins = y->dims[2] * y->dims[3], channels = x->dims[1], plane = x->dims[2] * x->dims[3];
  for (int64_t r = 0; r < y->dims[0]; r++) {
    struct align_axis axes[2];
    int64_t batch = dtype_load_i64(indices->dtype, indices->data, r);
    FAIL_IF(batch < 0 || batch >= x->dims[0], FARM_INVALID, "region %lld is of batch element %lld", (long long)r,
            (long long)batch);
    TRY(align_axes(call, rois + 4 * r, axes));
    for (int64_t i = 0; i < channels * bins; i++) {
      double value = align_bin(values + (batch * channels + i / bins) * plane, axes, i % bins / y->dims[3], i % y->dims[3], max);
      nn_store_range(y, r * channels * bins + i, 1, &value);
    }
  }
  return FARM_OK;
}
NN_REFERENCE(align_reference)

/* ---- MaxRoiPool: rois [r][5] = (batch, x1, y1, x2, y2), rounded to whole elements ---- */
static enum farm_status roi_pool_shape(struct shape_call *call) {
  int64_t shape[2];
  for (int i = 0; i < 2; i++) TRY(nn_check_type(call, i, NN_FLOATS));
  FAIL_IF(attr_ints(call->attrs, "pooled_shape", shape, 2) != 2 || shape[0] < 1 || shape[1] < 1, FARM_INVALID,
          "pooled_shape needs two sizes");
  TRY(nn_check_rank(call, 0, 4, 4));
  TRY(nn_check_rank(call, 1, 2, 2));
  TRY(nn_check_dim(call, 1, 1, 5));
  nn_output(call, 0, nn_dtype(call, 0), 4, (int64_t[]){nn_dim(call, 1, 0), nn_dim(call, 0, 1), shape[0], shape[1]});
  return FARM_OK;
}

/* Elements [low, high) of bin `i`: the region's share, cut to the input. */
static void roi_bin(double first, double last, int64_t bins, int64_t i, int64_t size, int64_t *low, int64_t *high) {
  double extent = last - first + 1 > 1 ? last - first + 1 : 1, bin = extent / (double)bins;
  double from = pmath_floor((double)i * bin) + first, to = pmath_ceil((double)(i + 1) * bin) + first, most = (double)size;
  *low = from > 0 ? from < most ? (int64_t)from : size : 0;
  *high = to > 0 ? to < most ? (int64_t)to : size : 0;
}

static double half_away(double x) { return x < 0 ? -pmath_floor(-x + 0.5) : pmath_floor(x + 0.5); }

static enum farm_status roi_pool_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *x = call->inputs[0];
  double *values = NULL, *rois = NULL, scale = (double)attr_float(call->attrs, "spatial_scale", 1);
  TRY(reference_output(call, 0));
  TRY(nn_load(scratch, x, &values));
  TRY(nn_load(scratch, call->inputs[1], &rois));
  struct tensor *y = call->outputs[0];
  int64_t elems = tensor_elems(y), bins = y->dims[2] * y->dims[3], channels = x->dims[1];
  for (int64_t i = 0; i < elems; i++) {
    const double *roi = rois + i / (bins * channels) * 5;
    int64_t low[2], high[2];
    FAIL_IF(!(roi[0] >= 0 && roi[0] < (double)x->dims[0]), FARM_INVALID, "a region is of batch element %g", roi[0]);
    for (int axis = 0; axis < 2; axis++)
      roi_bin(half_away(roi[2 - axis] * scale), half_away(roi[4 - axis] * scale), y->dims[2 + axis],
              axis ? i % y->dims[3] : i % bins / y->dims[3], x->dims[2 + axis], &low[axis], &high[axis]);
    const double *plane = values + ((int64_t)roi[0] * channels + i / bins % channels) * x->dims[2] * x->dims[3];
    bool empty = high[0] <= low[0] || high[1] <= low[1];
    double best = empty ? 0 : -INFINITY;
    for (int64_t r = low[0]; r < high[0]; r++)
      for (int64_t c = low[1]; c < high[1]; c++) best = plane[r * x->dims[3] + c] > best ? plane[r * x->dims[3] + c] : best;
    nn_store_range(y, i, 1, &best);
  }
  return FARM_OK;
}
NN_REFERENCE(roi_pool_reference)

const struct operator_row operators_detection[] = {
    {"", "NonMaxSuppression", 10, 2, 5, 1, 1, OPERATOR_DATA_SHAPE, 0, nms_shape, nms_reference},
    {"", "NonMaxSuppression", 11, 2, 5, 1, 1, OPERATOR_DATA_SHAPE, 0, nms_shape, nms_reference},
    {"", "RoiAlign", 10, 3, 3, 1, 1, 0, 0, align_shape, align_reference},
    {"", "RoiAlign", 16, 3, 3, 1, 1, 0, 0, align_shape, align_reference},
    {"", "RoiAlign", 22, 3, 3, 1, 1, 0, 0, align_shape, align_reference},
    {"", "MaxRoiPool", 1, 2, 2, 1, 1, 0, 0, roi_pool_shape, roi_pool_reference},
    {"", "MaxRoiPool", 22, 2, 2, 1, 1, 0, 0, roi_pool_shape, roi_pool_reference},
};
OPERATOR_ROWS(detection);
