/* TensorProto -> struct tensor, for every element type and encoding.
 *
 *   raw_data, or external bytes   in place when aligned for the type, else copied into the arena
 *   float_data, int32_data, ...   decoded into the arena, packed or not
 *
 * The bytes present must be exactly those that type and dims ask for; that is checked before anything is allocated. A tensor in
 * place is read-only and lives as long as the file's map. Strings are refused as FARM_UNSUPPORTED, segments as FARM_INVALID.
 */
#ifndef OPTIMIZER_ONNX_TENSOR_PROTO_H
#define OPTIMIZER_ONNX_TENSOR_PROTO_H

#include "../../base/arena.h"
#include "../../problem/tensor.h"
#include "external-data.h"

/* `external` NULL: external data is refused. */
enum farm_status onnx_tensor_load(const struct onnx_tensor *proto, struct arena *arena, struct external_data *external,
                                  struct tensor *out_tensor);
/* The dense equivalent; indices must ascend and be in range. Memory is the arena's, and so its limit. */
enum farm_status onnx_sparse_load(const struct onnx_sparse_tensor *proto, struct arena *arena, struct external_data *external,
                                  struct tensor *out_tensor);
/* A file holding one TensorProto (test data). Data and name are in the arena; the name is "" when there is none. */
enum farm_status onnx_tensor_read(const char *path, struct arena *arena, struct tensor *out_tensor, const char **out_name);
enum farm_status onnx_tensor_write(const char *path, const char *name, const struct tensor *tensor);

#endif
