/* Pad with a constant: a tensor with pads around it, negative ones cut. Other modes are the host's. How much comes before is the
 * host's number (or an attribute, before opset 11); the constant stays on the device.
 */
#include "../../../problem/number-text.h"
#include "move.h"

#include "pad-args.h"

#include <stdlib.h>
#include <string.h>

enum { PAD_MOST = 2 * TENSOR_MAX_RANK };
static const int64_t PAD_MOST_LEAD = (int64_t)1 << 46;

/* ---- the problem ---- */
struct padding {
  int rank, element;
  int64_t elems; // of the output
  bool has_value;
  uint64_t filler;
  int64_t dims[TENSOR_MAX_RANK], leads[TENSOR_MAX_RANK], extents[TENSOR_MAX_RANK], strides[TENSOR_MAX_RANK];
};

/* The constant: an operand of one element, or the attribute, which the text has as a number. */
static bool constant_read(const struct problem *problem, const struct op_operands *operands, struct padding *out) {
  const struct tensor *x = &operands->inputs[0], *value = operands->input_count > 2 ? &operands->inputs[2] : NULL;
  size_t length;
  float number;
  uint64_t bits = 0;
  out->has_value = value && value->dtype != DTYPE_NONE;
  if (out->has_value) return value->dtype == x->dtype && tensor_elems(value) == 1;
  const char *text = op_text_attr(problem, "value", &length);
  if (!text) return true;
  if (!number_parse_float(text, length, &number)) return false;
  dtype_store_f64(x->dtype, &bits, 0, (double)number);
  for (int have = dtype_bits(x->dtype); have < 64; have *= 2) bits |= bits << have;
  out->filler = bits;
  return true;
}

static bool mode_is_constant(const struct problem *problem) {
  size_t length;
  const char *mode = op_text_attr(problem, "mode", &length);
  return !mode || (length == 10 && memcmp(mode, "\"constant\"", 10) == 0);
}

/* Pads before and behind each axis, those of the host's list; the output must be what they make. */
static bool pads_apply(const int64_t *pads, int count, const int64_t *axes, int axis_count, struct padding *out) {
  bool taken[TENSOR_MAX_RANK] = {0};
  const int padded = axis_count >= 0 ? axis_count : out->rank;
  if (count != 2 * padded || padded > out->rank) return false;
  for (int i = 0; i < padded; i++) {
    int axis;
    int64_t whole;
    if (!move_axis(axis_count >= 0 ? axes[i] : i, out->rank, &axis) || taken[axis]) return false;
    taken[axis] = true;
    if (__builtin_add_overflow(pads[i], pads[padded + i], &whole) || __builtin_add_overflow(whole, out->extents[axis], &whole) ||
        whole != out->dims[axis])
      return false;
    out->leads[axis] = pads[i];
  }
  for (int d = 0; d < out->rank; d++)
    if (!taken[d] && out->dims[d] != out->extents[d]) return false;
  return true;
}

/* No coordinate times its stride may overflow, in the padding neither, nor may what merging makes of them. */
static bool offsets_fit(const struct padding *padding) {
  int64_t behind = 1, reach, product;
  for (int d = padding->rank - 1; d >= 0; d--) {
    const int64_t lead = padding->leads[d], stride = padding->strides[d] > behind ? padding->strides[d] : behind;
    if (lead > PAD_MOST_LEAD || lead < -PAD_MOST_LEAD) return false;
    reach = padding->dims[d] + padding->extents[d] + llabs(lead);
    if (__builtin_mul_overflow(reach, stride, &product) || product > INT64_MAX / 16) return false;
    behind *= padding->dims[d];
  }
  return true;
}

static bool pad_read(const struct problem *problem, const struct cuda_call *call, struct padding *out) {
  struct op_operands operands;
  int64_t pads[PAD_MOST], axes[TENSOR_MAX_RANK];
  int count, axis_count;
  size_t length;
  if (!move_operands(problem, "Pad", &operands) || operands.output_count != 1 || !mode_is_constant(problem)) return false;
  const struct tensor *x = &operands.inputs[0], *y = &operands.outputs[0];
  const char *name = op_text_attr(problem, "paddings", &length) ? "paddings" : "pads";
  *out = (struct padding){.rank = y->rank, .element = move_element(y), .elems = tensor_elems(y)};
  if (x->rank != y->rank || !constant_read(problem, &operands, out)) return false;
  if (!move_ints(problem, &operands, call, 1, name, pads, PAD_MOST, &count) || count < 0) return false;
  if (!move_ints(problem, &operands, call, 3, NULL, axes, TENSOR_MAX_RANK, &axis_count)) return false;
  memcpy(out->dims, y->dims, sizeof out->dims);
  memcpy(out->extents, x->dims, sizeof out->extents);
  move_strides(x, out->strides);
  return !call || (pads_apply(pads, count, axes, axis_count, out) && offsets_fit(out));
}

