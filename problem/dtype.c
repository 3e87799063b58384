/* See dtype.h. Rows of elements are converted by one function per type, made from the list below; single elements are rows
 * of one. Small floats (16 bits and less) go through one encoder and one decoder that read the format from a table.
 */
#include "dtype.h"

#include <math.h>
#include <string.h>

static const struct {
  const char *name;
  int bits;
  enum dtype_class kind;
} types[DTYPE_COUNT] = {
#define X(name, text, onnx, bits, kind) [onnx] = {text, bits, DTYPE_CLASS_##kind},
    DTYPE_LIST(X)
#undef X
};

static bool listed(enum dtype type) { return (int)type >= 0 && (int)type < DTYPE_COUNT && types[type].name; }

bool dtype_known(int onnx_number) { return onnx_number != DTYPE_NONE && listed((enum dtype)onnx_number); }
const char *dtype_name(enum dtype type) { return listed(type) ? types[type].name : "?"; }
int dtype_bits(enum dtype type) { return listed(type) ? types[type].bits : 0; }
enum dtype_class dtype_class(enum dtype type) { return listed(type) ? types[type].kind : DTYPE_CLASS_OTHER; }
bool dtype_is_float(enum dtype type) { return dtype_class(type) == DTYPE_CLASS_FLOAT; }

bool dtype_is_integer(enum dtype type) {
  enum dtype_class kind = dtype_class(type);
  return kind == DTYPE_CLASS_INT || kind == DTYPE_CLASS_UINT;
}

enum dtype dtype_from_name(const char *name) {
  for (int i = 0; i < DTYPE_COUNT; i++)
    if (types[i].name && strcmp(types[i].name, name) == 0) return (enum dtype)i;
  return DTYPE_NONE;
}

size_t dtype_bytes(enum dtype type, int64_t elems) {
  int bits = dtype_bits(type);
  if (elems < 0 || bits == 0) return SIZE_MAX;
  if (bits >= 8) {
    size_t bytes = (size_t)bits / 8;
    return (uint64_t)elems > (SIZE_MAX - 1) / bytes ? SIZE_MAX : (size_t)elems * bytes;
  }
  int per_byte = 8 / bits;
  return (size_t)(elems / per_byte + (elems % per_byte != 0));
}

/* ---- small floats ---- */

enum infinity { INF_IEEE, INF_NONE_FN, INF_NONE_UZ, INF_NONE_AT_ALL };

struct small_float {
  int exponent_bits, mantissa_bits, bias;
  enum infinity infinity; // IEEE; only a NaN (all ones); only the NaN 100…0, no -0; neither
  uint32_t largest, nan;  // codes without the sign (UZ: nan is the whole code)
  bool saturates;         // by default
};

static const struct small_float format_f16 = {5, 10, 15, INF_IEEE, 0x7bff, 0x7e00, false};
static const struct small_float format_bf16 = {8, 7, 127, INF_IEEE, 0x7f7f, 0x7fc0, false};
static const struct small_float format_e4m3 = {4, 3, 7, INF_NONE_FN, 0x7e, 0x7f, true};
static const struct small_float format_e4m3z = {4, 3, 8, INF_NONE_UZ, 0x7f, 0x80, true};
static const struct small_float format_e5m2 = {5, 2, 15, INF_IEEE, 0x7b, 0x7f, true};
static const struct small_float format_e5m2z = {5, 2, 16, INF_NONE_UZ, 0x7f, 0x80, true};
static const struct small_float format_e2m1 = {2, 1, 1, INF_NONE_AT_ALL, 0x7, 0, true};

