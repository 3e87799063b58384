/* Problems from text. Words may come in any order, defaults may be spelt out, shorthands may be spelt long; what leaves is in
 * canonical form and has passed problem_check. Text may be hostile: every word is checked before it counts.
 */
#include "../base/strbuf.h"
#include "number-text.h"
#include "problem-kinds.h"

#include <string.h>

struct word {
  const char *text;
  size_t length;
};

struct parser {
  struct problem problem;
  struct arena *arena;
  uint32_t dims_seen;  // of fixed kinds
  uint32_t const_seen; // inputs marked
  int in_count, out_count;
  struct problem_operand in[PROBLEM_MAX_OPERANDS], out[PROBLEM_MAX_OPERANDS];
  bool in_all_dims[PROBLEM_MAX_OPERANDS]; // a map's `in:` without brackets
  enum dtype single;                      // the one dtype word
  int perm_count;                         // -1: not seen
};

static enum farm_status refuse(struct word word, const char *why) {
  return status_set(FARM_USAGE, "problem: `%.*s`: %s", (int)(word.length > 60 ? 60 : word.length), word.text, why);
}

static bool word_is(struct word word, const char *text, size_t length) {
  return word.length == length && !memcmp(word.text, text, length);
}

static bool starts(struct word word, const char *prefix) {
  size_t length = strlen(prefix);
  return word.length >= length && !memcmp(word.text, prefix, length);
}

static struct word after(struct word word, size_t count) { return (struct word){word.text + count, word.length - count}; }

static enum dtype word_dtype(struct word word) {
  char name[16] = {0};
  if (word.length >= sizeof name) return DTYPE_NONE;
  memcpy(name, word.text, word.length);
  return dtype_from_name(name);
}

/* ---- dims ---- */

static enum farm_status set_dims(struct parser *parser, struct word word, int first, int count, int64_t value) {
  for (int i = first; i < first + count; i++) {
    if (parser->dims_seen >> i & 1) return refuse(word, "said twice");
    parser->dims_seen |= 1u << i;
    parser->problem.dims[i] = value;
  }
  return FARM_OK;
}

/* The value that the word gives this dim. false: another dim's word. */
static bool dim_value(const struct dim_spec *spec, struct word word, int64_t *out) {
  size_t length = (size_t)spec->length;
  if (spec->choice) {
    size_t first = (size_t)((const char *)memchr(spec->name, '|', length) - spec->name);
    *out = word_is(word, spec->name + first + 1, length - first - 1);
    return *out || word_is(word, spec->name, first);
  }
  *out = 1;
  if (spec->flag && word_is(word, spec->name, length)) return true;
  return word.length > length && !memcmp(word.text, spec->name, length) &&
         number_parse_int(word.text + length, word.length - length, out);
}

static enum farm_status parse_fixed_dim(struct parser *parser, struct word word, bool *out_taken) {
  struct dim_spec spec;
  int64_t value;
  *out_taken = true;
  for (int i = 0; problem_dim_spec(parser->problem.kind, i, &spec); i++)
    if (dim_value(&spec, word, &value)) return set_dims(parser, word, i, 1, value);
  for (int i = 0; i < DIM_GROUP_COUNT; i++) {
    const struct dim_group *group = &dim_groups[i];
    size_t length = strlen(group->name);
    if (group->kind != parser->problem.kind || !starts(word, group->name)) continue;
    if (number_parse_int(word.text + length, word.length - length, &value))
      return set_dims(parser, word, group->first, group->count, value);
  }
  *out_taken = false;
  return FARM_OK;
}

static enum farm_status parse_perm(struct parser *parser, struct word digits) {
  if (parser->perm_count >= 0) return refuse(digits, "perm said twice");
  if (!digits.length || digits.length > TENSOR_MAX_RANK) return refuse(digits, "perm has too few or too many digits");
  for (size_t i = 0; i < digits.length; i++) {
    if (digits.text[i] < '0' || digits.text[i] > '7') return refuse(digits, "perm is made of the digits 0 to 7");
    parser->problem.perm[i] = (int8_t)(digits.text[i] - '0');
  }
  parser->perm_count = (int)digits.length;
  return FARM_OK;
}

