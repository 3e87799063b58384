/* The map interpreter against map_program_evaluate, element by element: every operation, broadcast pattern, element type and
 * reduction, at lengths around tiles and lanes. */
#include "../probe-test.h"

#include "../../../tests/kit/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct tactic map__tile__baseline, map__tile__avx2, map__tile__avx512, map__tile__wide;
static const struct tactic *const tactics[] = {&map__tile__baseline, &map__tile__avx2, &map__tile__wide, &map__tile__avx512};

static double reduced(enum map_reduce reduce, double sum, double x) {
  switch (reduce) {
  case MAP_REDUCE_PROD:
    return sum * x;
  case MAP_REDUCE_MAX:
    return isnan(sum) || sum > x ? sum : x;
  case MAP_REDUCE_MIN:
    return isnan(sum) || sum < x ? sum : x;
  case MAP_REDUCE_SUMSQ:
    return sum + x * x;
  default:
    return sum + x;
  }
}

static double start(enum map_reduce reduce) {
  return reduce == MAP_REDUCE_PROD ? 1 : reduce == MAP_REDUCE_MAX ? -INFINITY : reduce == MAP_REDUCE_MIN ? INFINITY : 0;
}

/* Row-major index of a point in a tensor that has only some of the dims. */
static int64_t index_in(const struct problem *problem, uint32_t dims, const int64_t *point) {
  int64_t index = 0;
  for (int d = 0; d < problem->dim_count; d++)
    if (dims >> d & 1) index = index * problem->dims[d] + point[d];
  return index;
}

static void reference(struct probe *probe) {
  const struct problem *problem = &probe->problem;
  const struct map_program *program = problem->program;
  double registers[MAP_MAX_OPERANDS + MAP_MAX_INSTRUCTIONS], results[MAP_MAX_OUTPUTS], each = 1;
  int64_t total = 1, point[PROBLEM_MAX_DIMS] = {0};
  for (int d = 0; d < problem->dim_count; d++) total *= problem->dims[d];
  for (int d = 0; d < problem->dim_count; d++) each *= problem->reduced >> d & 1 ? (double)problem->dims[d] : 1;
  for (int o = 0; o < probe->output_count; o++)
    for (int64_t i = 0; i < tensor_elems(&probe->tensors[probe->input_count + o]); i++)
      probe->wanted[o][i] = start(program->reduce);
  for (int64_t t = 0; t < total; t++) {
    int64_t rest = t;
    for (int d = problem->dim_count - 1; d >= 0; d--) point[d] = rest % problem->dims[d], rest /= problem->dims[d];
    for (int i = 0; i < probe->input_count; i++)
      registers[i] = probe_get(probe, i, index_in(problem, problem->operands[i].uses, point));
    map_program_evaluate(program, probe->scalars.params, registers, results);
    for (int o = 0; o < probe->output_count; o++) {
      double *to = &probe->wanted[o][index_in(problem, ~problem->reduced, point)];
      *to = program->reduce == MAP_REDUCE_NONE
                ? results[o]
                : reduced(program->reduce, *to, results[o] / (program->reduce == MAP_REDUCE_MEAN ? each : 1));
    }
  }
  for (int o = 0; o < probe->output_count; o++) // through the stored type
    for (int64_t i = 0; i < tensor_elems(&probe->tensors[probe->input_count + o]); i++) {
      unsigned char stored[8];
      const enum dtype dtype = probe->tensors[probe->input_count + o].dtype;
      dtype_store_f64(dtype, stored, 0, (double)(float)probe->wanted[o][i]);
      probe->wanted[o][i] = dtype_load_f64(dtype, stored, 0);
    }
}

static void check(const char *text, double absolute, double relative) {
  struct probe probe;
  probe_open(&probe, text, 7);
  reference(&probe);
  for (size_t t = 0; t < sizeof tactics / sizeof *tactics; t++)
    CHECK_MESSAGE(probe_check(&probe, tactics[t], absolute, relative) > 0 || !probe_isa_here(tactics[t]->isa), "%s: no variant",
                  text);
  probe_close(&probe);
}

TEST(map_computes_every_operation, "timeout:120") {
  for (int op = 0; op < MAP_OP_COUNT; op++) {
    char text[256];
    static const char *const arguments[] = {"", "%0", "%0 %1", "%0 %1 %2"};
    const int arity = map_op_arity((enum map_op)op);
    int used = snprintf(text, sizeof text, "map d1037");
    for (int i = 0; i < arity; i++) used += snprintf(text + used, sizeof text - (size_t)used, " in:f32[0]");
    snprintf(text + used, sizeof text - (size_t)used, " out:f32 {%%%d=%s %s;out %%%d}", arity, map_op_name((enum map_op)op),
             arguments[arity], arity);
    check(text, 1e-7, 5e-7);
  }
}

