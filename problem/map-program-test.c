/* Map programs: text, canonical form on random programs, arithmetic. */
#include "map-program.h"

#include "../base/random.h"
#include "../tests/kit/test.h"

#include <math.h>
#include <string.h>

static const char *canonical(const char *text) {
  static char out[4096];
  struct map_program program;
  int operands[MAP_MAX_OPERANDS], params[MAP_MAX_PARAMS];
  REQUIRE_OK(map_program_parse(text, &program));
  map_program_canonicalise(&program, operands, params);
  REQUIRE_OK(map_program_print(&program, out, sizeof out));
  return out;
}

TEST(map_canonical_form, "") {
  CHECK_TEXT(canonical("{%2=add %1 %0;%3=gelu %2;out %3}"), "{%2=add %0 %1;%3=gelu %2;out %3}");
  CHECK_TEXT(canonical("{%2=mul $3 %1;%3=add %2 %0;out %3}"),
             "{%2=mul %0 $0;%3=add %1 %2;out %3}"); // deepest first, parameters last
  CHECK_TEXT(canonical("{%2=add %1 %1;%3=add %1 %1;%4=mul %2 %3;out %4}"),
             "{%1=add %0 %0;%2=mul %1 %1;out %2}"); // equal once, %0 unused
  CHECK_TEXT(canonical("{%2=exp %0;%3=exp %1;%4=sub %2 %3;%5=neg %4;out %4}"), "{%2=exp %0;%3=exp %1;%4=sub %2 %3;out %4}");
  CHECK_TEXT(canonical("{%2=exp %1;%3=log %0;%4=add %3 %2;out %4}"), canonical("{%2=exp %0;%3=log %1;%4=add %2 %3;out %4}"));
  CHECK_TEXT(canonical("{out sum %1}"), "{out sum %0}");
  CHECK_TEXT(canonical("{out $4;out %2}"), "{out $0;out %0}");
}

static struct map_argument random_argument(uint64_t seed, int registers) {
  if (random_u64(seed, 0) % 8 == 0) return (struct map_argument){true, (int16_t)(random_u64(seed, 1) % 6)};
  return (struct map_argument){false, (int16_t)(random_u64(seed, 2) % (uint64_t)registers)};
}

static struct map_program random_program(uint64_t seed) {
  struct map_program program = {.operand_count = 1 + (int)(random_u64(seed, 0) % 5), .param_count = 6};
  program.instruction_count = (int)(random_u64(seed, 1) % 24);
  program.output_count = 1 + (int)(random_u64(seed, 2) % 3);
  for (int i = 0; i < program.instruction_count; i++) {
    static const enum map_op ops[] = {MAP_ADD, MAP_MUL, MAP_SUB, MAP_MAX, MAP_NEG, MAP_TANH, MAP_WHERE, MAP_ADD};
    program.instructions[i].op = ops[random_u64(seed, 100 + (uint64_t)i) % 8];
    for (int a = 0; a < map_op_arity(program.instructions[i].op); a++)
      program.instructions[i].arguments[a] = random_argument(seed * 1000 + (uint64_t)(i * 3 + a), program.operand_count + i);
  }
  for (int i = 0; i < program.output_count; i++)
    program.outputs[i] = random_argument(seed * 1000 + 500 + (uint64_t)i, program.operand_count + program.instruction_count);
  return program;
}

static void evaluate(const struct map_program *program, const int *operand_order, const int *param_order, double *out) {
  float params[MAP_MAX_PARAMS];
  double registers[MAP_MAX_OPERANDS + MAP_MAX_INSTRUCTIONS];
  for (int i = 0; i < program->param_count; i++) params[i] = 0.3f + 0.1f * (float)(param_order ? param_order[i] : i);
  for (int i = 0; i < program->operand_count; i++) registers[i] = 0.5 - 0.25 * (operand_order ? operand_order[i] : i);
  map_program_evaluate(program, params, registers, out);
}

