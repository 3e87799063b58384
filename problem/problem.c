/* Problems as data: kinds, dims, the shapes of operands, what may be believed of them. See problem.h; texts in problem-text.c. */
#include "problem.h"

#include "problem-kinds.h"

#include <string.h>

static const struct {
  const char *name, *dims;
} kinds[PROBLEM_KIND_COUNT] = {
#define X(name, text, dims) {text, dims},
    PROBLEM_KIND_LIST(X)
#undef X
};

const struct dim_group dim_groups[DIM_GROUP_COUNT] = {
    {PROBLEM_CONV2D, "stride", CONV_STRIDE_H, 2}, {PROBLEM_CONV2D, "pad", CONV_PAD_T, 4}, {PROBLEM_CONV2D, "dil", CONV_DIL_H, 2},
    {PROBLEM_POOL2D, "stride", POOL_STRIDE_H, 2}, {PROBLEM_POOL2D, "pad", POOL_PAD_T, 4}, {PROBLEM_POOL2D, "dil", POOL_DIL_H, 2},
};

const char *problem_kind_name(enum problem_kind kind) { return (unsigned)kind < PROBLEM_KIND_COUNT ? kinds[kind].name : "?"; }

bool problem_dim_spec(enum problem_kind kind, int index, struct dim_spec *out) {
  const char *at = kinds[kind].dims;
  while (*at && index--) {
    at += strcspn(at, " ");
    at += *at == ' ';
  }
  if (!*at) return false;
  int word = (int)strcspn(at, " "), name = (int)strcspn(at, "=? ");
  *out = (struct dim_spec){at, name, at[name] == '?', memchr(at, '|', (size_t)word) != NULL, -1};
  if (at[name] == '=') out->otherwise = at[name + 1] - '0'; // defaults are 0 or 1
  if (out->flag) out->otherwise = 0;
  return true;
}

int problem_dims_of_kind(enum problem_kind kind) {
  struct dim_spec spec;
  int count = 0;
  while (problem_dim_spec(kind, count, &spec)) count++;
  return count;
}

const char *problem_constant_name(enum problem_kind kind, int input) {
  if (kind == PROBLEM_GEMM && input < 2) return input ? "w" : "a";
  return kind == PROBLEM_CONV2D && input == 1 ? "w" : NULL;
}

bool problem_writes_accumulate(enum problem_kind kind) {
  return kind == PROBLEM_GEMM || kind == PROBLEM_CONV2D || kind == PROBLEM_ATTENTION;
}

enum dtype problem_default_accumulate(const struct problem *problem) {
  if (problem->kind == PROBLEM_TRANSPOSE || problem->kind == PROBLEM_OP) return DTYPE_NONE;
  if (problem->operands[0].dtype == DTYPE_F64) return DTYPE_F64;
  return problem_writes_accumulate(problem->kind) && dtype_is_integer(problem->operands[0].dtype) ? DTYPE_I32 : DTYPE_F32;
}

static int base_inputs(const struct problem *problem) {
  const int64_t *d = problem->dims;
  switch (problem->kind) {
  case PROBLEM_GEMM:
  case PROBLEM_CONV2D:
    return 2;
  case PROBLEM_NORM:
    return 1 + (d[NORM_SCALE] != 0) + (d[NORM_BIAS] != 0);
  case PROBLEM_ATTENTION:
    return (d[ATTENTION_ORDER] == 2 ? 1 : 3) + (d[ATTENTION_MASK] != 0);
  case PROBLEM_OP:
    return 0;
  default:
    return 1;
  }
}