static enum farm_status parse_variable_dim(struct parser *parser, struct word word, bool *out_taken) {
  struct problem *problem = &parser->problem;
  const bool map = problem->kind == PROBLEM_MAP;
  int64_t value;
  *out_taken = true;
  if (!map && starts(word, "perm")) return parse_perm(parser, after(word, 4));
  *out_taken = word.length && (word.text[0] == 'd' || (map && word.text[0] == 'r')) &&
               number_parse_int(word.text + 1, word.length - 1, &value);
  if (!*out_taken) return FARM_OK;
  if (problem->dim_count == TENSOR_MAX_RANK) return refuse(word, "too many dims");
  if (word.text[0] == 'r') problem->reduced |= 1u << problem->dim_count;
  problem->dims[problem->dim_count++] = value;
  return FARM_OK;
}

/* ---- types ---- */

/* "[0.2]": one character per dim. */
static enum farm_status parse_uses(struct word word, uint32_t *out) {
  if (word.length < 2 || word.text[0] != '[' || word.text[word.length - 1] != ']') return refuse(word, "expected [dims]");
  if (word.length - 2 > TENSOR_MAX_RANK) return refuse(word, "too many dims");
  *out = 1u << (word.length - 2); // a marker bit above the last dim, for the check of the length
  for (size_t i = 0; i + 2 < word.length; i++) {
    char c = word.text[i + 1];
    if (c != '.' && c != (char)('0' + i)) return refuse(word, "dims are written in place, a dot for each left out");
    if (c != '.') *out |= 1u << i;
  }
  return FARM_OK;
}

static enum farm_status parse_operand(struct parser *parser, struct word word, bool input) {
  struct word type = after(word, input ? 3 : 4);
  const char *bracket = memchr(type.text, '[', type.length);
  struct word uses = bracket ? after(type, (size_t)(bracket - type.text)) : (struct word){0};
  int *count = input ? &parser->in_count : &parser->out_count;
  type.length -= uses.length;
  struct problem_operand operand = {.dtype = word_dtype(type)};
  if (operand.dtype == DTYPE_NONE) return refuse(word, "unknown type");
  if (*count == PROBLEM_MAX_OPERANDS) return refuse(word, "too many operands");
  if (bracket && (!input || parser->problem.kind != PROBLEM_MAP)) return refuse(word, "only a map's inputs have dims");
  if (bracket) TRY(parse_uses(uses, &operand.uses));
  if (input) parser->in_all_dims[*count] = !bracket;
  (input ? parser->in : parser->out)[(*count)++] = operand;
  return FARM_OK;
}

static enum farm_status parse_constant(struct parser *parser, struct word word) {
  for (int i = 0; i < 2; i++) {
    const char *name = problem_constant_name(parser->problem.kind, i);
    if (!name || !word_is((struct word){word.text, word.length - 6}, name, strlen(name))) continue;
    if (parser->const_seen >> i & 1) return refuse(word, "said twice");
    parser->const_seen |= 1u << i;
    return FARM_OK;
  }
  return refuse(word, "no such operand to be constant");
}

static bool ends_in_const(struct word word) { return word.length > 6 && !memcmp(word.text + word.length - 6, ":const", 6); }

static enum farm_status parse_type(struct parser *parser, struct word word, bool *out_taken) {
  *out_taken = true;
  if (starts(word, "in:")) return parse_operand(parser, word, true);
  if (starts(word, "out:")) return parse_operand(parser, word, false);
  if (ends_in_const(word)) return parse_constant(parser, word);
  if (starts(word, "acc:")) {
    if (parser->problem.accumulate) return refuse(word, "said twice");
    parser->problem.accumulate = word_dtype(after(word, 4));
    return parser->problem.accumulate ? FARM_OK : refuse(word, "unknown type");
  }
  enum dtype type = word_dtype(word);
  *out_taken = type != DTYPE_NONE;
  if (!type) return FARM_OK;
  if (parser->single) return refuse(word, "a second type");
  parser->single = type;
  return FARM_OK;
}

