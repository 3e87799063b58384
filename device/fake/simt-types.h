/* Vector types of CUDA, conversions of the dialect, 16-byte accesses of global memory. Part of simt.h. */
#define SIMT_VECTOR2(name, type, alignment)                                                                          \
  struct alignas(alignment) name { type x, y; };                                                                     \
  static inline name make_##name(type x, type y) { return name{x, y}; }
#define SIMT_VECTOR3(name, type)                                                                                     \
  struct name { type x, y, z; };                                                                                     \
  static inline name make_##name(type x, type y, type z) { return name{x, y, z}; }
#define SIMT_VECTOR4(name, type, alignment)                                                                          \
  struct alignas(alignment) name { type x, y, z, w; };                                                               \
  static inline name make_##name(type x, type y, type z, type w) { return name{x, y, z, w}; }

SIMT_VECTOR2(float2, float, 8)
SIMT_VECTOR2(int2, int, 8)
SIMT_VECTOR2(uint2, unsigned, 8)
SIMT_VECTOR2(ushort2, unsigned short, 4)
SIMT_VECTOR2(ulonglong2, unsigned long long, 16)
SIMT_VECTOR2(longlong2, long long, 16)
SIMT_VECTOR3(float3, float)
SIMT_VECTOR3(int3, int)
SIMT_VECTOR3(uint3, unsigned)
SIMT_VECTOR4(float4, float, 16)
SIMT_VECTOR4(int4, int, 16)
SIMT_VECTOR4(uint4, unsigned, 16)
SIMT_VECTOR4(ushort4, unsigned short, 8)
SIMT_VECTOR4(uchar4, unsigned char, 4)
SIMT_VECTOR4(char4, signed char, 4)
typedef simt_dim3 dim3;

template <class To, class From> static inline To simt_bits(From from) {
  static_assert(sizeof(To) == sizeof(From), "of one size");
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}
static inline unsigned __float_as_uint(float x) { return simt_bits<unsigned>(x); }
static inline int __float_as_int(float x) { return simt_bits<int>(x); }
static inline float __uint_as_float(unsigned x) { return simt_bits<float>(x); }
static inline float __int_as_float(int x) { return simt_bits<float>(x); }

/* f16 to float is exact: the exponent is moved by 112, numbers below the normal ones are scaled by 2^-24. */
static inline float to_float(float x) { return x; }
static inline float to_float(bool8 x) { return x.bits ? 1.0f : 0.0f; }
static inline float to_float(bf16 x) { return __uint_as_float((u32)x.bits << 16); }
static inline float to_float(f16 x) {
  u32 sign = (u32)(x.bits & 0x8000) << 16, exponent = x.bits >> 10 & 31, fraction = x.bits & 0x3ff;
  if (exponent == 0) return __uint_as_float(__float_as_uint((float)fraction * 5.9604644775390625e-8f) | sign);
  if (exponent == 31) return __uint_as_float(sign | 0x7f800000u | fraction << 13 | (fraction ? 0x400000u : 0));
  return __uint_as_float(sign | (exponent + 112) << 23 | fraction << 13);
}

/* Rounds to nearest, ties to even, as cvt.rn does; NaN becomes the one NaN that the instruction gives. */
static inline u16 simt_f16_bits(float x) {
  u32 bits = __float_as_uint(x), size = bits & 0x7fffffffu;
  u16 sign = (u16)(bits >> 16 & 0x8000);
  if (size > 0x7f800000u) return 0x7fff;
  if (size >= 0x477ff000u) return (u16)(sign | 0x7c00); // 65520 and more
  if (size < 0x33000001u) return sign;                  // 2^-25 and less
  u32 shift = size < 0x38800000u ? 126 - (size >> 23) : 13;
  u32 whole = size < 0x38800000u ? (size & 0x7fffffu) | 0x800000u : size - (112u << 23);
  u32 kept = whole >> shift, rest = whole & ((1u << shift) - 1), half = 1u << (shift - 1);
  return (u16)(sign | (kept + (rest > half || (rest == half && (kept & 1)))));
}
template <class T> struct from_float_of;
template <> struct from_float_of<float> {
  static inline float make(float x) { return x; }
};
template <> struct from_float_of<bool8> {
  static inline bool8 make(float x) { return bool8{(u8)(x != 0.0f)}; }
};
template <> struct from_float_of<f16> {
  static inline f16 make(float x) { return f16{simt_f16_bits(x)}; }
};
template <> struct from_float_of<bf16> {
  static inline bf16 make(float x) {
    u32 bits = __float_as_uint(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return bf16{(u16)(bits >> 16 | 0x40)};
    return bf16{(u16)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16)};
  }
};
template <class T> static inline T from_float(float x) { return from_float_of<T>::make(x); }
#if __CUDA_ARCH__ >= 800
static inline u32 to_tf32(float x) { // to nearest, ties away from zero
  u32 bits = __float_as_uint(x);
  if ((bits & 0x7f800000u) == 0x7f800000u) return (bits & 0x7fffffu) ? 0x7fffffffu : bits;
  return (bits + 0x1000u) & 0xffffe000u;
}
#endif

static inline void simt_aligned(const void *address, const char *what, int line) {
  if (reinterpret_cast<u64>(address) % 16 != 0) simt->memory_fault(what, address, line);
}
template <class T> static inline uint4 load4(const T *from, SIMT_LINE) {
  simt_aligned(from, "load4 of an address that is no multiple of 16", line);
  uint4 v;
  __builtin_memcpy(&v, __builtin_assume_aligned(from, 16), sizeof v);
  return v;
}
template <class T> static inline void store4(T *to, uint4 v, SIMT_LINE) {
  simt_aligned(to, "store4 to an address that is no multiple of 16", line);
  __builtin_memcpy(__builtin_assume_aligned(to, 16), &v, sizeof v);
}
