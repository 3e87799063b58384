/* The farm of this machine: where its cache is, and the coordinator that alone has it open. */
#ifndef CLI_LOCAL_FARM_H
#define CLI_LOCAL_FARM_H

#include "../cluster/wire/client.h"
#include "../coordinator/coordinator.h"

#include <limits.h>

/* `given` (may be NULL), else $XDG_CACHE_HOME/tunefarm, else ~/.cache/tunefarm. Nothing is made. */
enum farm_status local_farm_folder(const char *given, char out[PATH_MAX]);
/* This program, for starting it anew. */
enum farm_status local_farm_program(char out[PATH_MAX]);
/* The first `count` of these cores (0: as many as thread_pool_default_threads) as a list; FARM_USAGE when there are fewer. */
enum farm_status local_farm_cores(const char *list, int count, char *out, size_t out_bytes);
/* Joins the coordinator of the folder, or starts one with a worker on all cores of this process, which leaves after idling. */
enum farm_status local_farm_join(const char *folder, char out_endpoint[COORDINATOR_ENDPOINT_MOST]);

/* FARM_USAGE, naming the option, unless it is tcp://HOST:PORT or ipc://PATH. */
enum farm_status local_farm_endpoint_check(const char *option, const char *endpoint);

/* A client of the farm at `farm` (an endpoint), or with NULL of the one of the cache folder `cache` (as in local_farm_folder),
 * which is started anew when it goes away. At most one such client per process. */
enum farm_status local_farm_open(const char *farm, const char *cache, struct client **out_client);

#endif
