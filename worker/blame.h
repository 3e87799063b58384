/* Whom to try next, and who is to blame when a measuring child dies: rules without a child or a clock.
 *
 *   OPEN ──died or failed in company──► SUSPECTED ──dies alone, or fails alone──► OUT (convicted)
 *     ▲                                    │
 *     └────────harmless alone (final)──────┘ harmless alone (screen): OUT, with its result
 *
 * A death convicts at the second time when the variant was alone in its child, at the third in any case: one kill from outside
 * convicts nobody. A failure (a wrong result, a broken guard) stands when nothing else ran in that child before; otherwise it is
 * tried again alone, since somebody else may have broken what it needs. When a final dies, its suspect is tried alone, and if
 * that one is harmless, so is every other finalist before the final is run again: who breaks the heap seldom dies of it himself.
 */
#ifndef WORKER_BLAME_H
#define WORKER_BLAME_H

#include "../base/status.h"

#include <stdbool.h>

struct blame_variant {
  int deaths, failures;
  bool suspected, out;
};

struct blame {
  bool final;
  int count;
  struct blame_variant *variants;
  int prime; // the suspect to try first; -1 none
  int reference_deaths, unexplained;
};

enum blame_trial { TRIAL_NONE, TRIAL_COMPANY, TRIAL_ALONE /* in a fresh child */ };
enum blame_verdict { BLAME_RETRY, BLAME_CONVICTED, BLAME_GIVE_UP };

enum farm_status blame_make(int count, bool final, struct blame *out);
void blame_free(struct blame *blame);
/* Variants of the next trial. NONE: all are out. A final is over when its company trial was taken (blame_final_taken). */
enum blame_trial blame_next(const struct blame *blame, int *out_batch, int *out_count);
/* The child died while `variant` ran (-1: none). alone: nothing else ran in it; ran: something did. */
enum blame_verdict blame_death(struct blame *blame, int variant, bool alone, bool ran);
/* A result of a screen, or of a trial alone. False: it does not stand, and the variant is tried again alone. */
bool blame_result(struct blame *blame, int variant, bool ok, bool alone);
/* The company trial of a final ended; failed[i]: finalist i (not out before) failed in it. False: it must be run again. */
bool blame_final_taken(struct blame *blame, const bool *failed);

#endif
