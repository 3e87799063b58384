/* See blobs.h. */
#include "blobs.h"

#include "../base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const uint64_t blob_most_bytes = 8ull << 30;
enum { KEPT_S = 24 * 3600, SWEEP_EVERY_S = 3600 };

static void sweep(const char *folder) {
  DIR *directory = opendir(folder);
  if (!directory) return;
  time_t now = time(NULL);
  for (struct dirent *entry; (entry = readdir(directory));) {
    struct stat info;
    if (entry->d_name[0] == '.' || fstatat(dirfd(directory), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISREG(info.st_mode) && now - info.st_mtime > KEPT_S) unlinkat(dirfd(directory), entry->d_name, 0);
  }
  closedir(directory);
}

static void sweep_now_and_then(struct blobs *blobs) {
  int64_t now = (int64_t)time(NULL);
  if (now - blobs->swept_s < SWEEP_EVERY_S) return;
  sweep(blobs->folder);
  blobs->swept_s = now;
}

enum farm_status blobs_open(const char *cache_folder, struct blobs *out_blobs) {
  char path[PATH_MAX];
  int length = snprintf(path, sizeof path, "%s/blobs", cache_folder);
  FAIL_IF(length < 0 || (size_t)length >= sizeof path - DIGEST_HEX_BYTES - 8, FARM_IO, "%s: path too long", cache_folder);
  TRY(file_make_folders(path));
  *out_blobs = (struct blobs){.folder = strdup(path)};
  FAIL_IF(!out_blobs->folder, FARM_NO_MEMORY, "%s: out of memory", path);
  sweep_now_and_then(out_blobs);
  return FARM_OK;
}

void blobs_close(struct blobs *blobs) {
  free(blobs->folder);
  blobs->folder = NULL;
}

static void path_of(const struct blobs *blobs, const struct digest *digest, const char *suffix, char out[PATH_MAX]) {
  char hex[DIGEST_HEX_BYTES];
  digest_to_hex(digest, hex);
  snprintf(out, PATH_MAX, "%s/%s%s", blobs->folder, hex, suffix);
}

static enum farm_status check_and_name(const struct blobs *blobs, const struct digest *digest, const char *part) {
  struct file_map map;
  char path[PATH_MAX];
  TRY(file_map_open(part, &map));
  struct digest found = digest_of(map.data, map.length);
  file_map_close(&map);
  path_of(blobs, digest, "", path);
  if (!digest_equal(&found, digest)) {
    unlink(part);
    return status_set(FARM_VERIFY_FAILED, "the blob does not have its digest");
  }
  FAIL_IF(rename(part, path) != 0, FARM_IO, "%s: %s", path, strerror(errno));
  return FARM_OK;
}

static enum farm_status append(const struct blobs *blobs, const struct wire_blob_put *put, struct wire_blob_state *state) {
  char part[PATH_MAX];
  struct stat info;
  path_of(blobs, &put->digest, "", part);
  if (stat(part, &info) == 0 && (uint64_t)info.st_size == put->total && utimensat(AT_FDCWD, part, NULL, 0) == 0) { // new again
    state->received = put->total, state->complete = 1;
    return FARM_OK;
  }
  path_of(blobs, &put->digest, ".part", part);
  int fd = open(part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  FAIL_IF(fd < 0, FARM_IO, "%s: %s", part, strerror(errno));
  enum farm_status status = fstat(fd, &info) != 0 ? status_set(FARM_IO, "%s: %s", part, strerror(errno)) : FARM_OK;
  uint64_t had = status == FARM_OK ? (uint64_t)info.st_size : 0;
  if (status == FARM_OK && put->offset == had && had + put->data.length <= put->total) {
    if (pwrite(fd, put->data.data, put->data.length, (off_t)had) != (ssize_t)put->data.length)
      status = status_set(FARM_NO_SPACE, "%s: %s", part, strerror(errno));
    else
      had += put->data.length;
  }
  close(fd);
  TRY(status);
  state->received = had;
  if (had < put->total) return FARM_OK;
  TRY(check_and_name(blobs, &put->digest, part));
  state->complete = 1;
  return FARM_OK;
}

void blobs_put(struct blobs *blobs, const struct wire_blob_put *put, struct wire_blob_state *out_state) {
  sweep_now_and_then(blobs);
  *out_state = (struct wire_blob_state){.digest = put->digest, .message = ""};
  out_state->status =
      put->total > blob_most_bytes ? status_set(FARM_NO_SPACE, "a blob holds at most 8 GiB") : append(blobs, put, out_state);
  if (out_state->status != FARM_OK) out_state->message = status_message();
}

static enum farm_status read_chunk(const struct blobs *blobs, const struct wire_blob_get *get, struct arena *arena,
                                   struct wire_blob_chunk *chunk) {
  char path[PATH_MAX];
  struct stat info;
  path_of(blobs, &get->digest, "", path);
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  FAIL_IF(fd < 0, FARM_NOT_FOUND, "no such blob");
  uint8_t *data = fstat(fd, &info) == 0 ? arena_alloc(arena, WIRE_CHUNK_BYTES) : NULL;
  ssize_t got = data ? pread(fd, data, WIRE_CHUNK_BYTES,
                             (off_t)(get->offset < (uint64_t)info.st_size ? get->offset : (uint64_t)info.st_size))
                     : -1;
  close(fd);
  FAIL_IF(got < 0, FARM_IO, "%s: cannot read", path);
  chunk->total = (uint64_t)info.st_size;
  chunk->data = (struct wire_blob){data, (uint32_t)got};
  return FARM_OK;
}

void blobs_get(struct blobs *blobs, const struct wire_blob_get *get, struct arena *arena, struct wire_blob_chunk *out_chunk) {
  *out_chunk = (struct wire_blob_chunk){.digest = get->digest, .offset = get->offset};
  out_chunk->status = read_chunk(blobs, get, arena, out_chunk);
}

enum farm_status blobs_add(struct blobs *blobs, const void *data, size_t length, struct digest *out_digest) {
  char path[PATH_MAX];
  sweep_now_and_then(blobs);
  *out_digest = digest_of(data, length);
  path_of(blobs, out_digest, "", path);
  return file_write_atomic(path, data, length);
}

enum farm_status blobs_read(struct blobs *blobs, const struct digest *digest, size_t most_bytes, char **out_data,
                            size_t *out_length) {
  char path[PATH_MAX];
  path_of(blobs, digest, "", path);
  return file_read_all(path, most_bytes, out_data, out_length);
}