static double double_from_bits(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static uint64_t bits_from_double(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/* 2^exponent for -1022 <= exponent <= 1023. */
static double power_of_two(int exponent) { return double_from_bits((uint64_t)(exponent + 1023) << 52); }

static double small_decode(const struct small_float *f, uint32_t code) {
  uint32_t sign_bit = 1u << (f->exponent_bits + f->mantissa_bits);
  uint32_t magnitude = code & (sign_bit - 1), top = (1u << f->exponent_bits) - 1;
  uint32_t exponent = magnitude >> f->mantissa_bits, mantissa = magnitude & ((1u << f->mantissa_bits) - 1);
  double sign = code & sign_bit ? -1.0 : 1.0;
  if (f->infinity == INF_NONE_UZ && code == sign_bit) return NAN;
  if (f->infinity == INF_NONE_FN && magnitude == f->nan) return NAN;
  if (f->infinity == INF_IEEE && exponent == top) return mantissa ? (double)NAN : sign * (double)INFINITY;
  if (exponent == 0) return sign * mantissa * power_of_two(1 - f->bias - f->mantissa_bits);
  return sign * (mantissa + (double)(1u << f->mantissa_bits)) * power_of_two((int)exponent - f->bias - f->mantissa_bits);
}

/* The code of a value beyond the largest one. */
static uint32_t small_overflow(const struct small_float *f, bool saturate) {
  if (saturate || f->infinity == INF_NONE_AT_ALL) return f->largest;
  return f->infinity == INF_IEEE ? f->largest + 1 : f->nan;
}

static uint32_t small_encode(const struct small_float *f, double value, bool saturate) {
  uint64_t bits = bits_from_double(value);
  uint32_t sign = (uint32_t)(bits >> 63) << (f->exponent_bits + f->mantissa_bits);
  bool unsigned_zero = f->infinity == INF_NONE_UZ;
  if (value != value) return unsigned_zero || f->infinity == INF_NONE_AT_ALL ? f->nan : sign | f->nan;
  int exponent = (int)(bits >> 52 & 0x7ff) - 1023;
  if (exponent == 1024) { // infinity
    uint32_t code = small_overflow(f, saturate);
    return code == f->nan && unsigned_zero ? code : sign | code;
  }
  int lowest = 1 - f->bias;
  bool subnormal = exponent < lowest;
  int quantum = (subnormal ? lowest : exponent) - f->mantissa_bits;
  if (quantum > 900) quantum = 900; // far beyond every format; keeps the scale finite
  double scaled = (value < 0 ? -value : value) * power_of_two(-quantum);
  if (scaled > 4503599627370496.0) scaled = 4503599627370496.0;
  uint64_t rounded = (uint64_t)((scaled + 4503599627370496.0) - 4503599627370496.0);
  uint64_t code = subnormal ? rounded : ((uint64_t)(exponent + f->bias - 1) << f->mantissa_bits) + rounded;
  if (code > f->largest) {
    code = small_overflow(f, saturate);
    if (code == f->nan && unsigned_zero) return (uint32_t)code;
  }
  if (code == 0 && unsigned_zero) return 0;
  return sign | (uint32_t)code;
}

float dtype_f16_to_f32(uint16_t bits) { return (float)small_decode(&format_f16, bits); }
uint16_t dtype_f32_to_f16(float value) { return (uint16_t)small_encode(&format_f16, (double)value, false); }
uint16_t dtype_f32_to_bf16(float value) { return (uint16_t)small_encode(&format_bf16, (double)value, false); }

float dtype_bf16_to_f32(uint16_t bits) {
  uint32_t wide = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &wide, sizeof value);
  return value;
}

/* e8m0 is a bare exponent: 2^(code - 127), 255 is NaN. Rounding of values between powers: to the nearest, ties up. */
static double e8m0_decode(uint32_t code) { return code == 255 ? (double)NAN : power_of_two((int)code - 127); }

static uint32_t e8m0_encode(double value) {
  uint64_t bits = bits_from_double(value);
  if (value != value) return 255;
  int exponent = (int)(bits >> 52 & 0x7ff) - 1023;
  if (exponent == 1024) return bits >> 63 ? 0 : 254;
  if (bits >> 63 || value == 0) return 0;
  if (bits >> 51 & 1) exponent++;
  return exponent < -127 ? 0 : exponent > 127 ? 254 : (uint32_t)(exponent + 127);
}

/* ---- from doubles to integers: truncation, saturation, NaN gives 0 ---- */

static int64_t clamp_i64(double value, int64_t low, int64_t high) {
  if (value != value) return 0;
  if (value <= (double)low) return low;
  if (value >= (double)high) return high;
  return (int64_t)value;
}

static uint64_t clamp_u64(double value) {
  if (!(value > 0)) return 0;
  return value >= 18446744073709551616.0 ? UINT64_MAX : (uint64_t)value;
}

/* ---- rows, one set of four functions per type ---- */

struct converter {
  void (*load_f64)(const void *data, int64_t first, int64_t count, double *out);
  void (*load_i64)(const void *data, int64_t first, int64_t count, int64_t *out);
  void (*store_f64)(void *data, int64_t first, int64_t count, const double *in);
  void (*store_i64)(void *data, int64_t first, int64_t count, const int64_t *in);
};

/* A type of whole bytes: how element x (a `type`) becomes a double or an int64, and what a double or int64 v becomes. */
#define BYTES_TYPE(name, type, to_f64, to_i64, from_f64, from_i64)                                                               \
  static void load_f64_##name(const void *data, int64_t first, int64_t count, double *out) {                                     \
    const unsigned char *at = (const unsigned char *)data + (size_t)first * sizeof(type);                                        \
    for (int64_t i = 0; i < count; i++) {                                                                                        \
      type x;                                                                                                                    \
      memcpy(&x, at + (size_t)i * sizeof x, sizeof x);                                                                           \
      out[i] = to_f64;                                                                                                           \
    }                                                                                                                            \
  }                                                                                                                              \
  static void load_i64_##name(const void *data, int64_t first, int64_t count, int64_t *out) {                                    \
    const unsigned char *at = (const unsigned char *)data + (size_t)first * sizeof(type);                                        \
    for (int64_t i = 0; i < count; i++) {                                                                                        \
      type x;                                                                                                                    \
      memcpy(&x, at + (size_t)i * sizeof x, sizeof x);                                                                           \
      out[i] = to_i64;                                                                                                           \
    }                                                                                                                            \
  }                                                                                                                              \
  static void store_f64_##name(void *data, int64_t first, int64_t count, const double *in) {                                     \
    unsigned char *at = (unsigned char *)data + (size_t)first * sizeof(type);                                                    \
    for (int64_t i = 0; i < count; i++) {                                                                                        \
      double v = in[i];                                                                                                          \
      type x = (type)(from_f64);                                                                                                 \
      memcpy(at + (size_t)i * sizeof x, &x, sizeof x);                                                                           \
    }                                                                                                                            \
  }                                                                                                                              \
  static void store_i64_##name(void *data, int64_t first, int64_t count, const int64_t *in) {                                    \
    unsigned char *at = (unsigned char *)data + (size_t)first * sizeof(type);                                                    \
    for (int64_t i = 0; i < count; i++) {                                                                                        \
      int64_t v = in[i];                                                                                                         \
      type x = (type)(from_i64);                                                                                                 \
      memcpy(at + (size_t)i * sizeof x, &x, sizeof x);                                                                           \
    }                                                                                                                            \
  }                                                                                                                              \
  static const struct converter converter_##name = {load_f64_##name, load_i64_##name, store_f64_##name, store_i64_##name};