enum farm_status problem_count_operands(struct problem *problem) {
  if (problem->kind == PROBLEM_MAP) {
    problem->input_count = problem->program->operand_count;
    problem->output_count = problem->program->output_count;
    return FARM_OK; // MAP_MAX_OPERANDS + MAP_MAX_OUTPUTS <= PROBLEM_MAX_OPERANDS
  }
  problem->output_count = problem->kind != PROBLEM_OP;
  problem->input_count = base_inputs(problem) + epilogue_operands(&problem->epilogue);
  return FARM_OK; // at most 2 + EPILOGUE_MAX + 1
}
_Static_assert(MAP_MAX_OPERANDS + MAP_MAX_OUTPUTS <= PROBLEM_MAX_OPERANDS, "a map's operands fit");
_Static_assert(3 + EPILOGUE_MAX <= PROBLEM_MAX_OPERANDS, "an epilogue's operands fit");

static int64_t output_extent(int64_t in, int64_t window, int64_t stride, int64_t pad, int64_t dil, bool ceil,
                             int64_t pad_before) {
  int64_t room = in + pad - ((window - 1) * dil + 1);
  if (room < 0) return 0;
  int64_t out = room / stride + 1;
  bool partial = ceil && room % stride && out * stride < in + pad_before; // one more, that starts in the data or before it
  return out + partial;
}

void problem_output_hw(const struct problem *problem, int64_t *out_h, int64_t *out_w) {
  const bool pool = problem->kind == PROBLEM_POOL2D;
  const bool ceil = pool && problem->dims[POOL_CEIL];
  const int64_t *d = problem->dims + (pool ? POOL_N : CONV_N); // from n to dilw both are laid out alike, but for conv's k
  const int k = !pool;
  const int64_t *window = d + 4 + k, *stride = d + 6 + k, *pad = d + 8 + k, *dil = d + 12 + k;
  *out_h = output_extent(d[2], window[0], stride[0], pad[0] + pad[2], dil[0], ceil, pad[0]);
  *out_w = output_extent(d[3], window[1], stride[1], pad[1] + pad[3], dil[1], ceil, pad[1]);
}

static struct tensor shape(enum dtype dtype, int rank, const int64_t *dims) {
  struct tensor tensor = {.dtype = dtype, .rank = rank};
  memcpy(tensor.dims, dims, sizeof *dims * (size_t)rank);
  return tensor;
}
#define SHAPE(problem, operand, ...)                                                                                             \
  shape((problem)->operands[operand].dtype, (int)(sizeof(int64_t[]){__VA_ARGS__} / sizeof(int64_t)),                             \
        (const int64_t[]){__VA_ARGS__})

static void epilogue_types(const struct problem *problem, int first, int64_t channels, const struct tensor *out,
                           struct tensor *types) {
  for (int i = 0; i < problem->epilogue.count; i++) {
    enum epilogue_op op = problem->epilogue.steps[i].op;
    if (!epilogue_op_takes_operand(op)) continue;
    types[first] = *out;
    if (op == EPILOGUE_BIAS) types[first] = shape(out->dtype, 1, &channels);
    types[first].dtype = problem->operands[first].dtype;
    first++;
  }
}

/* [b][rows][cols], or [rows][cols] without a batch of its own. */
static struct tensor matrix(const struct problem *problem, int operand, bool shared, int64_t rows, int64_t cols) {
  int64_t b = problem->dims[GEMM_B];
  return b == 1 || shared ? SHAPE(problem, operand, rows, cols) : SHAPE(problem, operand, b, rows, cols);
}

static void gemm_types(const struct problem *problem, struct tensor *types) {
  const int64_t *d = problem->dims, m = d[GEMM_M], n = d[GEMM_N], k = d[GEMM_K];
  struct tensor *out = &types[problem->input_count];
  types[0] = matrix(problem, 0, d[GEMM_A_SHARED], d[GEMM_TA] ? k : m, d[GEMM_TA] ? m : k);
  types[1] = matrix(problem, 1, d[GEMM_B_SHARED], d[GEMM_TB] ? n : k, d[GEMM_TB] ? k : n);
  *out = matrix(problem, problem->input_count, false, m, n);
  epilogue_types(problem, 2, n, out, types);
}

