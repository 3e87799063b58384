/* See standard-output.h. */
#include "standard-output.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static bool may_die;

void stdout_begin(void) { may_die = signal(SIGPIPE, SIG_IGN) == SIG_DFL; }

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
