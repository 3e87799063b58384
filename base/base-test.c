/* The small utilities: what their headers promise at the edges. */
#include "arena.h"
#include "array.h"
#include "bytes.h"
#include "digest.h"
#include "file.h"
#include "map.h"
#include "random.h"
#include "strbuf.h"

#include "../tests/kit/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(arena_hands_out_zeroed_aligned_memory_up_to_its_limit, "") {
  struct arena arena = {.limit_bytes = 1 << 16};
  for (size_t bytes = 0; bytes < 300; bytes++) {
    unsigned char *memory = arena_alloc(&arena, bytes);
    REQUIRE(memory && (uintptr_t)memory % 16 == 0);
    for (size_t i = 0; i < bytes; i++) CHECK(memory[i] == 0);
    memset(memory, 0xff, bytes);
  }
  CHECK(!arena_alloc(&arena, 1 << 16));
  CHECK(!arena_alloc_array(&arena, SIZE_MAX / 2, 4));
  CHECK_TEXT(arena_printf(&arena, "%d-%s", 7, "x"), "7-x");
  arena_free(&arena);
  CHECK(arena.total_bytes == 0 && arena_alloc(&arena, 1 << 15));
  arena_free(&arena);
}

TEST(bytes_round_trip_and_never_read_past_the_end, "") {
  struct bytes_writer writer = {0};
  struct arena arena = {0};
  bytes_put_u8(&writer, 200);
  bytes_put_u32(&writer, 0xdeadbeef);
  bytes_put_i64(&writer, -5);
  bytes_put_f64(&writer, 1.5);
  bytes_put_string(&writer, "text");
  bytes_align(&writer, 64);
  REQUIRE(!writer.failed && writer.length == 64);
  for (size_t cut = 0; cut <= writer.length; cut++) {
    uint8_t *exact = malloc(cut + 1); // an exact copy, so that the sanitizer sees a read past it
    memcpy(exact, writer.data, cut);
    struct bytes_reader reader = bytes_reader_of(exact, cut);
    uint8_t a = bytes_get_u8(&reader);
    uint32_t b = bytes_get_u32(&reader);
    int64_t c = bytes_get_i64(&reader);
    double d = bytes_get_f64(&reader);
    const char *e = bytes_get_string(&reader, &arena);
    bool whole = cut >= 1 + 4 + 8 + 8 + 8;
    CHECK(bytes_reader_ok(&reader) == whole);
    if (whole) CHECK(a == 200 && b == 0xdeadbeef && c == -5 && d == 1.5 && strcmp(e, "text") == 0);
    free(exact);
  }
  struct bytes_reader reader = bytes_reader_of("\xff\xff\xff\xff", 4);
  CHECK(bytes_get_count(&reader, 1) == 0 && !bytes_reader_ok(&reader));
  arena_free(&arena);
  bytes_writer_free(&writer);
}

TEST(map_keeps_order_and_survives_removal, "") {
  struct map map = {0};
  static int numbers[3000];
  char key[32];
  for (int i = 0; i < 3000; i++) {
    snprintf(key, sizeof key, "key %d", i);
    REQUIRE_OK(map_set(&map, key, &numbers[i]));
  }
  for (int i = 0; i < 3000; i += 3) {
    snprintf(key, sizeof key, "key %d", i);
    CHECK(map_remove(&map, key) == &numbers[i] && !map_remove(&map, key));
  }
  for (int i = 0; i < 3000; i++) {
    snprintf(key, sizeof key, "key %d", i);
    CHECK(map_get(&map, key) == (i % 3 ? &numbers[i] : NULL));
  }
  int next = 1;
  for (struct map_entry *entry = map_next(&map, NULL); entry; entry = map_next(&map, entry)) {
    CHECK(entry->value == &numbers[next]);
    next += next % 3 == 1 ? 1 : 2;
  }
  CHECK(map.count == 2000);
  REQUIRE_OK(map_set(&map, "key 1", &numbers[0]));
  CHECK(map_get(&map, "key 1") == &numbers[0] && map.count == 2000);
  map_free(&map);
  CHECK(!map_get(&map, "key 1"));
}

