/* Every row of the table against nonsense: random types, ranks, dims, contents and attributes. Nothing may crash, hang or write
 * where it should not: the sanitizers' run of this test is the one that sees most. TUNEFARM_OPERATOR=Name tries one operator
 * alone.
 */
#include "operator.h"

#include "../base/arena.h"
#include "../base/random.h"
#include "../tests/kit/test.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 60, MOST_INPUTS = 6, MOST_OUTPUTS = 4, MOST_ATTRS = 5, MOST_ELEMS = 4096 };

struct noise {
  uint64_t seed, counter;
};

static uint64_t noise_next(struct noise *noise, uint64_t below) { return random_u64(noise->seed, noise->counter++) % below; }

static const enum dtype data_types[] = {DTYPE_F32, DTYPE_F32, DTYPE_F32, DTYPE_I64, DTYPE_I64, DTYPE_I32,  DTYPE_BOOL,
                                        DTYPE_F16, DTYPE_U8,  DTYPE_I8,  DTYPE_U64, DTYPE_I4,  DTYPE_E4M3, DTYPE_F64};
static const int64_t odd_numbers[] = {INT64_MIN, INT64_MAX, INT32_MIN, -1000, 1000, (int64_t)1 << 40, -9, 17};
static const char *const attr_names[] = {
    "axis",        "axes",         "keepdims",  "perm",      "to",         "pads",       "strides",     "group",
    "mode",        "kernel_shape", "dilations", "blocksize", "batch_dims", "split",      "num_outputs", "k",
    "start",       "end",          "epsilon",   "alpha",     "num_groups", "block_size", "exclusive",   "fmod",
    "starts",      "ends",         "allowzero", "equation",  "auto_pad",   "ceil_mode",  "reduction",   "num_heads",
    "hidden_size", "direction",    "layout",    "largest",   "dtype",      "transA",     "transB",      "output_shape"};
static const char *const texts[] = {"constant",  "reflect", "edge",   "wrap",  "SAME_UPPER", "ij,jk->ik",
                                    "...i->...", "add",     "linear", "cubic", "",           "bidirectional"};

static int64_t small_or_odd(struct noise *noise) {
  if (noise_next(noise, 12) == 0) return odd_numbers[noise_next(noise, sizeof odd_numbers / sizeof odd_numbers[0])];
  return (int64_t)noise_next(noise, 7) - 2;
}

static void attr_random(struct noise *noise, struct arena *arena, struct attr *out) {
  *out = (struct attr){.name = attr_names[noise_next(noise, sizeof attr_names / sizeof attr_names[0])], .count = 1};
  switch (noise_next(noise, 4)) {
  case 0:
    out->type = ATTR_INT, out->i = small_or_odd(noise);
    break;
  case 1:
    out->type = ATTR_FLOAT, out->f = (float)small_or_odd(noise) / 2;
    break;
  case 2:
    out->type = ATTR_STRING, out->s = texts[noise_next(noise, sizeof texts / sizeof texts[0])], out->length = strlen(out->s);
    break;
  default: {
    int64_t *ints = arena_alloc(arena, 16 * sizeof *ints);
    out->type = ATTR_INTS, out->count = (int)noise_next(noise, 9), out->ints = ints;
    for (int i = 0; i < out->count; i++) ints[i] = small_or_odd(noise);
  }
  }
}

/* Exactly as large as it says, from malloc: the sanitizers see every step beyond. */
static void tensor_random(struct noise *noise, struct tensor *out) {
  *out = (struct tensor){.dtype = data_types[noise_next(noise, sizeof data_types / sizeof data_types[0])]};
  out->rank = (int)noise_next(noise, noise_next(noise, 6) ? 5 : TENSOR_MAX_RANK + 1);
  for (int i = 0; i < out->rank; i++) out->dims[i] = (int64_t)(noise_next(noise, 9) ? 1 + noise_next(noise, 4) : 0);
  size_t bytes = tensor_bytes(out);
  out->data = malloc(bytes ? bytes : 1);
  REQUIRE(out->data);
  for (int64_t i = 0; i < tensor_elems(out); i++) {
    int64_t number = small_or_odd(noise);
    if (dtype_is_float(out->dtype))
      dtype_store_f64(out->dtype, out->data, i, (double)number / 2);
    else
      dtype_store_i64(out->dtype, out->data, i, number);
  }
}

static void info_random(struct noise *noise, const struct tensor *tensor, bool vague, struct shape_info *out) {
  *out = (struct shape_info){.type = *tensor, .constant = vague ? NULL : tensor};
  out->type.data = NULL;
  if (!vague) return;
  if (noise_next(noise, 10) == 0) out->type.rank = -1;
  if (noise_next(noise, 10) == 0) out->type.dtype = DTYPE_NONE;
  for (int i = 0; i < out->type.rank; i++)
    if (noise_next(noise, 3) == 0) out->type.dims[i] = DIM_UNKNOWN - (int64_t)noise_next(noise, 3);
}

