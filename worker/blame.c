/* See blame.h. */
#include "blame.h"

#include <stdlib.h>

enum { DEATHS_ALONE = 2, DEATHS_MOST = 3, REFERENCE_DEATHS_MOST = 2, UNEXPLAINED_MOST = 3, FAILURES_MOST = 2 };

enum farm_status blame_make(int count, bool final, struct blame *out) {
  *out = (struct blame){.final = final, .count = count, .prime = -1, .variants = calloc((size_t)count, sizeof *out->variants)};
  FAIL_IF(!out->variants, FARM_NO_MEMORY, "out of memory for %d variants", count);
  return FARM_OK;
}

void blame_free(struct blame *blame) {
  free(blame->variants);
  *blame = (struct blame){.prime = -1};
}

static bool is_due(const struct blame *blame, int i) { return blame->variants[i].suspected && !blame->variants[i].out; }

enum blame_trial blame_next(const struct blame *blame, int *out_batch, int *out_count) {
  int suspect = blame->prime >= 0 && is_due(blame, blame->prime) ? blame->prime : -1;
  for (int i = 0; i < blame->count && suspect < 0; i++)
    if (is_due(blame, i)) suspect = i;
  *out_count = 0;
  if (suspect >= 0) {
    out_batch[(*out_count)++] = suspect;
    return TRIAL_ALONE;
  }
  for (int i = 0; i < blame->count; i++)
    if (!blame->variants[i].out) out_batch[(*out_count)++] = i;
  return *out_count ? TRIAL_COMPANY : TRIAL_NONE;
}

static void suspect_all(struct blame *blame) {
  for (int i = 0; i < blame->count; i++) blame->variants[i].suspected |= !blame->variants[i].out;
}

/* The death is explained: whoever was suspected for it alone is free. */
static void convict(struct blame *blame, int variant) {
  blame->variants[variant].out = true;
  for (int i = 0; i < blame->count; i++)
    if (blame->variants[i].deaths == 0 && blame->variants[i].failures == 0) blame->variants[i].suspected = false;
}

static enum blame_verdict nobody_died(struct blame *blame, bool ran) {
  if (!ran || !blame->final) return ++blame->reference_deaths >= REFERENCE_DEATHS_MOST ? BLAME_GIVE_UP : BLAME_RETRY;
  suspect_all(blame);
  return ++blame->unexplained >= UNEXPLAINED_MOST ? BLAME_GIVE_UP : BLAME_RETRY;
}

enum blame_verdict blame_death(struct blame *blame, int variant, bool alone, bool ran) {
  if (variant < 0) return nobody_died(blame, ran);
  struct blame_variant *v = &blame->variants[variant];
  v->deaths++;
  v->suspected = true;
  blame->prime = variant;
  if (v->deaths >= DEATHS_MOST || (alone && v->deaths >= DEATHS_ALONE)) {
    convict(blame, variant);
    return BLAME_CONVICTED;
  }
  if (blame->final && !alone) suspect_all(blame);
  return BLAME_RETRY;
}

bool blame_result(struct blame *blame, int variant, bool ok, bool alone) {
  struct blame_variant *v = &blame->variants[variant];
  bool stands = ok || alone;
  v->suspected = !stands;
  if (!ok) v->failures++;
  if (!ok && alone) convict(blame, variant);
  if (ok && !blame->final) v->out = true;
  return stands;
}

bool blame_final_taken(struct blame *blame, const bool *failed) {
  bool again = false;
  for (int i = 0; i < blame->count; i++) {
    struct blame_variant *v = &blame->variants[i];
    if (v->out || !failed[i]) continue;
    if (++v->failures >= FAILURES_MOST)
      v->out = true;
    else
      v->suspected = again = true;
  }
  return !again;
}
