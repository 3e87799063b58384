/* Vectors of neighbouring elements as floats, and sums and maxima over a warp or a block. Stands before the texts that use it. */
FARM_DEVICE float minus_infinity() { return __uint_as_float(0xff800000u); }

template <class T> union quad { // 16 bytes and the elements in them
  uint4 all;
  T elems[16 / sizeof(T)];
};

/* count elements from an address aligned to all of them, or to 16 */
template <int count, class T> FARM_DEVICE void load_vector(const T *from, float *to) {
  const int in_quad = 16 / sizeof(T);
  if (count % in_quad == 0) {
    for (int i = 0; i < count / in_quad; i++) {
      quad<T> q;
      q.all = load4(from + i * in_quad);
      for (int e = 0; e < in_quad; e++) to[i * in_quad + e] = to_float(q.elems[e]);
    }
  } else {
    for (int i = 0; i < count; i++) to[i] = to_float(from[i]);
  }
}
template <int count, class T> FARM_DEVICE void store_vector(T *to, const float *from) {
  const int in_quad = 16 / sizeof(T);
  if (count % in_quad == 0) {
    for (int i = 0; i < count / in_quad; i++) {
      quad<T> q;
      for (int e = 0; e < in_quad; e++) q.elems[e] = from_float<T>(from[i * in_quad + e]);
      store4(to + i * in_quad, q.all);
    }
  } else {
    for (int i = 0; i < count; i++) to[i] = from_float<T>(from[i]);
  }
}

struct add_of {
  FARM_DEVICE float of(float a, float b) { return a + b; }
};
struct most_of { // NaN is passed over
  FARM_DEVICE float of(float a, float b) { return fmaxf(a, b); }
};

/* The same result in all lanes. */
template <class Op> FARM_DEVICE float warp_reduce(float x) {
  for (int lanes = 16; lanes > 0; lanes >>= 1) x = Op::of(x, __shfl_xor_sync(0xffffffffu, x, lanes));
  return x;
}

/* The same result in all threads of the block; `partial` has one element per warp. */
template <class Op, int warps, class S> FARM_DEVICE float block_reduce(float x, S &partial) {
  x = warp_reduce<Op>(x);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = x;
  __syncthreads();
  x = partial[0];
  for (int i = 1; i < warps; i++) x = Op::of(x, partial[i]);
  __syncthreads(); // before the next reduction writes
  return x;
}
