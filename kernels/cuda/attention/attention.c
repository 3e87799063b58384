/* Attention on a GPU: one pass over the keys, scores stay in the block. Any storage, heads of at most 128, every order and mask of the
 * problem. See attention.cu. */
#include "../cuda-cost.h"
#include "../cuda-launch.h"
#include "attention-args.h"

enum { MOST_DEPTH = 128, THREADS = 256, PARAM_ROWS = 0 };
static const int16_t rows_values[] = {32, 16, 8};

static double blocks_of(const struct problem *problem, int rows) {
  const int64_t *d = problem->dims;
  return (double)((d[ATTENTION_SEQ] + rows - 1) / rows) * (double)d[ATTENTION_HEADS] * (double)d[ATTENTION_B];
}

static bool applicable(const struct problem *problem) {
  const int64_t *d = problem->dims;
  return cuda_sums_in_f32(problem) && d[ATTENTION_D] <= MOST_DEPTH && d[ATTENTION_DV] <= MOST_DEPTH && d[ATTENTION_SEQ] < 1 << 30 &&
         d[ATTENTION_KV] < 1 << 30 && d[ATTENTION_HEADS] < 1 << 20 && blocks_of(problem, 8) < INT32_MAX;
}

static bool legal(const struct problem *problem, const struct variant *variant) {
  return variant->params[PARAM_ROWS] == 8 || variant->params[PARAM_ROWS] < 2 * problem->dims[ATTENTION_SEQ];
}

static double cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class, int threads) {
  const int64_t *d = problem->dims;
  const double blocks = blocks_of(problem, variant->params[PARAM_ROWS]), rows = variant->params[PARAM_ROWS];
  const double steps = (double)((d[ATTENTION_KV] + 31) / 32), depth = (double)(d[ATTENTION_D] + d[ATTENTION_DV]);
  (void)threads;
  const struct cuda_work work = {.bytes = problem_bytes(problem),
                                 .operations = blocks * steps * 32 * (rows * (1.6 * depth + 30) + 6 * depth),
                                 .per_clock = CUDA_F32_PER_CLOCK,
                                 .blocks = blocks,
                                 .threads = THREADS,
                                 .depth = 2 + steps * 2,
                                 .launches = 1};
  return cuda_cost(device_class, &work) * (d[ATTENTION_CAUSAL] ? 0.7 : 1);
}

static bool is_packed(const struct problem *problem) { return problem->dims[ATTENTION_ORDER] == 2; }

static enum farm_status source(const struct problem *problem, const struct variant *variant, struct strbuf *out) {
  const int64_t *d = problem->dims;
  const bool packed = is_packed(problem), masked = d[ATTENTION_MASK] != 0;
  const struct problem_operand *o = problem->operands;
  cuda_source_begin(out);
  strbuf_printf(out, "#define Q_TYPE %s\n#define K_TYPE %s\n#define V_TYPE %s\n", cuda_type_name(o[0].dtype),
                cuda_type_name(o[packed ? 0 : 1].dtype), cuda_type_name(o[packed ? 0 : 2].dtype));
  strbuf_printf(out, "#define MASK_TYPE %s\n#define OUT_TYPE %s\n", cuda_type_name(o[masked ? problem->input_count - 1 : 0].dtype),
                cuda_type_name(o[problem->input_count].dtype));
  strbuf_printf(out, "#define HEAD_D %d\n#define HEAD_DV %d\n#define CAUSAL %d\n#define MASKED %d\n#define ROWS %d\n",
                (int)d[ATTENTION_D], (int)d[ATTENTION_DV], d[ATTENTION_CAUSAL] != 0, masked, variant->params[PARAM_ROWS]);
  TRY(cuda_source_file(out, "attention-args.h"));
  return cuda_source_file(out, "attention.cu");
}

/* Element (batch, head, position, i) stands at batch * batch + head * head + position * step + i. */
struct strides {
  int64_t batch, head, step;
};

