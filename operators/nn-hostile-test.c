/* Shape functions meet anything: every row of the table, with random ranks, dims (symbols and overflowing ones among them),
 * types, omitted inputs, contents and attributes of every name the operators read. They may accept or refuse, never crash, hang,
 * or describe an output of impossible rank. */
#include "nn-test.h"

static const char *const names[] = {
    "axis",
    "axes",
    "group",
    "kernel_shape",
    "strides",
    "pads",
    "dilations",
    "auto_pad",
    "p",
    "ceil_mode",
    "output_shape",
    "output_padding",
    "num_heads",
    "kv_num_heads",
    "q_num_heads",
    "block_size",
    "bits",
    "K",
    "N",
    "num_groups",
    "size",
    "hidden_size",
    "direction",
    "activations",
    "mode",
    "scales",
    "offset_group",
    "pooled_shape",
    "output_height",
    "output_width",
    "output_dtype",
    "output_datatype",
    "to",
    "perm",
    "epsilon",
    "onesided",
    "inverse",
    "reduction",
    "layout",
    "transA",
    "keepdims",
    "blocksize",
    "equation",
    "split",
    "num_outputs",
    "starts",
    "ends",
    "qkv_hidden_sizes",
};
enum { NAMES = sizeof names / sizeof names[0], ROUNDS = 150, CONTENTS = 40 };

static const int64_t numbers[] = {0, 1, 2, 3, 4, 6, 8, 16, -1, -2, -3, 7, INT32_MAX, (int64_t)1 << 40, INT64_MAX, INT64_MIN};
static const char *const texts[] = {"",        "SAME_UPPER", "VALID",     "linear",  "cubic", "bidirectional",
                                    "reverse", "sum",        "ij,jk->ik", "nonsense"};
static uint64_t drawn;

static uint64_t draw(uint64_t below) { return random_u64(77, drawn++) % below; }

static struct attr random_attr(int64_t *ints, float *floats) {
  struct attr attr = {.name = names[draw(NAMES)], .count = 1};
  for (int i = 0; i < 8; i++) ints[i] = numbers[draw(draw(4) ? 5 : 16)], floats[i] = (float)numbers[draw(16)];
  switch (draw(5)) {
  case 0:
    return attr.type = ATTR_FLOAT, attr.f = floats[0], attr;
  case 1:
    return attr.type = ATTR_STRING, attr.s = texts[draw(10)], attr.length = strlen(attr.s), attr;
  case 2:
    return attr.type = ATTR_INTS, attr.count = (int)draw(9), attr.ints = ints, attr;
  case 3:
    return attr.type = ATTR_FLOATS, attr.count = (int)draw(9), attr.floats = floats, attr;
  default:
    return attr.type = ATTR_INT, attr.i = ints[0], attr;
  }
}

/* Often a few small dims, so that some calls pass; sometimes anything. Contents, when there are any, are random bytes. */
static void random_input(struct shape_info *info, struct tensor *constant, bool wants_contents) {
  static const int64_t wild[] = {0, DIM_UNKNOWN, -2, -3, (int64_t)1 << 40, INT64_MAX};
  static const enum dtype usual[] = {DTYPE_F32, DTYPE_F32, DTYPE_F32, DTYPE_I64, DTYPE_U8, DTYPE_I32};
  struct tensor *type = &info->type;
  type->dtype = draw(8) ? usual[draw(6)] : (enum dtype)draw(DTYPE_COUNT);
  type->rank = draw(20) ? (int)draw(6) : (int)draw(TENSOR_MAX_RANK + 2) - 1;
  for (int i = 0; i < type->rank; i++) type->dims[i] = draw(6) ? (int64_t)(1 + draw(4)) : wild[draw(6)];
  if (!wants_contents || draw(3) == 0) return;
  type->dtype = draw(5) ? DTYPE_I64 : DTYPE_F32, type->rank = 1, type->dims[0] = (int64_t)draw(draw(3) ? 7 : CONTENTS);
  *constant = *type;
  constant->data = calloc(CONTENTS, sizeof(int64_t));
  for (int i = 0; i < CONTENTS; i++)
    if (type->dtype == DTYPE_I64)
      ((int64_t *)constant->data)[i] = numbers[draw(16)];
    else
      ((float *)constant->data)[i] = (float)numbers[draw(16)];
  info->constant = constant;
}

static void hostile_call(const struct operator_row *row) {
  struct attr attr[4];
  int64_t ints[4][8];
  float floats[4][8];
  struct shape_info infos[CASE_MOST] = {0}, outputs[CASE_MOST] = {0};
  struct tensor constants[CASE_MOST];
  const struct shape_info *inputs[CASE_MOST] = {0};
  struct arena arena = {.limit_bytes = 64 << 20};
  int most = row->max_inputs < 0 || row->max_inputs > CASE_MOST ? row->min_inputs + 3 : row->max_inputs;
  int count = row->min_inputs + (int)draw((uint64_t)(most - row->min_inputs + 1)), attr_count = (int)draw(5);
  for (int i = 0; i < attr_count; i++) attr[i] = random_attr(ints[i], floats[i]);
  for (int i = 0; i < count; i++) {
    random_input(&infos[i], &constants[i], row->host_inputs >> i & 1);
    inputs[i] = !operator_input_needed(row, i) && draw(3) == 0 ? NULL : &infos[i];
  }
  for (int i = 0; i < CASE_MOST; i++) outputs[i].type.rank = -1;
  int output_count = row->min_outputs > 0 ? row->min_outputs : 1;
  struct shape_call call = {row, &(struct attrs){attr, attr_count}, 22, count, inputs, output_count, outputs, &arena};
  enum farm_status status = row->shape(&call);
  CHECK_MESSAGE(status == FARM_OK || status == FARM_INVALID || status == FARM_UNSUPPORTED || status == FARM_NO_MEMORY,
                "%s-%d: %s", row->name, row->since_version, status_name(status));
  for (int i = 0; i < output_count && status == FARM_OK; i++)
    CHECK_MESSAGE(outputs[i].type.rank >= -1 && outputs[i].type.rank <= TENSOR_MAX_RANK, "%s-%d has rank %d", row->name,
                  row->since_version, outputs[i].type.rank);
  for (int i = 0; i < count; i++)
    if (infos[i].constant) free(constants[i].data);
  arena_free(&arena);
}

TEST(shape_functions_survive_anything, "") {
  int count;
  const struct operator_row *const *rows = operator_rows(&count);
  for (int i = 0; i < count; i++)
    for (int round = 0; round < ROUNDS && !(rows[i]->flags & OPERATOR_CONTROL) && rows[i]->min_inputs <= CASE_MOST; round++)
      hostile_call(rows[i]);
}
