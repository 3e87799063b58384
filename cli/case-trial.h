/* Trials: the problems of a model's engine, each with the variants that may stand in for the one it has.
 *
 *   engine ─► trials_collect ─► (problem, variant) … ─► trial_facts ─► build_options.facts ─► an engine with that variant in its
 * place
 *
 * Steps with the same problem take the variant together; all other steps keep theirs. A variant of another layout is forced by
 * facts too: what the other layouts have is said to be slow, so that the linker moves the node, and puts changes of layout around
 * it.
 *
 * Of a tactic's parameters every value comes once, in as few variants as a greedy choice finds: blockings and splits lead into
 * other loops and remainders, so one variant per tactic would leave code unrun.
 */
#ifndef CLI_CASE_TRIAL_H
#define CLI_CASE_TRIAL_H

#include "../base/arena.h"
#include "../base/map.h"
#include "../engine/link/choose.h"

struct case_trial {
  const char *problem, *variant; // texts
  const char *elsewhere;         // the default of the layout that the variant's tactic does not have; NULL: none
  const char *node;              // of the model, the first one with the problem
  int node_count;                // with the problem
  bool standing;                 // the engine has it already
};

struct trial_list {
  struct arena arena; // texts
  struct case_trial *items;
  size_t count, capacity;
  struct map by_problem; // problems listed so far -> any
};

/* Adds the trials of the engine's first section; problems that are listed already are not listed again. What depends on data
 * (no problem can be stated) is left to the runtime and has none. */
enum farm_status trials_collect(const char *engine_path, struct trial_list *list);
void trials_free(struct trial_list *list);

/* At most `most` of one problem's variants: `standing` (tactic NULL: none) and a covering few of each tactic. Returns how many.
 */
int trial_variants_cover(const struct variant *all, int count, const struct variant *standing, struct variant *out, int most);

/* Facts under which the linker takes the trial's variant. They live as long as `facts`. */
struct trial_facts {
  const struct case_trial *trial;
  struct record record;
  struct record_entry entries[2];
};
enum farm_status trial_facts_make(const struct case_trial *trial, struct trial_facts *facts, struct link_facts *out);
/* Does a step of the engine have the trial's problem and variant? */
enum farm_status trial_is_placed(const char *engine_path, const struct case_trial *trial, bool *out_placed);

#endif