static bool pad_applicable(const struct problem *problem) {
  struct padding padding;
  return pad_read(problem, NULL, &padding);
}

/* ---- units ---- */

static bool is_whole(const struct padding *padding, int d) {
  return padding->leads[d] == 0 && padding->extents[d] == padding->dims[d];
}

/* A dim behind which nothing is padded takes it in; one dim at least is left. */
static void merge(struct padding *padding) {
  struct padding out = *padding;
  out.rank = 0;
  for (int d = 0; d < padding->rank; d++) {
    const int last = out.rank - 1;
    const int64_t dim = padding->dims[d];
    if (out.rank && is_whole(padding, d)) {
      out.dims[last] *= dim;
      out.leads[last] *= dim;
      out.extents[last] *= dim;
      out.strides[last] = padding->strides[d];
    } else {
      out.dims[out.rank] = dim;
      out.leads[out.rank] = padding->leads[d];
      out.extents[out.rank] = padding->extents[d];
      out.strides[out.rank++] = padding->strides[d];
    }
  }
  if (!out.rank) out.dims[0] = out.extents[0] = out.strides[0] = out.rank = 1;
  *padding = out;
}

/* Elements to units: along the last dim all three are whole units, in x every row is. */
static int to_units(struct padding *padding) {
  const int last = padding->rank - 1, element = padding->element;
  const int64_t bytes[] = {padding->dims[last] * element, padding->leads[last] * element, padding->extents[last] * element};
  const int unit = move_unit(bytes, 3), each = unit / element;
  if (each <= 1) return element;
  padding->dims[last] /= each;
  padding->leads[last] /= each;
  padding->extents[last] /= each;
  for (int d = 0; d < last; d++) padding->strides[d] /= each;
  padding->elems /= each;
  return unit;
}

/* ---- cost ---- */
static double pad_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                       int threads) {
  struct padding padding;
  double reads = 1;
  (void)threads;
  if (!pad_read(problem, NULL, &padding)) return 0;
  for (int d = 0; d < padding.rank; d++) reads *= (double)padding.extents[d];
  return move_cost_of(variant, device_class, (double)padding.elems, padding.element, reads * padding.element, padding.rank);
}

/* ---- text and launch ---- */
static enum farm_status pad_source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  (void)problem;
  return move_source(variant, "pad-args.h", "pad.cu", out);
}

static enum farm_status pad_launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  struct padding padding;
  FAIL_IF(!pad_read(call->problem, call, &padding), FARM_TACTIC_REFUSED,
          "%s: pads that are not known before it runs, or too large", call->variant->tactic->id);
  *out_count = 0;
  if (padding.elems == 0) return FARM_OK;
  merge(&padding);
  const int element = padding.element, unit = to_units(&padding), width = call->variant->params[MOVE_THREADS];
  struct pad_args args = {.x = call->inputs[0],
                          .value = padding.has_value ? call->inputs[2] : 0,
                          .y = call->outputs[0],
                          .units = padding.elems,
                          .unit = unit,
                          .rank = padding.rank,
                          .element = element,
                          .filler = padding.filler};
  memcpy(args.dims, padding.dims, sizeof args.dims);
  memcpy(args.leads, padding.leads, sizeof args.leads);
  memcpy(args.extents, padding.extents, sizeof args.extents);
  memcpy(args.strides, padding.strides, sizeof args.strides);
  cuda_launch_line(out, "pad", ((double)padding.elems + width - 1) / width, width, &args, sizeof args);
  *out_count = 1;
  return FARM_OK;
}

/* ---- row ---- */
static const struct cuda_tactic pad_cuda = {.least_sm = 75, .source = pad_source, .launches = pad_launches};

MOVE_TACTIC(op_pad__copy__sm75, pad_applicable, pad_cost, pad_cuda);
