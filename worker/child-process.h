/* Starting and ending a measuring child. */
#ifndef WORKER_CHILD_PROCESS_H
#define WORKER_CHILD_PROCESS_H

#include "../base/status.h"

#include <sys/types.h>

struct child_process {
  pid_t pid; // 0: none
  int fd;
};

/* Its end of the socket is descriptor 3; `inherit` (count of them, at most CHILD_BLOBS_MOST) become CHILD_BLOB_FD and up. */
enum farm_status child_process_start(const char *const *argv, const int *inherit, int count, struct child_process *out_child);
/* Kills its process group, waits; *out_wait_status as of waitpid when it had ended by itself, else -1. */
void child_process_end(struct child_process *child, int *out_wait_status);

#endif
