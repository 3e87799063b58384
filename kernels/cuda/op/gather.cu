/* Rows picked by index: threads go through the output in order, one unit each (up to 16 bytes of a row). An index that is out of
 * range reads nothing; its row is poison.
 */
FARM_KERNEL(gather, gather_args, THREADS) {
  const i64 end = args.rows * args.units;
  const bool narrow = end <= 0xffffffffll;
  for (i64 at = (i64)blockIdx.x * THREADS + threadIdx.x; at < end; at += (i64)gridDim.x * THREADS) {
    const i64 row = quotient(at, args.units, narrow), outer = quotient(row, args.count, narrow);
    i64 index = args.indices[row - outer * args.count];
    if (index < 0) index += args.axis;
    UNIT unit;
    if (index >= 0 && index < args.axis) unit = args.x[(outer * args.axis + index) * args.units + (at - row * args.units)];
    else fill_unit(unit, args.poison);
    args.y[at] = unit;
  }
}
