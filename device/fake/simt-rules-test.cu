/* Each kernel breaks one rule of the dialect, or (those called fine_…) comes close and does not. simt-rules-test.c says what is to be
 * found. `out` has 64 floats. */
struct rule_args {
  FARM_POINTER(float) out;
  FARM_POINTER(const float) in;
  long long at;
};
#define RULE(name) FARM_KERNEL(name, rule_args, 64)
#define T ((int)threadIdx.x)

RULE(bounds_read) {
  FARM_SHARED(float, tile, 64);
  tile[T] = 1.0f;
  __syncthreads();
  args.out[T] = tile[T + 1];
}
RULE(bounds_below) {
  FARM_SHARED(float, tile, 64);
  tile[T - 1] = 1.0f;
}
RULE(bounds_load4) {
  FARM_SHARED(float, tile, 66);
  for (int i = T; i < 66; i += 64) tile[i] = 0.0f;
  __syncthreads();
  store4(args.out, shared_load4(tile, 64));
}
RULE(unwritten) {
  FARM_SHARED(float, tile, 64);
  if (T != 7) tile[T] = 1.0f;
  __syncthreads();
  args.out[T] = tile[T];
}
RULE(unwritten_next_block) { // what a block left is nothing to the next
  FARM_SHARED(float, tile, 64);
  if (blockIdx.x == 0) tile[T] = 1.0f;
  __syncthreads();
  args.out[T] = tile[T];
}
RULE(race_write_read) {
  FARM_SHARED(float, tile, 64);
  tile[T] = 1.0f;
  args.out[T] = tile[T / 2];
}
RULE(race_read_write) {
  FARM_SHARED(float, tile, 64);
  tile[T] = 1.0f;
  __syncthreads();
  float x = tile[63 - T];
  tile[T] = x;
}
RULE(race_write_write) {
  FARM_SHARED(float, tile, 64);
  tile[T / 2] = 1.0f;
}
RULE(race_in_warp) { // lanes of a warp are not in step by themselves
  FARM_SHARED(float, tile, 64);
  tile[T] = 1.0f;
  args.out[T] = tile[T & ~1];
}
RULE(race_after_shuffle) { // a shuffle orders no memory
  FARM_SHARED(float, tile, 64);
  tile[T] = 1.0f;
  float x = __shfl_xor_sync(0xffffffffu, 1.0f, 1);
  args.out[T] = tile[T ^ 1] + x;
}
RULE(race_across_warps) { // __syncwarp is for one warp only
  FARM_SHARED(float, tile, 64);
  tile[T] = 1.0f;
  __syncwarp();
  args.out[T] = tile[T & 31];
}
RULE(race_many_readers) {
  FARM_SHARED(float, tile, 64);
  tile[T] = 1.0f;
  __syncthreads();
  args.out[T] = tile[5];
  __syncwarp();
  if (T == 37) tile[5] = 2.0f;
}
RULE(race_atomic) {
  FARM_SHARED(int, sum, 1);
  if (T == 0) sum[0] = 0;
  __syncthreads();
  atomicAdd(&sum[0], 1);
  if (T == 63) args.out[0] = (float)sum[0];
}
RULE(fine_warp) {
  FARM_SHARED(float, tile, 64);
  tile[T] = (float)T;
  __syncwarp();
  float x = tile[T ^ 1];
  __syncwarp();
  tile[T] = x;
  __syncthreads();
  args.out[T] = tile[63 - T];
}
RULE(fine_atomic) {
  FARM_SHARED(int, sum, 1);
  if (T == 0) sum[0] = 0;
  __syncthreads();
  atomicAdd(&sum[0], T);
  __syncthreads();
  args.out[T] = (float)sum[0];
}
RULE(copy_not_awaited) {
  FARM_SHARED(float, tile, 256);
  copy_async(tile, T * 4, args.in + T * 4, true);
  copy_async_commit();
  __syncthreads();
  args.out[T] = tile[T];
}
RULE(copy_not_committed) {
  FARM_SHARED(float, tile, 256);
  copy_async(tile, T * 4, args.in + T * 4, true);
  copy_async_wait<0>();
  __syncthreads();
  args.out[T] = tile[T];
}
RULE(copy_one_too_early) {
  FARM_SHARED(float, tile, 512);
  copy_async(tile, T * 4, args.in + T * 4, true);
  copy_async_commit();
  copy_async(tile, 256 + T * 4, args.in + T * 4, true);
  copy_async_commit();
  copy_async_wait<1>();
  __syncthreads();
  args.out[T] = tile[T] + tile[256 + T];
}
RULE(copy_no_barrier) {
  FARM_SHARED(float, tile, 256);
  copy_async(tile, T * 4, args.in + T * 4, true);
  copy_async_commit();
  copy_async_wait<0>();
  args.out[T] = tile[T];
}
RULE(copy_over_readers) { // the next copy starts while others may still read
  FARM_SHARED(float, tile, 256);
  copy_async(tile, T * 4, args.in + T * 4, true);
  copy_async_commit();
  copy_async_wait<0>();
  __syncthreads();
  args.out[T] = tile[T];
  copy_async(tile, T * 4, args.in + T * 4, true);
}
RULE(copy_unaligned) {
  FARM_SHARED(float, tile, 256);
  copy_async(tile, T * 4, args.in + T * 4 + 1, true);
}
RULE(barrier_diverges) {
  if (T < 32) {
    args.out[T] = 1.0f;
    __syncthreads();
  } else {
    args.out[T] = 2.0f;
    __syncthreads();
  }
}
RULE(fine_ended) { // threads that ended do not count
  if (T >= 40) return;
  FARM_SHARED(float, tile, 64);
  tile[T] = (float)T;
  __syncthreads();
  args.out[T] = tile[39 - T];
}
RULE(shuffle_and_barrier) {
  if (T % 32 < 16) args.out[T] = __shfl_sync(0xffffffffu, 1.0f, 0);
  else __syncthreads();
}
RULE(shuffle_kinds) {
  if (T % 32 < 16) args.out[T] = __shfl_sync(0xffffffffu, 1.0f, 0);
  else args.out[T] = __shfl_xor_sync(0xffffffffu, 1.0f, 1);
}
RULE(shuffle_masks) { args.out[T] = __shfl_sync(T % 32 < 16 ? 0xffffffffu : 0xffff0001u, 1.0f, 0); }
RULE(shuffle_not_named) { args.out[T] = __shfl_sync(0xfffffffeu, 1.0f, 1); }
RULE(shuffle_from_absent) {
  if (T % 32 < 16) args.out[T] = __shfl_sync(0x0000ffffu, 1.0f, 20);
}
RULE(mma_partial) {
  float d[4] = {};
  u32 a[4] = {}, b[2] = {};
  if (T % 32 < 31) mma_16x8x16(d, a, b, f16());
  args.out[T] = d[0];
}
RULE(load4_unaligned) { store4(args.out, load4(args.in + 1)); }
RULE(store4_unaligned) { store4(args.out + 2, load4(args.in)); }
RULE(shared4_unaligned) {
  FARM_SHARED(float, tile, 256);
  shared_store4(tile, T * 4 + 2, make_uint4(0, 0, 0, 0));
}
RULE(scalar_unaligned) { *reinterpret_cast<float *>(reinterpret_cast<char *>(args.out) + 2) = 1.0f; }
RULE(slack_behind) {
  if (T == 0) args.out[args.at] = 1.0f;
}
RULE(slack_read) { args.out[T] = args.out[args.at]; }
RULE(load4_behind) { store4(args.out, load4(args.out + 64)); }
RULE(store4_behind) { store4(args.out + 64, load4(args.in)); }
RULE(copy_behind) {
  FARM_SHARED(float, tile, 256);
  copy_async(tile, T * 4, args.out + args.at, true);
}
RULE(host_pointer) { args.out[T] = *reinterpret_cast<const float *>(args.at); }
RULE(wild) {
  if (T == 3) args.out[args.at] = 1.0f;
}
RULE(shifts_too_far) { args.out[T] = (float)(1u << (int)(args.at + T)); }
RULE(local_index) {
  float local[4] = {};
  for (long long i = 0; i < args.at; i++) local[i] = args.in[i];
  args.out[T] = local[0] + local[3];
}
RULE(divides_by_zero) { args.out[T] = (float)(T / (int)args.at); }
RULE(too_much_shared) {
  FARM_SHARED(float, tile, 12 * 1024);
  FARM_SHARED(float, more, 1);
  tile[T] = more[0] = 1.0f;
}
static int deep(long long n, volatile float *out) {
  volatile char room[4096];
  room[n % 4096] = (char)n;
  return n == 0 ? 0 : 1 + deep(n - 1, out) + room[n % 4096];
}
RULE(stack_overflow) { args.out[T] = (float)deep(args.at, args.out); }
