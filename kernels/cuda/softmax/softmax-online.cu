/* Largest element so far and the sum of exponentials relative to it. A new largest element scales the sum down. The largest
 * passes NaN over, the sum does not; infinity gives NaN as the formula does (x - x).
 */
struct running {
  float most, sum;
};

FARM_DEVICE running running_start() {
  running r = {minus_infinity(), 0.0f};
  return r;
}
FARM_DEVICE void running_add(running &r, float x) {
  if (x > r.most) {
    r.sum = (r.most == minus_infinity() ? r.sum : r.sum * expf(r.most - x)) + expf(x - x);
    r.most = x;
  } else if (x != minus_infinity() || r.most != minus_infinity()) {
    r.sum += expf(x - r.most);
  }
}
/* Sums that belong to `most` move to `to`, which is at least as large. */
FARM_DEVICE float running_moved(float sum, float most, float to) { return most == to ? sum : sum * expf(most - to); }
/* The same, for a thread that may have met nothing, or -inf alone. */
FARM_DEVICE float running_rescaled(running r, float to) {
  return r.most == minus_infinity() ? r.sum : running_moved(r.sum, r.most, to);
}

/* One result from the whole row's largest element and `scale`: 1 / sum, or the sum's logarithm. */
FARM_DEVICE float softmax_result(float x, float most, float scale) {
#if LOGARITHM
  return (x - most) - scale;
#else
  return expf(x - most) * scale;
#endif
}
FARM_DEVICE float softmax_scale(float sum) {
#if LOGARITHM
  return logf(sum);
#else
  return 1.0f / sum;
#endif
}
