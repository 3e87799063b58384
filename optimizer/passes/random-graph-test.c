/* A fused graph computes what the unfused one does: seeded random graphs, made of the operators and of the decompositions that
 * passes look for, are evaluated before and after all passes and after each pass alone.
 *
 * Graphs are written as text. Values carry their rank-3 or rank-4 shape; each step draws an operator that fits to a value made so
 * far, so results are used by several, by outputs, or by none. Tolerance: float rounding of each node, relative to the largest
 * value of the output.
 */
#include "pass.h"

#include "../../base/random.h"
#include "../../base/strbuf.h"
#include "../../tests/kit/test.h"
#include "../ir/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_VALUES = 64, STEPS = 14 };

struct shape {
  int rank;
  int dims[4];
};

struct maker {
  uint64_t seed, draws;
  struct strbuf body;
  int constants, count;
  struct shape shapes[MOST_VALUES]; // of %v0 … %v{count-1}
  bool used[MOST_VALUES];
};

static int draw(struct maker *maker, int below) { return (int)(random_u64(maker->seed, maker->draws++) % (uint64_t)below); }

static int pick(struct maker *maker) {
  int value = draw(maker, 3) ? maker->count - 1 - draw(maker, maker->count < 4 ? maker->count : 4) : draw(maker, maker->count);
  maker->used[value] = true;
  return value;
}

static int emit(struct maker *maker, struct shape shape) {
  maker->shapes[maker->count] = shape;
  maker->used[maker->count] = false;
  return maker->count++;
}

static void constant(struct maker *maker, const char *dims) { // named %c{constants-1} afterwards
  strbuf_printf(&maker->body, "const %%c%d: f32[%s] = random %d\n", maker->constants++, dims, draw(maker, 1 << 20));
}
static void scalar(struct maker *maker, const char *text) {
  strbuf_printf(&maker->body, "const %%c%d: f32[] = {%s}\n", maker->constants++, text);
}
static void ints(struct maker *maker, int count, const char *text) {
  strbuf_printf(&maker->body, "const %%c%d: i64[%d] = {%s}\n", maker->constants++, count, text);
}

#define LINE(...) strbuf_printf(&maker->body, __VA_ARGS__)
#define C(back) (maker->constants - (back))

static void dims_text(const struct shape *shape, char out[64]) {
  struct strbuf text = {0};
  for (int i = 0; i < shape->rank; i++) strbuf_printf(&text, "%s%d", i ? "," : "", shape->dims[i]);
  strcpy(out, strbuf_text(&text));
  strbuf_free(&text);
}

/* ---- steps: each reads %v{x} and writes %v{count} ---- */

static void step_unary(struct maker *maker) {
  static const char *const ops[] = {"Relu.14",     "Sigmoid.13",    "Tanh.13",      "Neg.13",     "Abs.13",
                                    "Erf.13",      "Softplus.1",    "HardSwish.14", "Exp.13",     "Identity.13",
                                    "LeakyRelu.6", "HardSigmoid.6", "Elu.6",        "Softmax.13", "Sin.7"};
  int x = pick(maker), op = draw(maker, 15);
  if (op == 8)
    LINE("%%e%d = Tanh.13(%%v%d)\n%%v%d = Exp.13(%%e%d)\n", maker->count, x, maker->count, maker->count); // stays small
  else
    LINE("%%v%d = %s(%%v%d)\n", maker->count, ops[op], x);
  emit(maker, maker->shapes[x]);
}

static void step_binary(struct maker *maker) {
  static const char *const ops[] = {"Add.14", "Mul.14", "Sub.14", "Max.13", "Min.13"};
  int x = pick(maker), y = -1, op = draw(maker, 5);
  char dims[64];
  for (int tries = 0; tries < 8 && y < 0; tries++) {
    int other = draw(maker, maker->count);
    if (!memcmp(&maker->shapes[other], &maker->shapes[x], sizeof maker->shapes[x])) y = other;
  }
  const bool swap = draw(maker, 2);
  if (y >= 0 && draw(maker, 3)) {
    maker->used[y] = true;
    LINE("%%v%d = %s(%%v%d, %%v%d)\n", maker->count, ops[op], swap ? y : x, swap ? x : y);
  } else {
    static const char *const scalars[] = {"0.5", "2", "-1.25", "1"};
    snprintf(dims, sizeof dims, "%d", maker->shapes[x].dims[maker->shapes[x].rank - 1]);
    if (draw(maker, 2))
      constant(maker, dims);
    else
      scalar(maker, scalars[draw(maker, 4)]);
    LINE(swap ? "%%v%d = %s(%%c%d, %%v%d)\n" : "%%v%d = %s(%%v%d, %%c%d)\n", maker->count, ops[op], swap ? C(1) : x,
         swap ? x : C(1));
  }
  emit(maker, maker->shapes[x]);
}

