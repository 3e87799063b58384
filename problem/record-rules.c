/* The fixed rules on times: who reaches the final, and who wins it. Pure functions of what was measured. */
#include "record.h"

#include <string.h>

static bool before(const struct record_entry *a, const struct record_entry *b) {
  if (a->times.median != b->times.median) return a->times.median < b->times.median;
  return strcmp(a->variant, b->variant) < 0;
}

static bool timed(const struct record_entry *entry) { return entry->status == FARM_OK && entry->times.n > 0; }

/* The best timed entry that is no finalist yet; NULL when there is none. */
static struct record_entry *best_left(struct record_entry *entries, uint32_t count) {
  struct record_entry *best = NULL;
  for (uint32_t i = 0; i < count; i++)
    if (timed(&entries[i]) && !entries[i].finalist && (!best || before(&entries[i], best))) best = &entries[i];
  return best;
}

void record_pick_finalists(struct record_entry *entries, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) entries[i].finalist = false;
  double limit = 0;
  for (int picked = 0; picked < RECORD_FINAL_MOST; picked++) {
    struct record_entry *best = best_left(entries, count);
    if (!best) break;
    if (picked == 0) limit = best->times.median * RECORD_FINAL_SHARE;
    if (best->times.median > limit) break;
    best->finalist = true;
  }
  for (uint32_t i = 0; i < count; i++)
    if (entries[i].is_default && timed(&entries[i])) entries[i].finalist = true;
}

static bool wins(const struct record_entry *a, const struct record_entry *b) {
  if (a->rank != b->rank) return a->rank < b->rank;
  if (a->workspace_bytes != b->workspace_bytes) return a->workspace_bytes < b->workspace_bytes;
  return strcmp(a->variant, b->variant) < 0;
}

int record_winner(const struct record *record) {
  int winner = -1;
  for (uint32_t i = 0; i < record->entry_count; i++) {
    const struct record_entry *entry = &record->entries[i];
    if (entry->status != FARM_OK || !entry->finalist || entry->rank == RECORD_RANK_NONE) continue;
    if (winner < 0 || wins(entry, &record->entries[winner])) winner = (int)i;
  }
  return winner;
}
