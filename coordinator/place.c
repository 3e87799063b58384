/* See place.h and coordinator.h. */
#include "place.h"

#include "../base/clock.h"
#include "../base/digest.h"
#include "../base/file.h"
#include "../base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the lock ---- */

static enum farm_status open_lock(const char *cache_folder, int *out_fd) {
  char path[PATH_MAX];
  TRY(file_make_folders(cache_folder));
  int length = snprintf(path, sizeof path, "%s/lock", cache_folder);
  FAIL_IF(length < 0 || (size_t)length >= sizeof path, FARM_IO, "%s: path too long", cache_folder);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  FAIL_IF(fd < 0, FARM_IO, "%s: %s", path, strerror(errno));
  *out_fd = fd;
  return FARM_OK;
}

enum farm_status place_lock(const char *cache_folder, int *out_fd) {
  int fd = -1, tries = 50; // someone who only looks (place_is_locked) holds it for a moment
  TRY(open_lock(cache_folder, &fd));
  bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
  for (; !locked && errno == EWOULDBLOCK && tries > 0; tries--) {
    clock_sleep_ns(5000000);
    locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
  }
  int error = errno;
  if (!locked) {
    close(fd);
    return error == EWOULDBLOCK ? status_set(FARM_AGAIN, "%s: another coordinator runs", cache_folder)
                                : status_set(FARM_IO, "%s/lock: cannot be locked: %s", cache_folder, strerror(error));
  }
  char text[32];
  int length = snprintf(text, sizeof text, "%d\n", (int)getpid()); // for people
  if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) < 0) log_debug("%s/lock: %s", cache_folder, strerror(errno));
  *out_fd = fd;
  return FARM_OK;
}

void place_announce(int fd, const char *endpoint) {
  char text[COORDINATOR_ENDPOINT_MOST + 32];
  int length = snprintf(text, sizeof text, "%d\n%s\n", (int)getpid(), endpoint);
  bool wrote = pwrite(fd, text, (size_t)length, 0) == length && ftruncate(fd, length) == 0; // the number stays readable
  if (!wrote) log_debug("lock: %s", strerror(errno));
}

/* What the holder of the lock has announced; false: nothing (yet). */
static bool announced(const char *cache_folder, char out_endpoint[COORDINATOR_ENDPOINT_MOST]) {
  char text[COORDINATOR_ENDPOINT_MOST + 32] = "";
  int fd = -1;
  if (open_lock(cache_folder, &fd) != FARM_OK) return false;
  ssize_t got = pread(fd, text, sizeof text - 1, 0);
  close(fd);
  char *begin = got > 0 ? strchr(text, '\n') : NULL, *end = begin ? strchr(begin + 1, '\n') : NULL;
  if (!end || strncmp(begin + 1, "ipc://", 6) != 0 || end - begin > COORDINATOR_ENDPOINT_MOST) return false;
  snprintf(out_endpoint, COORDINATOR_ENDPOINT_MOST, "%.*s", (int)(end - begin - 1), begin + 1);
  return true;
}

bool place_is_locked(const char *cache_folder) {
  int fd = -1;
  if (open_lock(cache_folder, &fd) != FARM_OK) return false;
  bool locked = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK; // else whoever wants it is told why it cannot be
  close(fd);
  return locked;
}

