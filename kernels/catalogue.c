/* The catalogue: every tactic this build knows, and which of them, with which parameters, may solve a problem.
 *
 * Enters: a problem, a device class, a layout. Leaves: variants, in one fixed order (kernels.inc, then parameters as an odometer
 * whose last wheel turns fastest). Nothing here looks at the machine it runs on: a builder without any device sees the same
 * lists.
 */
#include "tactic.h"

#include "../base/digest.h"
#include "cuda/cuda-tactic.h"

#include <stdatomic.h>
#include <string.h>

#define X(symbol) extern const struct tactic symbol;
#include "kernels.inc"
#undef X

enum {
#define X(symbol) COUNT_##symbol,
#include "kernels.inc"
#undef X
  LISTED,
  MOST_ADDED = 64
};

static const struct tactic *tactics[LISTED + MOST_ADDED] = {
#define X(symbol) &symbol,
#include "kernels.inc"
#undef X
};
static int tactic_count = LISTED;

enum farm_status catalogue_add(const struct tactic *tactic) {
  FAIL_IF(catalogue_find(tactic->id), FARM_USAGE, "a tactic of the id %s is there already", tactic->id);
  FAIL_IF(tactic_count == LISTED + MOST_ADDED, FARM_NO_SPACE, "more than %d tactics were added", MOST_ADDED);
  tactics[tactic_count++] = tactic;
  return FARM_OK;
}

const struct tactic *const *catalogue_tactics(int *out_count) {
  *out_count = tactic_count;
  return tactics;
}

const struct tactic *catalogue_find(const char *id) {
  int count;
  const struct tactic *const *all = catalogue_tactics(&count);
  for (int i = 0; i < count; i++)
    if (strcmp(all[i]->id, id) == 0) return all[i];
  return NULL;
}

int tactic_param_count(const struct tactic *tactic) {
  int count = 0;
  while (count < TACTIC_MAX_PARAMS && tactic->params[count].name) count++;
  return count;
}

static bool value_known(const struct tactic_param *param, int16_t value) {
  for (int i = 0; i < param->value_count; i++)
    if (param->values[i] == value) return true;
  return false;
}

bool variant_legal(const struct problem *problem, const struct variant *variant) {
  const struct tactic *tactic = variant->tactic;
  if (!tactic || tactic->kind != problem->kind || !tactic->applicable(problem)) return false;
  for (int i = 0; i < tactic_param_count(tactic); i++)
    if (!value_known(&tactic->params[i], variant->params[i])) return false;
  return !tactic->legal || tactic->legal(problem, variant);
}

bool tactic_fits(const struct tactic *tactic, const struct device_class *device_class) {
  if (tactic->device != device_class->kind) return false;
  return tactic->device == DEVICE_CUDA ? cuda_tactic_fits(tactic, device_class->sm) : tactic->isa <= device_class->isa;
}

static bool fits_layout(const struct tactic *tactic, enum tactic_layout layout) {
  return layout == LAYOUT_ANY || tactic->layout == LAYOUT_ANY || tactic->layout == layout;
}

/* Turns the odometer of parameter indices; false when it is back at the start. */
static bool odometer_turn(const struct tactic *tactic, int index[TACTIC_MAX_PARAMS]) {
  for (int i = tactic_param_count(tactic) - 1; i >= 0; i--) {
    if (++index[i] < tactic->params[i].value_count) return true;
    index[i] = 0;
  }
  return false;
}

typedef void (*variant_fn)(void *context, const struct variant *variant);

static void each_variant_of(const struct tactic *tactic, const struct problem *problem, variant_fn fn, void *context) {
  int index[TACTIC_MAX_PARAMS] = {0};
  do {
    struct variant variant = {.tactic = tactic};
    for (int i = 0; i < tactic_param_count(tactic); i++) variant.params[i] = tactic->params[i].values[index[i]];
    if (!tactic->legal || tactic->legal(problem, &variant)) fn(context, &variant);
  } while (odometer_turn(tactic, index));
}

