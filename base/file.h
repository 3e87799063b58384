/* Files: read-only maps, whole reads, and writes that are either complete or absent. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "status.h"

#include <limits.h>
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
/* Written beside the target, synced, then renamed over it. A link stays a link: what it points to is replaced. What is there and
 * no file (a device, a pipe, /dev/stdout) is written into and never replaced. */
enum farm_status file_write_atomic(const char *path, const void *data, size_t length);
/* The same in parts: begin, write to `fd`, end. `status` is how writing went; end leaves nothing behind when it is an error, and
 * returns it. */
struct file_write {
  int fd;
  char target[PATH_MAX], temporary[PATH_MAX]; // temporary: empty where the target itself is written
};
enum farm_status file_write_begin(const char *path, struct file_write *out_write);
enum farm_status file_write_end(struct file_write *write, enum farm_status status);
/* Whether it could be written, for those who work long before they write. Leaves no trace. */
enum farm_status file_write_check(const char *path);
enum farm_status file_make_folders(const char *path); // like mkdir -p, mode 0700 for what is new

#endif
