/* Parts that lie side by side in the rows of a whole, joined or taken apart: blockIdx.y is the part, whose units its threads go
 * through in order. Parts of other sizes than the largest leave their last blocks without work.
 */
template <class UNIT> FARM_DEVICE void part_move(const parts_args &args) {
  UNIT *part = reinterpret_cast<UNIT *>(args.parts[blockIdx.y].data), *whole = reinterpret_cast<UNIT *>(args.whole);
  const i64 first = args.parts[blockIdx.y].first, units = args.parts[blockIdx.y].units, end = args.outer * units;
  const bool narrow = end <= 0xffffffffll;
  for (i64 at = (i64)blockIdx.x * THREADS + threadIdx.x; at < end; at += (i64)gridDim.x * THREADS) {
    const i64 in_whole = quotient(at, units, narrow) * (args.row - units) + first + at;
    if (args.joins) whole[in_whole] = part[at];
    else part[at] = whole[in_whole];
  }
}

FARM_KERNEL(parts, parts_args, THREADS) {
#define PART_MOVE(unit) part_move<unit>(args)
  EVERY_UNIT(args.unit, PART_MOVE)
}
