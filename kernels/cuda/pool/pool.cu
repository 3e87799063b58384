/* Maximum and average pooling. Two kernels:
 *
 *   pool_threads   a thread per result; neighbours take neighbouring results
 *   pool_warps     a warp per result, its lanes over the window: for large windows of few results (global pooling of planes)
 *
 * The host defines X_TYPE, OUT_TYPE, NHWC and AVERAGE. A maximum keeps NaN; a window without a tap in the data gives -inf, or 0 / 0.
 */
struct pool_site {
  int c, top, left; // top, left: of the window
  const X_TYPE *plane;
};

FARM_DEVICE pool_site pool_site_of(const pool_args &args, int index) {
  int c, y, x, n;
  if (NHWC) {
    c = index % args.c;
    x = index / args.c % args.out_w;
    y = index / args.c / args.out_w % args.out_h;
    n = index / args.c / args.out_w / args.out_h;
  } else {
    x = index % args.out_w;
    y = index / args.out_w % args.out_h;
    c = index / args.out_w / args.out_h % args.c;
    n = index / args.out_w / args.out_h / args.c;
  }
  const i64 area = (i64)args.h * args.w;
  return pool_site{c, y * args.stride_h - args.pad_t, x * args.stride_w - args.pad_l,
                   reinterpret_cast<const X_TYPE *>(args.x) + (NHWC ? n * area * args.c + c : ((i64)n * args.c + c) * area)};
}

/* A tap's value, and whether there is one. */
FARM_DEVICE bool pool_tap(const pool_args &args, const pool_site &site, int r, int s, float *out) {
  const int y = site.top + r * args.dil_h, x = site.left + s * args.dil_w;
  if ((u32)y >= (u32)args.h || (u32)x >= (u32)args.w) return false;
  *out = to_float(site.plane[((i64)y * args.w + x) * (NHWC ? args.c : 1)]);
  return true;
}

FARM_DEVICE float pool_join(float a, float b) { return AVERAGE ? a + b : (b > a || b != b) ? b : a; }
FARM_DEVICE float pool_nothing() { return AVERAGE ? 0.0f : __uint_as_float(0xff800000u); } // -inf

/* How many of `taps` from `start` on lie in [low, high). */
FARM_DEVICE int pool_taps(int start, int taps, int dilation, int low, int high) {
  int count = 0;
  for (int i = 0; i < taps; i++) count += start + i * dilation >= low && start + i * dilation < high;
  return count;
}

FARM_DEVICE void pool_put(const pool_args &args, const pool_site &site, int index, float joined) {
  float result = joined;
  if (AVERAGE) {
    const bool all = args.count_padding != 0;
    const int down = pool_taps(site.top, args.r, args.dil_h, all ? -args.pad_t : 0, all ? args.h + args.pad_b : args.h);
    const int across = pool_taps(site.left, args.s, args.dil_w, all ? -args.pad_l : 0, all ? args.w + args.pad_r : args.w);
    result = joined / ((float)down * (float)across);
  }
  reinterpret_cast<OUT_TYPE *>(args.out)[index] = from_float<OUT_TYPE>(result);
}

FARM_KERNEL(pool_threads, pool_args, 256) {
  const int index = (int)(blockIdx.x * 256 + threadIdx.x);
  if (index >= args.outputs) return;
  const pool_site site = pool_site_of(args, index);
  float joined = pool_nothing(), value;
  for (int r = 0; r < args.r; r++)
    for (int s = 0; s < args.s; s++)
      if (pool_tap(args, site, r, s, &value)) joined = pool_join(joined, value);
  pool_put(args, site, index, joined);
}

FARM_KERNEL(pool_warps, pool_args, 256) {
  const int index = (int)(blockIdx.x * 8 + threadIdx.x / 32);
  const int lane = (int)threadIdx.x % 32;
  if (index >= args.outputs) return; // the whole warp
  const pool_site site = pool_site_of(args, index);
  float joined = pool_nothing(), value;
  for (int i = lane; i < args.r * args.s; i += 32)
    if (pool_tap(args, site, i / args.s, i % args.s, &value)) joined = pool_join(joined, value);
#pragma unroll
  for (int step = 16; step > 0; step /= 2) joined = pool_join(joined, __shfl_xor_sync(0xffffffffu, joined, step));
  if (lane == 0) pool_put(args, site, index, joined);
}
