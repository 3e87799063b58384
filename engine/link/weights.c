/* See weights.h. */
#include "weights.h"

#include "../../base/array.h"

#include <stdlib.h>

enum farm_status weights_add(struct weight_table *table, const void *data, size_t bytes, uint32_t *out_index) {
  struct digest digest = digest_of(data, bytes);
  char hex[DIGEST_HEX_BYTES];
  digest_to_hex(&digest, hex);
  uintptr_t found = (uintptr_t)map_get(&table->by_digest, hex);
  if (found) {
    *out_index = (uint32_t)(found - 1);
    return FARM_OK;
  }
  TRY(array_reserve(&table->items, &table->capacity, table->count + 1));
  TRY(map_set(&table->by_digest, hex, (void *)(uintptr_t)(table->count + 1)));
  table->items[table->count] = (struct engine_weight){.digest = digest, .bytes = bytes, .data = data};
  *out_index = (uint32_t)table->count++;
  return FARM_OK;
}

enum farm_status weights_add_owned(struct weight_table *table, void *data, size_t bytes, uint32_t *out_index) {
  size_t before = table->count;
  enum farm_status status = array_reserve(&table->owned, &table->owned_capacity, table->owned_count + 1);
  if (status == FARM_OK) status = weights_add(table, data, bytes, out_index);
  if (status != FARM_OK || table->count == before)
    free(data); // the same content is there already
  else
    table->owned[table->owned_count++] = data;
  return status;
}

void weights_free(struct weight_table *table) {
  for (size_t i = 0; i < table->owned_count; i++) free(table->owned[i]);
  free(table->owned);
  free(table->items);
  map_free(&table->by_digest);
  *table = (struct weight_table){0};
}