static void step_linear(struct maker *maker) {
  int x = pick(maker), n = 2 + draw(maker, 6), id = maker->count;
  struct shape shape = maker->shapes[x];
  const int k = shape.dims[shape.rank - 1];
  char dims[64];
  snprintf(dims, sizeof dims, "%d,%d", k, n);
  constant(maker, dims);
  LINE("%%m%d = MatMul.13(%%v%d, %%c%d)\n", id, x, C(1));
  snprintf(dims, sizeof dims, "%d", n);
  constant(maker, dims);
  LINE(draw(maker, 2) ? "%%v%d = Add.14(%%m%d, %%c%d)\n" : "%%v%d = Max.13(%%m%d, %%c%d)\n", id, id, C(1));
  shape.dims[shape.rank - 1] = n;
  emit(maker, shape);
}

static void step_conv(struct maker *maker) {
  int x = pick(maker), id = maker->count, k = 2 * (1 + draw(maker, 3));
  struct shape shape = maker->shapes[x];
  char dims[64];
  if (shape.rank != 4) return;
  const bool pointwise = draw(maker, 2);
  snprintf(dims, sizeof dims, "%d,%d,%d,%d", k, shape.dims[1], pointwise ? 1 : 3, pointwise ? 1 : 3);
  constant(maker, dims);
  LINE("%%v%d = Conv.11(%%v%d, %%c%d) {pads = [%d, %d, %d, %d]}\n", id, x, C(1), !pointwise, !pointwise, !pointwise, !pointwise);
  shape.dims[1] = k;
  emit(maker, shape);
  if (draw(maker, 2)) return;
  snprintf(dims, sizeof dims, "%d", k);
  for (int i = 0; i < 3; i++) constant(maker, dims);
  LINE("const %%var%d: f32[%d] = {1", id, k);
  for (int i = 1; i < k; i++) LINE(", %d.5", i);
  LINE("}\n%%v%d = BatchNormalization.9(%%v%d, %%c%d, %%c%d, %%c%d, %%var%d)\n", maker->count, id, C(1), C(2), C(3), id);
  maker->used[id] = true;
  emit(maker, shape);
}

static void step_pool(struct maker *maker) {
  int x = pick(maker);
  if (maker->shapes[x].rank != 4) return;
  LINE("%%v%d = ", maker->count);
  if (draw(maker, 2))
    LINE("MaxPool.12(%%v%d) {kernel_shape = [3, 3], pads = [1, 1, 1, 1]}\n", x);
  else
    LINE("AveragePool.11(%%v%d) {kernel_shape = [3, 3], pads = [1, 1, 1, 1], count_include_pad = %d}\n", x, draw(maker, 2));
  emit(maker, maker->shapes[x]);
}

static void step_gelu(struct maker *maker) {
  int x = pick(maker), id = maker->count, form = draw(maker, 3);
  scalar(maker, "1.4142135"), scalar(maker, "1"), scalar(maker, "0.5");
  LINE("%%a%d = Div.14(%%v%d, %%c%d)\n%%b%d = Erf.13(%%a%d)\n%%d%d = Add.14(%%b%d, %%c%d)\n", id, x, C(3), id, id, id, id, C(2));
  if (form == 0) LINE("%%f%d = Mul.14(%%v%d, %%d%d)\n%%v%d = Mul.14(%%f%d, %%c%d)\n", id, x, id, id, id, C(1));
  if (form == 1) LINE("%%f%d = Mul.14(%%d%d, %%c%d)\n%%v%d = Mul.14(%%f%d, %%v%d)\n", id, id, C(1), id, id, x);
  if (form == 2) LINE("%%f%d = Mul.14(%%c%d, %%v%d)\n%%v%d = Mul.14(%%f%d, %%d%d)\n", id, C(1), x, id, id, id);
  emit(maker, maker->shapes[x]);
}