#define FLOAT_TO_I64(x) clamp_i64((double)(x), INT64_MIN, INT64_MAX)
BYTES_TYPE(f32, float, (double)x, FLOAT_TO_I64(x), v, v)
BYTES_TYPE(f64, double, x, FLOAT_TO_I64(x), v, v)
BYTES_TYPE(i8, int8_t, x, x, clamp_i64(v, INT8_MIN, INT8_MAX), v)
BYTES_TYPE(i16, int16_t, x, x, clamp_i64(v, INT16_MIN, INT16_MAX), v)
BYTES_TYPE(i32, int32_t, x, x, clamp_i64(v, INT32_MIN, INT32_MAX), v)
BYTES_TYPE(i64, int64_t, (double)x, x, clamp_i64(v, INT64_MIN, INT64_MAX), v)
BYTES_TYPE(u8, uint8_t, x, x, clamp_i64(v, 0, UINT8_MAX), v)
BYTES_TYPE(u16, uint16_t, x, x, clamp_i64(v, 0, UINT16_MAX), v)
BYTES_TYPE(u32, uint32_t, x, x, clamp_i64(v, 0, UINT32_MAX), v)
BYTES_TYPE(u64, uint64_t, (double)x, (int64_t)x, clamp_u64(v), v)
BYTES_TYPE(bool, uint8_t, x != 0, x != 0, v != 0, v != 0)

