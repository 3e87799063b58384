/* The input's innermost dim a and the output's b change places: a block brings TILE by TILE elements through shared memory, so
 * that neighbouring threads read along a and write along b. A line of the tile is one element longer than it needs to be: then
 * the elements of a column lie in different banks.
 */
FARM_KERNEL(transpose_tiled, transpose_tiled_args, TILE * LINES) {
  FARM_SHARED(ELEM, tile, TILE * (TILE + 1));
  const int column = threadIdx.x % TILE, line = threadIdx.x / TILE;
  const i64 a_tiles = (args.a + TILE - 1) / TILE, b_tiles = (args.b + TILE - 1) / TILE;
  for (i64 block = blockIdx.x; block < a_tiles * b_tiles * args.rest; block += gridDim.x) {
    const i64 first_a = block % a_tiles * TILE, first_b = block / a_tiles % b_tiles * TILE;
    i64 rest = block / (a_tiles * b_tiles), from = 0, to = 0;
#pragma unroll
    for (int d = REST - 1; d >= 0; d--) {
      from += rest % args.dims[d] * args.x_strides[d];
      to += rest % args.dims[d] * args.y_strides[d];
      rest /= args.dims[d];
    }
    for (int i = line; i < TILE; i += LINES)
      if (first_b + i < args.b && first_a + column < args.a)
        tile[i * (TILE + 1) + column] = args.x[from + (first_b + i) * args.b_stride + first_a + column];
    __syncthreads();
    for (int i = line; i < TILE; i += LINES)
      if (first_a + i < args.a && first_b + column < args.b)
        args.y[to + (first_a + i) * args.a_stride + first_b + column] = tile[column * (TILE + 1) + i];
    __syncthreads(); // before the next tile
  }
}
