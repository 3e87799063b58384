/* A product on ordinary multiply-adds: tiles of BM rows by BN columns by BK of the depth in shared memory as f32, TM x TN sums per
 * thread in registers.
 *
 *   memory ─registers─► shared [2][BK][BM + 4], [2][BK][BN + 4] ─► 4 or 8 rows x 4 or 8 columns per thread
 *
 * Two buffers: while one is multiplied the next tile is on its way to registers; one barrier per tile. A thread's 8 rows are two runs of
 * 4, half a tile apart, so that a warp's loads of 16 bytes do not meet in a bank.
 */
enum { A_STEP = BM + 4, B_STEP = BN + 4, THREADS_N = BN / TN };

/* Runs of 16 bytes where the tile has enough of them for all threads. */
template <class Operand, int LINES> struct run_length {
  static constexpr int WIDE = 16 / (int)sizeof(typename Operand::type);
  static constexpr int value = Operand::ALIGNED && LINES * BK >= THREADS * WIDE ? WIDE : 1;
};

template <class Operand, int LINES> struct staged_tile {
  typedef tile_source<Operand, LINES, BK, run_length<Operand, LINES>::value> Source;
  static constexpr int RUN = run_length<Operand, LINES>::value, SLOTS = Source::SLOTS;
  Source source;
  float values[SLOTS * RUN];

  FARM_MEMBER staged_tile(const Operand &operand, int first_line) : source(operand, first_line) {}

  FARM_MEMBER void run_load(int slot, int k0) {
    const typename Operand::line &line = source.lines[Operand::K_MAJOR ? slot : 0];
    const typename Operand::place place = source.run_place(slot, k0);
    union {
      uint4 words;
      typename Operand::type elements[run_length<Operand, LINES>::WIDE];
    } run;
    run.words.x = run.words.y = run.words.z = run.words.w = 0;
    if (source.operand.inside(line, place)) run.words = load4(source.operand.address(line, place));
#pragma unroll
    for (int i = 0; i < RUN; i++) values[slot * RUN + i] = to_float(run.elements[i]);
  }

  FARM_MEMBER void load(int k0) {
#pragma unroll
    for (int slot = 0; slot < SLOTS; slot++) {
      if (RUN > 1)
        run_load(slot, k0);
      else
        values[slot] = to_float(source.element(slot, k0, 0));
    }
  }

  /* To [BK][step] from element `first` on. */
  template <class Shared> FARM_MEMBER void store(Shared &shared, int first, int step) const {
#pragma unroll
    for (int slot = 0; slot < SLOTS; slot++)
#pragma unroll
      for (int i = 0; i < RUN; i++) {
        const int along = source.run * RUN + i, across = source.slot_row(slot);
        shared[first + (Operand::K_MAJOR ? along * step + across : across * step + along)] = values[slot * RUN + i];
      }
  }
};

/* `COUNT` of a row of the shared tile: runs of 4, LINES * 4 / COUNT apart. */
template <int COUNT, int LINES, class Shared> FARM_DEVICE void line_load(float *out, Shared &shared, int first, int thread) {
#pragma unroll
  for (int i = 0; i < COUNT / 4; i++) {
    union {
      uint4 words;
      float values[4];
    } run;
    run.words = shared_load4(shared, first + i * (LINES * 4 / COUNT) + thread * 4);
#pragma unroll
    for (int j = 0; j < 4; j++) out[i * 4 + j] = run.values[j];
  }
}

FARM_KERNEL(product_simt, ARGUMENTS, THREADS) {
  FARM_SHARED(float, a, 2 * BK * A_STEP);
  FARM_SHARED(float, b, 2 * BK * B_STEP);
  const block_place block = block_place_of(args.product, BM, BN);
  const left_operand left = left_operand_of(args, block.batch);
  const right_operand right = right_operand_of(args, block.batch);
  staged_tile<left_operand, BM> left_tile(left, block.row);
  staged_tile<right_operand, BN> right_tile(right, block.column);
  const int k_first = block.split * args.product.split_depth, k_left = args.product.depth - k_first;
  const int k_end = k_first + (k_left < args.product.split_depth ? k_left : args.product.split_depth);
  const int thread_row = (int)threadIdx.x / THREADS_N, thread_column = (int)threadIdx.x % THREADS_N;
  float sums[TM][TN] = {};

  left_tile.load(k_first);
  right_tile.load(k_first);
  left_tile.store(a, 0, A_STEP);
  right_tile.store(b, 0, B_STEP);
  __syncthreads();
  int buffer = 0;
  for (int k0 = k_first; k0 < k_end; k0 += BK) {
    const bool more = k0 + BK < k_end;
    if (more) {
      left_tile.load(k0 + BK);
      right_tile.load(k0 + BK);
    }
#pragma unroll
    for (int k = 0; k < BK; k++) {
      float x[TM], y[TN];
      line_load<TM, BM>(x, a, (buffer * BK + k) * A_STEP, thread_row);
      line_load<TN, BN>(y, b, (buffer * BK + k) * B_STEP, thread_column);
#pragma unroll
      for (int i = 0; i < TM; i++)
#pragma unroll
        for (int j = 0; j < TN; j++) sums[i][j] += x[i] * y[j];
    }
    buffer ^= 1;
    if (more) {
      left_tile.store(a, buffer * BK * A_STEP, A_STEP);
      right_tile.store(b, buffer * BK * B_STEP, B_STEP);
    }
    __syncthreads();
  }

#pragma unroll
  for (int i = 0; i < TM; i++)
#pragma unroll
    for (int j = 0; j < TN; j += 2)
      product_put2(args, block, block.row + i / 4 * (BM * 4 / TM) + thread_row * 4 + i % 4,
                   block.column + j / 4 * (BN * 4 / TN) + thread_column * 4 + j % 4, sums[i][j], sums[i][j + 1]);
}