#define SMALL_TYPE(name, type)                                                                                                   \
  BYTES_TYPE(name, type, small_decode(&format_##name, x), FLOAT_TO_I64(small_decode(&format_##name, x)),                         \
             small_encode(&format_##name, v, format_##name.saturates),                                                           \
             small_encode(&format_##name, (double)v, format_##name.saturates))
SMALL_TYPE(f16, uint16_t)
SMALL_TYPE(bf16, uint16_t)
SMALL_TYPE(e4m3, uint8_t)
SMALL_TYPE(e4m3z, uint8_t)
SMALL_TYPE(e5m2, uint8_t)
SMALL_TYPE(e5m2z, uint8_t)
BYTES_TYPE(e8m0, uint8_t, e8m0_decode(x), FLOAT_TO_I64(e8m0_decode(x)), e8m0_encode(v), e8m0_encode((double)v))

static uint32_t packed_get(const void *data, int bits, int64_t i) {
  int per_byte = 8 / bits;
  return (uint32_t)((const uint8_t *)data)[i / per_byte] >> (i % per_byte * bits) & ((1u << bits) - 1);
}

static void packed_set(void *data, int bits, int64_t i, uint32_t code) {
  int per_byte = 8 / bits, shift = (int)(i % per_byte) * bits;
  uint32_t mask = ((1u << bits) - 1) << shift;
  uint8_t *byte = (uint8_t *)data + i / per_byte;
  *byte = (uint8_t)((*byte & ~mask) | (code << shift & mask));
}

/* A type narrower than a byte: x is the code. */
#define PACKED_TYPE(name, bits, to_f64, to_i64, from_f64, from_i64)                                                              \
  static void load_f64_##name(const void *data, int64_t first, int64_t count, double *out) {                                     \
    for (int64_t i = 0; i < count; i++) {                                                                                        \
      uint32_t x = packed_get(data, bits, first + i);                                                                            \
      out[i] = (double)(to_f64);                                                                                                 \
    }                                                                                                                            \
  }                                                                                                                              \
  static void load_i64_##name(const void *data, int64_t first, int64_t count, int64_t *out) {                                    \
    for (int64_t i = 0; i < count; i++) {                                                                                        \
      uint32_t x = packed_get(data, bits, first + i);                                                                            \
      out[i] = to_i64;                                                                                                           \
    }                                                                                                                            \
  }                                                                                                                              \
  static void store_f64_##name(void *data, int64_t first, int64_t count, const double *in) {                                     \
    for (int64_t i = 0; i < count; i++) {                                                                                        \
      double v = in[i];                                                                                                          \
      packed_set(data, bits, first + i, (uint32_t)(from_f64));                                                                   \
    }                                                                                                                            \
  }                                                                                                                              \
  static void store_i64_##name(void *data, int64_t first, int64_t count, const int64_t *in) {                                    \
    for (int64_t i = 0; i < count; i++) {                                                                                        \
      int64_t v = in[i];                                                                                                         \
      packed_set(data, bits, first + i, (uint32_t)(from_i64));                                                                   \
    }                                                                                                                            \
  }                                                                                                                              \
  static const struct converter converter_##name = {load_f64_##name, load_i64_##name, store_f64_##name, store_i64_##name};

