/* TfIdfVectorizer over integers: how often each n-gram of a pool occurs in a row, allowing gaps of up to max_skip_count.
 *
 *   pool_int64s: [1-grams | 2-grams | …], ngram_counts says where each part begins; gram k counts at ngram_indexes[k]
 */
#include "nn-util.h"
#include "tables.h"

#include <string.h>

enum weighting { TF, IDF, TFIDF };

struct vectorizer {
  enum weighting weighting;
  const int64_t *pool, *counts, *indexes;
  int pool_count, sizes, grams;
  const float *weights; // [grams] or NULL
  int64_t shortest, longest, skips, width;
};

static enum farm_status ints_of(const struct attrs *attrs, const char *name, const int64_t **out, int *out_count) {
  const struct attr *attr = attr_find(attrs, name);
  FAIL_IF(!attr || attr->type != ATTR_INTS || attr->count < 1, FARM_INVALID, "%s is required", name);
  *out = attr->ints, *out_count = attr->count;
  return FARM_OK;
}

/* ngram_counts ascends within the pool, each part whole n-grams; as many n-grams as indexes. */
static enum farm_status vectorizer_check(struct vectorizer *v) {
  int64_t grams = 0;
  for (int n = 1; n <= v->sizes; n++) {
    int64_t begin = v->counts[n - 1], end = n < v->sizes ? v->counts[n] : v->pool_count;
    FAIL_IF(begin < 0 || begin > end || end > v->pool_count || (end - begin) % n, FARM_INVALID,
            "ngram_counts do not fit the pool");
    grams += (end - begin) / n;
  }
  FAIL_IF(v->counts[0] != 0 || grams != v->grams, FARM_INVALID, "%d indexes for %lld n-grams", v->grams, (long long)grams);
  for (int i = 0; i < v->grams; i++) {
    FAIL_IF(v->indexes[i] < 0 || v->indexes[i] > INT32_MAX, FARM_INVALID, "ngram_indexes holds %lld", (long long)v->indexes[i]);
    if (v->indexes[i] >= v->width) v->width = v->indexes[i] + 1;
  }
  return FARM_OK;
}

static enum farm_status vectorizer_read(const struct attrs *attrs, struct vectorizer *v) {
  static const char *const names[] = {"TF", "IDF", "TFIDF"};
  const char *mode = attr_string(attrs, "mode", "");
  int which = 0;
  while (which < 3 && strcmp(names[which], mode) != 0) which++;
  FAIL_IF(which == 3, FARM_INVALID, "mode is \"%s\"", mode);
  FAIL_IF(!attr_has(attrs, "pool_int64s"), FARM_UNSUPPORTED, "pools of strings are not supported");
  *v = (struct vectorizer){.weighting = (enum weighting)which,
                           .shortest = attr_int(attrs, "min_gram_length", 1),
                           .longest = attr_int(attrs, "max_gram_length", 1),
                           .skips = attr_int(attrs, "max_skip_count", 0)};
  TRY(ints_of(attrs, "pool_int64s", &v->pool, &v->pool_count));
  TRY(ints_of(attrs, "ngram_counts", &v->counts, &v->sizes));
  TRY(ints_of(attrs, "ngram_indexes", &v->indexes, &v->grams));
  const struct attr *weights = attr_find(attrs, "weights");
  if (weights && weights->type == ATTR_FLOATS && weights->count > 0) {
    FAIL_IF(weights->count != v->grams, FARM_INVALID, "%d weights for %d n-grams", weights->count, v->grams);
    v->weights = weights->floats;
  }
  FAIL_IF(v->shortest < 1 || v->longest < v->shortest || v->longest > v->sizes || v->skips < 0 || v->skips > INT32_MAX,
          FARM_INVALID, "gram lengths or max_skip_count are out of range");
  return vectorizer_check(v);
}

static enum farm_status tfidf_shape(struct shape_call *call) {
  struct vectorizer v;
  int rank = nn_rank(call, 0);
  FAIL_IF(nn_dtype(call, 0) == DTYPE_STRING, FARM_UNSUPPORTED, "strings are not supported");
  TRY(nn_check_type(call, 0, NN_INDICES));
  TRY(nn_check_rank(call, 0, 1, 2));
  TRY(vectorizer_read(call->attrs, &v));
  int64_t dims[2] = {rank == 2 ? nn_dim(call, 0, 0) : v.width, v.width};
  nn_output(call, 0, DTYPE_F32, rank, dims);
  return FARM_OK;
}

/* The ordinal of the n-gram x[0], x[step], …; -1 when the pool lacks it. */
static int64_t gram_find(const struct vectorizer *v, const int64_t *x, int64_t step, int64_t n) {
  int64_t ordinal = 0;
  for (int64_t size = 1; size < n; size++) ordinal += (v->counts[size] - v->counts[size - 1]) / size;
  int64_t end = n < v->sizes ? v->counts[n] : v->pool_count;
  for (int64_t at = v->counts[n - 1]; at < end; at += n, ordinal++) {
    int64_t same = 0;
    while (same < n && v->pool[at + same] == x[same * step]) same++;
    if (same == n) return ordinal;
  }
  return -1;
}

static void row_count(const struct vectorizer *v, const int64_t *x, int64_t count, double *frequency) {
  for (int64_t n = v->shortest; n <= v->longest; n++) {
    int64_t steps = n == 1 ? 1 : v->skips + 1; // a single item has no gaps
    for (int64_t step = 1; step <= steps && (n - 1) * step < count; step++)
      for (int64_t at = 0; at + (n - 1) * step < count; at++) {
        int64_t ordinal = gram_find(v, x + at, step, n);
        if (ordinal >= 0) frequency[ordinal]++;
      }
  }
}

static enum farm_status tfidf_reference_body(struct reference_call *call, struct arena *scratch) {
  const struct tensor *x = call->inputs[0];
  struct vectorizer v;
  double *frequency = NULL, *out = NULL;
  int64_t *items = NULL, elems = tensor_elems(x), rows = x->rank == 2 ? x->dims[0] : 1,
          count = x->rank == 2 ? x->dims[1] : x->dims[0];
  TRY(vectorizer_read(call->attrs, &v));
  TRY(reference_output(call, 0));
  TRY(nn_alloc(scratch, elems, sizeof *items, &items));
  TRY(nn_alloc(scratch, v.grams, sizeof *frequency, &frequency));
  TRY(nn_alloc(scratch, v.width, sizeof *out, &out));
  for (int64_t i = 0; i < elems; i++) items[i] = dtype_load_i64(x->dtype, x->data, i);
  for (int64_t row = 0; row < rows; row++) {
    memset(frequency, 0, (size_t)v.grams * sizeof *frequency);
    memset(out, 0, (size_t)v.width * sizeof *out);
    row_count(&v, items + row * count, count, frequency);
    for (int i = 0; i < v.grams; i++) {
      double weight = v.weights && v.weighting != TF ? (double)v.weights[i] : 1;
      out[v.indexes[i]] += v.weighting == IDF ? (frequency[i] > 0 ? weight : 0) : frequency[i] * weight;
    }
    nn_store_range(call->outputs[0], row * v.width, v.width, out);
  }
  return FARM_OK;
}
NN_REFERENCE(tfidf_reference)

const struct operator_row operators_tfidf[] = {
    {"", "TfIdfVectorizer", 9, 1, 1, 1, 1, 0, 0, tfidf_shape, tfidf_reference},
};
OPERATOR_ROWS(tfidf);
