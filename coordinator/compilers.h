/* Which compilers made the artefacts in the store, and how many each: GPU workers ask whenever a job needs a text, so the store
 * is walked for the first answer only. What is put afterwards is added; what may take some away makes the next answer walk again.
 */
#ifndef COORDINATOR_COMPILERS_H
#define COORDINATOR_COMPILERS_H

#include "../base/map.h"
#include "../tactic-cache/cache.h"

struct compilers { // {0}: nothing is known
  bool known;
  struct map counts; // compiler → how many artefacts
};

/* Known afterwards, unless memory is short. */
enum farm_status compilers_learn(struct compilers *compilers, struct cache *cache);
/* This list was put, with that outcome. */
void compilers_note(struct compilers *compilers, const void *list, size_t length, const struct cache_imported *done);
void compilers_forget(struct compilers *compilers);

#endif
