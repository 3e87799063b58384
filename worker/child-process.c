/* See child-process.h. Between fork and exec only what is safe there; the child leads a process group of its own. */
#include "child-process.h"

#include "child-protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HIGH_FD = 64 }; // above every descriptor that a child is given

/* Descriptors move up first, so that none lands on another's place. */
static bool descriptors_place(int socket, const int *inherit, int count) {
  int high[CHILD_BLOBS_MOST];
  socket = fcntl(socket, F_DUPFD_CLOEXEC, HIGH_FD);
  for (int i = 0; i < count; i++) high[i] = fcntl(inherit[i], F_DUPFD_CLOEXEC, HIGH_FD);
  for (int i = 0; i < count; i++)
    if (high[i] < 0 || dup2(high[i], CHILD_BLOB_FD + i) < 0) return false;
  return socket >= 0 && dup2(socket, 3) == 3;
}

static _Noreturn void child_become(const char *const *argv, int socket, const int *inherit, int count) {
  sigset_t none;
  setpgid(0, 0);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (descriptors_place(socket, inherit, count)) execv(argv[0], (char *const *)(uintptr_t)argv);
  _exit(127);
}

enum farm_status child_process_start(const char *const *argv, const int *inherit, int count, struct child_process *out_child) {
  int ends[2];
  FAIL_IF(count > CHILD_BLOBS_MOST, FARM_INVALID, "%d descriptors for a measuring child", count);
  FAIL_IF(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0, FARM_FAILURE, "no socket for a measuring child: %s",
          strerror(errno));
  pid_t pid = fork();
  if (pid == 0) child_become(argv, ends[1], inherit, count);
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    return status_set(FARM_FAILURE, "cannot start a measuring child: %s", strerror(errno));
  }
  setpgid(pid, pid);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  *out_child = (struct child_process){pid, ends[0]};
  return FARM_OK;
}

void child_process_end(struct child_process *child, int *out_wait_status) {
  *out_wait_status = -1;
  if (!child->pid) return;
  int status;
  for (int i = 0; i < 100; i++) { // it closed its socket: give it a moment to end by itself, so that we learn how
    pid_t got = waitpid(child->pid, &status, WNOHANG);
    if (got == child->pid) *out_wait_status = status;
    if (got != 0) break;
    char byte;
    if (recv(child->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0) break; // still open: it is to be killed
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
  }
  kill(-child->pid, SIGKILL);
  if (*out_wait_status == -1) {
    kill(child->pid, SIGKILL);
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
    }
  }
  close(child->fd);
  *child = (struct child_process){0, -1};
}
