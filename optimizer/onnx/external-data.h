/* External tensor data, confined to the model's folder.
 *
 *   {location, offset, length} ──checked──► file beneath the folder ──mapped once──► bytes
 *
 * Refused (FARM_INVALID): absolute paths, "..", backslashes, drive letters; symbolic links in any component; anything but a
 * regular file with exactly one hard link; offsets or lengths that are not plain decimals, overflow, pass the file's end, or do
 * not match the tensor; keys given twice. Other keys (checksum, basepath) have no effect.
 */
#ifndef OPTIMIZER_ONNX_EXTERNAL_DATA_H
#define OPTIMIZER_ONNX_EXTERNAL_DATA_H

#include "../../base/file.h"
#include "onnx-model.h"

enum { EXTERNAL_MAX_FILES = 4096 };

struct external_file {
  char *location;
  struct file_map map;
};

struct external_data {
  char *folder; // NULL: external data is refused
  struct external_file *files;
  size_t count, capacity;
};

enum farm_status external_data_create(const char *folder_or_null, struct external_data *out_external);
/* The `bytes` that the tensor's entries name, in place; they stay until external_data_free. */
enum farm_status external_data_find(struct external_data *external, const struct onnx_tensor *tensor, size_t bytes,
                                    const uint8_t **out_data);
void external_data_free(struct external_data *external);

/* The two ways to open a location beneath a folder: one call where the kernel has openat2, else component by component.
 * external_open takes the first that is there. The caller closes *out_fd. */
enum farm_status external_open(int folder, const char *location, int *out_fd);
enum farm_status external_open_by_walk(int folder, const char *location, int *out_fd);

#endif
