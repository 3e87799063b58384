/* See standard-output.h. */
#include "standard-output.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static bool may_die;

/* Descriptors 0 to 2 are open from here on, so that no file or socket of ours gets the number of a stream that was closed.
 * /dev/null for reading: what is written to such a stdout fails, as it would have. */
static void streams_hold(void) {
  int fd;
  do fd = open("/dev/null", O_RDONLY);
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) close(fd);
}

void stdout_begin(void) {
  streams_hold();
  may_die = signal(SIGPIPE, SIG_IGN) == SIG_DFL;
}

/* Asked of the pipe itself: the errno of the write that failed may be long gone. */
static bool reader_has_gone(void) {
  struct pollfd out = {.fd = STDOUT_FILENO};
  return poll(&out, 1, 0) == 1 && (out.revents & POLLERR);
}

static void die_of_sigpipe(void) {
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGPIPE);
  signal(SIGPIPE, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &blocked, NULL);
  raise(SIGPIPE);
}

enum farm_status stdout_flush(void) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return FARM_OK;
  if (may_die && reader_has_gone()) die_of_sigpipe();
  return status_set(FARM_IO, "cannot write to stdout");
}
