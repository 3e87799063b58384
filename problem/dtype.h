/* Element types: one list. The number is ONNX's TensorProto.DataType; the short name is what problem texts use.
 *
 * Types narrower than a byte are packed, low bits first, over the flattened tensor (ONNX's raw_data order).
 */
#ifndef PROBLEM_DTYPE_H
#define PROBLEM_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*      name      text       ONNX bits class   */
#define DTYPE_LIST(X)                                                                                        \
  X(NONE, "none", 0, 0, OTHER)                                                                               \
  X(F32, "f32", 1, 32, FLOAT)                                                                                \
  X(U8, "u8", 2, 8, UINT)                                                                                    \
  X(I8, "i8", 3, 8, INT)                                                                                     \
  X(U16, "u16", 4, 16, UINT)                                                                                 \
  X(I16, "i16", 5, 16, INT)                                                                                  \
  X(I32, "i32", 6, 32, INT)                                                                                  \
  X(I64, "i64", 7, 64, INT)                                                                                  \
  X(STRING, "string", 8, 0, OTHER)                                                                           \
  X(BOOL, "bool", 9, 8, BOOL)                                                                                \
  X(F16, "f16", 10, 16, FLOAT)                                                                               \
  X(F64, "f64", 11, 64, FLOAT)                                                                               \
  X(U32, "u32", 12, 32, UINT)                                                                                \
  X(U64, "u64", 13, 64, UINT)                                                                                \
  X(C64, "c64", 14, 64, OTHER)                                                                               \
  X(C128, "c128", 15, 128, OTHER)                                                                            \
  X(BF16, "bf16", 16, 16, FLOAT)                                                                             \
  X(E4M3, "e4m3", 17, 8, FLOAT)                                                                              \
  X(E4M3Z, "e4m3z", 18, 8, FLOAT)                                                                            \
  X(E5M2, "e5m2", 19, 8, FLOAT)                                                                              \
  X(E5M2Z, "e5m2z", 20, 8, FLOAT)                                                                            \
  X(U4, "u4", 21, 4, UINT)                                                                                   \
  X(I4, "i4", 22, 4, INT)                                                                                    \
  X(E2M1, "e2m1", 23, 4, FLOAT)                                                                              \
  X(E8M0, "e8m0", 24, 8, FLOAT)                                                                              \
  X(U2, "u2", 25, 2, UINT)                                                                                   \
  X(I2, "i2", 26, 2, INT)

enum dtype {
#define X(name, text, onnx, bits, kind) DTYPE_##name = onnx,
  DTYPE_LIST(X)
#undef X
  DTYPE_COUNT
};

enum dtype_class { DTYPE_CLASS_FLOAT, DTYPE_CLASS_INT, DTYPE_CLASS_UINT, DTYPE_CLASS_BOOL, DTYPE_CLASS_OTHER };

bool dtype_known(int onnx_number);             // a number of the list other than NONE
const char *dtype_name(enum dtype type);       // "f32"; "?" for a number that is none
enum dtype dtype_from_name(const char *name);  // DTYPE_NONE when there is none
int dtype_bits(enum dtype type);               // 0 for strings and unknown types
enum dtype_class dtype_class(enum dtype type);
bool dtype_is_float(enum dtype type);
bool dtype_is_integer(enum dtype type); // signed or unsigned, not bool
/* Bytes of `elems` packed elements; SIZE_MAX when elems < 0, the type has no size, or the product overflows. */
size_t dtype_bytes(enum dtype type, int64_t elems);

/* Single elements, exactly as the formats define them; round to nearest even. Used by references, folding and tools. */
float dtype_f16_to_f32(uint16_t bits);
uint16_t dtype_f32_to_f16(float value);
float dtype_bf16_to_f32(uint16_t bits);
uint16_t dtype_f32_to_bf16(float value);
/* Element i of packed data as a double (integers beyond 2^53 round) or as an int64 (floats truncate; u64 wraps). */
double dtype_load_f64(enum dtype type, const void *data, int64_t i);
int64_t dtype_load_i64(enum dtype type, const void *data, int64_t i);
/* Store with the type's rounding; fp8 saturates (the default of ONNX Cast). A double becomes an integer by truncation and
 * saturates (NaN gives 0); an int64 wraps. Bool is "not zero". */
void dtype_store_f64(enum dtype type, void *data, int64_t i, double value);
void dtype_store_i64(enum dtype type, void *data, int64_t i, int64_t value);
/* As dtype_store_f64, but fp8 overflows to infinity or NaN as its format says (Cast with saturate = 0). */
void dtype_store_f64_overflowing(enum dtype type, void *data, int64_t i, double value);
/* The same for elements first .. first + count - 1: one dispatch per row, so fast enough for inner loops. `data` may be unaligned. */
void dtype_load_f64_row(enum dtype type, const void *data, int64_t first, int64_t count, double *out);
void dtype_load_i64_row(enum dtype type, const void *data, int64_t first, int64_t count, int64_t *out);
void dtype_store_f64_row(enum dtype type, void *data, int64_t first, int64_t count, const double *in);
void dtype_store_i64_row(enum dtype type, void *data, int64_t first, int64_t count, const int64_t *in);

#endif
