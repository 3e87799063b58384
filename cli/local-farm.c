/* See local-farm.h. */
#include "local-farm.h"

#include "../base/file.h"
#include "../base/thread-pool.h"
#include "../include/tunefarm.h"
#include "../kernels/tactic.h"
#include "../worker/cores.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { START_MS = 15000, GREETING_MS = 10000 };

enum farm_status local_farm_folder(const char *given, char out[PATH_MAX]) {
  const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  int length = given && *given      ? snprintf(out, PATH_MAX, "%s", given)
               : xdg && *xdg == '/' ? snprintf(out, PATH_MAX, "%s/tunefarm", xdg)
               : home && *home      ? snprintf(out, PATH_MAX, "%s/.cache/tunefarm", home)
                                    : -1;
  FAIL_IF(length < 0, FARM_USAGE, "no cache folder: neither --cache nor XDG_CACHE_HOME nor HOME is set");
  FAIL_IF(length >= PATH_MAX, FARM_USAGE, "the cache folder's path is too long");
  return FARM_OK;
}

enum farm_status local_farm_program(char out[PATH_MAX]) {
  ssize_t length = readlink("/proc/self/exe", out, PATH_MAX - 1);
  FAIL_IF(length < 0, FARM_FAILURE, "cannot find this program: /proc/self/exe: %s", strerror(errno));
  out[length] = 0;
  if (access(out, X_OK) != 0)
    snprintf(out, PATH_MAX, "/proc/self/exe"); // replaced by a newer build: the running one is still there
  return FARM_OK;
}

enum farm_status local_farm_cores(const char *list, int count, char *out, size_t out_bytes) {
  cpu_set_t cores;
  TRY(cores_parse(list, &cores));
  if (count == 0) count = list && *list ? CPU_COUNT(&cores) : thread_pool_default_threads();
  FAIL_IF(count > CPU_COUNT(&cores), FARM_USAGE, "--threads %d: there are %d cores", count, CPU_COUNT(&cores));
  for (int core = 0, kept = 0; core < CPU_SETSIZE; core++)
    if (CPU_ISSET(core, &cores) && kept++ >= count) CPU_CLR(core, &cores);
  cores_print(&cores, out, out_bytes);
  return FARM_OK;
}

enum farm_status local_farm_join(const char *folder, char out_endpoint[COORDINATOR_ENDPOINT_MOST]) {
  char program[PATH_MAX];
  TRY(file_make_folders(folder)); // said at once, not after waiting for a coordinator that cannot say it
  TRY(local_farm_program(program));
  const char *const argv[] = {program, "coordinator", "--cache", folder, "--embedded", NULL};
  return coordinator_ensure(folder, argv, START_MS, out_endpoint);
}

/* What revives the client of this process: it outlives the call that opened it. */
static struct { char folder[PATH_MAX], endpoint[COORDINATOR_ENDPOINT_MOST]; } joined;

static enum farm_status join_again(void *context, const char **out_endpoint) {
  (void)context;
  TRY(local_farm_join(joined.folder, joined.endpoint));
  *out_endpoint = joined.endpoint;
  return FARM_OK;
}

enum farm_status local_farm_endpoint_check(const char *option, const char *endpoint) {
  bool tcp = strncmp(endpoint, "tcp://", 6) == 0 && endpoint[6] && strchr(endpoint + 6, ':');
  bool ipc = strncmp(endpoint, "ipc://", 6) == 0 && endpoint[6];
  FAIL_IF(!tcp && !ipc, FARM_USAGE, "--%s %s: neither tcp://HOST:PORT nor ipc://PATH", option, endpoint);
  return FARM_OK;
}

enum farm_status local_farm_open(const char *farm, const char *cache, struct client **out_client) {
  struct client_options options = {
      .endpoint = farm, .build = farm_version(), .catalogue = catalogue_digest(), .timeout_ms = GREETING_MS};
  if (farm) {
    TRY(local_farm_endpoint_check("farm", farm));
  } else {
    TRY(local_farm_folder(cache, joined.folder));
    TRY(local_farm_join(joined.folder, joined.endpoint));
    options.endpoint = joined.endpoint;
    options.revive = join_again;
  }
  return client_open(&options, out_client);
}
