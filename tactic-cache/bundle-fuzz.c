/* Bundles on hostile bytes, into a cache in a temporary folder; dry runs, so that one input does not depend on another. */
#include "cache.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length) {
  static struct cache *cache;
  static char folder[] = "/tmp/tunefarm-fuzz-XXXXXX";
  if (!cache && (!mkdtemp(folder) || cache_open(folder, NULL, &cache) != FARM_OK)) return 0;
  struct cache_imported imported;
  cache_import(cache, data, length, CACHE_NEWEST, true, &imported);
  return 0;
}
