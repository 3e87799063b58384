/* The measuring child: a process that may die. Runs jobs from its socket until that closes. */
#ifndef WORKER_CHILD_H
#define WORKER_CHILD_H

#include "../base/status.h"

/* `cores`: list the process binds to first ("" any). `gpu`: UUID of the GPU that it measures on; NULL: on the cores. Returns an exit
 * code for main. */
int measuring_child_main(int fd, const char *cores, const char *gpu);

#endif
