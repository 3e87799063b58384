/* Einsum: any contraction written as "ij,jk->ik", with "..." for broadcast dimensions. Each label is one loop of a nest; the
 * labels that the output lacks are the inner loops, so that each output element is one sum in double, in order.
 */
#include "elements.h"
#include "shape-util.h"
#include "tables.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_TERMS = 16, LETTERS = 52, MOST_LABELS = LETTERS + TENSOR_MAX_RANK, ELLIPSIS = LETTERS };

/* Labels 0-51 are letters; ELLIPSIS + i is dimension i of the ellipsis, counted from the right. */
struct term {
  int count;
  int labels[TENSOR_MAX_RANK];
};

struct equation {
  int term_count, ellipsis_rank;
  struct term terms[MOST_TERMS], out;
  int64_t dims[MOST_LABELS];
};

static int letter(char c) { return c >= 'a' && c <= 'z' ? c - 'a' : c >= 'A' && c <= 'Z' ? 26 + c - 'A' : -1; }

/* One term up to ',' or "->" or the end; `ellipsis_rank` dims stand for "...". */
static enum farm_status term_parse(const char **at, int ellipsis_rank, struct term *out) {
  const char *text = *at;
  out->count = 0;
  for (; *text && *text != ',' && !(text[0] == '-' && text[1] == '>'); text++) {
    if (*text == ' ') continue;
    bool dots = text[0] == '.' && text[1] == '.' && text[2] == '.';
    FAIL_IF(!dots && letter(*text) < 0, FARM_INVALID, "the equation has an unexpected '%c'", *text);
    int added = dots ? ellipsis_rank : 1;
    FAIL_IF(out->count + added > TENSOR_MAX_RANK, FARM_UNSUPPORTED, "a term of the equation has more than %d dimensions",
            TENSOR_MAX_RANK);
    for (int i = 0; i < added; i++) out->labels[out->count++] = dots ? ELLIPSIS + added - 1 - i : letter(*text);
    if (dots) text += 2;
  }
  *at = text;
  return FARM_OK;
}

static bool has_label(const struct term *term, int label) {
  for (int i = 0; i < term->count; i++)
    if (term->labels[i] == label) return true;
  return false;
}

/* Without "->": the ellipsis, then the letters that occur once, in alphabetical order (capitals first, as in ASCII). */
static enum farm_status implicit_output(struct equation *e) {
  int uses[LETTERS] = {0};
  for (int t = 0; t < e->term_count; t++)
    for (int i = 0; i < e->terms[t].count; i++)
      if (e->terms[t].labels[i] < LETTERS) uses[e->terms[t].labels[i]]++;
  e->out.count = 0;
  for (int i = e->ellipsis_rank - 1; i >= 0; i--) e->out.labels[e->out.count++] = ELLIPSIS + i;
  for (int k = 0; k < LETTERS; k++) {
    int label = (k + 26) % LETTERS;
    if (uses[label] != 1) continue;
    FAIL_IF(e->out.count >= TENSOR_MAX_RANK, FARM_UNSUPPORTED, "the output has more than %d dimensions", TENSOR_MAX_RANK);
    e->out.labels[e->out.count++] = label;
  }
  return FARM_OK;
}

static enum farm_status label_dim(struct equation *e, int label, int64_t dim) {
  int64_t *known = &e->dims[label];
  bool clash = *known >= 0 && dim >= 0 && *known != dim && *known != 1 && dim != 1;
  FAIL_IF(clash, FARM_INVALID, "a label of the equation has %lld and %lld elements", (long long)*known, (long long)dim);
  if (*known == INT64_MIN || *known == 1 || (*known < 0 && dim > 1))
    *known = dim;
  else if (*known < 0 && dim < 0 && *known != dim)
    *known = DIM_UNKNOWN;
  return FARM_OK;
}

