/* Compacting survives what may happen in between: a loss of power, a kill, a rename or an opening that fails. The process's own
 * rename and fsync stand in for those of the C library, take notes and fail on demand. */
#include "cache.h"
#include "screen-test.h"

#include "../tests/kit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
  bool on, fail_rename, spoil_after_rename;
  struct strbuf text;
} notes;

static const char *below_test_folder(const char *path) {
  size_t length = strlen(test_folder());
  return strncmp(path, test_folder(), length) == 0 ? path + length : path;
}

int fsync(int fd) {
  char link[64], path[4096] = "";
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  if (notes.on && readlink(link, path, sizeof path - 1) > 0) strbuf_printf(&notes.text, "sync %s\n", below_test_folder(path));
  return (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to) {
  if (notes.on) strbuf_printf(&notes.text, "rename %s\n", below_test_folder(to));
  if (notes.fail_rename) {
    errno = EIO;
    return -1;
  }
  int result = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
  FILE *file = notes.spoil_after_rename ? fopen(to, "r+") : NULL;
  if (file) {
    static const char junk[8192] = "this is no environment";
    REQUIRE(fwrite(junk, sizeof junk, 1, file) == 1 && fclose(file) == 0);
  }
  return result;
}

static enum farm_status put_number(struct cache *cache, int number) {
  char problem[32];
  snprintf(problem, sizeof problem, "p%d", number);
  struct bytes_writer bytes = screen_bytes(problem, "v", FARM_OK, 1, 1, 100);
  enum farm_status status = cache_put(cache, bytes.data, bytes.length, CACHE_NEWEST, NULL);
  bytes_writer_free(&bytes);
  return status;
}

static uint64_t records_of(struct cache *cache) {
  struct cache_stats stats;
  REQUIRE_OK(cache_stats(cache, &stats));
  return stats.records;
}

static struct cache *cache_of_ten(void) {
  struct cache *cache = NULL;
  REQUIRE_OK(cache_open(test_folder(), NULL, &cache));
  for (int i = 0; i < 10; i++) REQUIRE_OK(put_number(cache, i));
  REQUIRE_OK(cache_commit(cache));
  return cache;
}

static bool has_leftovers(void) {
  char path[700];
  snprintf(path, sizeof path, "%s/cache/compact", test_folder());
  return access(path, F_OK) == 0;
}

static void leave_leftovers(void) {
  char path[700];
  snprintf(path, sizeof path, "%s/cache/compact", test_folder());
  REQUIRE(mkdir(path, 0700) == 0);
  snprintf(path, sizeof path, "%s/cache/compact/data.mdb", test_folder());
  FILE *file = fopen(path, "w");
  REQUIRE(file && fputs("half a copy", file) > 0 && fclose(file) == 0);
}

TEST(compact_syncs_the_copy_then_the_folder, "") {
  struct cache *cache = cache_of_ten();
  uint64_t saved;
  notes.on = true;
  REQUIRE_OK(cache_compact(cache, &saved));
  notes.on = false;
  CHECK_TEXT(strbuf_text(&notes.text), "sync /cache/compact/data.mdb\nrename /cache/data.mdb\nsync /cache\n");
  CHECK(records_of(cache) == 10 && !has_leftovers());
  strbuf_free(&notes.text);
  cache_close(&cache);
}

TEST(compact_removes_what_a_killed_one_left, "") {
  struct cache *cache = cache_of_ten();
  uint64_t saved;
  leave_leftovers();
  REQUIRE_OK(cache_compact(cache, &saved));
  CHECK(!has_leftovers() && records_of(cache) == 10);
  cache_close(&cache);
  leave_leftovers();
  REQUIRE_OK(cache_open(test_folder(), NULL, &cache));
  CHECK(!has_leftovers() && records_of(cache) == 10);
  cache_close(&cache);
}

TEST(compact_that_cannot_rename_keeps_the_cache, "") {
  struct cache *cache = cache_of_ten();
  uint64_t saved;
  notes.fail_rename = true;
  CHECK(cache_compact(cache, &saved) == FARM_IO && strstr(status_message(), "data.mdb"));
  notes.fail_rename = false;
  REQUIRE_OK(put_number(cache, 10));
  REQUIRE_OK(cache_commit(cache));
  CHECK(records_of(cache) == 11 && !has_leftovers());
  cache_close(&cache);
}

static enum farm_status each_nothing(void *context, const struct record *record, const char *key, struct store_bytes bytes,
                                     bool quarantined) {
  (void)context, (void)record, (void)key, (void)bytes, (void)quarantined;
  return FARM_OK;
}

static void check_readers_refuse(struct cache *cache) {
  static const char key[] = "screen|1|p1|v|00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff|cpu x|t1|cold/1";
  struct arena arena = {0};
  struct record record;
  struct artefact artefact;
  struct cache_stats stats;
  struct strbuf text = {0};
  struct bytes_writer out = {0};
  uint64_t count;
  CHECK(cache_get(cache, key, CACHE_FRESH, &arena, &record, NULL) == FARM_IO);
  CHECK(cache_artefact_get(cache, "artefact|1|x", &arena, &artefact, NULL) == FARM_IO);
  CHECK(cache_each(cache, NULL, each_nothing, NULL) == FARM_IO);
  CHECK(cache_history(cache, key, each_nothing, NULL) == FARM_IO);
  CHECK(cache_artefacts_each(cache, NULL, NULL, NULL) == FARM_IO);
  CHECK(cache_stats(cache, &stats) == FARM_IO);
  CHECK(cache_explain(cache, key, &text) == FARM_IO);
  CHECK(cache_export(cache, NULL, &out, &count) == FARM_IO);
  arena_free(&arena);
  strbuf_free(&text);
  bytes_writer_free(&out);
}

static void check_writers_refuse(struct cache *cache, const struct bytes_writer *bundle) {
  struct cache_verified verified;
  struct cache_imported imported;
  uint64_t count;
  CHECK(put_number(cache, 11) == FARM_IO);
  CHECK(cache_commit(cache) == FARM_IO);
  CHECK(cache_verify(cache, true, &verified) == FARM_IO);
  CHECK(cache_prune(cache, &(struct cache_prune){.text = "p"}, &count) == FARM_IO);
  CHECK(cache_compact(cache, &count) == FARM_IO);
  CHECK(cache_import(cache, bundle->data, bundle->length, CACHE_NEWEST, false, &imported) == FARM_IO);
  CHECK(cache_artefacts_put(cache, "\0\0\0\0", 4, &imported) == FARM_IO);
  cache_abandon(cache);
}

TEST(compact_that_cannot_open_again_makes_every_call_say_so, "") {
  struct cache *cache = cache_of_ten();
  struct bytes_writer bundle = {0};
  uint64_t saved, count;
  REQUIRE_OK(cache_export(cache, NULL, &bundle, &count));
  notes.spoil_after_rename = true;
  CHECK(cache_compact(cache, &saved) == FARM_IO && strstr(status_message(), "after compacting"));
  notes.spoil_after_rename = false;
  check_readers_refuse(cache);
  check_writers_refuse(cache, &bundle);
  CHECK(strstr(status_message(), "store is closed"));
  bytes_writer_free(&bundle);
  cache_close(&cache);
}