bool place_is_kept(const char *cache_folder, int fd) {
  char path[PATH_MAX];
  struct stat held, named;
  snprintf(path, sizeof path, "%.4000s/lock", cache_folder);
  if (fstat(fd, &held) != 0) return true; // it cannot be said
  if (stat(path, &named) != 0) return errno != ENOENT && errno != ENOTDIR;
  return held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

/* ---- the socket ---- */

bool place_socket_is_gone(const char *endpoint) {
  struct stat info;
  return strncmp(endpoint, "ipc://", 6) == 0 && stat(endpoint + 6, &info) != 0 && errno == ENOENT;
}

static enum farm_status check_private(const char *folder) {
  struct stat info;
  FAIL_IF(lstat(folder, &info) != 0, FARM_IO, "%s: %s", folder, strerror(errno));
  FAIL_IF(!S_ISDIR(info.st_mode) || info.st_uid != getuid() || (info.st_mode & 077), FARM_DENIED,
          "%s must be a folder of yours that nobody else can enter (mode 0700)", folder);
  return FARM_OK;
}

static enum farm_status runtime_folder(char out[PATH_MAX]) {
  const char *runtime = getenv("XDG_RUNTIME_DIR");
  if (runtime && runtime[0] == '/' && strlen(runtime) < 60 && check_private(runtime) == FARM_OK)
    snprintf(out, PATH_MAX, "%s/tunefarm", runtime);
  else
    snprintf(out, PATH_MAX, "/tmp/tunefarm-%u", (unsigned)getuid());
  FAIL_IF(mkdir(out, 0700) != 0 && errno != EEXIST, FARM_IO, "%s: %s", out, strerror(errno));
  return check_private(out);
}

enum farm_status coordinator_endpoint(const char *cache_folder, char out_endpoint[COORDINATOR_ENDPOINT_MOST]) {
  char real[PATH_MAX], runtime[PATH_MAX], hex[DIGEST_HEX_BYTES];
  TRY(file_make_folders(cache_folder));
  FAIL_IF(!realpath(cache_folder, real), FARM_IO, "%s: %s", cache_folder, strerror(errno));
  TRY(runtime_folder(runtime));
  struct digest digest = digest_of_text(real);
  digest_to_hex(&digest, hex);
  int length = snprintf(out_endpoint, COORDINATOR_ENDPOINT_MOST, "ipc://%s/%.16s", runtime, hex); // sun_path holds 107 bytes
  FAIL_IF(length < 0 || length - 6 > 107, FARM_IO, "%s: socket path too long", runtime);
  return FARM_OK;
}

static bool is_loopback(const char *host) {
  struct in_addr v4;
  if (strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0) return true;
  return inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

enum farm_status place_check_tcp(const char *endpoint) {
  char host[128];
  const char *colon = strrchr(endpoint, ':');
  FAIL_IF(strncmp(endpoint, "tcp://", 6) != 0 || !colon || colon < endpoint + 6 ||
              (size_t)(colon - endpoint - 6) >= sizeof host || !colon[1],
          FARM_USAGE, "%s: not of the form tcp://HOST:PORT", endpoint);
  snprintf(host, sizeof host, "%.*s", (int)(colon - endpoint - 6), endpoint + 6);
  FAIL_IF(!is_loopback(host), FARM_DENIED,
          "%s: refused, because anyone who reaches it could run jobs and write records; "
          "only loopback addresses are served without keys (use an SSH tunnel)",
          endpoint);
  return FARM_OK;
}

/* ---- joining or starting ---- */

static bool answers(const char *endpoint) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const char *path = endpoint + strlen("ipc://");
  memcpy(address.sun_path, path, strnlen(path, sizeof address.sun_path - 1));
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  bool connected = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
  close(fd);
  return connected;
}

enum { LOG_MOST_BYTES = 1 << 20 };

/* Where a detached coordinator's messages go: nobody's terminal. Kept to a megabyte. */
static int open_log(const char *cache_folder) {
  char path[PATH_MAX];
  struct stat info;
  int length = snprintf(path, sizeof path, "%s/coordinator.log", cache_folder);
  if (length < 0 || (size_t)length >= sizeof path) return -1;
  bool full = stat(path, &info) == 0 && info.st_size > LOG_MOST_BYTES;
  return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | (full ? O_TRUNC : 0), 0600);
}

/* The last line of that log, for the message when none came up. */
static void last_line(const char *cache_folder, char *out, size_t size) {
  char path[PATH_MAX], tail[1024] = "";
  snprintf(path, sizeof path, "%.4000s/coordinator.log", cache_folder);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END), from = end > (off_t)sizeof tail - 1 ? end - ((off_t)sizeof tail - 1) : 0;
  ssize_t got = fd < 0 ? 0 : pread(fd, tail, sizeof tail - 1, from);
  if (fd >= 0) close(fd);
  if (got > 0 && tail[got - 1] == '\n') tail[got - 1] = 0;
  const char *line = strrchr(tail, '\n');
  snprintf(out, size, "%s", line ? line + 1 : tail);
}

/* Forked twice and in a session of its own: it outlives us and is nobody's zombie. */
static enum farm_status start_detached(const char *cache_folder, const char *const *argv) {
  int log = open_log(cache_folder), null = open("/dev/null", O_RDWR | O_CLOEXEC);
  pid_t child = fork();
  if (child == 0) {
    setsid();
    if (fork() != 0) _exit(0);
    if (null >= 0) dup2(null, STDIN_FILENO), dup2(null, STDOUT_FILENO);
    dup2(log >= 0 ? log : null, STDERR_FILENO);
    signal(SIGPIPE, SIG_DFL);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
  }
  int error = errno, status;
  if (log >= 0) close(log);
  if (null >= 0) close(null);
  FAIL_IF(child < 0, FARM_FAILURE, "cannot start a coordinator: %s", strerror(error));
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return FARM_OK;
}

enum farm_status coordinator_ensure(const char *cache_folder, const char *const *argv, int timeout_ms,
                                    char out_endpoint[COORDINATOR_ENDPOINT_MOST]) {
  char endpoint[COORDINATOR_ENDPOINT_MOST];
  TRY(coordinator_endpoint(cache_folder, endpoint));
  uint64_t now = clock_now_ns(), end = now + (uint64_t)timeout_ms * 1000000ull, start_at = now;
  for (; now < end; now = clock_now_ns()) {
    bool locked = place_is_locked(cache_folder);
    char other[COORDINATOR_ENDPOINT_MOST];
    bool elsewhere = locked && announced(cache_folder, other) && answers(other);
    if (elsewhere || (locked && answers(endpoint))) {
      memcpy(out_endpoint, elsewhere ? other : endpoint, sizeof endpoint);
      return FARM_OK;
    }
    if (!locked && now >= start_at) { // two may both start one: the lock lets one stay
      TRY(start_detached(cache_folder, argv));
      start_at = now + 2000000000ull;
    }
    clock_sleep_ns(10000000);
  }
  char line[512];
  last_line(cache_folder, line, sizeof line);
  return status_set(FARM_TIMED_OUT, "%s: no coordinator came up within %d ms (its last words: %s)", cache_folder, timeout_ms,
                    line);
}
