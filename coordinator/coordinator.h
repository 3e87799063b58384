/* The coordinator as a process: the core with sockets, stores, local workers and a clock around it.
 *
 * One per cache folder, elected by flock on its `lock` file. It serves an ipc:// socket named by the folder's digest, and tcp on
 * request; starts local workers as children, and anew when they die; leaves after idling. Actions of the core are made durable
 * (cache first, then
 * queue, one sync each per round) before anything is sent.
 */
#ifndef COORDINATOR_COORDINATOR_H
#define COORDINATOR_COORDINATOR_H

#include "../base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COORDINATOR_ENDPOINT_MOST = 256 };

struct coordinator_options {
  const char *cache_folder;
  const char *build;      // tunefarm's version
  const char *const *tcp; // further endpoints, "tcp://127.0.0.1:7410"; loopback only
  int tcp_count;
  double idle_s; // leave after so long without client and build; 0: never
  /* Local workers: one child for each entry of worker_cores. "{endpoint}" and "{cores}" are replaced in worker_argv (NULL at its
   * end). */
  const char *const *worker_argv;
  const char *const *worker_cores;
  int worker_count;
  /* Further children, each with arguments of its own, in which "{endpoint}" is replaced, too: workers of GPUs, then compilers. */
  const char *const *const *further_argv;
  int gpu_count, compiler_count;
};

/* Serves until it idles, is told to stop (SIGTERM, SIGINT: drains, at most 10 s), or fails. FARM_AGAIN: another one runs for
 * this folder. */
enum farm_status coordinator_run(const struct coordinator_options *options);

/* The ipc:// endpoint of a cache folder (made when missing): $XDG_RUNTIME_DIR/tunefarm-… or /tmp/tunefarm-UID/…, which must be
 * ours. */
enum farm_status coordinator_endpoint(const char *cache_folder, char out_endpoint[COORDINATOR_ENDPOINT_MOST]);

/* Joins the coordinator of a folder, or starts `argv` (NULL at its end; argv[0] a path) as a detached process and waits until it
 * serves. Safe when several processes do so at once. */
enum farm_status coordinator_ensure(const char *cache_folder, const char *const *argv, int timeout_ms,
                                    char out_endpoint[COORDINATOR_ENDPOINT_MOST]);

#endif