/* ---- the rest ---- */

static enum farm_status parse_epilogue_step(struct parser *parser, struct word word) {
  struct epilogue *epilogue = &parser->problem.epilogue;
  if (epilogue->count == EPILOGUE_MAX) return refuse(word, "too many epilogue steps");
  struct epilogue_step *step = &epilogue->steps[epilogue->count];
  TRY(epilogue_op_parse(word.text + 1, word.length - 1, &step->op));
  epilogue_default_params(step);
  epilogue->count++;
  return FARM_OK;
}

static enum farm_status parse_program(struct parser *parser, struct word word) {
  struct map_program *program = arena_alloc(parser->arena, sizeof *program);
  const char *text = arena_string(parser->arena, word.text, word.length);
  if (!program || !text) return FARM_NO_MEMORY;
  if (parser->problem.program) return refuse(word, "a second program");
  TRY(map_program_parse(text, program));
  parser->problem.program = program;
  return FARM_OK;
}

static enum farm_status parse_word(struct parser *parser, struct word word) {
  const enum problem_kind kind = parser->problem.kind;
  bool taken;
  if (word.text[0] == '+') return parse_epilogue_step(parser, word);
  if (word.text[0] == '{' && kind == PROBLEM_MAP) return parse_program(parser, word);
  TRY((problem_dims_of_kind(kind) ? parse_fixed_dim : parse_variable_dim)(parser, word, &taken));
  if (!taken) TRY(parse_type(parser, word, &taken));
  return taken ? FARM_OK : refuse(word, "unknown word");
}

/* The next word; a program in braces is one, spaces and all. */
static struct word next_word(const char **at) {
  *at += strspn(*at, " ");
  const char *start = *at;
  *at += **at == '{' ? strcspn(*at, "}") + (strchr(*at, '}') != NULL) : strcspn(*at, " ");
  return (struct word){start, (size_t)(*at - start)};
}

static enum farm_status finish_dims(struct parser *parser) {
  struct problem *problem = &parser->problem;
  struct dim_spec spec;
  for (int i = 0; problem_dim_spec(problem->kind, i, &spec); i++) {
    problem->dim_count = i + 1;
    if (parser->dims_seen >> i & 1) continue;
    FAIL_IF(spec.otherwise < 0, FARM_USAGE, "problem: %s needs %.*s", problem_kind_name(problem->kind), spec.length, spec.name);
    problem->dims[i] = spec.otherwise;
  }
  FAIL_IF(problem->kind == PROBLEM_TRANSPOSE && parser->perm_count != problem->dim_count, FARM_USAGE,
          "problem: perm and dims do not fit");
  FAIL_IF(problem->kind == PROBLEM_MAP && !problem->program, FARM_USAGE, "problem: map needs a program {…}");
  return FARM_OK;
}

/* The brackets of a map's input have one character per dim: the marker bit tells. */
static enum farm_status finish_uses(struct parser *parser) {
  const uint32_t all = (1u << parser->problem.dim_count) - 1;
  for (int i = 0; i < parser->in_count && parser->problem.kind == PROBLEM_MAP; i++) {
    uint32_t *uses = &parser->in[i].uses;
    if (parser->in_all_dims[i])
      *uses = all;
    else
      FAIL_IF(*uses >> parser->problem.dim_count != 1, FARM_USAGE, "problem: input %d has another number of dims than the map",
              i);
    *uses &= all;
  }
  return FARM_OK;
}

