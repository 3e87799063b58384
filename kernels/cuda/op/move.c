/* See move.h. */
#include "move.h"

enum { MOVE_OPERAND_BITS = 46, UNIT_BYTES_MOST = 16 };

const int16_t move_threads_values[2] = {128, 256};

/* ---- operands ---- */

bool move_takes(const struct tensor *tensor) {
  const int bits = dtype_bits(tensor->dtype);
  if (bits != 8 && bits != 16 && bits != 32 && bits != 64) return false;
  for (int d = 0; d < tensor->rank; d++)
    if (tensor->dims[d] >> MOVE_OPERAND_BITS) return false;
  return tensor_elems(tensor) >> MOVE_OPERAND_BITS == 0;
}

bool move_operands(const struct problem *problem, const char *name, struct op_operands *out) {
  if (!op_text_is(problem, name) || !op_text_operands(problem, out)) return false;
  if (out->input_count < 1 || out->output_count < 1 || !move_takes(&out->inputs[0])) return false;
  for (int i = 0; i < out->output_count; i++)
    if (out->outputs[i].dtype != out->inputs[0].dtype || !move_takes(&out->outputs[i])) return false;
  return true;
}

int move_element(const struct tensor *tensor) { return dtype_bits(tensor->dtype) / 8; }

void move_strides(const struct tensor *tensor, int64_t *out) {
  int64_t stride = tensor_elems(tensor) > 0;
  for (int d = tensor->rank - 1; d >= 0; d--) {
    out[d] = stride;
    stride *= tensor->dims[d];
  }
}

int move_unit(const int64_t *bytes, int count) {
  int unit = UNIT_BYTES_MOST;
  for (int i = 0; i < count; i++)
    while (bytes[i] % unit != 0) unit /= 2;
  return unit;
}

bool move_ints(const struct problem *problem, const struct op_operands *operands, const struct cuda_call *call, int input,
               const char *attr, int64_t *out, int most, int *out_count) {
  *out_count = -1;
  if (input >= operands->input_count || operands->inputs[input].dtype == DTYPE_NONE)
    return !attr || op_text_ints(problem, attr, out, most, out_count);
  const struct tensor *type = &operands->inputs[input], *known = call ? call->contents[input] : NULL;
  const int64_t count = tensor_elems(type);
  if (type->rank > 1 || (type->dtype != DTYPE_I64 && type->dtype != DTYPE_I32) || count > most) return false;
  *out_count = (int)count;
  if (!known) return !call;
  if (known->dtype != type->dtype || tensor_elems(known) != count) return false;
  for (int i = 0; i < (int)count; i++) out[i] = dtype_load_i64(known->dtype, known->data, i);
  return true;
}

bool move_axis(int64_t axis, int rank, int *out_axis) {
  if (axis < -rank || axis >= rank) return false;
  *out_axis = (int)(axis < 0 ? axis + rank : axis);
  return true;
}

/* ---- texts and cost ---- */

enum farm_status move_source(const struct variant *variant, const char *args, const char *text, struct strbuf *out) {
  cuda_source_begin(out);
  strbuf_printf(out, "#define THREADS %d\n", variant->params[MOVE_THREADS]);
  TRY(cuda_source_file(out, "units.cuh"));
  TRY(cuda_source_file(out, args));
  return cuda_source_file(out, text);
}

double move_cost_of(const struct variant *variant, const struct device_class *device_class, double units, int unit, double reads,
                    int rank) {
  const int width = variant->params[MOVE_THREADS];
  struct cuda_work work = {.bytes = reads + units * unit,
                           .operations = units * (20 + 15 * rank),
                           .per_clock = CUDA_F32_PER_CLOCK,
                           .blocks = (units + width - 1) / width,
                           .threads = width,
                           .depth = 1,
                           .launches = 1};
  return cuda_cost(device_class, &work);
}
