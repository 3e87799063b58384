/* Which workers a machine gives to a farm beside those of its cores: one per GPU, and compilers for what they will measure. */
#ifndef CLI_WORKER_FLEET_H
#define CLI_WORKER_FLEET_H

#include "../base/arena.h"
#include "../base/status.h"

struct worker_fleet {
  const char *const **argv; // each NULL-terminated; "{endpoint}" stands for the coordinator
  int gpu_count, compiler_count;
};

/* For every GPU of this machine (none is no error), and compilers when there is one and NVRTC is found. In `arena`. Before this
 * process makes threads. */
enum farm_status worker_fleet_find(const char *program, struct arena *arena, struct worker_fleet *out);
/* Runs them as children, anew when they die, until all have left by themselves (drained), or SIGTERM or SIGINT. */
enum farm_status worker_fleet_run(const struct worker_fleet *fleet, const char *endpoint);

#endif
