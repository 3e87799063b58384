/* See store.h. */
#include "store.h"

#include "../base/file.h"

#include <errno.h>
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { TABLES_MOST = 16, READERS = 1024 };

struct store {
  MDB_env *env;
  MDB_txn *batch; // open write transaction; NULL between batches
  MDB_txn *view;  // read transaction behind the last store_get or store_visit; renewed by each
  MDB_dbi tables[TABLES_MOST];
  int table_count;
  size_t headroom_bytes;
  char folder[PATH_MAX];
};

static const struct {
  uint64_t magic;
  const char *name;
} network_filesystems[] = {
    {0x6969, "NFS"},        {0xff534d42, "CIFS"},   {0xfe534d42, "SMB2"},  {0x517b, "SMB"},
    {0x0bd00bd0, "Lustre"}, {0x00c36400, "CephFS"}, {0x5346414f, "AFS"},   {0x01021997, "9P"},
    {0x47504653, "GPFS"},   {0x19830326, "BeeGFS"}, {0x7461636f, "OCFS2"}, {0x01161970, "GFS2"},
    {0x73757245, "Coda"},   {0x786f4256, "VBoxSF"}, {0xaad7aaea, "PanFS"}, {0x013111a8, "IBRIX"},
};

const char *store_network_filesystem(uint64_t magic) {
  for (size_t i = 0; i < sizeof network_filesystems / sizeof *network_filesystems; i++)
    if (network_filesystems[i].magic == magic) return network_filesystems[i].name;
  return NULL;
}

static enum farm_status failed(const struct store *store, const char *what, int code) {
  enum farm_status status = code == MDB_MAP_FULL || code == ENOSPC || code == EDQUOT ? FARM_NO_SPACE
                            : code == ENOMEM                                         ? FARM_NO_MEMORY
                            : code == MDB_NOTFOUND                                   ? FARM_NOT_FOUND
                                                                                     : FARM_IO;
  return status_set(status, "%s: %s: %s", store->folder, what, mdb_strerror(code));
}

static enum farm_status check_open(const struct store *store) {
  FAIL_IF(!store, FARM_IO, "the store is closed: it could not be opened again");
  return FARM_OK;
}

static enum farm_status refuse_network(const char *folder) {
  struct statfs info;
  FAIL_IF(statfs(folder, &info) != 0, FARM_IO, "%s: %s", folder, strerror(errno));
  const char *name = store_network_filesystem((uint64_t)(unsigned long)info.f_type & 0xffffffffu);
  FAIL_IF(name, FARM_USAGE,
          "%s is on %s: a tactic cache needs a local file system (use --cache DIR, or --farm to share one over the network)",
          folder, name);
  return FARM_OK;
}

static enum farm_status open_tables(struct store *store, const struct store_options *options) {
  MDB_txn *txn = NULL;
  int code = mdb_txn_begin(store->env, NULL, 0, &txn);
  if (code) return failed(store, "begin", code);
  for (int i = 0; i < options->table_count && !code; i++)
    code = mdb_dbi_open(txn, options->tables[i], MDB_CREATE, &store->tables[i]);
  if (code)
    mdb_txn_abort(txn);
  else
    code = mdb_txn_commit(txn);
  return code ? failed(store, "open tables", code) : FARM_OK;
}

