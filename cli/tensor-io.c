/* See tensor-io.h. The .npy format is numpy.lib.format's: magic, version, header length, a Python dict literal, data. */
#include "tensor-io.h"

#include "../base/file.h"
#include "../base/strbuf.h"
#include "../optimizer/onnx/tensor-proto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *descr;
  enum dtype dtype;
} descrs[] = {
    {"<f4", DTYPE_F32}, {"<f8", DTYPE_F64}, {"<f2", DTYPE_F16}, {"|b1", DTYPE_BOOL}, {"|i1", DTYPE_I8},  {"|u1", DTYPE_U8},
    {"<i2", DTYPE_I16}, {"<u2", DTYPE_U16}, {"<i4", DTYPE_I32}, {"<u4", DTYPE_U32},  {"<i8", DTYPE_I64}, {"<u8", DTYPE_U64},
};
enum { DESCRS = sizeof descrs / sizeof *descrs };

static bool ends_with(const char *text, const char *ending) {
  size_t a = strlen(text), b = strlen(ending);
  return a >= b && strcmp(text + a - b, ending) == 0;
}

enum farm_status tensor_file_read(const char *path, struct arena *arena, struct tensor *out) {
  if (ends_with(path, ".npy")) return npy_read(path, arena, out);
  if (ends_with(path, ".pb")) return onnx_tensor_read(path, arena, out, NULL);
  return status_set(FARM_USAGE, "%s: neither .npy nor .pb", path);
}

/* The value of `'key':` in the header's dict; NULL when it is not there. */
static const char *header_value(const char *header, const char *key) {
  char quoted[32];
  snprintf(quoted, sizeof quoted, "'%s':", key);
  const char *at = strstr(header, quoted);
  if (!at) return NULL;
  at += strlen(quoted);
  while (*at == ' ') at++;
  return at;
}

static enum farm_status header_parse(const char *path, const char *header, struct tensor *out) {
  const char *descr = header_value(header, "descr"), *order = header_value(header, "fortran_order"),
             *shape = header_value(header, "shape");
  FAIL_IF(!descr || !order || !shape || *shape != '(', FARM_INVALID, "%s: not the header of an .npy file", path);
  FAIL_IF(strncmp(order, "False", 5) != 0, FARM_INVALID, "%s: Fortran order; save it with numpy.ascontiguousarray", path);
  *out = (struct tensor){.dtype = DTYPE_NONE};
  for (int i = 0; i < DESCRS; i++)
    if (descr[0] == '\'' && strncmp(descr + 1, descrs[i].descr, 3) == 0 && descr[4] == '\'') out->dtype = descrs[i].dtype;
  FAIL_IF(out->dtype == DTYPE_NONE, FARM_INVALID, "%s: element type %.8s is not supported", path, descr);
  for (const char *at = shape + 1; *at != ')';) {
    char *end;
    long long dim = strtoll(at, &end, 10);
    FAIL_IF(end == at || dim < 0 || out->rank == TENSOR_MAX_RANK, FARM_INVALID, "%s: a bad shape", path);
    out->dims[out->rank++] = dim;
    at = end;
    while (*at == ',' || *at == ' ') at++;
  }
  return FARM_OK;
}

enum farm_status npy_read(const char *path, struct arena *arena, struct tensor *out) {
  struct file_map map;
  struct tensor tensor = {0};
  TRY(file_map_open(path, &map));
  enum farm_status status = status_set(FARM_INVALID, "%s: not an .npy file", path);
  if (map.length < 12 || memcmp(map.data, "\x93NUMPY", 6) != 0) goto close_map;
  size_t prefix = map.data[6] == 1 ? 10 : 12;
  size_t length =
      map.data[8] | (size_t)map.data[9] << 8 | (prefix == 12 ? (size_t)map.data[10] << 16 | (size_t)map.data[11] << 24 : 0);
  if (length > map.length - prefix) goto close_map;
  char *header = arena_string(arena, (const char *)map.data + prefix, length);
  TRY_OR(header ? header_parse(path, header, &tensor) : FARM_NO_MEMORY, close_map);
  size_t bytes = tensor_bytes(&tensor);
  if (bytes != map.length - prefix - length) {
    status = status_set(FARM_INVALID, "%s: %zu bytes of data, its shape needs %zu", path, map.length - prefix - length, bytes);
    goto close_map;
  }
  tensor.data = arena_copy(arena, map.data + prefix + length, bytes);
  status = tensor.data ? FARM_OK : FARM_NO_MEMORY;
  if (status == FARM_OK) *out = tensor;
close_map:
  file_map_close(&map);
  return status;
}

enum farm_status npy_write(const char *path, const struct tensor *tensor) {
  const char *descr = NULL;
  for (int i = 0; i < DESCRS; i++)
    if (descrs[i].dtype == tensor->dtype) descr = descrs[i].descr;
  FAIL_IF(!descr, FARM_UNSUPPORTED, "%s: .npy cannot hold %s", path, dtype_name(tensor->dtype));
  struct strbuf file = {0};
  strbuf_printf(&file, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
  for (int i = 0; i < tensor->rank; i++)
    strbuf_printf(&file, i + 1 < tensor->rank ? "%lld, " : "%lld,", (long long)tensor->dims[i]);
  strbuf_add(&file, "), }");
  while ((file.length + 11) % 64) strbuf_add(&file, " ");
  strbuf_add(&file, "\n");
  uint8_t head[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)file.length, (uint8_t)(file.length >> 8)};
  struct strbuf whole = {0};
  strbuf_add_bytes(&whole, head, sizeof head);
  strbuf_add_bytes(&whole, strbuf_text(&file), file.length);
  strbuf_add_bytes(&whole, tensor->data, tensor_bytes(tensor));
  enum farm_status status = file.failed || whole.failed ? status_set(FARM_NO_MEMORY, "%s: out of memory", path)
                                                        : file_write_atomic(path, whole.data, whole.length);
  strbuf_free(&file);
  strbuf_free(&whole);
  return status;
}