static void each_variant(const struct problem *problem, const struct device_class *device_class, enum tactic_layout layout,
                         variant_fn fn, void *context) {
  int count;
  const struct tactic *const *all = catalogue_tactics(&count);
  for (int i = 0; i < count; i++) {
    const struct tactic *tactic = all[i];
    if (tactic->kind != problem->kind || !tactic_fits(tactic, device_class) || !fits_layout(tactic, layout)) continue;
    if (!tactic->applicable(problem) || (tactic->present && !tactic->present())) continue;
    each_variant_of(tactic, problem, fn, context);
  }
}

struct collection {
  struct variant *out;
  int most, count;
};

static void collect(void *context, const struct variant *variant) {
  struct collection *collection = context;
  if (collection->count < collection->most) collection->out[collection->count] = *variant;
  collection->count++;
}

int catalogue_variants(const struct problem *problem, const struct device_class *device_class, enum tactic_layout layout,
                       struct variant *out, int most) {
  struct collection collection = {.out = out, .most = most};
  each_variant(problem, device_class, layout, collect, &collection);
  return collection.count;
}

struct cheapest {
  const struct problem *problem;
  const struct device_class *device_class;
  int threads;
  struct variant best;
  double best_cost;
};

static void keep_cheapest(void *context, const struct variant *variant) {
  struct cheapest *cheapest = context;
  double cost = variant_cost(cheapest->problem, variant, cheapest->device_class, cheapest->threads);
  if (cheapest->best.tactic && !(cost < cheapest->best_cost)) return;
  cheapest->best = *variant;
  cheapest->best_cost = cost;
}

struct variant catalogue_default(const struct problem *problem, const struct device_class *device_class,
                                 enum tactic_layout layout, int threads) {
  struct cheapest cheapest = {.problem = problem, .device_class = device_class, .threads = threads};
  each_variant(problem, device_class, layout, keep_cheapest, &cheapest);
  return cheapest.best;
}

size_t variant_workspace(const struct problem *problem, const struct variant *variant, int threads) {
  return variant->tactic->workspace ? variant->tactic->workspace(problem, variant, threads) : 0;
}

size_t variant_packed_bytes(const struct problem *problem, const struct variant *variant) {
  const struct tactic *tactic = variant->tactic;
  if (tactic->packed_operand < 0 || tactic->packed_operand >= problem->input_count || !tactic->packed_bytes) return 0;
  return problem->operands[tactic->packed_operand].constant ? tactic->packed_bytes(problem, variant) : 0;
}

double variant_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                    int threads) {
  return variant->tactic->cost(problem, variant, device_class, threads < 1 ? 1 : threads);
}

static const struct {
  const char *family, *digest;
} sources[] = {
#define X(family, digest) {family, digest},
#include "kernel-sources.inc"
#undef X
};

const char *tactic_source_digest(const struct tactic *tactic) {
  if (tactic->source_digest) return tactic->source_digest();
  for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
    if (strcmp(sources[i].family, tactic->source) == 0) return sources[i].digest;
  return "";
}

static void catalogue_digest_make(char out_hex[DIGEST_HEX_BYTES]) {
  int count;
  const struct tactic *const *all = catalogue_tactics(&count);
  struct digest_state state;
  digest_begin(&state);
  for (int i = 0; i < count; i++) {
    digest_add(&state, all[i]->id, strlen(all[i]->id) + 1);
    if (all[i]->source_digest) continue; // a library's version is this machine's, not this build's, and takes a while to ask
    digest_add(&state, tactic_source_digest(all[i]), strlen(tactic_source_digest(all[i])) + 1);
  }
  struct digest digest = digest_end(&state);
  digest_to_hex(&digest, out_hex);
}

const char *catalogue_digest(void) {
  static char hex[DIGEST_HEX_BYTES];
  static atomic_int made; // 0 not yet, 1 being made, 2 ready
  int expected = 0;
  if (atomic_compare_exchange_strong(&made, &expected, 1)) {
    catalogue_digest_make(hex);
    atomic_store(&made, 2);
  }
  while (atomic_load(&made) != 2) continue;
  return hex;
}
