/* Map programs: names, text form, equality. See map-program.h; canonical form in map-canonical.c, arithmetic in map-evaluate.c.
 */
#include "map-program.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
  const char *name;
  int arity;
  bool commutative;
} ops[MAP_OP_COUNT] = {
#define X(name, text, arity, commutative) {text, arity, commutative},
    MAP_OP_LIST(X)
#undef X
};

static const char *const reduce_names[] = {"", "sum", "mean", "max", "min", "prod", "sumsq"};

int map_op_arity(enum map_op op) { return (unsigned)op < MAP_OP_COUNT ? ops[op].arity : 0; }
const char *map_op_name(enum map_op op) { return (unsigned)op < MAP_OP_COUNT ? ops[op].name : "?"; }
bool map_op_commutative(enum map_op op) { return (unsigned)op < MAP_OP_COUNT && ops[op].commutative; }
const char *map_reduce_name(enum map_reduce reduce) { return (unsigned)reduce <= MAP_REDUCE_SUMSQ ? reduce_names[reduce] : "?"; }

/* ---- parsing ---- */

struct cursor {
  const char *start, *at;
};

static bool take(struct cursor *cursor, char c) { return *cursor->at == c ? cursor->at++, true : false; }

static enum farm_status wrong(const struct cursor *cursor, const char *what) {
  return status_set(FARM_USAGE, "map program: %s at `%.24s`", what, cursor->at);
}

static size_t word_length(const char *text) { return strspn(text, "abcdefghijklmnopqrstuvwxyz_"); }

/* A number below `limit` without leading zeros; -1 otherwise. */
static int take_index(struct cursor *cursor, int limit) {
  size_t digits = strspn(cursor->at, "0123456789");
  if (!digits || digits > 4 || (digits > 1 && cursor->at[0] == '0')) return -1;
  int value = 0;
  while (digits--) value = value * 10 + (*cursor->at++ - '0');
  return value < limit ? value : -1;
}

/* %k with k below `registers`, or $i. Both counts grow to what is seen when `open` (no instruction yet: the operands are
 * unknown). */
static enum farm_status parse_argument(struct cursor *cursor, struct map_program *program, int registers,
                                       struct map_argument *out) {
  if (take(cursor, '$')) {
    int index = take_index(cursor, MAP_MAX_PARAMS);
    if (index < 0) return wrong(cursor, "bad parameter number");
    if (index >= program->param_count) program->param_count = index + 1;
    *out = (struct map_argument){true, (int16_t)index};
    return FARM_OK;
  }
  if (!take(cursor, '%')) return wrong(cursor, "expected % or $");
  int index = take_index(cursor, registers);
  if (index < 0) return wrong(cursor, "no such register");
  *out = (struct map_argument){false, (int16_t)index};
  return FARM_OK;
}

static enum farm_status parse_op(struct cursor *cursor, enum map_op *out) {
  size_t length = word_length(cursor->at);
  for (int op = 0; op < MAP_OP_COUNT; op++) {
    if (strlen(ops[op].name) != length || memcmp(ops[op].name, cursor->at, length)) continue;
    cursor->at += length;
    *out = (enum map_op)op;
    return FARM_OK;
  }
  return wrong(cursor, "unknown instruction");
}

/* "%4=mul %3 $0;" — the first instruction's number tells how many operands there are. */
static enum farm_status parse_instruction(struct cursor *cursor, struct map_program *program) {
  cursor->at++; // '%'
  int target = take_index(cursor, MAP_MAX_OPERANDS + MAP_MAX_INSTRUCTIONS);
  if (target < 0 || !take(cursor, '=')) return wrong(cursor, "expected %k=");
  if (!program->instruction_count) {
    if (target > MAP_MAX_OPERANDS) return wrong(cursor, "too many operands");
    program->operand_count = target;
  }
  if (program->instruction_count == MAP_MAX_INSTRUCTIONS) return wrong(cursor, "too many instructions");
  if (target != program->operand_count + program->instruction_count) return wrong(cursor, "registers are not in order");
  struct map_instruction *instruction = &program->instructions[program->instruction_count];
  TRY(parse_op(cursor, &instruction->op));
  for (int i = 0; i < map_op_arity(instruction->op); i++) {
    if (!take(cursor, ' ')) return wrong(cursor, "expected an argument");
    TRY(parse_argument(cursor, program, target, &instruction->arguments[i]));
  }
  program->instruction_count++;
  return take(cursor, ';') ? FARM_OK : wrong(cursor, "expected ;");
}

