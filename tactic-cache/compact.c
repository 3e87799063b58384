/* Compacting: a copy without free pages takes the place of the data file in one rename. See cache.h.
 *
 *   cache/data.mdb           what is believed; at every moment whole
 *   cache/compact/data.mdb   the copy while it is made; a leftover of a process that was killed means nothing and is removed
 *
 * LMDB does not sync the copy: it is synced before the rename and the folder after it, so that a loss of power leaves one of the
 * two, complete.
 */
#include "cache-impl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct places {
  char folder[PATH_MAX], copy[PATH_MAX], data[PATH_MAX];
};

static enum farm_status places_of(const struct cache *cache, struct places *out) {
  FAIL_IF(strlen(cache->folder) + sizeof "/compact/data.mdb" > PATH_MAX, FARM_IO, "%.100s…: path too long", cache->folder);
  snprintf(out->folder, PATH_MAX, "%s/compact", cache->folder);
  snprintf(out->copy, PATH_MAX, "%s/compact/data.mdb", cache->folder);
  snprintf(out->data, PATH_MAX, "%s/data.mdb", cache->folder);
  return FARM_OK;
}

static enum farm_status sync_path(const char *path, int flags) {
  int fd = open(path, flags | O_RDONLY | O_CLOEXEC);
  FAIL_IF(fd < 0, FARM_IO, "%s: %s", path, strerror(errno));
  int error = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  FAIL_IF(error, error == ENOSPC || error == EDQUOT ? FARM_NO_SPACE : FARM_IO, "%s: %s", path, strerror(error));
  return FARM_OK;
}

void cache_compact_clean(const struct cache *cache) {
  struct places places;
  if (places_of(cache, &places) != FARM_OK) return;
  unlink(places.copy);
  rmdir(places.folder);
}

static enum farm_status swap(const struct cache *cache, const struct places *places) {
  FAIL_IF(rename(places->copy, places->data) != 0, FARM_IO, "%s: %s", places->data, strerror(errno));
  return sync_path(cache->folder, O_DIRECTORY);
}

static enum farm_status replace_data(struct cache *cache, const struct places *places) {
  TRY(store_copy_compact(cache->store, places->folder));
  TRY(sync_path(places->copy, 0));
  store_close(&cache->store);
  enum farm_status swapped = swap(cache, places);
  struct status_kept kept = status_keep(swapped);
  enum farm_status opened = cache_open_store(cache);
  if (opened != FARM_OK) return status_prefix(opened, "opening the cache again after compacting");
  return status_restore(&kept);
}

enum farm_status cache_compact(struct cache *cache, uint64_t *out_bytes_saved) {
  struct store_size before, after;
  struct places places;
  TRY(cache_commit(cache));
  TRY(store_size(cache->store, &before));
  TRY(places_of(cache, &places));
  cache_compact_clean(cache);
  enum farm_status status = replace_data(cache, &places);
  cache_compact_clean(cache);
  TRY(status);
  TRY(store_size(cache->store, &after));
  *out_bytes_saved = before.used_bytes > after.used_bytes ? before.used_bytes - after.used_bytes : 0;
  return FARM_OK;
}