static void conv2d_types(const struct problem *problem, struct tensor *types) {
  const int64_t *d = problem->dims;
  struct tensor *out = &types[problem->input_count];
  int64_t h, w;
  problem_output_hw(problem, &h, &w);
  types[0] = SHAPE(problem, 0, d[CONV_N], d[CONV_C], d[CONV_H], d[CONV_W]);
  types[1] = SHAPE(problem, 1, d[CONV_K], d[CONV_C] / d[CONV_G], d[CONV_R], d[CONV_S]);
  *out = SHAPE(problem, problem->input_count, d[CONV_N], d[CONV_K], h, w);
  epilogue_types(problem, 2, d[CONV_K], out, types);
}

static void pool2d_types(const struct problem *problem, struct tensor *types) {
  const int64_t *d = problem->dims;
  int64_t h, w;
  problem_output_hw(problem, &h, &w);
  types[0] = SHAPE(problem, 0, d[POOL_N], d[POOL_C], d[POOL_H], d[POOL_W]);
  types[1] = SHAPE(problem, 1, d[POOL_N], d[POOL_C], h, w);
}

static void softmax_types(const struct problem *problem, struct tensor *types) {
  const int64_t *d = problem->dims;
  for (int i = 0; i < 2; i++) types[i] = SHAPE(problem, i, d[SOFTMAX_OUTER], d[SOFTMAX_LEN], d[SOFTMAX_INNER]);
}

static void norm_types(const struct problem *problem, struct tensor *types) {
  const int64_t *d = problem->dims;
  for (int i = 1; i < problem->input_count; i++) types[i] = SHAPE(problem, i, d[NORM_LEN]);
  types[0] = SHAPE(problem, 0, d[NORM_ROWS], d[NORM_LEN]);
  types[problem->input_count] = SHAPE(problem, problem->input_count, d[NORM_ROWS], d[NORM_LEN]);
}

static struct tensor mask_type(const struct problem *problem, int operand) {
  const int64_t *d = problem->dims, b = d[ATTENTION_B], seq = d[ATTENTION_SEQ], kv = d[ATTENTION_KV];
  switch (d[ATTENTION_MASK]) {
  case 1:
    return SHAPE(problem, operand, kv);
  case 2:
    return SHAPE(problem, operand, b, kv);
  case 3:
    return SHAPE(problem, operand, seq, kv);
  case 4:
    return SHAPE(problem, operand, b, d[ATTENTION_HEADS], seq, kv);
  default:
    return SHAPE(problem, operand, b, 1, seq, kv);
  }
}

static void attention_types(const struct problem *problem, struct tensor *types) {
  const int64_t *d = problem->dims, b = d[ATTENTION_B], heads = d[ATTENTION_HEADS], kvheads = d[ATTENTION_KV_HEADS];
  const int64_t seq = d[ATTENTION_SEQ], kv = d[ATTENTION_KV], depth = d[ATTENTION_D], dv = d[ATTENTION_DV];
  const int order = (int)d[ATTENTION_ORDER] & 3, out = problem->input_count;
  const bool heads_first = order == 0;
  types[out] = heads_first ? SHAPE(problem, out, b, heads, seq, dv) : SHAPE(problem, out, b, seq, heads, dv);
  if (d[ATTENTION_MASK]) types[out - 1] = mask_type(problem, out - 1);
  if (order == 2) {
    types[0] = SHAPE(problem, 0, b, seq, 3, heads, depth);
    return;
  }
  types[0] = heads_first ? SHAPE(problem, 0, b, heads, seq, depth) : SHAPE(problem, 0, b, seq, heads, depth);
  types[1] = heads_first ? SHAPE(problem, 1, b, kvheads, kv, depth) : SHAPE(problem, 1, b, kv, kvheads, depth);
  if (d[ATTENTION_ORDER] & 4) types[1] = SHAPE(problem, 1, b, kvheads, depth, kv);
  types[2] = heads_first ? SHAPE(problem, 2, b, kvheads, kv, dv) : SHAPE(problem, 2, b, kv, kvheads, dv);
}

