/* The cores of a CPU device: lists, affinity, and the host-wide locks that keep two measurements from sharing a core or a GPU. */
#ifndef WORKER_CORES_H
#define WORKER_CORES_H

#include "../base/status.h"

#include <sched.h>
#include <stdbool.h>

/* "0-3,6" -> a set; FARM_USAGE on malformed lists and cores this process may not use. "" or NULL: all it may use. */
enum farm_status cores_parse(const char *text, cpu_set_t *out_cores);
void cores_print(const cpu_set_t *cores, char *out, size_t out_bytes);
enum farm_status cores_bind(const cpu_set_t *cores); // this process, before it makes threads

/* One lock file per core, and per GPU, in a folder that all users of the machine share; cores are taken in rising order, so that
 * nobody waits in a circle. */
struct device_locks {
  int fds[CPU_SETSIZE];
  int count;
};
/* Waits; `waiting` (may be NULL) is called about every 200 ms meanwhile. Locks end with the process. */
enum farm_status cores_lock(const cpu_set_t *cores, void (*waiting)(void *context), void *context,
                            struct device_locks *out_locks);
enum farm_status gpu_hold(const char *uuid, void (*waiting)(void *context), void *context, struct device_locks *out_locks);
void device_unlock(struct device_locks *locks);

#endif
