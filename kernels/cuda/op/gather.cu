/* Rows picked by index: threads go through the output in order, one unit each (up to 16 bytes of a row). An index that is out of
 * range reads nothing; its row is poison.
 */
FARM_DEVICE void poison_to(uint4 &to, u64 bits) {
  const u32 low = (u32)bits, high = (u32)(bits >> 32);
  to = make_uint4(low, high, low, high);
}
template <class T> FARM_DEVICE void poison_to(T &to, u64 bits) { to = (T)bits; }

/* narrow: both fit in 32 bits, where a division costs a quarter */
FARM_DEVICE i64 quotient(i64 a, i64 b, bool narrow) { return narrow ? (i64)((u32)a / (u32)b) : a / b; }

FARM_KERNEL(gather, gather_args, THREADS) {
  const i64 end = args.rows * args.units;
  const bool narrow = end <= 0xffffffffll;
  for (i64 at = (i64)blockIdx.x * THREADS + threadIdx.x; at < end; at += (i64)gridDim.x * THREADS) {
    const i64 row = quotient(at, args.units, narrow), outer = quotient(row, args.count, narrow);
    i64 index = args.indices[row - outer * args.count];
    if (index < 0) index += args.axis;
    UNIT unit;
    if (index >= 0 && index < args.axis) unit = args.x[(outer * args.axis + index) * args.units + (at - row * args.units)];
    else poison_to(unit, args.poison);
    args.y[at] = unit;
  }
}
