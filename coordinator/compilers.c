/* See compilers.h. */
#include "compilers.h"

#include <string.h>

static enum farm_status add(struct compilers *compilers, const char *compiler, uint64_t count) {
  uintptr_t sum = (uintptr_t)map_get(&compilers->counts, compiler) + count;
  return map_set(&compilers->counts, compiler, (void *)sum);
}

static enum farm_status count_one(void *context, const struct artefact *artefact, const void *envelope, size_t length) {
  (void)envelope, (void)length;
  const char *compiler = artefact_key_compiler(artefact->key);
  return compiler ? add(context, compiler, 1) : FARM_OK;
}

void compilers_forget(struct compilers *compilers) {
  map_free(&compilers->counts);
  compilers->known = false;
}

enum farm_status compilers_learn(struct compilers *compilers, struct cache *cache) {
  if (compilers->known) return FARM_OK;
  enum farm_status status = cache_artefacts_each(cache, NULL, count_one, compilers);
  if (status == FARM_OK)
    compilers->known = true;
  else
    compilers_forget(compilers);
  return status;
}

void compilers_note(struct compilers *compilers, const void *list, size_t length, const struct cache_imported *done) {
  struct compilers listed = {0};
  if (!compilers->known || done->added == 0) return;
  enum farm_status status = artefact_list_each(list, length, count_one, &listed);
  const struct map_entry *only = listed.counts.count == 1 ? map_next(&listed.counts, NULL) : NULL;
  if (status == FARM_OK && only) // as in every list that a compiler makes
    status = add(compilers, only->key, done->added);
  else if (status == FARM_OK && done->added < done->total)
    status = FARM_AGAIN; // whose the new ones are is not known
  else
    for (struct map_entry *e = map_next(&listed.counts, NULL); e && status == FARM_OK; e = map_next(&listed.counts, e))
      status = add(compilers, e->key, (uintptr_t)e->value);
  if (status != FARM_OK) compilers_forget(compilers);
  compilers_forget(&listed);
}