static enum farm_status parse_reduce(struct cursor *cursor, enum map_reduce *out) {
  size_t length = word_length(cursor->at);
  for (int r = MAP_REDUCE_SUM; r <= MAP_REDUCE_SUMSQ; r++) {
    if (strlen(reduce_names[r]) != length || memcmp(reduce_names[r], cursor->at, length)) continue;
    cursor->at += length;
    *out = (enum map_reduce)r;
    return take(cursor, ' ') ? FARM_OK : wrong(cursor, "expected a space");
  }
  return wrong(cursor, "unknown reduction");
}

/* "out %4" or "out sum %4". */
static enum farm_status parse_output(struct cursor *cursor, struct map_program *program) {
  if (strncmp(cursor->at, "out ", 4)) return wrong(cursor, "expected out");
  cursor->at += 4;
  if (program->output_count == MAP_MAX_OUTPUTS) return wrong(cursor, "too many outputs");
  enum map_reduce reduce = MAP_REDUCE_NONE;
  if (word_length(cursor->at)) TRY(parse_reduce(cursor, &reduce));
  if (program->output_count && reduce != program->reduce) return wrong(cursor, "outputs are reduced differently");
  program->reduce = reduce;
  int registers = program->instruction_count ? program->operand_count + program->instruction_count : MAP_MAX_OPERANDS;
  struct map_argument *output = &program->outputs[program->output_count++];
  TRY(parse_argument(cursor, program, registers, output));
  if (!program->instruction_count && !output->is_param && output->index >= program->operand_count)
    program->operand_count = output->index + 1;
  return FARM_OK;
}

enum farm_status map_program_parse(const char *text, struct map_program *out) {
  struct map_program program = {0};
  struct cursor cursor = {text, text};
  if (!take(&cursor, '{')) return wrong(&cursor, "expected {");
  while (*cursor.at == '%') TRY(parse_instruction(&cursor, &program));
  do TRY(parse_output(&cursor, &program));
  while (take(&cursor, ';'));
  if (!take(&cursor, '}') || *cursor.at) return wrong(&cursor, "expected } and the end");
  *out = program;
  return FARM_OK;
}

/* ---- printing ---- */

struct sink {
  char *out;
  size_t size, at;
};

__attribute__((format(printf, 2, 3))) static void put(struct sink *sink, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  size_t room = sink->at < sink->size ? sink->size - sink->at : 0;
  int length = vsnprintf(room ? sink->out + sink->at : NULL, room, format, arguments);
  va_end(arguments);
  sink->at += length > 0 ? (size_t)length : 0;
}

static void put_argument(struct sink *sink, struct map_argument argument) {
  put(sink, " %c%d", argument.is_param ? '$' : '%', argument.index);
}

enum farm_status map_program_print(const struct map_program *program, char *out, size_t out_bytes) {
  struct sink sink = {out, out_bytes, 0};
  put(&sink, "{");
  for (int i = 0; i < program->instruction_count; i++) {
    const struct map_instruction *instruction = &program->instructions[i];
    put(&sink, "%%%d=%s", program->operand_count + i, map_op_name(instruction->op));
    for (int a = 0; a < map_op_arity(instruction->op); a++) put_argument(&sink, instruction->arguments[a]);
    put(&sink, ";");
  }
  for (int i = 0; i < program->output_count; i++) {
    put(&sink, "%sout%s%s", i ? ";" : "", program->reduce ? " " : "", map_reduce_name(program->reduce));
    put_argument(&sink, program->outputs[i]);
  }
  put(&sink, "}");
  FAIL_IF(sink.at >= out_bytes, FARM_NO_MEMORY, "map program: its text needs %zu bytes, there are %zu", sink.at + 1, out_bytes);
  return FARM_OK;
}

static bool argument_equal(struct map_argument a, struct map_argument b) {
  return a.is_param == b.is_param && a.index == b.index;
}

bool map_program_equal(const struct map_program *a, const struct map_program *b) {
  if (a->operand_count != b->operand_count || a->param_count != b->param_count || a->reduce != b->reduce) return false;
  if (a->instruction_count != b->instruction_count || a->output_count != b->output_count) return false;
  for (int i = 0; i < a->instruction_count; i++) {
    if (a->instructions[i].op != b->instructions[i].op) return false;
    for (int k = 0; k < map_op_arity(a->instructions[i].op); k++)
      if (!argument_equal(a->instructions[i].arguments[k], b->instructions[i].arguments[k])) return false;
  }
  for (int i = 0; i < a->output_count; i++)
    if (!argument_equal(a->outputs[i], b->outputs[i])) return false;
  return true;
}
