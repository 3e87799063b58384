/* For the tests of the neural-network operators: tensors of seeded numbers, attributes in a line, and a run of one operator
 * through its shape function and its reference. What a case allocates is kept until the
 * test ends.
 */
#ifndef OPERATORS_NN_TEST_H
#define OPERATORS_NN_TEST_H

#include "../base/arena.h"
#include "../base/random.h"
#include "../tests/kit/test.h"
#include "operator.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CASE_MOST = 16 };

struct op_case {
  const char *domain, *name;
  int opset, input_count, output_count;
  struct attr attr[CASE_MOST];
  int attr_count;
  const struct tensor *inputs[CASE_MOST];
  struct tensor outputs[CASE_MOST];
};

#define INTS(attr_name, ...)                                                                                                     \
  ((struct attr){.name = attr_name,                                                                                              \
                 .type = ATTR_INTS,                                                                                              \
                 .count = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                                             \
                 .ints = (const int64_t[]){__VA_ARGS__}})
#define INT(attr_name, value) ((struct attr){.name = attr_name, .type = ATTR_INT, .count = 1, .i = value})
#define FLOAT(attr_name, value) ((struct attr){.name = attr_name, .type = ATTR_FLOAT, .count = 1, .f = value})
#define TEXT(attr_name, value)                                                                                                   \
  ((struct attr){.name = attr_name, .type = ATTR_STRING, .count = 1, .s = value, .length = strlen(value)})
#define DIMS(...)                                                                                                                \
  (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]) { __VA_ARGS__ }

static inline struct tensor *test_tensor(enum dtype dtype, int rank, const int64_t *dims) {
  struct tensor *tensor = test_keep(calloc(1, sizeof *tensor));
  tensor->dtype = dtype, tensor->rank = rank;
  for (int i = 0; i < rank; i++) tensor->dims[i] = dims[i];
  if (tensor_elems(tensor) > 0 && tensor_alloc(tensor) != FARM_OK) test_stop();
  test_keep(tensor->data);
  return tensor;
}

/* Normal numbers; integers get about 30 times as much. */
static inline struct tensor *test_random(enum dtype dtype, uint64_t seed, int rank, const int64_t *dims) {
  struct tensor *tensor = test_tensor(dtype, rank, dims);
  int64_t elems = tensor_elems(tensor);
  for (int64_t i = 0; i < elems; i++)
    dtype_store_f64(dtype, tensor->data, i, random_normal(seed, (uint64_t)i) * (dtype_is_float(dtype) ? 1 : 30));
  return tensor;
}

static inline struct tensor *test_values(enum dtype dtype, int rank, const int64_t *dims, const double *values) {
  struct tensor *tensor = test_tensor(dtype, rank, dims);
  int64_t elems = tensor_elems(tensor);
  for (int64_t i = 0; i < elems; i++) dtype_store_f64(dtype, tensor->data, i, values[i]);
  return tensor;
}

static inline double test_at(const struct tensor *tensor, int64_t i) { return dtype_load_f64(tensor->dtype, tensor->data, i); }

static inline enum farm_status test_allocate(void *context, int output, struct tensor *tensor) {
  (void)context, (void)output;
  TRY(tensor_alloc(tensor));
  test_keep(tensor->data);
  return FARM_OK;
}

/* Only the shape function; outputs described. */
static inline enum farm_status op_shape(struct op_case *c) {
  struct arena arena = {0};
  struct shape_info infos[CASE_MOST] = {0}, outputs[CASE_MOST] = {0};
  const struct shape_info *inputs[CASE_MOST] = {0};
  struct attrs attrs = {c->attr, c->attr_count};
  const struct operator_row *row = operator_find(c->domain ? c->domain : "", c->name, c->opset);
  if (!row) return status_set(FARM_UNSUPPORTED, "no row for %s", c->name);
  for (int i = 0; i < c->input_count; i++) {
    if (!c->inputs[i]) continue;
    infos[i].type = *c->inputs[i];
    infos[i].type.data = NULL;
    if (row->host_inputs >> i & 1) infos[i].constant = c->inputs[i];
    inputs[i] = &infos[i];
  }
  for (int i = 0; i < c->output_count; i++) outputs[i].type.rank = -1;
  struct shape_call call = {row, &attrs, c->opset, c->input_count, inputs, c->output_count, outputs, &arena};
  enum farm_status status = row->shape(&call);
  for (int i = 0; i < c->output_count; i++) c->outputs[i] = outputs[i].type;
  arena_free(&arena);
  return status;
}

/* Shapes, memory, reference. */
static inline enum farm_status op_run(struct op_case *c) {
  struct attrs attrs = {c->attr, c->attr_count};
  struct tensor *outputs[CASE_MOST];
  TRY(op_shape(c));
  const struct operator_row *row = operator_find(c->domain ? c->domain : "", c->name, c->opset);
  for (int i = 0; i < c->output_count; i++) {
    outputs[i] = &c->outputs[i];
    if (tensor_elems(outputs[i]) <= 0) continue;
    TRY(tensor_alloc(outputs[i]));
    test_keep(outputs[i]->data);
  }
  struct reference_call call = {row, &attrs, c->opset, c->input_count, c->inputs, c->output_count, outputs, test_allocate, NULL};
  return row->reference(&call);
}

/* Every element of output i is what `expected` holds, within `tolerance` (0: the same float). */
static inline void check_output(const struct op_case *c, int output, const double *expected, double tolerance, const char *what) {
  int64_t elems = tensor_elems(&c->outputs[output]);
  for (int64_t i = 0; i < elems; i++) {
    double value = test_at(&c->outputs[output], i), want = tolerance == 0 ? (double)(float)expected[i] : expected[i];
    if (fabs(value - want) <= tolerance) continue;
    CHECK_MESSAGE(false, "%s: output %d, element %lld is %.9g, not %.9g", what, output, (long long)i, value, want);
    return;
  }
}

#endif
