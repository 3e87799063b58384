/* A map program as CUDA C++:
 *
 *   template <int count> void map_values(args, c, out)   loads of `count` elements along the last dim from coordinates c, then
 * per element one line per instruction: const float r5 = map_gelu(r4); template <int count> void map_store(args, at, v)     the
 * outputs, at element `at` of each
 *
 * An operand's element lies at the Horner sum of the coordinates along the dims it has. One without the last dim is loaded once.
 */
#include "map.h"

enum { INDEX_32_ELEMS = 1 << 30 };

static bool needs_64_bits(const struct problem *problem) {
  double elems = 1;
  for (int i = 0; i < problem->dim_count; i++) elems *= (double)problem->dims[i];
  return elems >= INDEX_32_ELEMS;
}

static bool along_last(const struct problem *problem, int operand) {
  return problem->operands[operand].uses >> (problem->dim_count - 1) & 1;
}

/* "((c[0]) * dim(1) + c[1])", "0" for none. */
static void put_offset(const struct problem *problem, int operand, struct strbuf *out) {
  struct strbuf text = {0};
  for (int d = 0; d < problem->dim_count; d++) {
    if (!(problem->operands[operand].uses >> d & 1)) continue;
    struct strbuf next = {0};
    if (text.length == 0)
      strbuf_printf(&next, "c[%d]", d);
    else
      strbuf_printf(&next, "(%s) * (INDEX)args.dims[%d] + c[%d]", strbuf_text(&text), d, d);
    strbuf_free(&text);
    text = next;
  }
  strbuf_add(out, text.length ? strbuf_text(&text) : "0");
  out->failed |= text.failed;
  strbuf_free(&text);
}

static void put_load(const struct problem *problem, int operand, struct strbuf *out) {
  const bool vector = along_last(problem, operand);
  strbuf_printf(out, "  float in%d[%s];\n  load_vector<%s>((const %s *)args.in[%d] + (", operand, vector ? "count" : "1",
                vector ? "count" : "1", cuda_type_name(problem->operands[operand].dtype), operand);
  put_offset(problem, operand, out);
  strbuf_printf(out, "), in%d);\n", operand);
}

static void put_argument(struct map_argument argument, struct strbuf *out) {
  strbuf_printf(out, argument.is_param ? "args.params[%d]" : "r%d", argument.index);
}

static void put_instruction(const struct map_program *program, int index, struct strbuf *out) {
  const struct map_instruction *instruction = &program->instructions[index];
  strbuf_printf(out, "    const float r%d = map_%s(", program->operand_count + index, map_op_name(instruction->op));
  for (int i = 0; i < map_op_arity(instruction->op); i++) {
    if (i > 0) strbuf_add(out, ", ");
    put_argument(instruction->arguments[i], out);
  }
  strbuf_add(out, ");\n");
}

static void put_values(const struct problem *problem, struct strbuf *out) {
  const struct map_program *program = problem->program;
  strbuf_add(out,
             "template <int count> FARM_DEVICE void map_values(const map_args &args, const INDEX *c, float (*out)[count]) {\n");
  for (int i = 0; i < problem->input_count; i++) put_load(problem, i, out);
  strbuf_add(out, "#pragma unroll\n  for (int e = 0; e < count; e++) {\n");
  for (int i = 0; i < problem->input_count; i++)
    strbuf_printf(out, "    const float r%d = in%d[%s];\n", i, i, along_last(problem, i) ? "e" : "0");
  for (int i = 0; i < program->instruction_count; i++) put_instruction(program, i, out);
  for (int i = 0; i < program->output_count; i++) {
    strbuf_printf(out, "    out[%d][e] = ", i);
    put_argument(program->outputs[i], out);
    strbuf_add(out, ";\n");
  }
  strbuf_add(out, "  }\n}\n");
}

static void put_store(const struct problem *problem, struct strbuf *out) {
  strbuf_add(out, "template <int count> FARM_DEVICE void map_store(const map_args &args, INDEX at, float (*v)[count]) {\n");
  for (int i = 0; i < problem->output_count; i++)
    strbuf_printf(out, "  store_vector<count>((%s *)args.out[%d] + at, v[%d]);\n",
                  cuda_type_name(problem->operands[problem->input_count + i].dtype), i, i);
  strbuf_add(out, "}\n");
}

enum farm_status map_text(const struct problem *problem, struct strbuf *out) {
  const uint32_t all = (1u << problem->dim_count) - 1;
  cuda_source_begin(out);
  strbuf_printf(out, "typedef %s INDEX;\n#define RANK %d\n#define OUTPUTS %d\n#define KEPT %uu\n#define REDUCED %uu\n",
                needs_64_bits(problem) ? "i64" : "u32", problem->dim_count, problem->output_count, all & ~problem->reduced,
                all & problem->reduced);
  TRY(cuda_source_file(out, "map-args.h"));
  TRY(cuda_source_file(out, "rows.cuh"));
  TRY(cuda_source_file(out, "map-ops.cu"));
  strbuf_add(out, "#line 1 \"map program\"\n");
  put_values(problem, out);
  put_store(problem, out);
  if (problem->program->reduce == MAP_REDUCE_NONE) return FARM_OK;
  strbuf_printf(out, "#define REDUCE %s\n", map_reduce_name(problem->program->reduce));
  return cuda_source_file(out, "map-reduce.cu");
}

double map_operations(const struct map_program *program) {
  double operations = 4; // index and conversions
  for (int i = 0; i < program->instruction_count; i++) {
    const enum map_op op = program->instructions[i].op;
    const bool hard = op == MAP_DIV || op == MAP_POW || (op >= MAP_SQRT && op <= MAP_SOFTPLUS) || op == MAP_GELU ||
                      op == MAP_GELU_TANH || op == MAP_SILU;
    operations += hard ? 20 : 1;
  }
  return operations;
}
