/* See probe-test.h. */
#include "probe-test.h"

#include "../../base/clock.h"
#include "../../tests/kit/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 256, GUARD_BYTE = 0xa5, MAX_VARIANTS = 256, TIMED_RUNS = 15 };

bool probe_isa_here(enum isa isa) {
  if (isa == ISA_AVX512)
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return isa == ISA_BASELINE || (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
}

/* Memory with a guard zone on either side; NaN in it as far as floats are read. */
static void *guarded_alloc(size_t bytes) {
  const size_t rounded = (bytes + 63) / 64 * 64;
  unsigned char *block = aligned_alloc(64, rounded + 2 * GUARD);
  REQUIRE(block);
  memset(block, 0xff, rounded + 2 * GUARD);
  memset(block, GUARD_BYTE, GUARD);
  return block + GUARD;
}

static void guard_end(void *data, size_t bytes, int byte) {
  memset((unsigned char *)data + bytes, byte, GUARD + (bytes + 63) / 64 * 64 - bytes);
}

static bool guards_hold(const void *data, size_t bytes, int byte) {
  const unsigned char *at = data;
  for (int i = 1; i <= GUARD; i++)
    if (at[-i] != GUARD_BYTE) return false;
  for (size_t i = bytes; i < (bytes + 63) / 64 * 64 + GUARD; i++)
    if (at[i] != byte) return false;
  return true;
}

static void guarded_free(void *data) {
  if (data) free((unsigned char *)data - GUARD);
}

static void tensor_fill(struct tensor *tensor, uint32_t seed) {
  const int64_t elems = tensor_elems(tensor);
  const bool whole = !dtype_is_float(tensor->dtype);
  uint32_t state = seed * 2654435761u + 12345;
  for (int64_t i = 0; i < elems; i++) {
    state = state * 1664525u + 1013904223u;
    const double unit = (double)(int32_t)state * 0x1p-31;
    const double integer = tensor->dtype == DTYPE_BOOL ? (double)(state >> 31) : floor(fabs(unit) * 100);
    dtype_store_f64(tensor->dtype, tensor->data, i, whole ? integer : unit);
  }
}

struct tensor *probe_add(struct probe *probe, enum dtype dtype, int rank, const int64_t *dims) {
  struct tensor *tensor = &probe->tensors[probe->input_count + probe->output_count];
  *tensor = (struct tensor){.dtype = dtype, .rank = rank};
  for (int i = 0; i < rank; i++) tensor->dims[i] = dims[i];
  tensor->data = guarded_alloc(tensor_bytes(tensor));
  tensor_fill(tensor, (uint32_t)(probe->input_count + probe->output_count + 1));
  return tensor;
}

void probe_open(struct probe *probe, const char *text, uint32_t seed) {
  *probe = (struct probe){.text = text};
  REQUIRE_OK(problem_parse(text, &probe->arena, &probe->problem));
  if (probe->problem.kind == PROBLEM_OP) return;
  struct tensor types[PROBE_MAX];
  REQUIRE_OK(problem_operand_types(&probe->problem, types));
  for (int i = 0; i < probe->problem.input_count + probe->problem.output_count; i++) {
    struct tensor *tensor = probe_add(probe, types[i].dtype, types[i].rank, types[i].dims);
    tensor_fill(tensor, seed + (uint32_t)i);
    if (i < probe->problem.input_count)
      probe->input_count++;
    else
      probe->wanted[probe->output_count++] = malloc(sizeof(double) * (size_t)tensor_elems(tensor));
  }
  for (int i = 0; i < OPERATION_MAX_SCALARS; i++) probe->scalars.params[i] = 0.25f + 0.5f * (float)i;
  probe->scalars.epsilon = 1e-5f;
}

void probe_close(struct probe *probe) {
  for (int i = 0; i < probe->input_count + probe->output_count; i++) guarded_free(probe->tensors[i].data);
  for (int i = 0; i < probe->output_count; i++) free(probe->wanted[i]);
  arena_free(&probe->arena);
}

double probe_get(const struct probe *probe, int tensor, int64_t i) {
  return dtype_load_f64(probe->tensors[tensor].dtype, probe->tensors[tensor].data, i);
}

static void compare(const struct probe *probe, const char *who, double absolute, double relative) {
  for (int o = 0; o < probe->output_count; o++) {
    const struct tensor *tensor = &probe->tensors[probe->input_count + o];
    const int64_t elems = tensor_elems(tensor);
    for (int64_t i = 0; i < elems; i++) {
      const double got = dtype_load_f64(tensor->dtype, tensor->data, i), want = probe->wanted[o][i];
      const bool same = got == want || (isnan(got) && isnan(want)) || fabs(got - want) <= absolute + relative * fabs(want);
      if (same) continue;
      test_fail(__FILE__, __LINE__, "%s on %s: output %d element %lld is %.9g, not %.9g", who, probe->text, o, (long long)i, got,
                want);
      break;
    }
    CHECK_MESSAGE(guards_hold(tensor->data, tensor_bytes(tensor), GUARD_BYTE), "%s on %s: wrote past output %d", who, probe->text,
                  o);
  }
}

struct prepared {
  struct kernel_call call;
  const struct tensor *inputs[PROBE_MAX];
  struct tensor *outputs[PROBE_MAX];
  size_t workspace_bytes;
};

static void prepare(struct probe *probe, const struct variant *variant, struct thread_pool *pool, struct prepared *out) {
  *out = (struct prepared){.call = {.problem = &probe->problem,
                                    .variant = variant,
                                    .scalars = &probe->scalars,
                                    .pool = pool,
                                    .operation = probe->operation.row ? &probe->operation : NULL}};
  for (int i = 0; i < probe->input_count; i++) out->inputs[i] = &probe->tensors[i];
  for (int i = 0; i < probe->output_count; i++) out->outputs[i] = &probe->tensors[probe->input_count + i];
  out->call.inputs = out->inputs, out->call.input_count = probe->input_count;
  out->call.outputs = out->outputs, out->call.output_count = probe->output_count;
  const struct tactic *tactic = variant->tactic;
  out->workspace_bytes = tactic->workspace ? tactic->workspace(&probe->problem, variant, thread_pool_size(pool)) : 0;
  out->call.workspace = guarded_alloc(out->workspace_bytes);
  guard_end(out->call.workspace, out->workspace_bytes, GUARD_BYTE);
}

static void check_variant(struct probe *probe, const struct variant *variant, const char *who, int threads, double absolute,
                          double relative) {
  struct thread_pool *pool = NULL;
  struct prepared prepared;
  char name[VARIANT_TEXT_MAX + 16];
  if (threads > 1) REQUIRE_OK(thread_pool_create(threads, &pool));
  prepare(probe, variant, pool, &prepared);
  for (int o = 0; o < probe->output_count; o++) {
    const struct tensor *tensor = prepared.outputs[o];
    memset(tensor->data, 0xff, tensor_bytes(tensor));
    guard_end(tensor->data, tensor_bytes(tensor), GUARD_BYTE);
  }
  REQUIRE_OK(variant->tactic->run(&prepared.call));
  snprintf(name, sizeof name, "%s %d threads", who, threads);
  compare(probe, name, absolute, relative);
  CHECK_MESSAGE(guards_hold(prepared.call.workspace, prepared.workspace_bytes, GUARD_BYTE), "%s on %s: wrote past its workspace",
                name, probe->text);
  guarded_free(prepared.call.workspace);
  thread_pool_destroy(&pool);
}

static int param_count(const struct tactic *tactic) {
  int count = 0;
  while (count < TACTIC_MAX_PARAMS && tactic->params[count].name) count++;
  return count;
}

/* The variants in counting order; false after the last. */
static bool variant_at(const struct tactic *tactic, int index, struct variant *out, char *text, size_t bytes) {
  *out = (struct variant){.tactic = tactic};
  int used = snprintf(text, bytes, "%s", tactic->id);
  for (int i = 0; i < param_count(tactic); i++) {
    const struct tactic_param *param = &tactic->params[i];
    out->params[i] = param->values[index % param->value_count];
    index /= param->value_count;
    used += snprintf(text + used, bytes - (size_t)used, " %s=%d", param->name, out->params[i]);
  }
  return index == 0;
}

int probe_check(struct probe *probe, const struct tactic *tactic, double absolute, double relative) {
  struct variant variant;
  char who[VARIANT_TEXT_MAX];
  int count = 0;
  if (!probe_isa_here(tactic->isa) || !tactic->applicable(&probe->problem)) return 0;
  for (int i = 0; i < MAX_VARIANTS && variant_at(tactic, i, &variant, who, sizeof who); i++) {
    if (tactic->legal && !tactic->legal(&probe->problem, &variant)) continue;
    for (int threads = 1; threads <= 2; threads++) check_variant(probe, &variant, who, threads, absolute, relative);
    count++;
  }
  probe->runs += 2 * count;
  return count;
}

/* The least time: the machine's other work only ever adds. */
static double least_ns(const struct prepared *prepared) {
  double least = INFINITY;
  for (int i = 0; i < TIMED_RUNS; i++) {
    int repeats = 0;
    const uint64_t start = clock_now_ns();
    uint64_t spent;
    do {
      (void)prepared->call.variant->tactic->run(&prepared->call);
      repeats++;
      spent = clock_now_ns() - start;
    } while (spent < 1000000);
    if ((double)spent / repeats < least) least = (double)spent / repeats;
  }
  return least;
}

double probe_time(struct probe *probe, const struct tactic *tactic, double work, const char *unit) {
  struct variant variant;
  char who[VARIANT_TEXT_MAX], best_who[VARIANT_TEXT_MAX] = "none";
  double best = INFINITY;
  if (!probe_isa_here(tactic->isa) || !tactic->applicable(&probe->problem)) return best;
  for (int i = 0; i < MAX_VARIANTS && variant_at(tactic, i, &variant, who, sizeof who); i++) {
    struct prepared prepared;
    if (tactic->legal && !tactic->legal(&probe->problem, &variant)) continue;
    prepare(probe, &variant, NULL, &prepared);
    const double time = least_ns(&prepared);
    guarded_free(prepared.call.workspace);
    if (time < best) best = time, snprintf(best_who, sizeof best_who, "%s", who);
  }
  printf("%-60s %-44s %9.2f us %8.2f %s\n", probe->text, best_who, best / 1e3, work / best, unit);
  return best;
}
