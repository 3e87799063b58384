/* See file.h. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static enum farm_status open_regular(const char *path, int *out_fd, size_t *out_length) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a FIFO must not hold us
  FAIL_IF(fd < 0, errno == ENOENT ? FARM_NOT_FOUND : FARM_IO, "%s: %s", path, strerror(errno));
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return status_set(FARM_IO, "%s: not a regular file", path);
  }
  *out_fd = fd;
  *out_length = (size_t)info.st_size;
  return FARM_OK;
}

enum farm_status file_map_open(const char *path, struct file_map *out_map) {
  int fd;
  size_t length;
  TRY(open_regular(path, &fd, &length));
  if (length == 0) {
    close(fd);
    *out_map = (struct file_map){(const uint8_t *)"", 0};
    return FARM_OK;
  }
  void *data = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
  int error = errno;
  close(fd);
  FAIL_IF(data == MAP_FAILED, FARM_IO, "%s: cannot map: %s", path, strerror(error));
  *out_map = (struct file_map){data, length};
  return FARM_OK;
}

void file_map_close(struct file_map *map) {
  if (map->length) munmap((void *)(uintptr_t)map->data, map->length);
  *map = (struct file_map){0};
}

static enum farm_status read_fully(int fd, const char *path, char *data, size_t length) {
  for (size_t at = 0; at < length;) {
    ssize_t got = read(fd, data + at, length - at);
    if (got < 0 && errno == EINTR) continue;
    FAIL_IF(got < 0, FARM_IO, "%s: %s", path, strerror(errno));
    FAIL_IF(got == 0, FARM_IO, "%s: shorter than its size says", path);
    at += (size_t)got;
  }
  return FARM_OK;
}

enum farm_status file_read_all(const char *path, size_t most_bytes, char **out_data, size_t *out_length) {
  int fd;
  size_t length;
  TRY(open_regular(path, &fd, &length));
  enum farm_status status = FARM_OK;
  char *data = NULL;
  if (length > most_bytes) {
    status = status_set(FARM_INVALID, "%s: %zu bytes are more than the %zu allowed", path, length, most_bytes);
    goto close_file;
  }
  data = malloc(length + 1);
  if (!data) {
    status = status_set(FARM_NO_MEMORY, "%s: out of memory for %zu bytes", path, length);
    goto close_file;
  }
  TRY_OR(read_fully(fd, path, data, length), close_file);
  data[length] = 0;
  *out_data = data;
  *out_length = length;
  data = NULL;
close_file:
  free(data);
  close(fd);
  return status;
}

static enum farm_status write_fully(int fd, const char *path, const char *data, size_t length) {
  for (size_t at = 0; at < length;) {
    ssize_t wrote = write(fd, data + at, length - at);
    if (wrote < 0 && errno == EINTR) continue;
    FAIL_IF(wrote < 0, errno == ENOSPC ? FARM_NO_SPACE : FARM_IO, "%s: %s", path, strerror(errno));
    at += (size_t)wrote;
  }
  return FARM_OK;
}

/* Something without a beginning and an end to keep whole: a device, a pipe, a socket. */
static bool is_stream(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

enum farm_status file_write_begin(const char *path, struct file_write *out_write) {
  FAIL_IF(!*path, FARM_USAGE, "the name of a file to write is empty");
  FAIL_IF(strlen(path) + sizeof ".XXXXXX" > PATH_MAX, FARM_IO, "%.100s…: path too long", path);
  if (is_stream(path)) {
    out_write->temporary[0] = 0;
    snprintf(out_write->target, PATH_MAX, "%s", path);
    out_write->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    FAIL_IF(out_write->fd < 0, FARM_IO, "%s: %s", path, strerror(errno));
    return FARM_OK;
  }
  if (!realpath(path, out_write->target)) snprintf(out_write->target, PATH_MAX, "%s", path); // new
  int needed = snprintf(out_write->temporary, PATH_MAX, "%s.XXXXXX", out_write->target);
  FAIL_IF(needed < 0 || needed >= PATH_MAX, FARM_IO, "%.100s…: path too long", path);
  out_write->fd = mkostemp(out_write->temporary, O_CLOEXEC);
  FAIL_IF(out_write->fd < 0, FARM_IO, "%s: cannot write beside it: %s", path, strerror(errno));
  return FARM_OK;
}

static enum farm_status finish(const struct file_write *write) {
  mode_t mask = umask(0);
  umask(mask);
  FAIL_IF(fchmod(write->fd, 0666 & ~mask) != 0 || fsync(write->fd) != 0, errno == ENOSPC ? FARM_NO_SPACE : FARM_IO, "%s: %s",
          write->target, strerror(errno));
  return FARM_OK;
}

enum farm_status file_write_end(struct file_write *write, enum farm_status status) {
  bool beside = write->temporary[0];
  if (status == FARM_OK && beside) status = finish(write);
  if (close(write->fd) != 0 && status == FARM_OK) status = status_set(FARM_IO, "%s: %s", write->target, strerror(errno));
  if (status == FARM_OK && beside && rename(write->temporary, write->target) != 0)
    status = status_set(FARM_IO, "%s: %s", write->target, strerror(errno));
  if (status != FARM_OK && beside) unlink(write->temporary);
  return status;
}

enum farm_status file_write_atomic(const char *path, const void *data, size_t length) {
  struct file_write write;
  TRY(file_write_begin(path, &write));
  return file_write_end(&write, write_fully(write.fd, path, data, length));
}

enum farm_status file_write_check(const char *path) {
  struct file_write write;
  struct stat info;
  FAIL_IF(stat(path, &info) == 0 && S_ISDIR(info.st_mode), FARM_IO, "%s: %s", path, strerror(EISDIR));
  FAIL_IF(is_stream(path) && access(path, W_OK) != 0, FARM_IO, "%s: %s", path, strerror(errno));
  if (is_stream(path)) return FARM_OK;
  TRY(file_write_begin(path, &write));
  close(write.fd);
  unlink(write.temporary);
  return FARM_OK;
}

enum farm_status file_make_folders(const char *path) {
  char part[PATH_MAX];
  size_t length = strlen(path);
  FAIL_IF(length >= sizeof part, FARM_IO, "%s: path too long", path);
  for (size_t i = 1; i <= length; i++) {
    if (path[i] != '/' && path[i] != 0) continue;
    memcpy(part, path, i);
    part[i] = 0;
    FAIL_IF(mkdir(part, 0700) != 0 && errno != EEXIST, FARM_IO, "%s: %s", part, strerror(errno));
  }
  struct stat info;
  FAIL_IF(stat(path, &info) != 0 || !S_ISDIR(info.st_mode), FARM_IO, "%s: not a folder", path);
  return FARM_OK;
}
