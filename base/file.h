/* Files: read-only maps, whole reads, and writes that are either complete or absent. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "status.h"

#include <stddef.h>
#include <stdint.h>

struct file_map {
  const uint8_t *data; // page aligned; never NULL after success (an empty file has length 0)
  size_t length;
};

enum farm_status file_map_open(const char *path, struct file_map *out_map); // regular files only
void file_map_close(struct file_map *map);
enum farm_status file_read_all(const char *path, size_t most_bytes, char **out_data,
                               size_t *out_length); // free() it; zero-terminated
/* Written beside the target, synced, then renamed over it. */
enum farm_status file_write_atomic(const char *path, const void *data, size_t length);
enum farm_status file_make_folders(const char *path); // like mkdir -p, mode 0700 for what is new

#endif