/* Canonical programs compute the same bits, are fixed points, and do not depend on how operands were numbered. */
TEST(map_canonical_form_of_random_programs, "") {
  for (uint64_t seed = 0; seed < 3000; seed++) {
    struct map_program program = random_program(seed), once = program, twice;
    int operands[MAP_MAX_OPERANDS], params[MAP_MAX_PARAMS], o[MAP_MAX_OPERANDS], p[MAP_MAX_PARAMS];
    map_program_canonicalise(&once, operands, params);
    twice = once;
    map_program_canonicalise(&twice, o, p);
    CHECK_MESSAGE(map_program_equal(&once, &twice), "seed %llu is no fixed point", (unsigned long long)seed);
    double before[MAP_MAX_OUTPUTS], after[MAP_MAX_OUTPUTS];
    evaluate(&program, NULL, NULL, before);
    evaluate(&once, operands, params, after);
    for (int i = 0; i < program.output_count; i++)
      CHECK_MESSAGE(before[i] == after[i] || (before[i] != before[i] && after[i] != after[i]),
                    "seed %llu computes something else", (unsigned long long)seed);
    char text[4096], again[4096];
    struct map_program parsed;
    REQUIRE_OK(map_program_print(&once, text, sizeof text));
    REQUIRE_OK(map_program_parse(text, &parsed));
    REQUIRE_OK(map_program_print(&parsed, again, sizeof again));
    CHECK_TEXT(again, text);
    CHECK(map_program_equal(&once, &parsed));
  }
}

TEST(map_refuses_what_is_no_program, "") {
  static const char *const texts[] = {"",
                                      "{",
                                      "{}",
                                      "out %0",
                                      "{out %0} ",
                                      "{out %12}",
                                      "{%1=add %0;out %1}",
                                      "{%1=neg %0 %0;out %1}",
                                      "{%2=neg %0;%2=neg %0;out %2}",
                                      "{%1=neg %1;out %1}",
                                      "{%1=neg %0;out %2}",
                                      "{out sum %0;out %0}",
                                      "{out median %0}",
                                      "{out %0;out %0;out %0;out %0;out %0}",
                                      "{%1=neg $32;out %1}",
                                      "{%01=neg %0;out %1}",
                                      "{out %0;}"};
  struct map_program program;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    CHECK_MESSAGE(map_program_parse(texts[i], &program) == FARM_USAGE, "`%s` was not refused", texts[i]);
  char tiny[8];
  REQUIRE_OK(map_program_parse("{out %0}", &program));
  CHECK(map_program_print(&program, tiny, sizeof tiny) == FARM_NO_MEMORY);
}

TEST(map_arithmetic, "") {
  const struct {
    enum map_op op;
    double a, b, c, expected;
  } cases[] = {{MAP_SUB, 3, 5, 0, -2},
               {MAP_DIV, 1, 0, 0, INFINITY},
               {MAP_POW, 2, 10, 0, 1024},
               {MAP_SIGN, -3, 0, 0, -1},
               {MAP_ROUND, 2.5, 0, 0, 2},
               {MAP_RELU, -1, 0, 0, 0},
               {MAP_WHERE, 0, 1, 2, 2},
               {MAP_WHERE, 3, 1, 2, 1},
               {MAP_EQUAL, NAN, NAN, 0, 0},
               {MAP_LESS_EQUAL, 2, 2, 0, 1},
               {MAP_LESS, 2, 2, 0, 0},
               {MAP_AND, 2, 0, 0, 0},
               {MAP_OR, 2, 0, 0, 1},
               {MAP_NOT, 0, 0, 0, 1},
               {MAP_GELU, 1, 0, 0, 0.8413447460685429},
               {MAP_SILU, 1, 0, 0, 0.7310585786300049},
               {MAP_HARD_SWISH, 1, 0, 0, 2.0 / 3},
               {MAP_SOFTPLUS, 800, 0, 0, 800},
               {MAP_GELU_TANH, 1, 0, 0, 0.8411919906082768},
               {MAP_MAX, 2, 3, 0, 3},
               {MAP_MIN, 2, 3, 0, 2}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double value = map_op_apply(cases[i].op, cases[i].a, cases[i].b, cases[i].c);
    CHECK_MESSAGE(value == cases[i].expected || fabs(value - cases[i].expected) < 1e-14, "%s gives %.17g",
                  map_op_name(cases[i].op), value);
  }
  CHECK(isnan(map_op_apply(MAP_MAX, NAN, 1, 0)) && isnan(map_op_apply(MAP_MAX, 1, NAN, 0)) &&
        isnan(map_op_apply(MAP_MIN, 1, NAN, 0)));
  CHECK(isnan(map_op_apply(MAP_RELU, NAN, 0, 0)) && isnan(map_op_apply(MAP_SOFTPLUS, NAN, 0, 0)));
}
