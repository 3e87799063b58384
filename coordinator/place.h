/* Where a coordinator lives: the lock that elects it and the socket it serves. */
#ifndef COORDINATOR_PLACE_H
#define COORDINATOR_PLACE_H

#include "coordinator.h"

/* FARM_AGAIN: another process holds it; FARM_IO: it cannot be locked. The lock ends with *out_fd. */
enum farm_status place_lock(const char *cache_folder, int *out_fd);
bool place_is_locked(const char *cache_folder);
/* Writes the endpoint into the lock's file: another environment (cron's, without XDG_RUNTIME_DIR) would look elsewhere. */
void place_announce(int fd, const char *endpoint);
/* Is the lock of `fd` still the folder's? Not when the folder was removed or moved away: it is nobody's, or another's, since. */
bool place_is_kept(const char *cache_folder, int fd);
bool place_socket_is_gone(const char *endpoint); // an ipc:// one whose file was removed: nobody finds it any more
/* FARM_DENIED for tcp addresses that are not loopback: there are no keys yet. FARM_USAGE: not an endpoint. */
enum farm_status place_check_tcp(const char *endpoint);

#endif