static void step_norm(struct maker *maker) {
  int x = pick(maker), id = maker->count;
  char dims[64];
  scalar(maker, "2"), scalar(maker, "0.001");
  snprintf(dims, sizeof dims, "%d", maker->shapes[x].dims[maker->shapes[x].rank - 1]);
  constant(maker, dims), constant(maker, dims);
  LINE("%%mean%d = ReduceMean.13(%%v%d) {axes = [-1]}\n%%dev%d = Sub.14(%%v%d, %%mean%d)\n%%sq%d = Pow.13(%%dev%d, %%c%d)\n", id,
       x, id, x, id, id, id, C(4));
  LINE("%%var%d = ReduceMean.13(%%sq%d) {axes = [-1]}\n%%ve%d = Add.14(%%var%d, %%c%d)\n%%sd%d = Sqrt.13(%%ve%d)\n", id, id, id,
       id, C(3), id, id);
  LINE("%%n%d = Div.14(%%dev%d, %%sd%d)\n", id, id, id);
  if (draw(maker, 4))
    LINE("%%g%d = Mul.14(%%n%d, %%c%d)\n%%v%d = Add.14(%%c%d, %%g%d)\n", id, id, C(2), id, C(1), id);
  else
    LINE("%%v%d = Neg.13(%%n%d)\n", id, id);
  emit(maker, maker->shapes[x]);
}

/* softmax(x x^T / 2 + mask) x over heads of a rank-4 value, or with query, key and value projections of a rank-3 one. */
static void step_attention(struct maker *maker) {
  int x = pick(maker), id = maker->count;
  const struct shape s = maker->shapes[x];
  char dims[64];
  scalar(maker, "2");
  const int half = C(1);
  if (s.rank == 4) {
    LINE("%%t%d = Transpose.13(%%v%d) {perm = [0, 1, 3, 2]}\n%%s%d = MatMul.13(%%v%d, %%t%d)\n", id, x, id, x, id);
    LINE("%%h%d = Div.14(%%s%d, %%c%d)\n%%p%d = Softmax.13(%%h%d)\n%%v%d = MatMul.13(%%p%d, %%v%d)\n", id, id, half, id, id, id,
         id, x);
    emit(maker, s);
    return;
  }
  ints(maker, 4, "0, 0, 2, 4");
  const int split = C(1);
  ints(maker, 3, "0, 0, 8");
  const int join = C(1);
  snprintf(dims, sizeof dims, "1,1,1,%d", s.dims[1]);
  constant(maker, dims);
  const int mask = C(1);
  for (int i = 0; i < 3; i++) {
    snprintf(dims, sizeof dims, "%d,8", s.dims[2]);
    constant(maker, dims), constant(maker, "8");
    LINE("%%a%d_%d = MatMul.13(%%v%d, %%c%d)\n%%b%d_%d = Add.14(%%a%d_%d, %%c%d)\n", id, i, x, C(2), id, i, id, i, C(1));
    LINE("%%d%d_%d = Reshape.13(%%b%d_%d, %%c%d)\n%%q%d_%d = Transpose.13(%%d%d_%d) {perm = [0, 2, %s]}\n", id, i, id, i, split,
         id, i, id, i, i == 1 ? "3, 1" : "1, 3");
  }
  LINE("%%s%d = MatMul.13(%%q%d_0, %%q%d_1)\n%%h%d = Div.14(%%s%d, %%c%d)\n%%k%d = Add.14(%%h%d, %%c%d)\n", id, id, id, id, id,
       half, id, id, mask);
  LINE("%%p%d = Softmax.13(%%k%d)\n%%o%d = MatMul.13(%%p%d, %%q%d_2)\n%%r%d = Transpose.13(%%o%d) {perm = [0, 2, 1, 3]}\n", id,
       id, id, id, id, id, id);
  LINE("%%v%d = Reshape.13(%%r%d, %%c%d)\n", id, id, join);
  struct shape out = {3, {s.dims[0], s.dims[1], 8}};
  emit(maker, out);
}

