/* Problems as text: printing and the digest. The grammar is docs/formats/problem-text.md; parsing is problem-parse.c. */
#include "../base/strbuf.h"
#include "problem-kinds.h"

#include <string.h>

static const struct dim_group *group_at(const struct problem *problem, int dim) {
  for (int i = 0; i < DIM_GROUP_COUNT; i++)
    if (dim_groups[i].kind == problem->kind && dim_groups[i].first == dim) return &dim_groups[i];
  return NULL;
}

static bool group_equal(const struct problem *problem, const struct dim_group *group) {
  bool equal = true;
  for (int i = 1; i < group->count; i++) equal &= problem->dims[group->first + i] == problem->dims[group->first];
  return equal;
}

static void print_dim(const struct dim_spec *spec, int64_t value, struct strbuf *out) {
  if (spec->choice) {
    const char *second = memchr(spec->name, '|', (size_t)spec->length);
    int first_length = (int)(second - spec->name);
    if (value)
      strbuf_printf(out, " %.*s", spec->length - first_length - 1, second + 1);
    else
      strbuf_printf(out, " %.*s", first_length, spec->name);
  } else if (spec->flag) {
    if (value) strbuf_printf(out, " %.*s", spec->length, spec->name);
  } else if (value != spec->otherwise) {
    strbuf_printf(out, " %.*s%lld", spec->length, spec->name, (long long)value);
  }
}

static void print_fixed_dims(const struct problem *problem, struct strbuf *out) {
  struct dim_spec spec;
  for (int i = 0; problem_dim_spec(problem->kind, i, &spec); i++) {
    const struct dim_group *group = group_at(problem, i);
    if (!group || !group_equal(problem, group)) {
      print_dim(&spec, problem->dims[i], out);
      continue;
    }
    if (problem->dims[i] != spec.otherwise) strbuf_printf(out, " %s%lld", group->name, (long long)problem->dims[i]);
    i += group->count - 1;
  }
}

static void print_variable_dims(const struct problem *problem, struct strbuf *out) {
  for (int i = 0; i < problem->dim_count; i++) {
    bool reduced = problem->kind == PROBLEM_MAP && problem->reduced >> i & 1;
    strbuf_printf(out, " %c%lld", reduced ? 'r' : 'd', (long long)problem->dims[i]);
  }
  if (problem->kind != PROBLEM_TRANSPOSE) return;
  strbuf_add(out, " perm");
  for (int i = 0; i < problem->dim_count; i++) strbuf_printf(out, "%d", problem->perm[i]);
}

static bool one_type(const struct problem *problem) {
  for (int i = 1; i < problem->input_count + problem->output_count; i++)
    if (problem->operands[i].dtype != problem->operands[0].dtype) return false;
  return problem->kind != PROBLEM_MAP;
}

static void print_operand(const struct problem *problem, int index, struct strbuf *out) {
  const struct problem_operand *operand = &problem->operands[index];
  const bool input = index < problem->input_count;
  strbuf_printf(out, " %s:%s", input ? "in" : "out", dtype_name(operand->dtype));
  if (problem->kind != PROBLEM_MAP || !input) return;
  strbuf_add(out, "[");
  for (int d = 0; d < problem->dim_count; d++) {
    char mark = operand->uses >> d & 1 ? (char)('0' + d) : '.';
    strbuf_add_bytes(out, &mark, 1);
  }
  strbuf_add(out, "]");
}

static void print_types(const struct problem *problem, struct strbuf *out) {
  if (one_type(problem)) {
    strbuf_printf(out, " %s", dtype_name(problem->operands[0].dtype));
  } else {
    for (int i = 0; i < problem->input_count + problem->output_count; i++) print_operand(problem, i, out);
  }
  if (problem_writes_accumulate(problem->kind)) strbuf_printf(out, " acc:%s", dtype_name(problem->accumulate));
  for (int i = 0; i < problem->input_count; i++) {
    const char *name = problem_constant_name(problem->kind, i);
    if (name && problem->operands[i].constant) strbuf_printf(out, " %s:const", name);
  }
}

static void print_map_program(const struct problem *problem, struct strbuf *out) {
  char text[PROBLEM_TEXT_MAX];
  if (map_program_print(problem->program, text, sizeof text) != FARM_OK) out->failed = true; // 64 instructions always fit
  strbuf_printf(out, " %s", text);
}

static void print_problem(const struct problem *problem, struct strbuf *out) {
  strbuf_add(out, problem_kind_name(problem->kind));
  if (problem->kind == PROBLEM_OP) {
    strbuf_printf(out, " %s", problem->op_text);
    return;
  }
  if (problem_dims_of_kind(problem->kind))
    print_fixed_dims(problem, out);
  else
    print_variable_dims(problem, out);
  print_types(problem, out);
  for (int i = 0; i < problem->epilogue.count; i++) strbuf_printf(out, " +%s", epilogue_op_name(problem->epilogue.steps[i].op));
  if (problem->kind == PROBLEM_MAP) print_map_program(problem, out);
}

const char *problem_print(const struct problem *problem, struct arena *arena) {
  struct strbuf text = {0};
  print_problem(problem, &text);
  const char *copy = text.failed ? NULL : arena_string(arena, strbuf_text(&text), text.length);
  strbuf_free(&text);
  return copy;
}

struct digest problem_digest(const struct problem *problem) {
  struct strbuf text = {0};
  print_problem(problem, &text);
  struct digest digest = text.failed ? (struct digest){{0}} : digest_of(strbuf_text(&text), text.length);
  strbuf_free(&text);
  return digest;
}