/* RFC 7693 and the empty input: the digest of everything must never change. */
TEST(digest_is_blake2b_256, "") {
  char hex[DIGEST_HEX_BYTES];
  struct digest abc = digest_of("abc", 3), again, parts;
  digest_to_hex(&abc, hex);
  CHECK_TEXT(hex, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
  CHECK(digest_from_hex(hex, &again) && digest_equal(&abc, &again));
  hex[63] = 'G';
  CHECK(!digest_from_hex(hex, &again));
  struct digest_state state;
  digest_begin(&state);
  digest_add(&state, "a", 1);
  digest_add(&state, "bc", 2);
  parts = digest_end(&state);
  CHECK(digest_equal(&abc, &parts));
}

TEST(files_are_written_whole, "") {
  char path[512], *text;
  size_t length;
  struct file_map map;
  snprintf(path, sizeof path, "%s/a/b", test_folder());
  REQUIRE_OK(file_make_folders(path));
  snprintf(path, sizeof path, "%s/a/b/file", test_folder());
  REQUIRE_OK(file_write_atomic(path, "one", 3));
  REQUIRE_OK(file_write_atomic(path, "longer", 6));
  REQUIRE_OK(file_read_all(path, 100, &text, &length));
  CHECK(length == 6);
  CHECK_TEXT(text, "longer");
  free(text);
  CHECK(file_read_all(path, 5, &text, &length) == FARM_INVALID);
  REQUIRE_OK(file_map_open(path, &map));
  CHECK(map.length == 6 && memcmp(map.data, "longer", 6) == 0);
  file_map_close(&map);
  CHECK(file_map_open(test_folder(), &map) == FARM_IO);
  CHECK(file_map_open("/nonexistent/file", &map) == FARM_NOT_FOUND);
}

TEST(files_replace_files_and_nothing_else, "") {
  char file[512], link[512], pipe_path[512], *text, got[8] = "";
  size_t length;
  struct stat info;
  snprintf(file, sizeof file, "%s/file", test_folder());
  snprintf(link, sizeof link, "%s/link", test_folder());
  snprintf(pipe_path, sizeof pipe_path, "%s/pipe", test_folder());
  REQUIRE_OK(file_write_atomic(file, "one", 3));
  REQUIRE(symlink(file, link) == 0 && mkfifo(pipe_path, 0600) == 0);
  REQUIRE_OK(file_write_atomic(link, "two", 3));
  CHECK(lstat(link, &info) == 0 && S_ISLNK(info.st_mode));
  REQUIRE_OK(file_read_all(file, 100, &text, &length));
  CHECK_TEXT(text, "two");
  free(text);
  int reader = open(pipe_path, O_RDWR | O_CLOEXEC);
  REQUIRE(reader >= 0);
  REQUIRE_OK(file_write_check(pipe_path));
  REQUIRE_OK(file_write_atomic(pipe_path, "three", 5));
  CHECK(lstat(pipe_path, &info) == 0 && S_ISFIFO(info.st_mode));
  if (S_ISFIFO(info.st_mode)) CHECK(read(reader, got, 5) == 5 && strcmp(got, "three") == 0);
  close(reader);
  CHECK(file_make_folders(file) == FARM_IO && strstr(status_message(), "not a folder"));
}

static int entries_of(const char *folder) {
  int count = 0;
  DIR *dir = opendir(folder);
  REQUIRE(dir != NULL);
  while (readdir(dir)) count++;
  closedir(dir);
  return count;
}

TEST(files_that_could_not_be_written_are_known_before, "") {
  char path[512], *text;
  size_t length;
  snprintf(path, sizeof path, "%s/file", test_folder());
  int before = entries_of(test_folder());
  REQUIRE_OK(file_write_check(path));
  CHECK(entries_of(test_folder()) == before);
  REQUIRE_OK(file_write_atomic(path, "one", 3));
  REQUIRE_OK(file_write_check(path));
  REQUIRE_OK(file_read_all(path, 100, &text, &length));
  CHECK_TEXT(text, "one");
  free(text);
  CHECK(file_write_check(test_folder()) == FARM_IO);
  snprintf(path, sizeof path, "%s/none/file", test_folder());
  CHECK(file_write_check(path) == FARM_IO && strstr(status_message(), path));
  CHECK(file_write_check("") == FARM_USAGE);
}

TEST(random_numbers_are_the_same_everywhere, "") {
  double sum = 0, squares = 0;
  CHECK(random_u64(1, 0) == 0x910a2dec89025cc1u);
  for (uint64_t i = 0; i < 100000; i++) {
    double x = random_normal(42, i), u = random_uniform(42, i);
    CHECK(u >= 0 && u < 1 && x > -6.001 && x < 6.001);
    sum += x;
    squares += x * x;
  }
  CHECK(sum / 1e5 < 0.02 && sum / 1e5 > -0.02 && squares / 1e5 > 0.98 && squares / 1e5 < 1.02);
}

TEST(status_messages_are_prefixed_in_place, "") {
  CHECK(status_set(FARM_INVALID, "bad %d", 5) == FARM_INVALID);
  CHECK(status_prefix(FARM_INVALID, "file %s", "x") == FARM_INVALID);
  CHECK_TEXT(status_message(), "file x: bad 5");
  status_set(FARM_IO, "again: %s", status_message());
  CHECK_TEXT(status_message(), "again: file x: bad 5");
  for (int i = 0; i < 400; i++) status_prefix(FARM_IO, "prefix %d", i);
  CHECK(strlen(status_message()) < 1024);
  const struct status_kept kept = status_keep(status_set(FARM_INVALID, "the first"));
  status_set(FARM_IO, "a later one");
  CHECK(status_restore(&kept) == FARM_INVALID);
  CHECK_TEXT(status_message(), "the first");
  CHECK(status_exit_code(FARM_LOCKED_MISS) == 3 && status_exit_code((enum farm_status)12345) == 1 &&
        status_loses(FARM_TACTIC_HUNG) == LOSES_TACTIC);
}