static void step_move(struct maker *maker) {
  int x = pick(maker), id = maker->count;
  struct shape s = maker->shapes[x], turned = s;
  const int last = s.rank - 1;
  turned.dims[last] = s.dims[last - 1], turned.dims[last - 1] = s.dims[last];
  LINE("%%v%d = Transpose.13(%%v%d) {perm = [%s]}\n", id, x, s.rank == 3 ? "0, 2, 1" : "0, 1, 3, 2");
  emit(maker, turned);
  if (draw(maker, 2)) return;
  maker->used[id] = true;
  LINE("%%v%d = Transpose.13(%%v%d) {perm = [%s]}\n", maker->count, id, s.rank == 3 ? "0, 2, 1" : "0, 1, 3, 2");
  emit(maker, s);
}

static void step_reshape(struct maker *maker) {
  int x = pick(maker), id = maker->count;
  char dims[64];
  dims_text(&maker->shapes[x], dims);
  ints(maker, 1, "-1");
  LINE("%%flat%d = Reshape.13(%%v%d, %%c%d)\n", id, x, C(1));
  if (draw(maker, 2))
    LINE("%%half%d = Sigmoid.13(%%flat%d)\n", id, id);
  else
    LINE("%%half%d = Unsqueeze.11(%%flat%d) {axes = [0]}\n", id, id);
  ints(maker, maker->shapes[x].rank, dims);
  LINE("%%v%d = Reshape.13(%%half%d, %%c%d)\n", id, id, C(1));
  emit(maker, maker->shapes[x]);
}

static void step_where(struct maker *maker) {
  int x = pick(maker), id = maker->count;
  scalar(maker, "0.25");
  LINE("%%cond%d = Less.13(%%v%d, %%c%d)\n%%v%d = Where.9(%%cond%d, %%v%d, %%c%d)\n", id, x, C(1), id, id, x, C(1));
  emit(maker, maker->shapes[x]);
}

static void step_reduce(struct maker *maker) {
  static const char *const ops[] = {"ReduceMean.13", "ReduceMax.13", "ReduceSumSquare.13", "ReduceMin.13"};
  int x = pick(maker), id = maker->count;
  LINE("%%r%d = %s(%%v%d) {axes = [%d]}\n%%v%d = Add.14(%%v%d, %%r%d)\n", id, ops[draw(maker, 4)], x, 1 + draw(maker, 2), id, x,
       id);
  emit(maker, maker->shapes[x]);
}

static void (*const steps[])(struct maker *) = {
    step_unary, step_unary, step_binary, step_binary,    step_binary,    step_linear, step_linear,  step_conv,  step_conv,
    step_pool,  step_gelu,  step_norm,   step_attention, step_attention, step_move,   step_reshape, step_where, step_reduce};

static char *graph_text(uint64_t seed) {
  static const char *const batches[] = {"2", "batch", "?"};
  struct maker made = {.seed = seed}, *maker = &made;
  struct strbuf text = {0};
  emit(maker, (struct shape){3, {2, 3, 8}});
  emit(maker, (struct shape){4, {1, 2, 5, 4}});
  while (maker->count < 2 + STEPS) steps[draw(maker, sizeof steps / sizeof *steps)](maker);
  strbuf_printf(&text, "model ir 8\ngraph g(%%v0: f32[%s,3,8], %%v1: f32[1,2,5,4]) {\n%s  return ", batches[seed % 3],
                strbuf_text(&maker->body));
  bool first = true;
  for (int i = 2; i < maker->count; i++) {
    if (maker->used[i] && draw(maker, 8)) continue;
    strbuf_printf(&text, "%s%%v%d", first ? "" : ", ", i);
    first = false;
  }
  strbuf_printf(&text, "%s\n}\n", first ? "%v0" : "");
  strbuf_free(&maker->body);
  return text.data;
}

static enum farm_status model_make(const char *text, const char *only, struct model **out) {
  TRY(graph_parse(text, out));
  TRY(graph_infer(*out));
  if (!only) return FARM_OK;
  return passes_run(*out, &(struct pass_options){.only = *only ? only : NULL, .verify = true}, NULL);
}

