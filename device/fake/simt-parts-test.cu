/* One kernel per part of the dialect; simt-parts-test.c says what comes out. */
struct part_args {
  FARM_POINTER(u32) out;
  FARM_POINTER(const u32) in;
  long long at;
};
#define PART(name, threads) FARM_KERNEL(name, part_args, threads)
#define T ((int)threadIdx.x)
#define GLOBAL ((int)(blockIdx.x * blockDim.x + threadIdx.x))

PART(indices, 1024) {
  u32 block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  u32 thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  u32 at = block * blockDim.x * blockDim.y * blockDim.z + thread;
  args.out[at] = blockIdx.x | blockIdx.y << 4 | blockIdx.z << 8 | threadIdx.x << 12 | threadIdx.y << 20 | threadIdx.z << 28;
}
PART(shuffles, 32) { // at: kind, width << 8, distance << 16
  int kind = (int)(args.at & 255), width = (int)(args.at >> 8 & 255), by = (int)(args.at >> 16);
  u32 value = 100 + (u32)T;
  args.out[T] = kind == 0   ? __shfl_sync(0xffffffffu, value, by, width)
                : kind == 1 ? __shfl_up_sync(0xffffffffu, value, (unsigned)by, width)
                : kind == 2 ? __shfl_down_sync(0xffffffffu, value, (unsigned)by, width)
                            : __shfl_xor_sync(0xffffffffu, value, by, width);
}
PART(sums, 64) { // over a warp in float, over a part of one in int; the second warp has 16 lanes
  float sum = (float)T;
  for (int by = 16; by > 0; by /= 2) {
    if (T < 32) sum += __shfl_xor_sync(0xffffffffu, sum, by);
    else sum += __shfl_down_sync(0xffffffffu, sum, (unsigned)by, 16);
  }
  args.out[T] = __float_as_uint(sum);
}
PART(votes, 64) {
  u32 mask = T % 32 < 8 ? 0xffu : 0xffffff00u;
  u32 ballot = __ballot_sync(mask, T % 3 == 0);
  int any = __any_sync(mask, T == 40), all = __all_sync(mask, T < 40);
  args.out[T * 3] = ballot;
  args.out[T * 3 + 1] = (u32)any;
  args.out[T * 3 + 2] = (u32)all;
}
PART(atomics, 256) {
  FARM_SHARED(int, counts, 8);
  if (T < 8) counts[T] = 0;
  __syncthreads();
  atomicAdd(&counts[T % 8], T);
  __syncthreads();
  if (T < 8) atomicAdd(reinterpret_cast<int *>(args.out) + T, (int)counts[T]);
  atomicMax(reinterpret_cast<int *>(args.out) + 8, GLOBAL);
  atomicMin(reinterpret_cast<int *>(args.out) + 9, -GLOBAL);
  atomicAdd(reinterpret_cast<float *>(args.out) + 10, 0.5f);
  if (GLOBAL == 3) atomicCAS(args.out + 11, 7u, 9u);
}
PART(tiles, 64) { // turned around through shared memory, 16 bytes at a time; += and = between elements
  FARM_SHARED(u32, tile, 256);
  FARM_SHARED(u16, halves, 64);
  shared_store4(tile, T * 4, load4(args.in + T * 4));
  halves[T] = (u16)T;
  __syncthreads();
  uint4 v = shared_load4(tile, (63 - T) * 4);
  u32 other = tile[(T * 4 + 7) % 256];
  __syncthreads();
  tile[T] = v.x;
  tile[T] += halves[63 - T];
  tile[T + 64] = tile[T];
  v.x = tile[T + 64];
  v.y = other;
  store4(args.out + T * 4, v);
}
PART(to_floats, 256) { // all f16 and bf16 there are
  f16 half = f16{(u16)GLOBAL};
  bf16 brain = bf16{(u16)GLOBAL};
  args.out[GLOBAL] = __float_as_uint(to_float(half));
  args.out[GLOBAL + 65536] = __float_as_uint(to_float(brain));
}
PART(from_floats, 256) {
  float x = __uint_as_float(args.in[GLOBAL]);
  args.out[GLOBAL * 4] = from_float<f16>(x).bits;
  args.out[GLOBAL * 4 + 1] = from_float<bf16>(x).bits;
  args.out[GLOBAL * 4 + 2] = to_tf32(x);
  args.out[GLOBAL * 4 + 3] = from_float<bool8>(x).bits;
}
PART(matrices, 32) { // 4 of 8x8 u16, element = its number
  FARM_SHARED(u16, m, 256);
  for (int i = T; i < 256; i += 32) m[i] = (u16)i;
  __syncwarp();
  u32 r[4], t[4];
  ldmatrix_x4(r, m, T * 8);
  ldmatrix_x4_trans(t, m, T * 8);
  for (int i = 0; i < 4; i++) {
    args.out[T * 8 + i] = r[i];
    args.out[T * 8 + 4 + i] = t[i];
  }
}
/* a [16][16] and b [16][8] of 16 bit from `in`, through shared memory and ldmatrix as kernels do; d [16][8] starts as 1. */
template <class type> FARM_DEVICE void multiply(const part_args &args, type tag) {
  FARM_SHARED(u16, a, 256);
  FARM_SHARED(u16, b, 256);
  const u16 *in = reinterpret_cast<const u16 *>(args.in);
  for (int i = T; i < 256; i += 32) {
    a[i] = in[i];
    b[i] = i % 16 < 8 ? in[256 + i / 16 * 8 + i % 16] : (u16)0;
  }
  __syncwarp();
  u32 fa[4], fb[4];
  float d[4] = {1.0f, 1.0f, 1.0f, 1.0f};
  ldmatrix_x4(fa, a, T % 16 * 16 + T / 16 * 8);
  ldmatrix_x4_trans(fb, b, T % 16 * 16 + T / 16 * 8);
  mma_16x8x16(d, fa, fb, tag);
  float *out = reinterpret_cast<float *>(args.out);
  for (int i = 0; i < 4; i++) out[(T / 4 + i / 2 * 8) * 8 + T % 4 * 2 + i % 2] = d[i];
}
PART(mma_f16, 32) { multiply(args, f16()); }
PART(mma_bf16, 32) { multiply(args, bf16()); }
PART(mma_tf32, 32) { // a [16][8], b [8][8] of float; the last 13 bits are to be dropped
  const u32 *a = args.in, *b = args.in + 128;
  int group = T / 4, pair = T % 4;
  u32 fa[4] = {a[group * 8 + pair], a[(group + 8) * 8 + pair], a[group * 8 + pair + 4], a[(group + 8) * 8 + pair + 4]};
  u32 fb[2] = {b[pair * 8 + group], b[(pair + 4) * 8 + group]};
  float d[4] = {};
  mma_16x8x8_tf32(d, fa, fb);
  float *out = reinterpret_cast<float *>(args.out);
  for (int i = 0; i < 4; i++) out[(group + i / 2 * 8) * 8 + pair * 2 + i % 2] = d[i];
}
PART(pipeline, 64) { // three stages of copies under way; the last of 8 rounds is not valid
  FARM_SHARED(u32, stages, 3 * 256);
  u32 sum[4] = {};
  for (int s = 0; s < 2; s++) {
    copy_async(stages, s * 256 + T * 4, args.in + s * 256 + T * 4, true);
    copy_async_commit();
  }
  for (int round = 0; round < 8; round++) {
    copy_async_wait<1>();
    __syncthreads();
    int ahead = round + 2;
    if (ahead < 8) copy_async(stages, ahead % 3 * 256 + T * 4, args.in + ahead * 256 + T * 4, ahead != 7);
    copy_async_commit();
    for (int i = 0; i < 4; i++) sum[i] += stages[round % 3 * 256 + (63 - T) * 4 + i];
  }
  for (int i = 0; i < 4; i++) args.out[T * 4 + i] = sum[i];
}
PART(functions, 64) {
  float x = __uint_as_float(args.in[T]);
  float y[8] = {erff(x), expf(x), tanhf(x), rsqrtf(fabsf(x) + 1.0f), fmaf(x, x, 1.0f), logf(fabsf(x) + 1.0f),
                powf(fabsf(x), 0.5f), fmaxf(x, 0.25f)};
  for (int i = 0; i < 8; i++) args.out[T * 8 + i] = __float_as_uint(y[i]);
}
PART(arch, 1) { args.out[0] = __CUDA_ARCH__; }
PART(nothing, 1024) {}
PART(one_more, 1) { args.out[0] += 1; }
/* c = a b, all [n][n] of float, in tiles of 32x32, four results per thread. */
PART(gemm, 256) {
  FARM_SHARED(float, a, 32 * 16);
  FARM_SHARED(float, b, 16 * 32);
  const float *in = reinterpret_cast<const float *>(args.in);
  int n = (int)args.at, row = (int)blockIdx.x / (n / 32) * 32, column = (int)blockIdx.x % (n / 32) * 32, x = T % 16, y = T / 16;
  float sum[2][2] = {};
  for (int k = 0; k < n; k += 16) {
    for (int i = T; i < 512; i += 256) {
      a[i] = in[(row + i / 16) * n + k + i % 16];
      b[i] = in[n * n + (k + i / 32) * n + column + i % 32];
    }
    __syncthreads();
    for (int q = 0; q < 16; q++) {
      float left[2] = {a[y * 32 + q], a[y * 32 + 16 + q]}, right[2] = {b[q * 32 + x * 2], b[q * 32 + x * 2 + 1]};
      for (int i = 0; i < 4; i++) sum[i / 2][i % 2] += left[i / 2] * right[i % 2];
    }
    __syncthreads();
  }
  float *out = reinterpret_cast<float *>(args.out);
  for (int i = 0; i < 4; i++) out[(row + y * 2 + i / 2) * n + column + x * 2 + i % 2] = sum[i / 2][i % 2];
}
PART(switches, 256) {
  for (int i = 0; i < 100; i++) __syncthreads();
}
PART(forever_long, 1) {
  for (long long i = 0; i < args.at; i++) args.out[0] = (u32)i;
}