enum farm_status store_open(const char *folder, const struct store_options *options, struct store **out_store) {
  FAIL_IF(options->table_count > TABLES_MOST || strlen(folder) >= PATH_MAX, FARM_USAGE, "%s: too many tables or too long a path",
          folder);
  TRY(file_make_folders(folder));
  TRY(refuse_network(folder));
  struct store *store = calloc(1, sizeof *store);
  FAIL_IF(!store, FARM_NO_MEMORY, "%s: out of memory", folder);
  snprintf(store->folder, sizeof store->folder, "%s", folder);
  store->table_count = options->table_count;
  store->headroom_bytes = options->headroom_bytes ? options->headroom_bytes : (size_t)32 << 20;
  enum farm_status status = FARM_OK;
  int code = mdb_env_create(&store->env);
  if (!code) code = mdb_env_set_mapsize(store->env, options->map_bytes ? options->map_bytes : (size_t)64 << 20);
  if (!code) code = mdb_env_set_maxdbs(store->env, TABLES_MOST);
  if (!code) code = mdb_env_set_maxreaders(store->env, READERS);
  if (!code) code = mdb_env_open(store->env, folder, MDB_NOTLS, 0600);
  int dead;
  if (!code) code = mdb_reader_check(store->env, &dead);
  if (code) status = failed(store, "open", code);
  if (status == FARM_OK) status = open_tables(store, options);
  if (status != FARM_OK) {
    store_close(&store);
    return status;
  }
  *out_store = store;
  return FARM_OK;
}

static void end_view(struct store *store) {
  if (store->view) mdb_txn_abort(store->view);
  store->view = NULL;
}

void store_close(struct store **store) {
  if (!*store) return;
  end_view(*store);
  store_abandon(*store);
  if ((*store)->env) mdb_env_close((*store)->env);
  free(*store);
  *store = NULL;
}

static enum farm_status ensure_room(struct store *store, size_t bytes) {
  MDB_envinfo info;
  MDB_stat stat;
  mdb_env_info(store->env, &info);
  mdb_env_stat(store->env, &stat);
  size_t used = (info.me_last_pgno + 1) * (size_t)stat.ms_psize, map = info.me_mapsize;
  if (map - used >= bytes) return FARM_OK;
  while (map - used < bytes) {
    FAIL_IF(map > SIZE_MAX / 4, FARM_NO_SPACE, "%s: cannot grow further", store->folder);
    map *= 2;
  }
  int code = mdb_env_set_mapsize(store->env, map);
  return code ? failed(store, "grow", code) : FARM_OK;
}

enum farm_status store_reserve(struct store *store, size_t bytes) {
  TRY(check_open(store));
  FAIL_IF(store->batch, FARM_FAILURE, "%s: room is made before a batch begins", store->folder);
  end_view(store);
  return ensure_room(store, bytes > SIZE_MAX / 4 ? SIZE_MAX / 4 : bytes * 2 + store->headroom_bytes);
}

static enum farm_status begin_batch(struct store *store) {
  TRY(check_open(store));
  if (store->batch) return FARM_OK;
  end_view(store);
  TRY(ensure_room(store, store->headroom_bytes));
  int code = mdb_txn_begin(store->env, NULL, 0, &store->batch);
  if (code) store->batch = NULL;
  return code ? failed(store, "begin", code) : FARM_OK;
}

/* The transaction to read in: the batch when there is one. */
static enum farm_status reading(struct store *store, MDB_txn **out_txn) {
  TRY(check_open(store));
  if (store->batch) {
    *out_txn = store->batch;
    return FARM_OK;
  }
  end_view(store);
  int code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &store->view);
  if (code) {
    store->view = NULL;
    return failed(store, "begin", code);
  }
  *out_txn = store->view;
  return FARM_OK;
}

static MDB_val val_of(struct store_bytes bytes) { return (MDB_val){bytes.length, (void *)(uintptr_t)bytes.data}; }
static struct store_bytes bytes_of(MDB_val val) { return (struct store_bytes){val.mv_data, val.mv_size}; }

enum farm_status store_get(struct store *store, int table, struct store_bytes key, struct store_bytes *out_value) {
  MDB_txn *txn = NULL;
  TRY(reading(store, &txn));
  MDB_val k = val_of(key), v;
  int code = mdb_get(txn, store->tables[table], &k, &v);
  if (code) return failed(store, "get", code);
  *out_value = bytes_of(v);
  return FARM_OK;
}

enum farm_status store_put(struct store *store, int table, struct store_bytes key, struct store_bytes value) {
  TRY(begin_batch(store));
  MDB_val k = val_of(key), v = val_of(value);
  int code = mdb_put(store->batch, store->tables[table], &k, &v, 0);
  return code ? failed(store, "put", code) : FARM_OK;
}