static void check_outputs(uint64_t seed, const char *pass, const struct graph *graph, const struct tensor *expected,
                          const struct tensor *got) {
  for (int o = 0; o < graph->output_count; o++) {
    double most = 1, worst = 0;
    CHECK_MESSAGE(tensor_shape_equal(&expected[o], &got[o]) && expected[o].dtype == got[o].dtype,
                  "seed %llu, %s: %s has another type", (unsigned long long)seed, pass, graph->outputs[o]->name);
    for (int64_t i = 0; i < tensor_elems(&expected[o]); i++) {
      double a = dtype_load_f64(expected[o].dtype, expected[o].data, i), b = dtype_load_f64(got[o].dtype, got[o].data, i);
      most = fabs(a) > most ? fabs(a) : most;
      double error =
          isnan(a) || isnan(b) || isinf(a) || isinf(b) ? ((isnan(a) && isnan(b)) || a == b ? 0 : INFINITY) : fabs(a - b);
      worst = error > worst ? error : worst;
    }
    CHECK_MESSAGE(worst <= 3e-4 * most, "seed %llu, pass %s: output %s differs by %g of %g", (unsigned long long)seed,
                  *pass ? pass : "(all)", graph->outputs[o]->name, worst, most);
  }
}

static void outputs_free(struct tensor *outputs, int count) {
  for (int i = 0; i < count; i++) tensor_free(&outputs[i]);
}

static void inputs_make(uint64_t seed, struct tensor inputs[2]) {
  inputs[0] = (struct tensor){.dtype = DTYPE_F32, .rank = 3, .dims = {2, 3, 8}};
  inputs[1] = (struct tensor){.dtype = DTYPE_F32, .rank = 4, .dims = {1, 2, 5, 4}};
  for (int t = 0; t < 2; t++) {
    REQUIRE_OK(tensor_alloc(&inputs[t]));
    for (int64_t i = 0; i < tensor_elems(&inputs[t]); i++)
      ((float *)inputs[t].data)[i] = (float)random_normal(seed + 1000 * (uint64_t)t, (uint64_t)i);
  }
}

/* How many nodes of the fused operators there are, by the way of seeing that the generator makes what passes look for. */
static void count_fused(const struct graph *graph, int counts[5]) {
  static const char *const names[] = {"Gemm", "Conv", "Pool", "Map", "Attention"};
  for (const struct node *node = graph->first; node; node = node->next)
    for (int i = 0; i < 5; i++) counts[i] += !strcmp(node->row->domain, "tunefarm") && !strcmp(node->row->name, names[i]);
}

static void check_seed(uint64_t seed, bool each, int counts[5]) {
  int pass_count;
  const struct pass *passes = pass_table(&pass_count);
  struct tensor inputs[2], expected[MOST_VALUES] = {0};
  struct model *before = NULL;
  char *text = graph_text(seed);
  inputs_make(seed, inputs);
  enum farm_status status = model_make(text, NULL, &before);
  if (status != FARM_OK) test_fail(__FILE__, __LINE__, "seed %llu: %s\n%s", (unsigned long long)seed, status_message(), text);
  REQUIRE(status == FARM_OK);
  REQUIRE_OK(graph_evaluate(before, inputs, expected));
  for (int p = -1; p < (each ? pass_count : 0); p++) {
    struct model *after = NULL;
    struct tensor got[MOST_VALUES] = {0};
    const char *pass = p < 0 ? "" : passes[p].name;
    status = model_make(text, pass, &after);
    if (status == FARM_OK) status = graph_evaluate(after, inputs, got);
    if (status != FARM_OK)
      test_fail(__FILE__, __LINE__, "seed %llu, %s: %s\n%s", (unsigned long long)seed, pass, status_message(), text);
    REQUIRE(status == FARM_OK);
    check_outputs(seed, pass, after->graph, expected, got);
    if (p < 0) count_fused(after->graph, counts);
    outputs_free(got, after->graph->output_count);
    model_free(&after);
  }
  outputs_free(expected, before->graph->output_count);
  model_free(&before);
  outputs_free(inputs, 2);
  free(text);
}

TEST(passes_keep_what_random_graphs_compute, "") {
  int counts[5] = {0};
  for (uint64_t seed = 1; seed <= 150; seed++) check_seed(seed, seed % 5 == 0, counts);
  for (int i = 0; i < 5; i++) CHECK_MESSAGE(counts[i] > 20, "fused operator %d came out %d times", i, counts[i]);
}

TEST(passes_keep_what_many_random_graphs_compute, "slow parallel timeout:600") {
  int counts[5] = {0};
  for (uint64_t seed = 1000; seed < 2000; seed++) check_seed(seed, true, counts);
}