/* How many dims "..." stands for in one term of a tensor of this rank; -1 when the term has none. */
static enum farm_status ellipsis_size(const char *at, int rank, int *out_size) {
  int letters = 0;
  *out_size = -1;
  for (; *at && *at != ',' && !(at[0] == '-' && at[1] == '>'); at++) {
    if (letter(*at) >= 0)
      letters++;
    else if (*at == '.')
      *out_size = 0;
  }
  if (*out_size < 0) return FARM_OK;
  FAIL_IF(rank < letters, FARM_INVALID, "a term of the equation has %d letters for rank %d", letters, rank);
  *out_size = rank - letters;
  return FARM_OK;
}

static const char *next_term(const char *at) {
  while (*at && *at != ',' && *at != '>') at++;
  return *at ? at + 1 : at;
}

static enum farm_status equation_parse(const char *text, const struct tensor *const *inputs, int input_count,
                                       struct equation *e) {
  const char *at = text;
  FAIL_IF(input_count > MOST_TERMS, FARM_UNSUPPORTED, "more than %d inputs", MOST_TERMS);
  e->term_count = input_count;
  e->ellipsis_rank = 0;
  for (int i = 0; i < MOST_LABELS; i++) e->dims[i] = INT64_MIN;
  for (int t = 0; t < input_count; t++, at = next_term(at)) {
    int size;
    TRY(ellipsis_size(at, inputs[t]->rank, &size));
    if (size > e->ellipsis_rank) e->ellipsis_rank = size;
  }
  at = text;
  for (int t = 0; t < input_count; t++) {
    int size;
    TRY(ellipsis_size(at, inputs[t]->rank, &size));
    TRY(term_parse(&at, size < 0 ? 0 : size, &e->terms[t]));
    FAIL_IF(e->terms[t].count != inputs[t]->rank, FARM_INVALID, "term %d of the equation does not fit rank %d", t,
            inputs[t]->rank);
    FAIL_IF(t + 1 < input_count && *at != ',', FARM_INVALID, "the equation has fewer terms than inputs");
    if (*at == ',') at++;
    for (int i = 0; i < inputs[t]->rank; i++) TRY(label_dim(e, e->terms[t].labels[i], inputs[t]->dims[i]));
  }
  if (!*at) return implicit_output(e);
  FAIL_IF(*at != '-', FARM_INVALID, "the equation has more terms than inputs");
  at += 2;
  TRY(term_parse(&at, e->ellipsis_rank, &e->out));
  FAIL_IF(*at, FARM_INVALID, "the equation goes on after its output");
  for (int i = 0; i < e->out.count; i++) {
    FAIL_IF(e->dims[e->out.labels[i]] == INT64_MIN, FARM_INVALID, "the output has a label that no input has");
    for (int k = 0; k < i; k++) FAIL_IF(e->out.labels[i] == e->out.labels[k], FARM_INVALID, "the output has a label twice");
  }
  return FARM_OK;
}

static enum farm_status einsum_shape(struct shape_call *call) {
  const struct tensor *types[MOST_TERMS];
  struct equation e;
  int64_t dims[TENSOR_MAX_RANK];
  bool ranks = call->input_count <= MOST_TERMS;
  for (int i = 0; ranks && i < call->input_count; i++) {
    types[i] = call->inputs[i] ? &call->inputs[i]->type : NULL;
    FAIL_IF(!types[i], FARM_INVALID, "input %d is missing", i);
    ranks &= types[i]->rank >= 0;
  }
  if (!ranks) return shape_set(call, 0, shape_input_dtype(call, 0), -1, NULL);
  TRY(equation_parse(attr_string(call->attrs, "equation", ""), types, call->input_count, &e));
  for (int i = 0; i < e.out.count; i++) dims[i] = e.dims[e.out.labels[i]];
  return shape_set(call, 0, types[0]->dtype, e.out.count, dims);
}

/* ---- the loops: labels of the output first, then the contracted ones ---- */

struct loops {
  int count, out_count;
  int labels[MOST_LABELS];
  int64_t dims[MOST_LABELS], strides[MOST_TERMS][MOST_LABELS];
};

