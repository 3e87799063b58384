/* The builder: the user's own process, which alone reads models and sees weights.
 *
 *   import ─► specialise to the shapes ─► passes ─► problems ─► farm (or the cost model) ─► link ─► engine, lock, report
 *
 * The farm is asked through a small interface, so that the builder neither knows sockets nor stores: engine/build/farm-client.c
 * talks to a coordinator, NULL means the cost model alone (--effort 0 without a cache).
 */
#ifndef ENGINE_BUILD_BUILD_H
#define ENGINE_BUILD_BUILD_H

#include "../../problem/record.h"
#include "../link/link.h"

enum cache_mode { CACHE_RW, CACHE_RO, CACHE_LOCKED, CACHE_OFF };

struct build_variant {
  const char *text, *source_digest;
  double estimated_ns;
};

/* One problem on one device class, with what may be tried. */
struct build_item {
  const char *problem, *device_class;
  int threads;
  struct build_variant *variants; // legal ones in the order of preference (least estimated cost first); the default is first
  int variant_count;
  double weight;               // how often the model runs it
  bool hit;                    // out: the record was there before
  uint32_t measured;           // out: variants timed for this build
  const struct record *record; // out: final record, NULL when there is none
};

struct build_progress {
  const char *phase; // "import", "tune", "link", …
  uint32_t done, total, running;
  double eta_s;       // negative: unknown
  const char *detail; // workers and what they do; may be ""
};

struct target_word; // target-word.h

struct build_farm {
  void *context;
  /* Device classes (canonical texts) that `word` covers: registered ones, else those with records. `out` in arena. */
  enum farm_status (*classes)(void *context, const struct target_word *word, struct arena *arena, const char *const **out,
                              int *out_count);
  /* Fills hit, measured and record of every item; records live in `arena`. `measure` false: look up only. */
  enum farm_status (*resolve)(void *context, struct build_item *items, size_t count, const char *policy, bool measure,
                              struct arena *arena, void (*progress)(void *, const struct build_progress *),
                              void *progress_context);
};

struct build_shape {
  const char *input;
  int rank;
  int64_t min[TENSOR_MAX_RANK], opt[TENSOR_MAX_RANK], max[TENSOR_MAX_RANK];
};

struct build_options {
  const char *model_path, *output_path, *lock_path; // lock NULL: none
  const char *const *targets;                       // NULL-terminated; empty: "auto"
  const struct build_shape *shapes;
  int shape_count;
  int threads; // 0: as many as this process may use
  int effort;  // 0..4
  enum cache_mode cache_mode;
  const char *const *passes_off; // NULL-terminated; NULL: none
  bool dry_run;
  struct build_farm *farm; // NULL: none
  const struct link_images *images; // a GPU's compiled kernels; NULL: NVRTC on this machine, and under `locked` none at all
  struct link_facts facts; // asked before the farm's records, for every problem and target; {0}: none
  void (*progress)(void *, const struct build_progress *);
  void *progress_context;
};

struct build_layer { // one step of the plan, as the report shows it
  const char *name, *onnx, *problem, *tactic;
  double median_us, ci95_us, estimated_us;
  uint32_t ties;
  bool on_device; // of a GPU; else the host's
};

struct build_target_report {
  const char *target, *device_class;
  int threads;
  uint32_t problems, hits, measured, variants_timed, failed;
  double device_s, estimated_ms;
  struct build_layer *layers;
  int layer_count;
  uint64_t arena_bytes, lower_bound_bytes;
  bool cuda;
  int host_steps; // that a GPU leaves to the host
};

struct build_report {
  struct arena arena; // holds all of it; freed by build_report_free
  const char *model;
  struct digest digest; // of the engine file
  uint64_t bytes;
  double wall_s;
  struct build_target_report *targets;
  int target_count;
  const char **missing; // keys of a locked build that missed
  int missing_count;
};

/* FARM_LOCKED_MISS fills `missing`. The engine file appears only after success. */
enum farm_status build_run(const struct build_options *options, struct build_report *out_report);
void build_report_free(struct build_report *report);

/* `NAME=1x3x224x224[:opt[:max]]`; one part fixes the shape. */
enum farm_status build_shape_parse(const char *text, struct arena *arena, struct build_shape *out);
/* The policy text of an effort: how variants are timed, part of every key. */
const char *build_policy(int effort);
/* How many variants per problem an effort screens. */
int build_variants_most(int effort);

#endif