static void transpose_types(const struct problem *problem, struct tensor *types) {
  types[0] = shape(problem->operands[0].dtype, problem->dim_count, problem->dims);
  types[1] = types[0];
  types[1].dtype = problem->operands[1].dtype;
  for (int i = 0; i < problem->dim_count; i++) types[1].dims[i] = problem->dims[problem->perm[i]];
}

static void map_types(const struct problem *problem, struct tensor *types) {
  for (int i = 0; i < problem->input_count + problem->output_count; i++) {
    uint32_t uses = i < problem->input_count ? problem->operands[i].uses : ~problem->reduced;
    types[i] = (struct tensor){.dtype = problem->operands[i].dtype};
    for (int d = 0; d < problem->dim_count; d++)
      if (uses >> d & 1) types[i].dims[types[i].rank++] = problem->dims[d];
  }
}

enum farm_status problem_operand_types(const struct problem *problem, struct tensor *out_types) {
  static void (*const types_of[PROBLEM_KIND_COUNT])(const struct problem *, struct tensor *) = {
      gemm_types, conv2d_types, pool2d_types, softmax_types, norm_types, attention_types, transpose_types, map_types, NULL};
  FAIL_IF((unsigned)problem->kind >= PROBLEM_KIND_COUNT || !types_of[problem->kind], FARM_UNSUPPORTED,
          "%s problems do not tell their operands", problem_kind_name(problem->kind));
  types_of[problem->kind](problem, out_types);
  return FARM_OK;
}

/* Elements of the first input and the first output: what a kind's work is proportional to. */
static double largest_elems(const struct problem *problem) {
  struct tensor types[PROBLEM_MAX_OPERANDS];
  if (problem_operand_types(problem, types) != FARM_OK) return 0;
  double most = problem->kind == PROBLEM_MAP ? (double)tensor_dims_product(problem->dims, problem->dim_count) : 0;
  for (int i = 0; i < problem->input_count + problem->output_count; i++)
    if ((double)tensor_elems(&types[i]) > most) most = (double)tensor_elems(&types[i]);
  return most;
}

double problem_macs(const struct problem *problem) {
  const int64_t *d = problem->dims;
  int64_t h = 0, w = 0;
  switch (problem->kind) {
  case PROBLEM_GEMM:
    return (double)d[GEMM_B] * (double)d[GEMM_M] * (double)d[GEMM_N] * (double)d[GEMM_K];
  case PROBLEM_CONV2D:
    problem_output_hw(problem, &h, &w);
    return (double)d[CONV_N] * (double)d[CONV_K] * (double)h * (double)w * (double)(d[CONV_C] / d[CONV_G]) *
           (double)(d[CONV_R] * d[CONV_S]);
  case PROBLEM_POOL2D:
    problem_output_hw(problem, &h, &w);
    return (double)d[POOL_N] * (double)d[POOL_C] * (double)h * (double)w * (double)(d[POOL_R] * d[POOL_S]);
  case PROBLEM_ATTENTION:
    return (double)d[ATTENTION_B] * (double)d[ATTENTION_HEADS] * (double)d[ATTENTION_SEQ] * (double)d[ATTENTION_KV] *
           (double)(d[ATTENTION_D] + d[ATTENTION_DV]);
  case PROBLEM_SOFTMAX:
    return 8 * largest_elems(problem);
  case PROBLEM_NORM:
    return 4 * largest_elems(problem);
  case PROBLEM_MAP:
    return problem->program->instruction_count * largest_elems(problem);
  default:
    return 0;
  }
}

struct problem problem_of_variables(const struct problem *problem) {
  struct problem variables = *problem;
  for (int i = 0; i < PROBLEM_MAX_OPERANDS; i++) variables.operands[i].constant = false;
  return variables;
}

double problem_bytes(const struct problem *problem) {
  struct tensor types[PROBLEM_MAX_OPERANDS];
  if (problem_operand_types(problem, types) != FARM_OK) return 0;
  double bytes = 0;
  for (int i = 0; i < problem->input_count + problem->output_count; i++) bytes += (double)tensor_bytes(&types[i]);
  return bytes;
}