#define SIGNED(x, bits) ((int)((x) ^ (1u << ((bits)-1))) - (1 << ((bits)-1)))
PACKED_TYPE(u4, 4, x, x, clamp_i64(v, 0, 15), v)
PACKED_TYPE(i4, 4, SIGNED(x, 4), SIGNED(x, 4), clamp_i64(v, -8, 7), v)
PACKED_TYPE(u2, 2, x, x, clamp_i64(v, 0, 3), v)
PACKED_TYPE(i2, 2, SIGNED(x, 2), SIGNED(x, 2), clamp_i64(v, -2, 1), v)
PACKED_TYPE(e2m1, 4, small_decode(&format_e2m1, x), FLOAT_TO_I64(small_decode(&format_e2m1, x)),
            small_encode(&format_e2m1, v, true), small_encode(&format_e2m1, (double)v, true))

static const struct converter *const converters[DTYPE_COUNT] = {
    [DTYPE_F32] = &converter_f32,   [DTYPE_U8] = &converter_u8,       [DTYPE_I8] = &converter_i8,
    [DTYPE_U16] = &converter_u16,   [DTYPE_I16] = &converter_i16,     [DTYPE_I32] = &converter_i32,
    [DTYPE_I64] = &converter_i64,   [DTYPE_BOOL] = &converter_bool,   [DTYPE_F16] = &converter_f16,
    [DTYPE_F64] = &converter_f64,   [DTYPE_U32] = &converter_u32,     [DTYPE_U64] = &converter_u64,
    [DTYPE_BF16] = &converter_bf16, [DTYPE_E4M3] = &converter_e4m3,   [DTYPE_E4M3Z] = &converter_e4m3z,
    [DTYPE_E5M2] = &converter_e5m2, [DTYPE_E5M2Z] = &converter_e5m2z, [DTYPE_U4] = &converter_u4,
    [DTYPE_I4] = &converter_i4,     [DTYPE_E2M1] = &converter_e2m1,   [DTYPE_E8M0] = &converter_e8m0,
    [DTYPE_U2] = &converter_u2,     [DTYPE_I2] = &converter_i2,
};

static const struct converter *converter(enum dtype type) { return listed(type) ? converters[type] : NULL; }

void dtype_load_f64_row(enum dtype type, const void *data, int64_t first, int64_t count, double *out) {
  const struct converter *c = converter(type);
  if (c)
    c->load_f64(data, first, count, out);
  else
    for (int64_t i = 0; i < count; i++) out[i] = 0;
}

void dtype_load_i64_row(enum dtype type, const void *data, int64_t first, int64_t count, int64_t *out) {
  const struct converter *c = converter(type);
  if (c)
    c->load_i64(data, first, count, out);
  else
    for (int64_t i = 0; i < count; i++) out[i] = 0;
}

void dtype_store_f64_row(enum dtype type, void *data, int64_t first, int64_t count, const double *in) {
  const struct converter *c = converter(type);
  if (c) c->store_f64(data, first, count, in);
}

void dtype_store_i64_row(enum dtype type, void *data, int64_t first, int64_t count, const int64_t *in) {
  const struct converter *c = converter(type);
  if (c) c->store_i64(data, first, count, in);
}

double dtype_load_f64(enum dtype type, const void *data, int64_t i) {
  double value;
  dtype_load_f64_row(type, data, i, 1, &value);
  return value;
}

int64_t dtype_load_i64(enum dtype type, const void *data, int64_t i) {
  int64_t value;
  dtype_load_i64_row(type, data, i, 1, &value);
  return value;
}

void dtype_store_f64(enum dtype type, void *data, int64_t i, double value) { dtype_store_f64_row(type, data, i, 1, &value); }
void dtype_store_i64(enum dtype type, void *data, int64_t i, int64_t value) { dtype_store_i64_row(type, data, i, 1, &value); }

static const struct small_float *fp8_format(enum dtype type) {
  return type == DTYPE_E4M3    ? &format_e4m3
         : type == DTYPE_E4M3Z ? &format_e4m3z
         : type == DTYPE_E5M2  ? &format_e5m2
         : type == DTYPE_E5M2Z ? &format_e5m2z
                               : NULL;
}

void dtype_store_f64_overflowing(enum dtype type, void *data, int64_t i, double value) {
  const struct small_float *format = fp8_format(type);
  if (format)
    ((uint8_t *)data)[i] = (uint8_t)small_encode(format, value, false);
  else
    dtype_store_f64(type, data, i, value);
}