static enum farm_status finish_types(struct parser *parser) {
  struct problem *problem = &parser->problem;
  TRY(problem_count_operands(problem));
  const int inputs = problem->input_count, outputs = problem->output_count;
  FAIL_IF(parser->single && (parser->in_count || parser->out_count), FARM_USAGE, "problem: both a type and in: or out:");
  FAIL_IF(problem->kind == PROBLEM_MAP && !parser->in_count, FARM_USAGE, "problem: map needs in: words");
  FAIL_IF(parser->in_count && parser->in_count != inputs, FARM_USAGE, "problem: %d in: words for %d inputs", parser->in_count,
          inputs);
  FAIL_IF(parser->out_count && parser->out_count != outputs, FARM_USAGE, "problem: %d out: words for %d outputs",
          parser->out_count, outputs);
  TRY(finish_uses(parser));
  enum dtype otherwise = parser->in_count ? parser->in[0].dtype : parser->single ? parser->single : DTYPE_F32;
  for (int i = 0; i < inputs + outputs; i++) {
    struct problem_operand operand = {.dtype = otherwise};
    if (i < inputs && parser->in_count) operand = parser->in[i];
    if (i >= inputs && parser->out_count) operand = parser->out[i - inputs];
    operand.constant = i < 2 && parser->const_seen >> i & 1;
    problem->operands[i] = operand;
  }
  enum dtype accumulate = problem_default_accumulate(problem);
  FAIL_IF(problem->accumulate && !problem_writes_accumulate(problem->kind), FARM_USAGE,
          "problem: %s takes no acc:", problem_kind_name(problem->kind));
  if (!problem->accumulate) problem->accumulate = accumulate;
  return FARM_OK;
}

/* Canonical program, inputs in its order; then the dims. */
static enum farm_status finish_map(struct parser *parser) {
  struct map_program *program = arena_copy(parser->arena, parser->problem.program, sizeof *program);
  int operands[MAP_MAX_OPERANDS], params[MAP_MAX_PARAMS];
  struct problem_operand moved[PROBLEM_MAX_OPERANDS];
  struct problem *problem = &parser->problem;
  if (!program) return FARM_NO_MEMORY;
  map_program_canonicalise(program, operands, params);
  for (int i = 0; i < program->operand_count; i++) moved[i] = problem->operands[operands[i]];
  memcpy(moved + program->operand_count, problem->operands + problem->input_count, sizeof *moved * (size_t)problem->output_count);
  memset(problem->operands, 0, sizeof problem->operands);
  memcpy(problem->operands, moved, sizeof *moved * (size_t)(program->operand_count + problem->output_count));
  problem->input_count = program->operand_count;
  problem->program = program;
  return FARM_OK;
}

static enum farm_status parse_words(struct parser *parser, const char *at) {
  for (struct word word = next_word(&at); word.length; word = next_word(&at)) TRY(parse_word(parser, word));
  TRY(finish_dims(parser));
  TRY(finish_types(parser));
  TRY(problem_check(&parser->problem)); // before merging dims, so that products cannot overflow
  if (parser->problem.kind == PROBLEM_MAP) TRY(finish_map(parser));
  problem_coalesce(&parser->problem);
  return problem_check(&parser->problem);
}

static enum farm_status parse_kind(struct word word, enum problem_kind *out) {
  for (int kind = 0; kind < PROBLEM_KIND_COUNT; kind++) {
    const char *name = problem_kind_name((enum problem_kind)kind);
    if (word_is(word, name, strlen(name))) return *out = (enum problem_kind)kind, FARM_OK;
  }
  return refuse(word, "unknown kind of problem");
}

enum farm_status problem_parse(const char *text, struct arena *arena, struct problem *out) {
  struct parser parser = {.arena = arena, .perm_count = -1};
  FAIL_IF(strnlen(text, PROBLEM_TEXT_MAX + 1) > PROBLEM_TEXT_MAX, FARM_USAGE, "problem: longer than %d bytes", PROBLEM_TEXT_MAX);
  TRY(parse_kind(next_word(&text), &parser.problem.kind));
  if (parser.problem.kind == PROBLEM_OP) {
    TRY(op_text_canonicalise(text, arena, &parser.problem.op_text));
  } else {
    enum farm_status status = parse_words(&parser, text);
    if (status != FARM_OK) return status == FARM_INVALID ? status_prefix(FARM_USAGE, "problem") : status;
  }
  *out = parser.problem;
  return FARM_OK;
}
