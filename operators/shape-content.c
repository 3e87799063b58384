/* Known contents through shape arithmetic: shape_content_move and shape_content_compute of shape-util.h.
 *
 * The operator's own reference runs on the known elements, so that Gather or Slice has no second definition for shapes.
 * When symbols are moved the reference runs twice, on the values (as i64) and on the flags (as bool). When they are computed
 * on, it runs with 1 for each symbol, and every output element that read a symbol is then unknown, but for a few rules.
 */
#include "elements.h"
#include "shape-util.h"

#include <string.h>

enum { MOST_INPUTS = 64 };

struct content_call {
  const struct shape_call *call;
  bool any_symbolic;
  struct shape_content inputs[MOST_INPUTS];
  struct tensor types[MOST_INPUTS];
  struct tensor out; // described
  struct shape_content result;
};

static bool content_type(enum dtype type) { return dtype_is_integer(type) || type == DTYPE_BOOL; }

static bool content_sized(const struct tensor *type) {
  int64_t elems = tensor_elems(type);
  return content_type(type->dtype) && elems >= 0 && elems <= SHAPE_MAX_KNOWN;
}

static void content_unknown(struct shape_content *content, int64_t count) {
  content->count = (int)count;
  for (int i = 0; i < content->count; i++) {
    content->value[i] = DIM_UNKNOWN;
    content->symbolic[i] = true;
  }
}

/* Contents of all inputs; one whose shape alone is known counts as unknown elements. False: there is nothing to compute from. */
static bool content_collect(struct content_call *c, const struct shape_call *call) {
  c->call = call;
  c->any_symbolic = false;
  if (call->output_count < 1 || call->output_count > OPERATOR_MAX_OUTPUTS || call->input_count > MOST_INPUTS ||
      !call->row->reference)
    return false;
  c->out = call->outputs[0].type;
  if (!content_sized(&c->out)) return false;
  bool any_known = call->input_count == 0;
  for (int i = 0; i < call->input_count; i++) {
    const struct shape_info *info = call->inputs[i];
    if (!info) continue;
    c->types[i] = info->constant ? *info->constant : info->type;
    if (!content_sized(&c->types[i])) return false;
    if (shape_content(info, &c->inputs[i]))
      any_known = true;
    else
      content_unknown(&c->inputs[i], tensor_elems(&c->types[i]));
    if (!shape_content_numbers(&c->inputs[i])) c->any_symbolic = true;
  }
  return any_known;
}

enum run_mode { RUN_AS_IT_IS, RUN_VALUES, RUN_FLAGS };

/* Runs the reference on the contents; `data_inputs` are read as values or flags, the others as what they are. */
static bool content_run(struct content_call *c, enum run_mode mode, uint32_t data_inputs, int64_t *out) {
  static const enum dtype mode_type[] = {[RUN_VALUES] = DTYPE_I64, [RUN_FLAGS] = DTYPE_BOOL};
  int64_t bytes[MOST_INPUTS][SHAPE_MAX_KNOWN], out_bytes[SHAPE_MAX_KNOWN] = {0};
  struct tensor tensors[MOST_INPUTS], result = c->out;
  const struct tensor *pointers[MOST_INPUTS];
  for (int i = 0; i < c->call->input_count; i++) {
    const struct shape_content *content = &c->inputs[i];
    pointers[i] = c->call->inputs[i] ? &tensors[i] : NULL;
    if (!pointers[i]) continue;
    bool data = mode != RUN_AS_IT_IS && i < 32 && data_inputs >> i & 1;
    tensors[i] = c->types[i];
    tensors[i].data = bytes[i];
    if (data) tensors[i].dtype = mode_type[mode];
    for (int k = 0; k < content->count; k++) {
      int64_t value = data && mode == RUN_FLAGS ? content->symbolic[k] : data || !content->symbolic[k] ? content->value[k] : 1;
      dtype_store_i64(tensors[i].dtype, bytes[i], k, value);
    }
  }
  result.data = out_bytes;
  if (mode != RUN_AS_IT_IS) result.dtype = mode_type[mode];
  struct tensor *outputs[OPERATOR_MAX_OUTPUTS] = {&result}; // only the first is wanted
  struct reference_call reference = {.row = c->call->row,
                                     .attrs = c->call->attrs,
                                     .opset = c->call->opset,
                                     .input_count = c->call->input_count,
                                     .inputs = pointers,
                                     .output_count = c->call->output_count,
                                     .outputs = outputs};
  if (c->call->row->reference(&reference) != FARM_OK || !tensor_shape_equal(&result, &c->out)) return false;
  dtype_load_i64_row(result.dtype, out_bytes, 0, tensor_elems(&result), out);
  return true;
}

