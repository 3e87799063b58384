/* Convolution with one channel per group: a thread per result, its window read straight from memory. Neighbouring threads take neighbouring
 * results, so loads of x, w (packed to [r][s][k] for channels last) and stores of a warp are runs.
 */
FARM_KERNEL(conv_direct, conv_args, 256) {
  const int index = (int)(blockIdx.x * 256 + threadIdx.x); // of all results: below 2^31
  if (index >= args.pixels * args.k) return;
  const int k = NHWC ? index % args.k : index / args.out_hw % args.k;
  const int pixel = NHWC ? index / args.k : index / args.out_hw / args.k * args.out_hw + index % args.out_hw;
  const int n = pixel / args.out_hw, p = pixel % args.out_hw, c = k / args.group_k;
  const int top = p / args.out_w * args.stride_h - args.pad_t, left = p % args.out_w * args.stride_w - args.pad_l;
  const X_TYPE *x = reinterpret_cast<const X_TYPE *>(args.x) + n * args.image + (NHWC ? c : c * (args.h * args.w_extent));
  const W_TYPE *w = reinterpret_cast<const W_TYPE *>(args.w) + (W_TAPS_FIRST ? k : k * (CONV_R * CONV_S));
  float sum = 0;
#pragma unroll
  for (int r = 0; r < CONV_R; r++) {
#pragma unroll
    for (int s = 0; s < CONV_S; s++) {
      const int y = top + r * args.dil_h, z = left + s * args.dil_w;
      if ((u32)y >= (u32)args.h || (u32)z >= (u32)args.w_extent) continue;
      const int at = y * args.w_extent + z, tap = r * CONV_S + s;
      sum += to_float(x[NHWC ? at * args.c : at]) * to_float(w[W_TAPS_FIRST ? tap * args.k : tap]);
    }
  }
  reinterpret_cast<OUT_TYPE *>(args.out)[index] = from_float<OUT_TYPE>(end_value(sum, args.end, index, k));
}
