/* A box of elements out of a tensor, by strides: 0 repeats, negative ones go back. Threads go through the dense output in
 * order, one unit each.
 */
template <class UNIT> FARM_DEVICE void box_move(const box_args &args) {
  const UNIT *x = reinterpret_cast<const UNIT *>(args.x);
  UNIT *y = reinterpret_cast<UNIT *>(args.y);
  const bool narrow = args.units <= 0xffffffffll;
  for (i64 at = (i64)blockIdx.x * THREADS + threadIdx.x; at < args.units; at += (i64)gridDim.x * THREADS) {
    i64 rest = at, from = 0;
    for (int d = args.rank - 1; d > 0; d--) {
      const i64 next = quotient(rest, args.dims[d], narrow);
      from += (rest - next * args.dims[d]) * args.strides[d];
      rest = next;
    }
    y[at] = x[from + rest * args.strides[0]];
  }
}

FARM_KERNEL(box, box_args, THREADS) {
#define BOX_MOVE(unit) box_move<unit>(args)
  EVERY_UNIT(args.unit, BOX_MOVE)
}
