/* The dialect of our kernels: what a *.cu text may use beyond plain CUDA C++. It is put before every text; nothing is included.
 *
 *   FARM_KERNEL(name, struct, threads) { … args.field … }   a kernel: one argument struct by value, called `args`
 *   FARM_DEVICE, FARM_MEMBER                                before a function, a member function
 *   FARM_POINTER(type) field;                               in an argument struct: a device pointer (for the host: an address)
 *   FARM_SHARED(type, name, count)                          a shared array, 16-byte aligned; at most 48 KiB per kernel together
 *   name[i]                                                 one element of it
 *   shared_load4(name, i), shared_store4(name, i, v)        16 bytes at element i (which is a multiple of 16 / sizeof type)
 *   ldmatrix_x4 / _x4_trans(r, name, i)                     four 8x8 matrices of 16-bit elements; each lane names one row of 8
 *   copy_async(name, i, global, valid)                      16 bytes global to shared, zeros when not valid; copy_async_commit(),
 *   copy_async_wait<n>()                                    then wait until at most n groups are under way (and __syncthreads)
 *   mma_16x8x16(d, a, b, f16 or bf16 tag), mma_16x8x8_tf32  d += a b on the fragments of the PTX manual, f32 sums
 *   to_float(x), from_float<type>(x)                        f16, bf16, float, bool8 <-> float, rounding to nearest even
 *   load4(pointer), store4(pointer, v)                      16 bytes of global memory, aligned
 *
 * and of CUDA itself: threadIdx, blockIdx, blockDim, gridDim, __syncthreads, __syncwarp, __shfl_sync, __shfl_xor_sync,
 * __shfl_down_sync, __ballot_sync, __any_sync, __all_sync, atomicAdd (int, float), float4, uint4, and the float functions of math.h.
 *
 * The emulator (device/fake/simt.h) defines the same names for a host compiler, with bounds and first-write checks on shared arrays,
 * lanes that must agree on collective calls, and copies that land no sooner than they are waited for.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;
struct f16 { u16 bits; };
struct bf16 { u16 bits; };
struct bool8 { u8 bits; };

#define FARM_POINTER(type) type *

#ifdef FARM_SIMT
#include "simt.h"
#define FARM_MEMBER inline
#else

#define FARM_KERNEL(name, arguments, threads)                                                                \
  extern "C" __global__ void __launch_bounds__(threads) name(const __grid_constant__ arguments args)
#define FARM_SHARED(type, name, count) __shared__ __align__(16) type name[count]
#define FARM_DEVICE static __device__ __forceinline__
#define FARM_MEMBER __device__ __forceinline__

FARM_DEVICE float to_float(float x) { return x; }
FARM_DEVICE float to_float(bool8 x) { return x.bits ? 1.0f : 0.0f; }
FARM_DEVICE float to_float(bf16 x) { return __uint_as_float((u32)x.bits << 16); }
FARM_DEVICE float to_float(f16 x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
  return y;
}
template <class T> struct from_float_of;
template <> struct from_float_of<float> {
  FARM_DEVICE float make(float x) { return x; }
};
template <> struct from_float_of<bool8> {
  FARM_DEVICE bool8 make(float x) { return bool8{(u8)(x != 0.0f)}; }
};
template <> struct from_float_of<f16> {
  FARM_DEVICE f16 make(float x) {
    f16 y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
    return y;
  }
};
template <> struct from_float_of<bf16> { // integer arithmetic: sm_75 has no conversion
  FARM_DEVICE bf16 make(float x) {
    u32 bits = __float_as_uint(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return bf16{(u16)(bits >> 16 | 0x40)};
    return bf16{(u16)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16)};
  }
};
template <class T> FARM_DEVICE T from_float(float x) { return from_float_of<T>::make(x); }

template <class T> FARM_DEVICE uint4 load4(const T *from) { return *reinterpret_cast<const uint4 *>(from); }
template <class T> FARM_DEVICE void store4(T *to, uint4 v) { *reinterpret_cast<uint4 *>(to) = v; }
#define shared_load4(name, i) load4(&(name)[i])
#define shared_store4(name, i, v) store4(&(name)[i], v)

FARM_DEVICE u32 shared_address(const void *pointer) { return (u32)__cvta_generic_to_shared(pointer); }

FARM_DEVICE void ldmatrix_x4_at(u32 r[4], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row)) : "memory");
}
FARM_DEVICE void ldmatrix_x4_trans_at(u32 r[4], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row)) : "memory");
}
#define ldmatrix_x4(r, name, i) ldmatrix_x4_at(r, &(name)[i])
#define ldmatrix_x4_trans(r, name, i) ldmatrix_x4_trans_at(r, &(name)[i])

#if __CUDA_ARCH__ >= 800
FARM_DEVICE void copy_async_at(void *to, const void *from, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" : : "r"(shared_address(to)), "l"(from), "r"(valid ? 16 : 0) : "memory");
}
FARM_DEVICE void copy_async_commit() { asm volatile("cp.async.commit_group;" : : : "memory"); }
template <int n> FARM_DEVICE void copy_async_wait() { asm volatile("cp.async.wait_group %0;" : : "n"(n) : "memory"); }
#else // through registers: the same result, nothing under way
FARM_DEVICE void copy_async_at(void *to, const void *from, bool valid) {
  *reinterpret_cast<uint4 *>(to) = valid ? *reinterpret_cast<const uint4 *>(from) : make_uint4(0, 0, 0, 0);
}
FARM_DEVICE void copy_async_commit() {}
template <int n> FARM_DEVICE void copy_async_wait() {}
#endif
#define copy_async(name, i, from, valid) copy_async_at(&(name)[i], from, valid)

/* d[4] += a[4] b[2]: 16x16 times 16x8, fragments as in the PTX manual (mma.m16n8k16). sm_75 has half of it per instruction. */
FARM_DEVICE void mma_16x8x16(float d[4], const u32 a[4], const u32 b[2], f16) {
#if __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(b[0]));
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[2]), "r"(a[3]), "r"(b[1]));
#endif
}
#if __CUDA_ARCH__ >= 800
FARM_DEVICE void mma_16x8x16(float d[4], const u32 a[4], const u32 b[2], bf16) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
/* d[4] += a[4] b[2]: 16x8 times 8x8 of f32 whose last 13 bits are dropped (mma.m16n8k8.tf32). */
FARM_DEVICE void mma_16x8x8_tf32(float d[4], const u32 a[4], const u32 b[2]) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
FARM_DEVICE u32 to_tf32(float x) { // rounded to nearest, ties away from zero
  u32 y;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(x));
  return y;
}
#endif
#endif