TEST(map_broadcasts_operands, "timeout:120") {
  static const char *const texts[] = {
      "map d1 in:f32[0] in:f32[0] out:f32 {%2=add %0 %1;out %2}",
      "map d7 d13 in:f32[01] in:f32[.1] out:f32 {%2=add %0 %1;out %2}",
      "map d7 d13 in:f32[01] in:f32[0.] out:f32 {%2=sub %0 %1;out %2}",
      "map d5 d768 in:f32[01] in:f32[.1] in:f32[..] out:f32 {%3=add %0 %1;%4=mul %2 %3;out %4}",
      "map d3 d1500 in:f32[01] in:f32[0.] in:f32[.1] out:f32 {%3=mul %0 %1;%4=add %2 %3;out %4}",
      "map d2 d3 d300 in:f32[012] in:f32[0.2] in:f32[.1.] out:f32 {%3=mul %0 %1;%4=add %2 %3;out %4}",
      "map d600 d3 in:f32[01] in:f32[.1] out:f32 {%2=mul %0 %1;%3=gelu %2;out %3}",
      "map d11 d600 in:f32[0.] in:f32[.1] out:f32 {%2=sub %0 %1;out %2}",
      "map d3000 in:f32[0] out:f32 out:f32 {%1=exp %0;%2=tanh %1;out %1;out %2}",
      "map d3000 in:f32[0] out:f32 {%1=mul %0 $0;%2=add %1 $1;%3=silu %2;%4=add %0 %3;out %4}",
      "map d40 d50 in:f32[01] in:f32[01] out:f32 out:f32 {%2=add %0 %1;%3=mul %0 %2;%4=sub %3 %1;out %2;out %4}",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) check(texts[i], 1e-6, 1e-6);
}

TEST(map_converts_types, "timeout:120") {
  static const char *const types[] = {"f32", "f16", "bf16", "bool", "u8", "i8", "i32", "i64"};
  for (int from = 0; from < 8; from++)
    for (int to = 0; to < 8; to++) {
      char text[160];
      snprintf(text, sizeof text, "map d3 d333 in:%s[01] in:%s[.1] out:%s {%%2=mul %%0 %%1;out %%2}", types[from], types[from],
               types[to]);
      check(text, 0, 1e-7);
    }
}

TEST(map_reduces, "timeout:120") {
  static const char *const reduces[] = {"sum", "mean", "max", "min", "prod", "sumsq"};
  static const char *const shapes[] = {"r1",    "r7",         "r1025",     "d5 r9",        "d3 r2100",
                                       "r5 d9", "r200 d1100", "d3 r5 d21", "d2 r3 d4 r17", "r2 d3 r4 d65"};
  for (int i = 0; i < 6; i++)
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
      char text[200];
      snprintf(text, sizeof text, "map %s in:f32 out:f32 {%%1=add %%0 $0;out %s %%1}", shapes[s], reduces[i]);
      check(text, 1e-6, i == 4 ? 2e-4 : 2e-6);
    }
  check("map d3 r700 in:f32[01] in:f32[.1] out:f32 {%2=mul %0 %1;out sum %2}", 1e-5, 1e-6);
  check("map r70 d30 in:f32[01] in:f32[0.] out:f32 {%2=mul %0 %1;out sum %2}", 1e-5, 1e-6);
  check("map d3 r700 in:f16[01] out:i32 {out sum %0}", 1, 0);
}

/* The first output takes the place of the first input, which a later instruction still reads. */
TEST(map_works_in_place, "") {
  struct probe probe;
  probe_open(&probe, "map d40 d100 in:f32[01] in:f32[.1] out:f32 out:f32 {%2=add %0 %1;%3=gelu %2;%4=mul %0 %3;out %3;out %4}",
             3);
  reference(&probe);
  const int64_t elems = tensor_elems(&probe.tensors[2]);
  for (size_t t = 0; t < sizeof tactics / sizeof *tactics; t++) {
    if (!probe_isa_here(tactics[t]->isa)) continue;
    const struct variant variant = {.tactic = tactics[t], .params = {256}};
    struct tensor in = probe.tensors[0];
    in.data = probe.tensors[2].data;
    memcpy(in.data, probe.tensors[0].data, tensor_bytes(&in));
    const struct tensor *const inputs[] = {&in, &probe.tensors[1]};
    struct tensor *const outputs[] = {&probe.tensors[2], &probe.tensors[3]};
    void *workspace = aligned_alloc(64, (tactics[t]->workspace(&probe.problem, &variant, 1) + 63) / 64 * 64);
    REQUIRE(workspace);
    const struct kernel_call call = {.problem = &probe.problem,
                                     .variant = &variant,
                                     .scalars = &probe.scalars,
                                     .input_count = 2,
                                     .output_count = 2,
                                     .inputs = inputs,
                                     .outputs = outputs,
                                     .workspace = workspace};
    REQUIRE_OK(tactics[t]->run(&call));
    for (int o = 0; o < 2; o++)
      for (int64_t i = 0; i < elems; i++) CHECK(fabs(probe_get(&probe, 2 + o, i) - probe.wanted[o][i]) < 1e-6);
    free(workspace);
  }
  probe_close(&probe);
}

/* What one thread adds up, two add up to the same bits. */
TEST(map_reductions_do_not_depend_on_threads, "") {
  struct probe probe;
  probe_open(&probe, "map d37 r3000 in:f32 out:f32 {%1=exp %0;out sum %1}", 3);
  reference(&probe);
  for (size_t t = 0; t < sizeof tactics / sizeof *tactics; t++) {
    probe_check(&probe, tactics[t], 1e-2, 0);
    for (int i = 0; i < 37 && probe_isa_here(tactics[t]->isa); i++) probe.wanted[0][i] = probe_get(&probe, 1, i);
    const struct tactic one = *tactics[t];
    struct tactic last = one; // the variant whose result is in wanted now
    const int16_t tile = one.params[0].values[one.params[0].value_count - 1];
    last.params[0] = (struct tactic_param){"tile", &tile, 1};
    probe_check(&probe, &last, 0, 0);
  }
  probe_close(&probe);
}
