/* Contents of constants in a text: written out, or stood in for by seeded random data. See text.h. */
#include "text.h"

#include "../../base/digest.h"
#include "../../base/random.h"

#include <string.h>

static enum farm_status tensor_make(struct scan *scan, const struct tensor *type, struct tensor *out_tensor) {
  *out_tensor = *type;
  out_tensor->data = NULL;
  size_t bytes = tensor_bytes(type);
  FAIL_IF(bytes == SIZE_MAX, FARM_INVALID, "line %d: a constant needs a definite type", scan->line);
  if (bytes) out_tensor->data = arena_alloc(scan->arena, bytes);
  return out_tensor->data || !bytes ? FARM_OK : FARM_NO_MEMORY;
}

static enum farm_status element_read(struct scan *scan, struct tensor *tensor, int64_t i) {
  if (dtype_is_float(tensor->dtype)) {
    double value = 0;
    TRY(scan_number(scan, &value));
    dtype_store_f64(tensor->dtype, tensor->data, i, value);
    return FARM_OK;
  }
  int64_t value = 0;
  TRY(scan_int(scan, &value));
  dtype_store_i64(tensor->dtype, tensor->data, i, value);
  FAIL_IF(dtype_load_i64(tensor->dtype, tensor->data, i) != value, FARM_INVALID, "line %d: %lld does not fit %s", scan->line,
          (long long)value, dtype_name(tensor->dtype));
  return FARM_OK;
}

static enum farm_status elements_read(struct scan *scan, struct tensor *tensor) {
  FAIL_IF(dtype_class(tensor->dtype) == DTYPE_CLASS_OTHER, FARM_INVALID, "line %d: contents of a %s cannot be written",
          scan->line, dtype_name(tensor->dtype));
  for (int64_t i = 0; i < tensor_elems(tensor); i++) {
    if (i) TRY(scan_expect(scan, ","));
    TRY(element_read(scan, tensor, i));
  }
  return scan_expect(scan, "}");
}

/* Floats: normal. Bytes: any. Wider integers and booleans: 0 or 1, which most operators that read them accept. */
static void random_fill(struct tensor *tensor, uint64_t seed) {
  for (int64_t i = 0; i < tensor_elems(tensor); i++) {
    uint64_t bits = random_u64(seed, (uint64_t)i);
    if (dtype_is_float(tensor->dtype))
      dtype_store_f64(tensor->dtype, tensor->data, i, random_normal(seed, (uint64_t)i));
    else if (tensor->dtype == DTYPE_I8)
      dtype_store_i64(DTYPE_I8, tensor->data, i, (int64_t)(bits >> 56) - 128);
    else if (tensor->dtype == DTYPE_U8)
      dtype_store_i64(DTYPE_U8, tensor->data, i, (int64_t)(bits >> 56));
    else
      dtype_store_i64(tensor->dtype, tensor->data, i, (int64_t)(bits >> 63));
  }
}

static enum farm_status stand_in_read(struct scan *scan, uint64_t *out_seed) {
  if (scan_accept(scan, "random")) {
    int64_t seed = 0;
    TRY(scan_int(scan, &seed));
    *out_seed = (uint64_t)seed;
    return FARM_OK;
  }
  char hex[DIGEST_HEX_BYTES] = "";
  struct digest digest;
  TRY(scan_expect(scan, "#"));
  if (strlen(scan->at) < DIGEST_HEX_BYTES - 1) return scan_failed(scan, "a digest");
  memcpy(hex, scan->at, DIGEST_HEX_BYTES - 1);
  if (!digest_from_hex(hex, &digest)) return scan_failed(scan, "a digest");
  scan->at += DIGEST_HEX_BYTES - 1;
  *out_seed = 0;
  for (int i = 0; i < 8; i++) *out_seed |= (uint64_t)digest.bytes[i] << (8 * i);
  return FARM_OK;
}

enum farm_status scan_contents(struct scan *scan, const struct tensor *type, struct tensor *out_tensor,
                               const char **out_stand_in) {
  struct tensor tensor = {0};
  TRY(tensor_make(scan, type, &tensor));
  *out_stand_in = NULL;
  if (scan_accept(scan, "{")) {
    TRY(elements_read(scan, &tensor));
  } else {
    scan_space(scan);
    const char *start = scan->at;
    uint64_t seed = 0;
    TRY(stand_in_read(scan, &seed));
    *out_stand_in = arena_string(scan->arena, start, (size_t)(scan->at - start));
    if (!*out_stand_in) return FARM_NO_MEMORY;
    if (dtype_class(tensor.dtype) != DTYPE_CLASS_OTHER) random_fill(&tensor, seed);
  }
  *out_tensor = tensor;
  return FARM_OK;
}
