/* A tensor with constants around it; negative pads cut it. Threads go through the dense output in order, one unit each: a unit is
 * all tensor or all filler.
 */
FARM_DEVICE u64 filler_of(const pad_args &args) {
  if (!args.value) return args.filler;
  u64 bits = 0;
  for (int i = 0; i < 8; i++) bits |= (u64)args.value[i % args.element] << 8 * i;
  return bits;
}

template <class UNIT> FARM_DEVICE void pad_move(const pad_args &args) {
  const UNIT *x = reinterpret_cast<const UNIT *>(args.x);
  UNIT *y = reinterpret_cast<UNIT *>(args.y);
  const bool narrow = args.units <= 0xffffffffll;
  UNIT filler;
  fill_unit(filler, filler_of(args));
  for (i64 at = (i64)blockIdx.x * THREADS + threadIdx.x; at < args.units; at += (i64)gridDim.x * THREADS) {
    i64 rest = at, from = 0;
    bool within = true;
    for (int d = args.rank - 1; d >= 0; d--) {
      const i64 next = quotient(rest, args.dims[d], narrow), i = rest - next * args.dims[d] - args.leads[d];
      within = within && i >= 0 && i < args.extents[d];
      from += i * args.strides[d];
      rest = next;
    }
    y[at] = within ? x[from] : filler;
  }
}

FARM_KERNEL(pad, pad_args, THREADS) {
#define PAD_MOVE(unit) pad_move<unit>(args)
  EVERY_UNIT(args.unit, PAD_MOVE)
}
