/* Local workers: one child per set of cores, per GPU and per compiler, started anew when it dies (0.2 s later, doubling to 10 s
 * while it dies young), killed by the kernel when this process dies. */
#ifndef COORDINATOR_CHILDREN_H
#define COORDINATOR_CHILDREN_H

#include "coordinator.h"

#include <sys/types.h>

struct child {
  pid_t pid; // 0: none
  uint64_t began_ns, again_ns, backoff_ns;
};
struct children {
  const struct coordinator_options *options;
  const char *endpoint;
  struct child *list;
};

enum farm_status children_open(const struct coordinator_options *options, const char *endpoint, struct children *out);
void children_tick(struct children *children, uint64_t now_ns);            // reaps and starts
int children_alive(const struct children *children, int first, int count); // of the `count` from `first` on
void children_close(struct children *children);                            // SIGTERM, SIGKILL after 2 s

#endif
