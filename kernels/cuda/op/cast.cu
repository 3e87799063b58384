/* Elements of one type as another's, by the rules of the operator: integers go through i64 and wrap, floats go through float, truncate
 * and saturate (NaN gives 0), bool is "not zero". Each rounds once. A thread takes VECTOR neighbours, 16 bytes of the wider type.
 */
FARM_DEVICE i64 value_of(i64 x) { return x; }
FARM_DEVICE i64 value_of(u32 x) { return x; }
FARM_DEVICE i64 value_of(int x) { return x; }
FARM_DEVICE i64 value_of(u16 x) { return x; }
FARM_DEVICE i64 value_of(short x) { return x; }
FARM_DEVICE i64 value_of(u8 x) { return x; }
FARM_DEVICE i64 value_of(signed char x) { return x; }
FARM_DEVICE i64 value_of(bool8 x) { return x.bits != 0; }
FARM_DEVICE float value_of(float x) { return x; }
FARM_DEVICE float value_of(f16 x) { return to_float(x); }
FARM_DEVICE float value_of(bf16 x) { return to_float(x); }

/* A float with 24 bits of x and, in the last of them, whether any of the others was set: rounding it to fewer bits rounds x. */
FARM_DEVICE float sticky_float(i64 x) {
  u64 size = x < 0 ? 0 - (u64)x : (u64)x;
  float scale = x < 0 ? -1.0f : 1.0f;
  for (; size >> 24; scale *= 2.0f) size = size >> 1 | (size & 1);
  return (float)(i64)size * scale;
}

template <class T> struct cast_to {
  FARM_DEVICE T make(i64 x) { return (T)x; }
  FARM_DEVICE T make(float x) {
    const bool is_signed = (T)-1 < (T)0;
    const float end = 2.0f * (float)((u64)1 << (8 * sizeof(T) - 1 - is_signed)); // the first beyond T
    const T least = is_signed ? (T)((u64)1 << (8 * sizeof(T) - 1)) : (T)0;
    if (x >= end) return (T)~least;
    return x > (is_signed ? -end : 0.0f) ? (T)x : x == x ? least : (T)0;
  }
};
template <> struct cast_to<bool8> {
  FARM_DEVICE bool8 make(i64 x) { return bool8{(u8)(x != 0)}; }
  FARM_DEVICE bool8 make(float x) { return bool8{(u8)(x != 0.0f)}; }
};
template <> struct cast_to<float> {
  FARM_DEVICE float make(i64 x) { return (float)x; }
  FARM_DEVICE float make(float x) { return x; }
};
template <> struct cast_to<f16> {
  FARM_DEVICE f16 make(i64 x) { return from_float<f16>((float)x); } // what a float rounds is beyond f16
  FARM_DEVICE f16 make(float x) { return from_float<f16>(x); }
};
template <> struct cast_to<bf16> {
  FARM_DEVICE bf16 make(i64 x) { return from_float<bf16>(sticky_float(x)); }
  FARM_DEVICE bf16 make(float x) { return from_float<bf16>(x); }
};

template <int bytes> struct whole_of;
template <> struct whole_of<2> { typedef u16 type; };
template <> struct whole_of<4> { typedef u32 type; };
template <> struct whole_of<8> { typedef u64 type; };
template <> struct whole_of<16> { typedef uint4 type; };
template <class T> union vector_of {
  typename whole_of<VECTOR * sizeof(T)>::type all;
  T elems[VECTOR];
};

FARM_KERNEL(cast, cast_args, THREADS) {
  const i64 step = (i64)gridDim.x * THREADS * VECTOR;
  for (i64 at = ((i64)blockIdx.x * THREADS + threadIdx.x) * VECTOR; at < args.elems; at += step) {
    if (at + VECTOR <= args.elems) {
      vector_of<FROM> from;
      vector_of<TO> to;
      from.all = *reinterpret_cast<decltype(from.all) const *>(args.x + at);
#pragma unroll
      for (int i = 0; i < VECTOR; i++) to.elems[i] = cast_to<TO>::make(value_of(from.elems[i]));
      *reinterpret_cast<decltype(to.all) *>(args.y + at) = to.all;
    } else {
      for (i64 i = at; i < args.elems; i++) args.y[i] = cast_to<TO>::make(value_of(args.x[i]));
    }
  }
}