static void loops_build(const struct equation *e, const struct tensor *const *inputs, struct loops *l) {
  l->count = 0;
  for (int i = 0; i < e->out.count; i++) l->labels[l->count++] = e->out.labels[i];
  l->out_count = l->count;
  for (int label = 0; label < MOST_LABELS; label++)
    if (e->dims[label] != INT64_MIN && !has_label(&e->out, label)) l->labels[l->count++] = label;
  for (int k = 0; k < l->count; k++) l->dims[k] = e->dims[l->labels[k]];
  for (int t = 0; t < e->term_count; t++) {
    int64_t own[TENSOR_MAX_RANK];
    tensor_strides(inputs[t], own);
    for (int k = 0; k < l->count; k++) {
      l->strides[t][k] = 0;
      for (int i = 0; i < inputs[t]->rank; i++) // a repeated label walks the diagonal
        if (e->terms[t].labels[i] == l->labels[k] && inputs[t]->dims[i] != 1) l->strides[t][k] += own[i];
    }
  }
}

/* Steps loops [first, last); false when they are through (and back at their start). */
static bool loops_next(const struct loops *l, int first, int last, int terms, int64_t *index, int64_t *offset) {
  for (int k = last - 1; k >= first; k--) {
    bool more = ++index[k] < l->dims[k];
    for (int t = 0; t < terms; t++) offset[t] += more ? l->strides[t][k] : -l->strides[t][k] * (l->dims[k] - 1);
    if (more) return true;
    index[k] = 0;
  }
  return false;
}

static void einsum_f64(const struct loops *l, int terms, double *const *values, struct tensor *out) {
  int64_t index[MOST_LABELS] = {0}, offset[MOST_TERMS] = {0}, at = 0;
  do {
    double sum = 0;
    do {
      double product = 1;
      for (int t = 0; t < terms; t++) product *= values[t][offset[t]];
      sum += product;
    } while (loops_next(l, l->out_count, l->count, terms, index, offset));
    dtype_store_f64(out->dtype, out->data, at++, sum);
  } while (loops_next(l, 0, l->out_count, terms, index, offset));
}

static void einsum_i64(const struct loops *l, int terms, const struct tensor *const *inputs, struct tensor *out) {
  int64_t index[MOST_LABELS] = {0}, offset[MOST_TERMS] = {0}, at = 0;
  do {
    uint64_t sum = 0;
    do {
      uint64_t product = 1;
      for (int t = 0; t < terms; t++) product *= (uint64_t)dtype_load_i64(inputs[t]->dtype, inputs[t]->data, offset[t]);
      sum += product;
    } while (loops_next(l, l->out_count, l->count, terms, index, offset));
    dtype_store_i64(out->dtype, out->data, at++, (int64_t)sum);
  } while (loops_next(l, 0, l->out_count, terms, index, offset));
}

static enum farm_status einsum_run(const struct loops *l, const struct reference_call *call) {
  enum farm_status status = FARM_OK;
  double *values[MOST_TERMS] = {NULL};
  for (int t = 0; t < call->input_count; t++) TRY_OR(elements_to_f64(call->inputs[t], &values[t]), free_values);
  einsum_f64(l, call->input_count, values, call->outputs[0]);
free_values:
  for (int t = 0; t < call->input_count; t++) free(values[t]);
  return status;
}

static enum farm_status einsum_reference(struct reference_call *call) {
  struct equation e;
  struct loops l;
  TRY(equation_parse(attr_string(call->attrs, "equation", ""), call->inputs, call->input_count, &e));
  TRY(reference_output(call, 0));
  struct tensor *out = call->outputs[0];
  if (!out || !tensor_elems(out)) return FARM_OK;
  loops_build(&e, call->inputs, &l);
  if (tensor_dims_product(l.dims, l.count) == 0)
    memset(out->data, 0, tensor_bytes(out)); // an empty sum
  else if (dtype_is_float(out->dtype))
    return einsum_run(&l, call);
  else
    einsum_i64(&l, call->input_count, call->inputs, out);
  return FARM_OK;
}

const struct operator_row operators_einsum[] = {
    {"", "Einsum", 12, 1, -1, 1, 1, OPERATOR_VARIADIC, 0, einsum_shape, einsum_reference},
};
OPERATOR_ROWS(einsum);
