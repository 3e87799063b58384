/* A product on matrix instructions: tiles of BM rows by BN columns by 32 of the depth, 16-bit operands, f32 sums.
 *
 * STAGES tiles of both operands are under way in shared memory; WARPS_M x WARPS_N warps share a tile. 16-byte runs stand in shared memory
 * so that the eight rows of a matrix that ldmatrix reads lie in different banks:
 *
 *   K_MAJOR     [line][4 runs of the depth]     run r of line i stands at place r ^ (i / 2 % 4)
 *   else        [32 of the depth][runs of lines]  run r of row k stands at place r ^ (k % 8)
 *
 * Operands that are not aligned are gathered element by element into the same places.
 */
enum { DEPTH = 32, RUN = 8, WARP_ROWS = BM / WARPS_M, WARP_COLUMNS = BN / WARPS_N, TILES_M = WARP_ROWS / 16, TILES_N = WARP_COLUMNS / 8 };
static_assert(TILES_M >= 1 && TILES_N >= 2 && TILES_N % 2 == 0, "a warp computes pairs of 8 columns");

template <bool K_MAJOR, int LINES> FARM_DEVICE int shared_place(int row, int run) {
  return K_MAJOR ? row * DEPTH + ((run ^ (row >> 1 & 3)) * RUN) : row * LINES + ((run ^ (row & 7)) * RUN);
}

template <class Source, class Shared> FARM_DEVICE void gather(const Source &source, Shared &shared, int at, int slot, int k0) {
  u32 words[4];
  for (int i = 0; i < 4; i++)
    words[i] = (u32)source.element(slot, k0, 2 * i).bits | (u32)source.element(slot, k0, 2 * i + 1).bits << 16;
  uint4 v;
  v.x = words[0], v.y = words[1], v.z = words[2], v.w = words[3];
  shared_store4(shared, at, v);
}

/* The tile that begins at depth k0, to element `first` of the shared array on. */
template <class Operand, int LINES, class Shared>
FARM_DEVICE void tile_fetch(const tile_source<Operand, LINES, DEPTH, RUN> &source, Shared &shared, int first, int k0) {
  typedef tile_source<Operand, LINES, DEPTH, RUN> Source;
#pragma unroll
  for (int slot = 0; slot < Source::SLOTS; slot++) {
    const int at = first + shared_place<Operand::K_MAJOR, LINES>(source.slot_row(slot), source.run);
    if (Operand::ALIGNED) {
      const typename Operand::line &line = source.lines[Operand::K_MAJOR ? slot : 0];
      const typename Operand::place place = source.run_place(slot, k0);
      const bool inside = source.operand.inside(line, place);
      copy_async(shared, at, inside ? source.operand.address(line, place) : source.operand.anywhere(), inside);
    } else {
      gather(source, shared, at, slot, k0);
    }
  }
}

/* Fragments of 16 lines by 16 of the depth; `deep_first`: the second of four matrices is the next 8 of the depth (right operand), not of
 * the lines (left operand). */
template <bool K_MAJOR, int LINES, bool DEEP_FIRST, class Shared>
FARM_DEVICE void fragment_load(u32 r[4], Shared &shared, int first, int line, int k) {
  const int lane = (int)threadIdx.x % 32, low = lane >> 3 & 1, high = lane >> 4;
  const int own_line = line + (K_MAJOR ? lane & 7 : 0) + (DEEP_FIRST ? high : low) * 8;
  const int own_k = k + (K_MAJOR ? 0 : lane & 7) + (DEEP_FIRST ? low : high) * 8;
  const int at = first + shared_place<K_MAJOR, LINES>(K_MAJOR ? own_line : own_k, (K_MAJOR ? own_k : own_line) / RUN);
  if (K_MAJOR)
    ldmatrix_x4(r, shared, at);
  else
    ldmatrix_x4_trans(r, shared, at);
}

template <class SharedA, class SharedB>
FARM_DEVICE void tile_multiply(float sums[TILES_M][TILES_N][4], SharedA &a, int a_first, SharedB &b, int b_first, int row, int column) {
#pragma unroll
  for (int k = 0; k < DEPTH; k += 16) {
    u32 left[TILES_M][4], right[TILES_N / 2][4];
#pragma unroll
    for (int i = 0; i < TILES_M; i++) fragment_load<left_operand::K_MAJOR, BM, false>(left[i], a, a_first, row + i * 16, k);
#pragma unroll
    for (int j = 0; j < TILES_N / 2; j++) fragment_load<right_operand::K_MAJOR, BN, true>(right[j], b, b_first, column + j * 16, k);
#pragma unroll
    for (int i = 0; i < TILES_M; i++)
#pragma unroll
      for (int j = 0; j < TILES_N; j++) mma_16x8x16(sums[i][j], left[i], right[j / 2] + j % 2 * 2, left_operand::type());
  }
}

FARM_KERNEL(product_mma, ARGUMENTS, THREADS) {
  FARM_SHARED(left_operand::type, a, STAGES * BM * DEPTH);
  FARM_SHARED(right_operand::type, b, STAGES * BN * DEPTH);
  const block_place block = block_place_of(args.product, BM, BN);
  const left_operand left = left_operand_of(args, block.batch);
  const right_operand right = right_operand_of(args, block.batch);
  const tile_source<left_operand, BM, DEPTH, RUN> left_source(left, block.row);
  const tile_source<right_operand, BN, DEPTH, RUN> right_source(right, block.column);
  const int k_first = block.split * args.product.split_depth, k_left = args.product.depth - k_first;
  const int chunks = ((k_left < args.product.split_depth ? k_left : args.product.split_depth) + DEPTH - 1) / DEPTH;
  const int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
  const int row = warp / WARPS_N * WARP_ROWS, column = warp % WARPS_N * WARP_COLUMNS;
  float sums[TILES_M][TILES_N][4] = {};

  for (int stage = 0; stage < STAGES - 1; stage++) {
    if (stage < chunks) {
      tile_fetch(left_source, a, stage * BM * DEPTH, k_first + stage * DEPTH);
      tile_fetch(right_source, b, stage * BN * DEPTH, k_first + stage * DEPTH);
    }
    copy_async_commit();
  }
  int reading = 0, writing = STAGES - 1;
  for (int chunk = 0; chunk < chunks; chunk++) {
    copy_async_wait<STAGES - 2>();
    __syncthreads();
    if (chunk + STAGES - 1 < chunks) {
      const int k0 = k_first + (chunk + STAGES - 1) * DEPTH;
      tile_fetch(left_source, a, writing * BM * DEPTH, k0);
      tile_fetch(right_source, b, writing * BN * DEPTH, k0);
    }
    copy_async_commit(); // an empty group when nothing is left: the count of groups stays even
    tile_multiply(sums, a, reading * BM * DEPTH, b, reading * BN * DEPTH, row, column);
    writing = reading;
    reading = reading + 1 == STAGES ? 0 : reading + 1;
  }

#pragma unroll
  for (int i = 0; i < TILES_M; i++)
#pragma unroll
    for (int j = 0; j < TILES_N; j++)
#pragma unroll
      for (int half = 0; half < 2; half++)
        product_put2(args, block, block.row + row + i * 16 + half * 8 + lane / 4, block.column + column + j * 8 + lane % 4 * 2,
                     sums[i][j][half * 2], sums[i][j][half * 2 + 1]);
}
