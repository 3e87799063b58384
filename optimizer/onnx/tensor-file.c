/* Files of one TensorProto, as the ONNX test data have them. See tensor-proto.h. */
#include "tensor-proto.h"

#include "onnx-writer.h"

static enum farm_status bytes_load(struct pb_slice bytes, struct arena *arena, struct tensor *out_tensor, const char **out_name) {
  struct onnx_tensor proto = {0};
  struct tensor tensor = {0};
  TRY(onnx_tensor_decode(bytes, arena, &proto));
  TRY(onnx_tensor_load(&proto, arena, NULL, &tensor));
  bool in_file = (const uint8_t *)tensor.data >= bytes.data && (const uint8_t *)tensor.data < bytes.data + bytes.length;
  if (tensor.data && in_file) tensor.data = arena_copy(arena, tensor.data, tensor_bytes(&tensor));
  if (in_file && !tensor.data) return FARM_NO_MEMORY;
  *out_tensor = tensor;
  if (out_name) *out_name = proto.name ? proto.name : "";
  return FARM_OK;
}

enum farm_status onnx_tensor_read(const char *path, struct arena *arena, struct tensor *out_tensor, const char **out_name) {
  struct file_map map;
  TRY(file_map_open(path, &map));
  enum farm_status status = bytes_load((struct pb_slice){map.data, map.length}, arena, out_tensor, out_name);
  file_map_close(&map);
  return status == FARM_OK ? FARM_OK : status_prefix(status, "%s", path);
}

enum farm_status onnx_tensor_write(const char *path, const char *name, const struct tensor *tensor) {
  struct pb_writer writer = {0};
  onnx_tensor_fields(&writer, name, tensor);
  enum farm_status status = pb_write_file(&writer, path);
  pb_writer_free(&writer);
  return status;
}
