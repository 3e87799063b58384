/* Functions of math and of bits that CUDA has built in, from the host's libm. Part of simt.h; declared here, so that compiling a kernel
 * does not read the host's headers. */
extern "C" {
#define SIMT_LIBM1(name) float name(float) noexcept;
#define SIMT_LIBM2(name) float name(float, float) noexcept;
SIMT_LIBM1(expf) SIMT_LIBM1(exp2f) SIMT_LIBM1(exp10f) SIMT_LIBM1(expm1f) SIMT_LIBM1(logf) SIMT_LIBM1(log2f) SIMT_LIBM1(log10f)
SIMT_LIBM1(log1pf) SIMT_LIBM1(sinf) SIMT_LIBM1(cosf) SIMT_LIBM1(tanf) SIMT_LIBM1(asinf) SIMT_LIBM1(acosf) SIMT_LIBM1(atanf)
SIMT_LIBM1(sinhf) SIMT_LIBM1(coshf) SIMT_LIBM1(tanhf) SIMT_LIBM1(asinhf) SIMT_LIBM1(acoshf) SIMT_LIBM1(atanhf) SIMT_LIBM1(erff)
SIMT_LIBM1(erfcf) SIMT_LIBM1(sqrtf) SIMT_LIBM1(cbrtf) SIMT_LIBM1(fabsf) SIMT_LIBM1(floorf) SIMT_LIBM1(ceilf) SIMT_LIBM1(truncf)
SIMT_LIBM1(rintf) SIMT_LIBM1(nearbyintf) SIMT_LIBM1(roundf)
SIMT_LIBM2(powf) SIMT_LIBM2(fmodf) SIMT_LIBM2(remainderf) SIMT_LIBM2(atan2f) SIMT_LIBM2(fmaxf) SIMT_LIBM2(fminf) SIMT_LIBM2(fdimf)
SIMT_LIBM2(copysignf) SIMT_LIBM2(hypotf)
float fmaf(float, float, float) noexcept;
double sqrt(double) noexcept;
double fabs(double) noexcept;
float ldexpf(float, int) noexcept;
#undef SIMT_LIBM1
#undef SIMT_LIBM2
}
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline float normcdff(float x) { return 0.5f * erfcf(-x * 0.70710678118654752f); }
static inline float __expf(float x) { return expf(x); }
static inline float __exp10f(float x) { return exp10f(x); }
static inline float __logf(float x) { return logf(x); }
static inline float __log2f(float x) { return log2f(x); }
static inline float __sinf(float x) { return sinf(x); }
static inline float __cosf(float x) { return cosf(x); }
static inline float __powf(float x, float y) { return powf(x, y); }
static inline float __fdividef(float x, float y) { return x / y; }
static inline float __fdiv_rn(float x, float y) { return x / y; }
static inline float __frcp_rn(float x) { return 1.0f / x; }
static inline float __fsqrt_rn(float x) { return sqrtf(x); }
static inline float __frsqrt_rn(float x) { return (float)(1.0 / sqrt((double)x)); }
static inline float __fadd_rn(float x, float y) { return x + y; }
static inline float __fsub_rn(float x, float y) { return x - y; }
static inline float __fmul_rn(float x, float y) { return x * y; }
static inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
static inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
static inline bool isnan(float x) { return __builtin_isnan(x); }
static inline bool isinf(float x) { return __builtin_isinf(x); }
static inline bool isfinite(float x) { return __builtin_isfinite(x); }
static inline bool signbit(float x) { return __builtin_signbit(x); }

#define SIMT_MIN_MAX(type)                                                                                           \
  static inline type min(type a, type b) { return b < a ? b : a; }                                                   \
  static inline type max(type a, type b) { return a < b ? b : a; }
SIMT_MIN_MAX(int)
SIMT_MIN_MAX(unsigned)
SIMT_MIN_MAX(long)
SIMT_MIN_MAX(unsigned long)
SIMT_MIN_MAX(long long)
SIMT_MIN_MAX(unsigned long long)
static inline float min(float a, float b) { return fminf(a, b); }
static inline float max(float a, float b) { return fmaxf(a, b); }
static inline int abs(int x) { return x < 0 ? -x : x; }
static inline float abs(float x) { return fabsf(x); }

/* Conversions saturate on the device, and NaN gives 0. */
static inline int simt_to_int(float x) {
  if (isnan(x)) return 0;
  return x >= 2147483648.0f ? 0x7fffffff : x < -2147483648.0f ? -0x7fffffff - 1 : (int)x;
}
static inline int __float2int_rn(float x) { return simt_to_int(rintf(x)); }
static inline int __float2int_rz(float x) { return simt_to_int(truncf(x)); }
static inline int __float2int_rd(float x) { return simt_to_int(floorf(x)); }
static inline int __float2int_ru(float x) { return simt_to_int(ceilf(x)); }
static inline float __int2float_rn(int x) { return (float)x; }
static inline float __uint2float_rn(unsigned x) { return (float)x; }

static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz((unsigned)x); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline unsigned __brev(unsigned x) {
  unsigned y = 0;
  for (int i = 0; i < 32; i++) y |= (x >> i & 1u) << (31 - i);
  return y;
}
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
static inline int __mulhi(int a, int b) { return (int)((long long)a * b >> 32); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return (unsigned long long)((unsigned __int128)a * b >> 64);
}
static inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
  unsigned long long both = (unsigned long long)y << 32 | x;
  unsigned result = 0;
  for (int i = 0; i < 4; i++) {
    unsigned choice = selector >> 4 * i & 15, byte = (unsigned)(both >> 8 * (choice & 7)) & 255;
    if (choice & 8) byte = byte & 128 ? 255 : 0;
    result |= byte << 8 * i;
  }
  return result;
}
template <class T> static inline T __ldg(const T *from) { return *from; }
static inline void __threadfence() {}
static inline void __threadfence_block() {}