enum farm_status store_remove(struct store *store, int table, struct store_bytes key) {
  TRY(begin_batch(store));
  MDB_val k = val_of(key);
  int code = mdb_del(store->batch, store->tables[table], &k, NULL);
  return code && code != MDB_NOTFOUND ? failed(store, "remove", code) : FARM_OK;
}

enum farm_status store_clear(struct store *store, int table) {
  TRY(begin_batch(store));
  int code = mdb_drop(store->batch, store->tables[table], 0);
  return code ? failed(store, "clear", code) : FARM_OK;
}

enum farm_status store_visit(struct store *store, int table, struct store_bytes from, store_visit_fn fn, void *context) {
  MDB_txn *txn = NULL;
  MDB_cursor *cursor;
  TRY(reading(store, &txn));
  int code = mdb_cursor_open(txn, store->tables[table], &cursor);
  if (code) return failed(store, "visit", code);
  MDB_val k = val_of(from), v;
  enum farm_status status = FARM_OK;
  for (code = mdb_cursor_get(cursor, &k, &v, from.length ? MDB_SET_RANGE : MDB_FIRST); !code && status == FARM_OK;
       code = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
    status = fn(context, bytes_of(k), bytes_of(v));
    if (status != FARM_OK) break;
  }
  mdb_cursor_close(cursor);
  if (status == FARM_CANCELLED) return FARM_OK;
  if (status != FARM_OK) return status;
  return code && code != MDB_NOTFOUND ? failed(store, "visit", code) : FARM_OK;
}

enum farm_status store_commit(struct store *store) {
  TRY(check_open(store));
  if (!store->batch) return FARM_OK;
  int code = mdb_txn_commit(store->batch);
  store->batch = NULL;
  return code ? failed(store, "commit", code) : FARM_OK;
}

void store_abandon(struct store *store) {
  if (!store) return;
  if (store->batch) mdb_txn_abort(store->batch);
  store->batch = NULL;
}

bool store_has_batch(const struct store *store) { return store && store->batch != NULL; }

enum farm_status store_copy_compact(struct store *store, const char *folder) {
  TRY(store_commit(store));
  end_view(store);
  TRY(file_make_folders(folder));
  int code = mdb_env_copy2(store->env, folder, MDB_CP_COMPACT);
  return code ? failed(store, "copy", code) : FARM_OK;
}

/* As of the last commit: LMDB's table of free pages (number 0, each value begins with its count) opens for readers only. */
static enum farm_status count_free(struct store *store, uint64_t *out_pages) {
  MDB_txn *txn;
  MDB_cursor *cursor;
  MDB_val k, v;
  int code = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
  if (code) return failed(store, "begin", code);
  if ((code = mdb_cursor_open(txn, 0, &cursor))) {
    mdb_txn_abort(txn);
    return failed(store, "free pages", code);
  }
  *out_pages = 0;
  while ((code = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0) {
    size_t pages = 0;
    memcpy(&pages, v.mv_data, v.mv_size < sizeof pages ? v.mv_size : sizeof pages);
    *out_pages += pages;
  }
  mdb_cursor_close(cursor);
  mdb_txn_abort(txn);
  return FARM_OK;
}

enum farm_status store_size(struct store *store, struct store_size *out_size) {
  MDB_txn *txn = NULL;
  MDB_envinfo info;
  MDB_stat stat;
  TRY(reading(store, &txn));
  mdb_env_info(store->env, &info);
  mdb_env_stat(store->env, &stat);
  struct store_size size = {.map_bytes = info.me_mapsize, .used_bytes = (info.me_last_pgno + 1) * (uint64_t)stat.ms_psize};
  uint64_t pages = 0;
  TRY(count_free(store, &pages));
  size.free_bytes = pages * stat.ms_psize;
  for (int i = 0; i < store->table_count; i++)
    if (mdb_stat(txn, store->tables[i], &stat) == 0) size.entries[i] = stat.ms_entries;
  *out_size = size;
  return FARM_OK;
}
