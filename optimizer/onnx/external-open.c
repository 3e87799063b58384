/* Opening a file beneath a folder without ever leaving it. See external-data.h. */
#include "external-data.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OPEN_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY }; // a FIFO must not hold us

static bool component_is_parent(const char *at, size_t length) { return length == 2 && at[0] == '.' && at[1] == '.'; }

/* By its form alone: what could mean a place outside the folder on any system. */
static enum farm_status location_check(const char *location) {
  FAIL_IF(!*location, FARM_INVALID, "external data: the location is empty");
  FAIL_IF(strlen(location) >= PATH_MAX, FARM_INVALID, "external data: the location is too long");
  FAIL_IF(*location == '/', FARM_INVALID, "external data: \"%s\" is an absolute path", location);
  FAIL_IF(strpbrk(location, "\\:"), FARM_INVALID, "external data: \"%s\" holds a backslash or colon", location);
  for (const char *at = location; *at;) {
    size_t length = strcspn(at, "/");
    FAIL_IF(component_is_parent(at, length), FARM_INVALID, "external data: \"%s\" leaves the model's folder", location);
    at += length + (at[length] == '/');
  }
  return FARM_OK;
}

static enum farm_status open_failed(const char *location, int error) {
  if (error == ELOOP || error == EXDEV || error == ENOTDIR)
    return status_set(FARM_INVALID, "external data: \"%s\" goes through a symbolic link or out of the folder", location);
  return status_set(error == ENOENT ? FARM_NOT_FOUND : FARM_IO, "external data: \"%s\": %s", location, strerror(error));
}

static enum farm_status regular_check(const char *location, int fd) {
  struct stat info;
  FAIL_IF(fstat(fd, &info) != 0, FARM_IO, "external data: \"%s\": %s", location, strerror(errno));
  FAIL_IF(!S_ISREG(info.st_mode), FARM_INVALID, "external data: \"%s\" is not a regular file", location);
  FAIL_IF(info.st_nlink != 1, FARM_INVALID, "external data: \"%s\" has %lu hard links", location, (unsigned long)info.st_nlink);
  return FARM_OK;
}

static enum farm_status opened(const char *location, int fd, int *out_fd) {
  if (fd < 0) return open_failed(location, errno);
  enum farm_status status = regular_check(location, fd);
  if (status == FARM_OK)
    *out_fd = fd;
  else
    close(fd);
  return status;
}

enum farm_status external_open_by_walk(int folder, const char *location, int *out_fd) {
  TRY(location_check(location));
  int at_folder = folder, fd = -1;
  char name[NAME_MAX + 1];
  for (const char *at = location; *at;) {
    size_t length = strcspn(at, "/");
    bool last = at[length] == 0;
    if (length > NAME_MAX)
      errno = ENAMETOOLONG;
    else
      memcpy(name, at, length);
    name[length > NAME_MAX ? 0 : length] = 0;
    fd = length > NAME_MAX ? -1 : openat(at_folder, *name ? name : ".", OPEN_FLAGS | O_NOFOLLOW | (last ? 0 : O_DIRECTORY));
    int error = errno;
    if (at_folder != folder) close(at_folder);
    errno = error;
    if (fd < 0 || last) break;
    at_folder = fd;
    at += length + strspn(at + length, "/");
  }
  return opened(location, fd, out_fd);
}

enum farm_status external_open(int folder, const char *location, int *out_fd) {
  TRY(location_check(location));
  struct open_how how = {.flags = OPEN_FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
  long fd = syscall(SYS_openat2, folder, location, &how, sizeof how);
  if (fd < 0 && (errno == ENOSYS || errno == EPERM)) return external_open_by_walk(folder, location, out_fd);
  return opened(location, (int)fd, out_fd);
}
