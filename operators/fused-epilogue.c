/* Epilogues of the fused operators: attribute, shapes, arithmetic. See fused.h. */
#include "fused.h"

#include <string.h>

enum farm_status fused_epilogue(const struct attrs *attrs, int first, int input_count, struct epilogue *out) {
  TRY(epilogue_parse(attr_string(attrs, "epilogue", ""), out));
  int extras = epilogue_operands(out);
  FAIL_IF(input_count - first != extras, FARM_INVALID, "the epilogue takes %d operands, there are %d", extras,
          input_count - first);
  return FARM_OK;
}

enum farm_status fused_epilogue_shape(const struct shape_call *call, int first, int64_t channels) {
  struct epilogue epilogue;
  enum farm_status status = fused_epilogue(call->attrs, first, call->input_count, &epilogue);
  if (status != FARM_OK) return status == FARM_USAGE ? FARM_INVALID : status;
  const struct tensor *out = call->output_count > 0 ? &call->outputs[0].type : NULL;
  for (int i = 0; i < epilogue.count; i++) {
    if (!epilogue_op_takes_operand(epilogue.steps[i].op)) continue;
    int input = first++;
    FAIL_IF(!nn_given(call, input), FARM_INVALID, "an operand of the epilogue is omitted");
    TRY(nn_check_type(call, input, NN_FLOATS));
    if (epilogue.steps[i].op == EPILOGUE_BIAS) {
      TRY(nn_check_vector(call, input, channels));
    } else if (out && out->rank >= 0) {
      TRY(nn_check_rank(call, input, out->rank, out->rank));
      for (int d = 0; d < out->rank && nn_rank(call, input) >= 0; d++) TRY(nn_check_dim(call, input, d, out->dims[d]));
    }
  }
  return FARM_OK;
}

bool fused_is_nhwc(const struct attrs *attrs) { return !strcmp(attr_string(attrs, "layout", "nchw"), "nhwc"); }

enum farm_status fused_layout_check(const struct attrs *attrs) {
  const char *layout = attr_string(attrs, "layout", "nchw");
  FAIL_IF(strcmp(layout, "nchw") && strcmp(layout, "nhwc"), FARM_INVALID, "layout is \"%.20s\"", layout);
  return FARM_OK;
}

enum farm_status fused_end_load(const struct reference_call *call, struct arena *scratch, int first, struct fused_end *out) {
  struct fused_end end = {0};
  TRY(fused_epilogue(call->attrs, first, call->input_count, &end.epilogue));
  for (int i = 0; i < end.epilogue.count; i++) {
    if (!epilogue_op_takes_operand(end.epilogue.steps[i].op)) continue;
    double *values = NULL;
    TRY(nn_load(scratch, call->inputs[first++], &values));
    end.extras[i] = values;
  }
  *out = end;
  return FARM_OK;
}

double fused_end_apply(const struct fused_end *end, double value, int64_t at, int64_t channel) {
  for (int i = 0; i < end->epilogue.count; i++) {
    const struct epilogue_step *step = &end->epilogue.steps[i];
    double operand = end->extras[i] ? end->extras[i][step->op == EPILOGUE_BIAS ? channel : at] : 0;
    value = epilogue_apply(step, value, operand);
  }
  return value;
}
