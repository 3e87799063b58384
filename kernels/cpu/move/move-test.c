/* Concat, Split, Slice, Gather, Expand by runs against the operators' references, for several element sizes; and what must be
 * refused. */
#include "../probe-test.h"

#include "../../../tests/kit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct tactic op_concat__copy__any, op_split__copy__any, op_slice__copy__any, op_gather__copy__any,
    op_expand__copy__any;

static const enum dtype types[] = {DTYPE_F32, DTYPE_U8, DTYPE_F16, DTYPE_I64, DTYPE_BOOL};
enum { TYPES = sizeof types / sizeof *types };

static void op_open(struct probe *probe, const char *name, int opset, const struct attrs *attrs) {
  char text[64];
  const struct operator_row *row = operator_find("", name, opset);
  REQUIRE(row);
  *probe = (struct probe){.problem = {.kind = PROBLEM_OP}, .operation = {row, *attrs, opset}};
  snprintf(text, sizeof text, "%s-%d", name, row->since_version);
  probe->text = probe->problem.op_text = arena_string(&probe->arena, text, strlen(text));
}

static struct tensor *input(struct probe *probe, enum dtype dtype, int rank, const int64_t *dims) {
  struct tensor *tensor = probe_add(probe, dtype, rank, dims);
  probe->input_count++;
  return tensor;
}

static void input_ints(struct probe *probe, int count, const int64_t *values) {
  const int64_t dims[] = {count};
  memcpy(input(probe, DTYPE_I64, 1, dims)->data, values, sizeof *values * (size_t)count);
}

static void output(struct probe *probe, enum dtype dtype, int rank, const int64_t *dims) {
  struct tensor *tensor = probe_add(probe, dtype, rank, dims);
  probe->wanted[probe->output_count++] = malloc(sizeof(double) * (size_t)(tensor_elems(tensor) + 1));
}

/* The operator's own reference says what is wanted. */
static void op_check(struct probe *probe, const struct tactic *tactic) {
  const struct tensor *inputs[PROBE_MAX];
  struct tensor *outputs[PROBE_MAX];
  for (int i = 0; i < probe->input_count; i++) inputs[i] = &probe->tensors[i];
  for (int i = 0; i < probe->output_count; i++) outputs[i] = &probe->tensors[probe->input_count + i];
  struct reference_call call = {.row = probe->operation.row,
                                .attrs = &probe->operation.attrs,
                                .opset = probe->operation.opset,
                                .input_count = probe->input_count,
                                .inputs = inputs,
                                .output_count = probe->output_count,
                                .outputs = outputs};
  REQUIRE_OK(probe->operation.row->reference(&call));
  for (int o = 0; o < probe->output_count; o++)
    for (int64_t i = 0; i < tensor_elems(outputs[o]); i++) probe->wanted[o][i] = probe_get(probe, probe->input_count + o, i);
  CHECK_MESSAGE(probe_check(probe, tactic, 0, 0) == 1, "%s: does not apply", probe->text);
  probe_close(probe);
}

TEST(move_concatenates_and_splits, "") {
  for (int t = 0; t < TYPES; t++)
    for (int axis = -3; axis < 3; axis++) {
      struct probe probe;
      const int at = axis < 0 ? axis + 3 : axis;
      const struct attr attr = {.name = "axis", .type = ATTR_INT, .count = 1, .i = axis};
      const struct attrs attrs = {&attr, 1};
      int64_t dims[3] = {5, 7, 300}, whole[3] = {5, 7, 300};
      whole[at] = 2 + 1 + 4;
      op_open(&probe, "Concat", 13, &attrs);
      for (int i = 0; i < 3; i++) {
        dims[at] = (const int64_t[]){2, 1, 4}[i];
        input(&probe, types[t], 3, dims);
      }
      output(&probe, types[t], 3, whole);
      op_check(&probe, &op_concat__copy__any);
      op_open(&probe, "Split", 13, &attrs);
      input(&probe, types[t], 3, whole);
      input_ints(&probe, 3, (const int64_t[]){2, 1, 4});
      for (int i = 0; i < 3; i++) {
        dims[at] = (const int64_t[]){2, 1, 4}[i];
        output(&probe, types[t], 3, dims);
      }
      op_check(&probe, &op_split__copy__any);
    }
}

static void check_slice(enum dtype dtype, const int64_t *starts, const int64_t *ends, const int64_t *axes, const int64_t *steps,
                        int count, const int64_t *out) {
  struct probe probe;
  const struct attrs none = {0};
  op_open(&probe, "Slice", 13, &none);
  input(&probe, dtype, 3, (const int64_t[]){9, 40, 111});
  input_ints(&probe, count, starts);
  input_ints(&probe, count, ends);
  input_ints(&probe, count, axes);
  input_ints(&probe, count, steps);
  output(&probe, dtype, 3, out);
  op_check(&probe, &op_slice__copy__any);
}
#define LIST(...) ((const int64_t[]){__VA_ARGS__})

TEST(move_slices, "") {
  for (int t = 0; t < TYPES; t++) {
    check_slice(types[t], LIST(2), LIST(7), LIST(0), LIST(1), 1, LIST(5, 40, 111));
    check_slice(types[t], LIST(3, 1), LIST(1000, -1), LIST(2, 0), LIST(1, 1), 2, LIST(7, 40, 108));
    check_slice(types[t], LIST(0, -1), LIST(INT64_MAX, INT64_MIN), LIST(1, -1), LIST(3, -2), 2, LIST(9, 14, 56));
    check_slice(types[t], LIST(-1, 5), LIST(INT64_MIN, 6), LIST(0, 1), LIST(-1, INT64_MAX), 2, LIST(9, 1, 111));
    check_slice(types[t], LIST(5), LIST(5), LIST(1), LIST(1), 1, LIST(9, 0, 111));
    check_slice(types[t], LIST(100), LIST(INT64_MIN), LIST(1), LIST(-3), 1, LIST(9, 14, 111));
  }
}