static enum farm_status content_store(struct content_call *c, struct shape_call *call) {
  c->result.count = (int)tensor_elems(&c->out);
  return shape_set_content(call, 0, &c->result);
}

enum farm_status shape_content_move(struct shape_call *call, uint32_t data_inputs) {
  struct content_call c;
  int64_t flags[SHAPE_MAX_KNOWN] = {0};
  if (!content_collect(&c, call)) return FARM_OK;
  for (int i = 0; i < call->input_count; i++)
    if (call->inputs[i] && !(i < 32 && data_inputs >> i & 1) && !shape_content_numbers(&c.inputs[i])) return FARM_OK;
  if (!content_run(&c, c.any_symbolic ? RUN_VALUES : RUN_AS_IT_IS, data_inputs, c.result.value)) return FARM_OK;
  if (c.any_symbolic && !content_run(&c, RUN_FLAGS, data_inputs, flags)) return FARM_OK;
  for (int i = 0; i < SHAPE_MAX_KNOWN; i++) c.result.symbolic[i] = flags[i] != 0;
  return content_store(&c, call);
}

/* ---- computing ---- */

struct operand {
  int64_t value;
  bool symbolic;
};

/* Where the element of input i is that output element `at` reads, by broadcasting. */
static struct operand operand_at(const struct content_call *c, int input, int64_t at) {
  int64_t strides[TENSOR_MAX_RANK], offset = 0;
  broadcast_strides(&c->types[input], &c->out, strides);
  for (int d = c->out.rank - 1; d >= 0; d--) {
    offset += at % c->out.dims[d] * strides[d];
    at /= c->out.dims[d];
  }
  return (struct operand){c->inputs[input].value[offset], c->inputs[input].symbolic[offset]};
}

/* A symbol stands for a dim, so it is >= 0; an unknown element can be any integer. */
static bool is_dim(struct operand operand) { return operand.symbolic && operand.value != DIM_UNKNOWN; }

/* What can still be said of f(a, b) when one of them is not a number. */
static struct operand symbolic_result(const char *name, struct operand a, struct operand b) {
  static const struct {
    const char *name;
    int64_t neutral;
    bool both_sides;
  } neutral[] = {{"Mul", 1, true}, {"Div", 1, false}, {"Add", 0, true}, {"Sub", 0, false}};
  for (size_t i = 0; i < sizeof neutral / sizeof neutral[0]; i++) {
    if (strcmp(name, neutral[i].name) != 0) continue;
    if (!b.symbolic && b.value == neutral[i].neutral) return a;
    if (neutral[i].both_sides && !a.symbolic && a.value == neutral[i].neutral) return b;
  }
  bool same = is_dim(a) && is_dim(b) && a.value == b.value;
  if (strcmp(name, "Equal") == 0) {
    if (same) return (struct operand){1, false};
    if (is_dim(a) && !b.symbolic && b.value < 0) return (struct operand){0, false};
    if (is_dim(b) && !a.symbolic && a.value < 0) return (struct operand){0, false};
  }
  if (strcmp(name, "Sub") == 0 && same) return (struct operand){0, false};
  return (struct operand){DIM_UNKNOWN, true};
}

static struct operand computed_at(const struct content_call *c, int64_t at, int64_t value) {
  struct operand operands[2] = {{0, false}, {0, false}};
  bool symbolic = false;
  for (int i = 0; i < c->call->input_count; i++) {
    if (!c->call->inputs[i]) continue;
    struct operand operand = operand_at(c, i, at);
    if (i < 2) operands[i] = operand;
    symbolic |= operand.symbolic;
  }
  if (!symbolic) return (struct operand){value, false};
  if (c->call->input_count != 2 || !c->call->inputs[1]) return (struct operand){DIM_UNKNOWN, true};
  return symbolic_result(c->call->row->name, operands[0], operands[1]);
}

enum farm_status shape_content_compute(struct shape_call *call) {
  struct content_call c;
  if (!content_collect(&c, call) || !content_run(&c, RUN_AS_IT_IS, 0, c.result.value)) return FARM_OK;
  for (int64_t i = 0; c.any_symbolic && i < tensor_elems(&c.out); i++) {
    struct operand element = computed_at(&c, i, c.result.value[i]);
    c.result.value[i] = element.value;
    c.result.symbolic[i] = element.symbolic;
  }
  if (!c.any_symbolic) memset(c.result.symbolic, 0, sizeof c.result.symbolic);
  return content_store(&c, call);
}
