/* See external-data.h. */
#include "external-data.h"

#include "../../base/array.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum farm_status external_data_create(const char *folder_or_null, struct external_data *out_external) {
  *out_external = (struct external_data){0};
  if (!folder_or_null) return FARM_OK;
  out_external->folder = strdup(folder_or_null);
  return out_external->folder ? FARM_OK : status_set(FARM_NO_MEMORY, "out of memory");
}

void external_data_free(struct external_data *external) {
  for (size_t i = 0; i < external->count; i++) {
    file_map_close(&external->files[i].map);
    free(external->files[i].location);
  }
  free(external->files);
  free(external->folder);
  *external = (struct external_data){0};
}

static enum farm_status fd_map(int fd, const char *location, struct file_map *out_map) {
  struct stat info;
  FAIL_IF(fstat(fd, &info) != 0, FARM_IO, "external data: \"%s\": %s", location, strerror(errno));
  if (info.st_size == 0) {
    *out_map = (struct file_map){(const uint8_t *)"", 0};
    return FARM_OK;
  }
  void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  FAIL_IF(data == MAP_FAILED, FARM_IO, "external data: \"%s\": cannot map: %s", location, strerror(errno));
  *out_map = (struct file_map){data, (size_t)info.st_size};
  return FARM_OK;
}

static enum farm_status location_map(const struct external_data *external, const char *location, struct file_map *out_map) {
  int folder = open(external->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  FAIL_IF(folder < 0, FARM_IO, "%s: %s", external->folder, strerror(errno));
  int fd = -1;
  enum farm_status status = external_open(folder, location, &fd);
  close(folder);
  if (status != FARM_OK) return status;
  status = fd_map(fd, location, out_map);
  close(fd);
  return status;
}

static enum farm_status file_of(struct external_data *external, const char *location, const struct file_map **out_map) {
  for (size_t i = 0; i < external->count; i++)
    if (strcmp(external->files[i].location, location) == 0) {
      *out_map = &external->files[i].map;
      return FARM_OK;
    }
  FAIL_IF(external->count == EXTERNAL_MAX_FILES, FARM_INVALID, "external data: more than %d files", EXTERNAL_MAX_FILES);
  TRY(array_reserve(&external->files, &external->capacity, external->count + 1));
  struct external_file file = {.location = strdup(location)};
  FAIL_IF(!file.location, FARM_NO_MEMORY, "out of memory");
  enum farm_status status = location_map(external, location, &file.map);
  if (status != FARM_OK) {
    free(file.location);
    return status;
  }
  external->files[external->count] = file;
  *out_map = &external->files[external->count++].map;
  return FARM_OK;
}

struct entries {
  const char *location, *offset, *length;
};

static enum farm_status entries_read(const struct onnx_tensor *tensor, struct entries *out_entries) {
  struct entries entries = {0};
  for (int i = 0; i < tensor->external.count; i++) {
    const struct onnx_entry *entry = &tensor->external.items[i];
    const char *key = entry->key ? entry->key : "";
    const char **slot = strcmp(key, "location") == 0 ? &entries.location
                        : strcmp(key, "offset") == 0 ? &entries.offset
                        : strcmp(key, "length") == 0 ? &entries.length
                                                     : NULL;
    if (!slot) continue;
    FAIL_IF(*slot, FARM_INVALID, "external data: \"%s\" is given twice", key);
    *slot = entry->value ? entry->value : "";
  }
  FAIL_IF(!entries.location, FARM_INVALID, "external data: no location");
  *out_entries = entries;
  return FARM_OK;
}

static enum farm_status decimal_read(const char *what, const char *text, size_t otherwise, size_t *out_value) {
  *out_value = otherwise;
  if (!text) return FARM_OK;
  size_t value = 0;
  FAIL_IF(!*text, FARM_INVALID, "external data: the %s is empty", what);
  for (const char *at = text; *at; at++) {
    FAIL_IF(*at < '0' || *at > '9', FARM_INVALID, "external data: the %s \"%.40s\" is not a decimal number", what, text);
    size_t digit = (size_t)(*at - '0');
    FAIL_IF(value > (SIZE_MAX - digit) / 10, FARM_INVALID, "external data: the %s \"%.40s\" is too large", what, text);
    value = value * 10 + digit;
  }
  *out_value = value;
  return FARM_OK;
}

enum farm_status external_data_find(struct external_data *external, const struct onnx_tensor *tensor, size_t bytes,
                                    const uint8_t **out_data) {
  struct entries entries = {0};
  size_t offset, length;
  TRY(entries_read(tensor, &entries));
  TRY(decimal_read("offset", entries.offset, 0, &offset));
  TRY(decimal_read("length", entries.length, bytes, &length));
  FAIL_IF(length != bytes, FARM_INVALID, "external data: %zu bytes where the tensor has %zu", length, bytes);
  FAIL_IF(!external || !external->folder, FARM_INVALID, "external data: there is no folder to read \"%s\" from",
          entries.location);
  const struct file_map *map = NULL;
  TRY(file_of(external, entries.location, &map));
  FAIL_IF(offset > map->length || bytes > map->length - offset, FARM_INVALID,
          "external data: \"%s\" has %zu bytes, the tensor's %zu begin at %zu", entries.location, map->length, bytes, offset);
  *out_data = map->data + offset;
  return FARM_OK;
}