TEST(move_gathers, "") {
  for (int t = 0; t < TYPES; t++)
    for (int axis = -1; axis < 3; axis++) {
      struct probe probe;
      const struct attr attr = {.name = "axis", .type = ATTR_INT, .count = 1, .i = axis};
      const struct attrs attrs = {&attr, 1};
      const int at = axis < 0 ? 2 : axis;
      const int64_t dims[3] = {6, 8, 90};
      int64_t out[4], rank = 0;
      for (int d = 0; d < 3; d++) {
        if (d == at)
          out[rank++] = 2, out[rank++] = 50;
        else
          out[rank++] = dims[d];
      }
      op_open(&probe, "Gather", 13, &attrs);
      input(&probe, types[t], 3, dims);
      struct tensor *indices = input(&probe, t % 2 ? DTYPE_I32 : DTYPE_I64, 2, (const int64_t[]){2, 50});
      for (int i = 0; i < 100; i++) dtype_store_i64(indices->dtype, indices->data, i, i * 7 % (2 * dims[at]) - dims[at]);
      output(&probe, types[t], 4, out);
      op_check(&probe, &op_gather__copy__any);
    }
}

TEST(move_expands, "") {
  for (int t = 0; t < TYPES; t++) {
    struct probe probe;
    const struct attrs none = {0};
    op_open(&probe, "Expand", 13, &none);
    input(&probe, types[t], 3, (const int64_t[]){3, 1, 50});
    input_ints(&probe, 4, (const int64_t[]){2, 1, 30, 1});
    output(&probe, types[t], 4, (const int64_t[]){2, 3, 30, 50});
    op_check(&probe, &op_expand__copy__any);
    op_open(&probe, "Expand", 13, &none);
    input(&probe, types[t], 2, (const int64_t[]){30, 1});
    input_ints(&probe, 2, (const int64_t[]){1, 3000});
    output(&probe, types[t], 2, (const int64_t[]){30, 3000});
    op_check(&probe, &op_expand__copy__any);
  }
}

/* Runs the tactic on the probe's tensors and gives the status. */
static enum farm_status run(struct probe *probe, const struct tactic *tactic) {
  const struct tensor *inputs[PROBE_MAX];
  struct tensor *outputs[PROBE_MAX];
  for (int i = 0; i < probe->input_count; i++) inputs[i] = &probe->tensors[i];
  for (int i = 0; i < probe->output_count; i++) outputs[i] = &probe->tensors[probe->input_count + i];
  const struct variant variant = {.tactic = tactic};
  const struct kernel_call call = {.problem = &probe->problem,
                                   .variant = &variant,
                                   .operation = &probe->operation,
                                   .scalars = &probe->scalars,
                                   .input_count = probe->input_count,
                                   .output_count = probe->output_count,
                                   .inputs = inputs,
                                   .outputs = outputs};
  return tactic->run(&call);
}

TEST(move_refuses_what_lies_outside, "") {
  struct probe probe;
  const struct attrs none = {0};
  op_open(&probe, "Gather", 13, &none);
  input(&probe, DTYPE_F32, 2, (const int64_t[]){4, 3});
  input_ints(&probe, 2, (const int64_t[]){0, 4});
  output(&probe, DTYPE_F32, 2, (const int64_t[]){2, 3});
  CHECK(run(&probe, &op_gather__copy__any) == FARM_INVALID);
  ((int64_t *)probe.tensors[1].data)[1] = -5;
  CHECK(run(&probe, &op_gather__copy__any) == FARM_INVALID);
  ((int64_t *)probe.tensors[1].data)[1] = -4;
  CHECK(run(&probe, &op_gather__copy__any) == FARM_OK);
  probe_close(&probe);
  op_open(&probe, "Slice", 13, &none); // the output is larger than what there is from the start on
  input(&probe, DTYPE_F32, 1, (const int64_t[]){10});
  input_ints(&probe, 1, (const int64_t[]){6});
  input_ints(&probe, 1, (const int64_t[]){12});
  output(&probe, DTYPE_F32, 1, (const int64_t[]){5});
  CHECK(run(&probe, &op_slice__copy__any) == FARM_INVALID);
  probe.tensors[3].dims[0] = 4;
  CHECK(run(&probe, &op_slice__copy__any) == FARM_OK);
  probe_close(&probe);
}

TEST(move_judges_by_the_text, "") {
  struct problem problem = {.kind = PROBLEM_OP, .op_text = "Concat-13 axis=1 in:f32[1,2] in:f32[1,2] out:f32[1,4]"};
  CHECK(op_concat__copy__any.applicable(&problem) && !op_split__copy__any.applicable(&problem));
  problem.op_text = "Concat-13 axis=0 in:string[1] in:string[1] out:string[2]";
  CHECK(!op_concat__copy__any.applicable(&problem));
  problem.op_text = "ConcatFromSequence-11 axis=0 in:f32[1] out:f32[2]";
  CHECK(!op_concat__copy__any.applicable(&problem));
  problem.op_text = "Slice-1 starts=0 ends=1 in:f32[2] out:f32[1]"; // attributes, not inputs
  CHECK(!op_slice__copy__any.applicable(&problem));
  problem.op_text = "com.microsoft.Gather-1 in:f32[1] out:f32[2]";
  CHECK(!op_gather__copy__any.applicable(&problem));
}
