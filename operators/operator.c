/* See operator.h. All files' rows become one sorted index of pointers, made at the first look-up. */
#include "tables.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = 4096 };

static const struct operator_row *rows[MOST_ROWS];
static int row_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int row_compare(const char *domain, const char *name, int version, const struct operator_row *row) {
  int order = strcmp(domain, row->domain);
  if (!order) order = strcmp(name, row->name);
  return order ? order : (version > row->since_version) - (version < row->since_version);
}

static int row_order(const void *a, const void *b) {
  const struct operator_row *row = *(const struct operator_row *const *)a;
  return row_compare(row->domain, row->name, row->since_version, *(const struct operator_row *const *)b);
}

static void rows_add(const struct operator_row *table, int count) {
  for (int i = 0; i < count && row_count < MOST_ROWS; i++) rows[row_count++] = &table[i];
}

static void index_build(void) {
#define X(file) rows_add(operators_##file, operators_##file##_count);
#include "files.inc"
#undef X
  qsort(rows, (size_t)row_count, sizeof rows[0], row_order);
}

/* The first row that does not come before (domain, name, version); row_count when all do. */
static int lower_bound(const char *domain, const char *name, int version) {
  int low = 0, high = row_count;
  while (low < high) {
    int middle = low + (high - low) / 2;
    if (row_compare(domain, name, version, rows[middle]) > 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static const char *domain_of(const char *domain) { return !domain || strcmp(domain, "ai.onnx") == 0 ? "" : domain; }

static const struct operator_row *named(int i, const char *domain, const char *name) {
  bool found = i >= 0 && i < row_count && strcmp(rows[i]->domain, domain) == 0 && strcmp(rows[i]->name, name) == 0;
  return found ? rows[i] : NULL;
}

const struct operator_row *operator_find(const char *domain, const char *name, int opset) {
  pthread_once(&once, index_build);
  domain = domain_of(domain);
  int at = lower_bound(domain, name, opset);
  const struct operator_row *row = named(at, domain, name);
  return row && row->since_version == opset ? row : named(at - 1, domain, name);
}

const struct operator_row *operator_exact(const char *domain, const char *name, int since_version) {
  const struct operator_row *row = operator_find(domain, name, since_version);
  return row && row->since_version == since_version ? row : NULL;
}

bool operator_name_known(const char *domain, const char *name) {
  pthread_once(&once, index_build);
  domain = domain_of(domain);
  return named(lower_bound(domain, name, 0), domain, name) != NULL;
}

/* Inputs that may be omitted although one behind them may not: bit i is input i. */
static const struct {
  const char *domain, *name;
  uint32_t optional;
} gaps[] = {
    {"", "Loop", 3},
    {"", "Resize", 6},
    {"", "Scan", 1}, // opset 8: the lengths
    {"com.microsoft", "EmbedLayerNormalization", 1 << 1 | 1 << 4},
    {"com.microsoft", "GroupQueryAttention", 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4},
    {"com.microsoft", "QLinearAdd", 1 << 2 | 1 << 5},
    {"com.microsoft", "QLinearMul", 1 << 2 | 1 << 5},
    {"com.microsoft", "QLinearSigmoid", 1 << 2},
    {"com.microsoft", "QLinearLeakyRelu", 1 << 2},
    {"com.microsoft", "QLinearSoftmax", 1 << 2},
    {"com.microsoft", "QLinearAveragePool", 1 << 2},
    {"com.microsoft", "QLinearGlobalAveragePool", 1 << 2},
};

bool operator_input_needed(const struct operator_row *row, int input) {
  if (input >= row->min_inputs) return false;
  for (size_t i = 0; i < sizeof gaps / sizeof *gaps; i++)
    if (strcmp(gaps[i].name, row->name) == 0 && strcmp(gaps[i].domain, row->domain) == 0)
      return input >= 32 || !(gaps[i].optional >> input & 1);
  return true;
}

const struct operator_row *const *operator_rows(int *out_count) {
  pthread_once(&once, index_build);
  *out_count = row_count;
  return rows;
}

enum farm_status reference_output(struct reference_call *call, int output) {
  struct tensor *tensor = call->outputs[output];
  if (!tensor || tensor->data) return FARM_OK;
  FAIL_IF(!call->allocate, FARM_INVALID, "output %d has no memory", output);
  return call->allocate(call->context, output, tensor);
}
