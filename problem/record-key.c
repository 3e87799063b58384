/* Keys of records: fields in, one readable text out. See docs/formats/record.md. */
#include "record.h"

const char *record_screen_key(const char *problem, const char *variant, const char *source_digest, const char *device_class,
                              uint32_t threads, const char *policy, struct arena *arena) {
  return arena_printf(arena, "screen|1|%s|%s|%s|%s|t%u|%s", problem, variant, source_digest, device_class, threads, policy);
}

const char *record_final_key(const char *problem, const char *device_class, uint32_t threads, const char *policy,
                             struct arena *arena) {
  return arena_printf(arena, "final|1|%s|%s|t%u|%s", problem, device_class, threads, policy);
}

const char *record_key(const struct record *record, struct arena *arena) {
  if (record->kind == RECORD_FINAL)
    return record_final_key(record->problem, record->device_class, record->threads, record->policy, arena);
  const struct record_entry *entry = &record->entries[0];
  return record_screen_key(record->problem, entry->variant, entry->source_digest, record->device_class, record->threads,
                           record->policy, arena);
}