/* [b][heads][length][depth], or [b][length][parts][heads][depth] */
static struct strides strides_of(int64_t order, int64_t heads, int64_t length, int64_t depth) {
  const int64_t parts = order == 2 ? 3 : 1;
  if (order == 1 || order == 2) return (struct strides){length * parts * heads * depth, depth, parts * heads * depth};
  return (struct strides){heads * length * depth, length * depth, depth};
}

static void operands_fill(const struct cuda_call *call, struct attention_args *out) {
  const int64_t *d = call->problem->dims, order = d[ATTENTION_ORDER], heads = d[ATTENTION_HEADS], kv_heads = d[ATTENTION_KV_HEADS];
  const struct strides q = strides_of(order, heads, d[ATTENTION_SEQ], d[ATTENTION_D]);
  const struct strides k = strides_of(order, kv_heads, d[ATTENTION_KV], d[ATTENTION_D]);
  const struct strides v = strides_of(order, kv_heads, d[ATTENTION_KV], d[ATTENTION_DV]);
  const struct strides y = strides_of(order == 2 ? 1 : order, heads, d[ATTENTION_SEQ], d[ATTENTION_DV]);
  out->q = out->k = out->v = call->inputs[0];
  if (is_packed(call->problem)) {
    const int64_t part = heads * d[ATTENTION_D] * (int64_t)dtype_bytes(call->problem->operands[0].dtype, 1);
    out->k += (cuda_address)part, out->v += (cuda_address)(2 * part);
  } else {
    out->k = call->inputs[1], out->v = call->inputs[2];
  }
  out->q_batch = q.batch, out->q_head = q.head, out->q_step = q.step;
  out->k_batch = k.batch, out->k_head = k.head, out->k_step = order == 4 ? 1 : k.step, out->k_depth = order == 4 ? d[ATTENTION_KV] : 1;
  out->v_batch = v.batch, out->v_head = v.head, out->v_step = v.step;
  out->out_batch = y.batch, out->out_head = y.head, out->out_step = y.step;
}

static void mask_fill(const struct cuda_call *call, struct attention_args *out) {
  const int64_t *d = call->problem->dims, kv = d[ATTENTION_KV], rows = d[ATTENTION_SEQ] * kv, kind = d[ATTENTION_MASK];
  if (kind == 0) return;
  out->mask = call->inputs[call->problem->input_count - 1];
  out->mask_step = kind >= 3 ? kv : 0;
  out->mask_head = kind == 4 ? rows : 0;
  out->mask_batch = kind == 2 ? kv : kind == 4 ? d[ATTENTION_HEADS] * rows : kind == 5 ? rows : 0;
}

static enum farm_status launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {
  const int64_t *d = call->problem->dims;
  const int rows = call->variant->params[PARAM_ROWS];
  struct attention_args args = {.out = call->outputs[0], .heads = (int)d[ATTENTION_HEADS]};
  args.seq = (int)d[ATTENTION_SEQ], args.kv = (int)d[ATTENTION_KV];
  operands_fill(call, &args);
  mask_fill(call, &args);
  args.group = (int)(d[ATTENTION_HEADS] / d[ATTENTION_KV_HEADS]);
  args.blocks = (int)((d[ATTENTION_SEQ] + rows - 1) / rows);
  args.scale = call->scalars->scale != 0.0f ? call->scalars->scale : 1.0f / __builtin_sqrtf((float)d[ATTENTION_D]);
  cuda_launch_blocks(out, "attention_rows", (int64_t)blocks_of(call->problem, rows), THREADS, &args, sizeof args);
  *out_count = 1;
  return FARM_OK;
}

static const struct cuda_tactic rows = {.least_sm = 75, .source = source, .launches = launches};

const struct tactic attention__rows__sm75 = {
    .id = "attention__rows__sm75",
    .kind = PROBLEM_ATTENTION,
    .device = DEVICE_CUDA,
    .layout = LAYOUT_ANY,
    .source = "cuda-attention",
    .packed_operand = -1,
    .detail = &rows,
    .params = {{"rows", rows_values, sizeof rows_values / sizeof *rows_values}},
    .applicable = applicable,
    .legal = legal,
    .cost = cost,
};
