/* Any permutation: threads go through the output in order, VECTOR neighbouring elements at a time, which lie side by side in the
 * input, too, when VECTOR is more than 1.
 */
FARM_KERNEL(transpose_strided, transpose_strided_args, THREADS) {
  for (i64 block = (i64)blockIdx.x * (THREADS * VECTOR); block < args.elems; block += (i64)gridDim.x * (THREADS * VECTOR)) {
    const i64 at = block + threadIdx.x * VECTOR;
    if (at >= args.elems) continue;
    INDEX rest = (INDEX)at;
    i64 from = 0;
#pragma unroll
    for (int d = RANK - 1; d > 0; d--) {
      from += (i64)(rest % (INDEX)args.dims[d]) * args.strides[d];
      rest /= (INDEX)args.dims[d];
    }
    from += (i64)rest * args.strides[0];
    if (VECTOR > 1) store4(args.y + at, load4(args.x + from));
    else args.y[at] = args.x[from];
  }
}
