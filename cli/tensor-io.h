/* Tensors in files: NumPy's .npy (format 1.0 to 3.0, C order) and ONNX's .pb (a TensorProto). */
#ifndef CLI_TENSOR_IO_H
#define CLI_TENSOR_IO_H

#include "../base/arena.h"
#include "../problem/tensor.h"

enum farm_status tensor_file_read(const char *path, struct arena *arena, struct tensor *out); // by the name's ending
enum farm_status npy_read(const char *path, struct arena *arena, struct tensor *out);
enum farm_status npy_write(const char *path, const struct tensor *tensor);

#endif
