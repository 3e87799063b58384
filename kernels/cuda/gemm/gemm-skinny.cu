/* A gemm of few rows (ROWS, at most 8): every element of b is read once, in runs of 16 bytes where it is aligned, and used for all rows.
 *
 *   B_K_MAJOR   a warp per column: its lanes walk the depth, then add up
 *   else        a lane per run of columns: the 8 warps of a block share the depth, and add up through shared memory
 */
enum { WARPS = 8, RUN = B_ALIGNED ? 16 / (int)sizeof(B_TYPE) : 1, BLOCK_COLUMNS = B_K_MAJOR ? WARPS : 32 * RUN };

template <class T, int COUNT> FARM_DEVICE void run_load(float out[COUNT], const T *from) {
  if (COUNT * sizeof(T) == 16) {
    union {
      uint4 words;
      T elements[COUNT];
    } run;
    run.words = load4(from);
#pragma unroll
    for (int i = 0; i < COUNT; i++) out[i] = to_float(run.elements[i]);
  } else {
#pragma unroll
    for (int i = 0; i < COUNT; i++) out[i] = to_float(from[i]);
  }
}

struct depth_range {
  int first, end;
};
FARM_DEVICE depth_range depth_range_of(const product_args &product, int split) {
  const int first = split * product.split_depth, left = product.depth - first;
  return depth_range{first, first + (left < product.split_depth ? left : product.split_depth)};
}

#if B_K_MAJOR
FARM_KERNEL(gemm_skinny, gemm_args, WARPS * 32) {
  const block_place block = block_place_of(args.product, ROWS, BLOCK_COLUMNS);
  const left_operand left = left_operand_of(args, block.batch);
  const right_operand right = right_operand_of(args, block.batch);
  const int lane = (int)threadIdx.x % 32, column = block.column + (int)threadIdx.x / 32;
  const depth_range range = depth_range_of(args.product, block.split);
  const bool inside = column < args.product.columns; // of the whole warp
  const B_TYPE *b = right.base + (inside ? (i64)column * right.line_step : 0);
  float sums[ROWS] = {};
#pragma unroll(ROWS * RUN > 16 ? 1 : 2)
  for (int k = range.first + lane * RUN; k < (inside ? range.end : 0); k += 32 * RUN) {
    float y[RUN];
    run_load<B_TYPE, RUN>(y, b + k);
#pragma unroll
    for (int i = 0; i < ROWS; i++) {
      float x[RUN];
      if (A_K_MAJOR && A_ALIGNED && sizeof(A_TYPE) == sizeof(B_TYPE)) {
        run_load<A_TYPE, RUN>(x, left.base + (i64)i * left.line_step + k);
      } else {
#pragma unroll
        for (int j = 0; j < RUN; j++) { // a packed line of b reaches beyond the depth
          const i64 at = A_K_MAJOR ? (i64)i * left.line_step + k + j : (i64)(k + j) * left.line_step + i;
          x[j] = k + j < range.end ? to_float(left.base[at]) : 0.0f;
        }
      }
#pragma unroll
      for (int j = 0; j < RUN; j++) sums[i] += x[j] * y[j];
    }
  }
#pragma unroll
  for (int i = 0; i < ROWS; i++) {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) sums[i] += __shfl_xor_sync(0xffffffffu, sums[i], step);
    if (lane == i) product_put(args, block, i, column, sums[i]);
  }
}
#else
FARM_KERNEL(gemm_skinny, gemm_args, WARPS * 32) {
  FARM_SHARED(float, parts, WARPS * BLOCK_COLUMNS);
  const block_place block = block_place_of(args.product, ROWS, BLOCK_COLUMNS);
  const left_operand left = left_operand_of(args, block.batch);
  const right_operand right = right_operand_of(args, block.batch);
  const int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32, column = block.column + lane * RUN;
  const depth_range range = depth_range_of(args.product, block.split);
  const bool inside = column < args.product.columns;
  float sums[ROWS][RUN] = {};
#pragma unroll 4
  for (int k = range.first + warp; k < (inside ? range.end : 0); k += WARPS) {
    float y[RUN];
    run_load<B_TYPE, RUN>(y, right.base + (i64)k * right.line_step + column);
#pragma unroll
    for (int i = 0; i < ROWS; i++) {
      const float x = to_float(left.base[A_K_MAJOR ? (i64)i * left.line_step + k : (i64)k * left.line_step + i]);
#pragma unroll
      for (int j = 0; j < RUN; j++) sums[i][j] += x * y[j];
    }
  }
#pragma unroll
  for (int i = 0; i < ROWS; i++) {
    __syncthreads(); // the row before is read
#pragma unroll
    for (int j = 0; j < RUN; j++) parts[warp * BLOCK_COLUMNS + lane * RUN + j] = sums[i][j];
    __syncthreads();
    for (int c = (int)threadIdx.x; c < BLOCK_COLUMNS; c += WARPS * 32) {
      float sum = 0;
#pragma unroll
      for (int w = 0; w < WARPS; w++) sum += parts[w * BLOCK_COLUMNS + c];
      product_put(args, block, i, block.column + c, sum);
    }
  }
}
#endif
