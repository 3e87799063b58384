/* The results of a variant against what is expected of it, wherever it ran: one verdict and one tolerance for CPUs and GPUs. See
 * kernel-check.h.
 */
#include "kernel-case.h"

#include "../base/pmath.h"

static double size_of(double x) { return x < 0 ? -x : x; }

/* What one comparison needs to know, and what it found. */
struct comparison {
  const struct kernel_results *results;
  struct kernel_verdict *verdict;
  int64_t wrong;       // how many
  int64_t first_wrong; // which element, natural order
  double got, expected;
};

static void compare(struct comparison *state, int64_t index, double got, double expected, double magnitude) {
  double error = size_of(got - expected), tolerance = problem_tolerance(state->results->of->problem, magnitude);
  bool same = got == expected; // infinities, and tolerances of nothing
  double share = same ? 0 : tolerance > 0 ? error / tolerance : 2;
  state->verdict->compared++;
  bool right = same || share <= 1; // a NaN on either side fails every comparison
  if (right && error > state->verdict->max_error) state->verdict->max_error = error;
  if (share > state->verdict->worst_share) state->verdict->worst_share = share;
  if (right || state->wrong++) return;
  state->first_wrong = index;
  state->got = got, state->expected = expected;
}

/* Linear operations know how large their sums were; for others the result itself is the scale. */
static double scale_of(const struct problem *problem, double expected) {
  double size = size_of(expected), least = problem_magnitude(problem);
  return problem->kind != PROBLEM_GEMM && problem->kind != PROBLEM_CONV2D && size > least ? size : least;
}

static double result_at(const struct kernel_results *results, int output, int64_t index) {
  const struct tensor *type = &results->of->types[results->of->problem->input_count + output];
  bool moved = results->nhwc && operand_has_layout(results->of->problem, type, results->of->problem->input_count + output);
  return dtype_load_f64(type->dtype, results->outputs[output], moved ? layout_nhwc_index(type, index) : index);
}

static void compare_all(struct comparison *state, int output) {
  const struct kernel_case *of = state->results->of;
  const struct tensor *expected = &of->types[of->problem->input_count + output];
  int64_t elems = tensor_elems(expected);
  for (int64_t i = 0; i < elems; i++) {
    double want = dtype_load_f64(expected->dtype, expected->data, i);
    compare(state, i, result_at(state->results, output, i), want, scale_of(of->problem, want));
  }
}

/* A row of n outputs projected: errors add like a random walk, each as large as one element may err. */
static void compare_projections(struct comparison *state) {
  const struct kernel_case *of = state->results->of;
  const struct kernel_samples *samples = &of->samples;
  const struct tensor *type = &of->types[of->problem->input_count];
  int64_t channels = tensor_elems(type) / samples->projections;
  bool image = of->problem->kind == PROBLEM_CONV2D;
  int64_t pixels = image ? type->dims[2] * type->dims[3] : 1;
  double magnitude = scale_of(of->problem, 0) * pmath_sqrt((double)channels);
  for (int64_t row = 0; row < samples->projections; row++) {
    double sum = 0;
    for (int64_t n = 0; n < channels; n++) {
      int64_t index = image ? (row / pixels * channels + n) * pixels + row % pixels : row * channels + n;
      sum += samples->weights[n] * result_at(state->results, 0, index);
    }
    compare(state, row * channels, sum, samples->projection[row], magnitude);
  }
  state->verdict->projected = true;
}

static void compare_samples(struct comparison *state) {
  const struct kernel_samples *samples = &state->results->of->samples;
  double magnitude = scale_of(state->results->of->problem, 0);
  for (int64_t i = 0; i < samples->count; i++)
    compare(state, samples->index[i], result_at(state->results, 0, samples->index[i]), samples->expected[i], magnitude);
  if (samples->linear) compare_projections(state);
}

enum farm_status kernel_results_compare(const struct kernel_results *results, struct kernel_verdict *verdict) {
  struct comparison state = {.results = results, .verdict = verdict};
  if (results->of->sampled)
    compare_samples(&state);
  else
    for (int i = 0; i < results->of->problem->output_count; i++) compare_all(&state, i);
  if (!state.wrong) return FARM_OK;
  char text[VARIANT_TEXT_MAX];
  variant_print(results->variant, text);
  return status_set(FARM_TACTIC_WRONG, "%s: element %lld is %.9g, expected %.9g; %lld of %lld compared are wrong", text,
                    (long long)state.first_wrong, state.got, state.expected, (long long)state.wrong,
                    (long long)verdict->compared);
}
