/* The weights of an engine being linked: each content once, whoever refers to it. */
#ifndef ENGINE_LINK_WEIGHTS_H
#define ENGINE_LINK_WEIGHTS_H

#include "../../base/map.h"
#include "../format/plan.h"

struct weight_table {
  struct engine_weight *items;
  size_t count, capacity;
  struct map by_digest; // hex -> index + 1
  void **owned;         // packed blobs, freed with the table
  size_t owned_count, owned_capacity;
};

/* Refers to `data`, which must outlive the table's use. */
enum farm_status weights_add(struct weight_table *table, const void *data, size_t bytes, uint32_t *out_index);
/* Takes over `data` (from tensor_alloc-like aligned_alloc or malloc; freed with free). */
enum farm_status weights_add_owned(struct weight_table *table, void *data, size_t bytes, uint32_t *out_index);
void weights_free(struct weight_table *table);

#endif
