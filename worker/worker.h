/* A worker: one device, one measuring child, jobs from the coordinator. Never runs a kernel itself. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "../cluster/wire/worker-link.h"

struct worker_options {
  const char *endpoint;
  const char *cores;             // list, "" for all this process may use
  const char *const *child_argv; // how to start a measuring child on the same cores; its socket is descriptor 3
  const char *build;             // tunefarm's version
  uint64_t hang_ns;              // see job-runner.h
  struct link_keys keys;
};

/* Serves until drained, refused or told to end by SIGTERM or SIGINT (a running job is handed back). */
enum farm_status worker_run(const struct worker_options *options);

#endif