static enum farm_status output_allocate(void *context, int output, struct tensor *tensor) {
  (void)context, (void)output;
  size_t bytes = tensor_bytes(tensor);
  FAIL_IF(bytes == SIZE_MAX || tensor_elems(tensor) > MOST_ELEMS, FARM_NO_MEMORY, "too large here");
  tensor->data = calloc(1, bytes ? bytes : 1);
  return tensor->data ? FARM_OK : FARM_NO_MEMORY;
}

struct trial {
  struct arena arena;
  struct attr items[MOST_ATTRS];
  struct attrs attrs;
  int input_count, output_count;
  struct tensor inputs[MOST_INPUTS];
  const struct tensor *pointers[MOST_INPUTS];
};

static void trial_make(struct noise *noise, const struct operator_row *row, struct trial *t) {
  *t = (struct trial){.attrs = {t->items, (int)noise_next(noise, MOST_ATTRS)}};
  for (int i = 0; i < t->attrs.count; i++) attr_random(noise, &t->arena, &t->items[i]);
  int most = row->max_inputs < 0 || row->max_inputs > MOST_INPUTS ? MOST_INPUTS : row->max_inputs;
  int least = row->min_inputs > MOST_INPUTS ? MOST_INPUTS : row->min_inputs;
  t->input_count = least + (int)noise_next(noise, (uint64_t)(most - least) + 1);
  int most_out = row->max_outputs < 0 || row->max_outputs > MOST_OUTPUTS ? MOST_OUTPUTS : row->max_outputs;
  t->output_count = row->min_outputs + (int)noise_next(noise, (uint64_t)(most_out - row->min_outputs) + 1);
  for (int i = 0; i < t->input_count; i++) {
    if (i > 0 && noise_next(noise, 2)) { // likely something that fits the first
      tensor_random(&(struct noise){noise->seed, 77}, &t->inputs[i]);
    } else
      tensor_random(noise, &t->inputs[i]);
    t->pointers[i] = !operator_input_needed(row, i) && noise_next(noise, 5) == 0 ? NULL : &t->inputs[i];
  }
}

static enum farm_status trial_shape(struct noise *noise, const struct operator_row *row, struct trial *t, bool vague,
                                    struct shape_info *outputs) {
  struct shape_info infos[MOST_INPUTS];
  const struct shape_info *pointers[MOST_INPUTS];
  for (int i = 0; i < t->input_count; i++) {
    info_random(noise, &t->inputs[i], vague, &infos[i]);
    pointers[i] = t->pointers[i] ? &infos[i] : NULL;
  }
  for (int i = 0; i < t->output_count; i++) outputs[i] = (struct shape_info){.type = {.rank = -1}};
  struct shape_call call = {row, &t->attrs, row->since_version, t->input_count, pointers, t->output_count, outputs, &t->arena};
  return row->shape(&call);
}

static bool trial_reference(const struct operator_row *row, struct trial *t, const struct shape_info *told) {
  struct tensor results[MOST_OUTPUTS], *outputs[MOST_OUTPUTS];
  bool ready = true;
  for (int i = 0; i < t->output_count; i++) {
    results[i] = told[i].type;
    results[i].data = NULL;
    outputs[i] = &results[i];
    if (tensor_elems(&results[i]) >= 0)
      ready &= output_allocate(NULL, i, &results[i]) == FARM_OK;
    else
      ready &= (row->flags & OPERATOR_DATA_SHAPE) != 0;
  }
  struct reference_call call = {
      row, &t->attrs, row->since_version, t->input_count, t->pointers, t->output_count, outputs, output_allocate, NULL};
  ready = ready && row->reference(&call) == FARM_OK;
  for (int i = 0; i < t->output_count; i++) free(results[i].data);
  return ready;
}

/* True when the reference ran to its end. */
static bool row_try(const struct operator_row *row, uint64_t seed) {
  struct noise noise = {seed, 0};
  struct trial trial;
  struct shape_info outputs[MOST_OUTPUTS];
  trial_make(&noise, row, &trial);
  trial_shape(&noise, row, &trial, true, outputs);
  bool ran =
      trial_shape(&noise, row, &trial, false, outputs) == FARM_OK && row->reference && trial_reference(row, &trial, outputs);
  for (int i = 0; i < trial.input_count; i++) free(trial.inputs[i].data);
  arena_free(&trial.arena);
  return ran;
}

TEST(no_row_of_the_table_falls_over_nonsense, "timeout:240") {
  int count, rows_run = 0;
  const struct operator_row *const *rows = operator_rows(&count);
  const char *only = getenv("TUNEFARM_OPERATOR");
  for (int i = 0; i < count; i++) {
    if (only && strcmp(only, rows[i]->name) != 0) continue;
    int runs = 0;
    for (uint64_t round = 0; round < ROUNDS; round++) runs += row_try(rows[i], (uint64_t)i * 1000 + round);
    rows_run += runs > 0;
  }
  CHECK_MESSAGE(only || rows_run > count / 2, "only %d of %d references ever ran: the nonsense is too wild", rows_run, count);
}
