/* softmax(q k^T scale + mask) v per head, in one pass over the keys: a block of 256 threads takes ROWS queries of one head and walks along
 * the keys 32 at a time; largest score and sum are kept per row and earlier sums faded when a larger score comes, so scores never leave the
 * block.
 *
 *   warp w    rows w * R … of the block (R = ROWS / 8);  lane l    key l of the 32, then columns l, l + 32, … of the result
 *
 *   shared    queries [ROWS][D_STEP]   keys or values [32][D_STEP or DV]   weights [ROWS][32]
 *
 * The host defines Q_TYPE, K_TYPE, V_TYPE, MASK_TYPE, OUT_TYPE, HEAD_D, HEAD_DV (at most 128), CAUSAL, MASKED, ROWS. A row that sees
 * nothing becomes zeros; keys behind every query's reach are skipped.
 */
enum {
  KEYS = 32, R = ROWS / 8, D_PADDED = (HEAD_D + 3) / 4 * 4, D_STEP = D_PADDED + 4, // + 4: neighbouring keys in other banks
  COLUMNS = (HEAD_DV + 31) / 32, V_STEP = COLUMNS * 32, STAGED = KEYS * (D_STEP > V_STEP ? D_STEP : V_STEP)
};

#define UNSEEN __uint_as_float(0xff800000u) // -inf

union four {
  uint4 words;
  float values[4];
};

/* `rows` x `width` elements to shared [rows][step], zero from `valid` rows and from `depth` on. */
template <class T, class Shared>
FARM_DEVICE void rows_stage(Shared &shared, const T *from, i64 row_step, i64 depth_step, int rows, int valid, int depth, int width,
                            int step, float factor) {
  if (depth_step == 1)
    for (int i = (int)threadIdx.x; i < rows * width; i += 256) {
      const int row = i / width, d = i % width;
      shared[row * step + d] = row < valid && d < depth ? to_float(from[row * row_step + d]) * factor : 0.0f;
    }
  else // turned: neighbours are rows
    for (int i = (int)threadIdx.x; i < rows * width; i += 256) {
      const int row = i % rows, d = i / rows;
      shared[row * step + d] = row < valid && d < depth ? to_float(from[row * row_step + d * depth_step]) * factor : 0.0f;
    }
}

FARM_DEVICE float warp_largest(float x) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) {
    const float y = __shfl_xor_sync(0xffffffffu, x, step);
    x = y > x || y != y ? y : x;
  }
  return x;
}
FARM_DEVICE float warp_sum(float x) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffu, x, step);
  return x;
}

FARM_KERNEL(attention_rows, attention_args, 256) {
  FARM_SHARED(float, queries, ROWS * D_STEP);
  FARM_SHARED(float, staged, STAGED); // keys, then values
  FARM_SHARED(float, weights, ROWS * KEYS);
  const int block = (int)(blockIdx.x % args.blocks), head = (int)(blockIdx.x / args.blocks % args.heads);
  const i64 batch = blockIdx.x / args.blocks / args.heads, kv_head = head / args.group;
  const int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32, first = block * ROWS;
  const Q_TYPE *q = reinterpret_cast<const Q_TYPE *>(args.q) + batch * args.q_batch + head * args.q_head + first * args.q_step;
  const K_TYPE *k = reinterpret_cast<const K_TYPE *>(args.k) + batch * args.k_batch + kv_head * args.k_head;
  const V_TYPE *v = reinterpret_cast<const V_TYPE *>(args.v) + batch * args.v_batch + kv_head * args.v_head;
  const MASK_TYPE *mask = reinterpret_cast<const MASK_TYPE *>(args.mask) + batch * args.mask_batch + head * args.mask_head;
  const int rows = args.seq - first < ROWS ? args.seq - first : ROWS;
  int reach = CAUSAL ? args.kv - args.seq + first + rows : args.kv; // keys that the last row sees
  reach = reach < args.kv ? reach : args.kv;

  float most[R], total[R], sums[R][COLUMNS];
#pragma unroll
  for (int i = 0; i < R; i++) {
    most[i] = UNSEEN, total[i] = 0;
#pragma unroll
    for (int j = 0; j < COLUMNS; j++) sums[i][j] = 0;
  }
  rows_stage(queries, q, args.q_step, (i64)1, ROWS, rows, HEAD_D, D_PADDED, D_STEP, args.scale);

  for (int from = 0; from < reach; from += KEYS) {
    const int keys = args.kv - from < KEYS ? args.kv - from : KEYS;
    rows_stage(staged, k + from * args.k_step, args.k_step, args.k_depth, KEYS, keys, HEAD_D, D_PADDED, D_STEP, 1.0f);
    __syncthreads();
    float scores[R];
#pragma unroll
    for (int i = 0; i < R; i++) scores[i] = 0;
#pragma unroll 4
    for (int d = 0; d < D_PADDED; d += 4) {
      four key;
      key.words = shared_load4(staged, lane * D_STEP + d);
#pragma unroll
      for (int i = 0; i < R; i++) {
        four query;
        query.words = shared_load4(queries, (warp * R + i) * D_STEP + d);
#pragma unroll
        for (int j = 0; j < 4; j++) scores[i] += query.values[j] * key.values[j];
      }
    }
#pragma unroll
    for (int i = 0; i < R; i++) {
      const int row = first + warp * R + i, key = from + lane;
      const bool seen = lane < keys && row < args.seq && (!CAUSAL || key <= args.kv - args.seq + row);
      if (MASKED && seen) scores[i] += to_float(mask[row * args.mask_step + key]);
      const float x = seen ? scores[i] : UNSEEN, largest = warp_largest(x);
      const float now = largest > most[i] || largest != largest ? largest : most[i];
      const float fade = most[i] == now ? 1.0f : expf(most[i] - now); // -inf: nothing was summed
      const float weight = x == UNSEEN ? 0.0f : expf(x - now);
      weights[(warp * R + i) * KEYS + lane] = weight;
      total[i] = total[i] * fade + warp_sum(weight);
      most[i] = now;
#pragma unroll
      for (int j = 0; j < COLUMNS; j++) sums[i][j] *= fade;
    }
    __syncthreads(); // keys are read
    rows_stage(staged, v + from * args.v_step, args.v_step, (i64)1, KEYS, keys, HEAD_DV, V_STEP, V_STEP, 1.0f);
    __syncthreads();
#pragma unroll 2
    for (int key = 0; key < KEYS; key += 4) {
      four weight[R];
#pragma unroll
      for (int i = 0; i < R; i++) weight[i].words = shared_load4(weights, (warp * R + i) * KEYS + key);
#pragma unroll
      for (int l = 0; l < 4; l++)
#pragma unroll
        for (int j = 0; j < COLUMNS; j++) {
          const float value = staged[(key + l) * V_STEP + j * 32 + lane];
#pragma unroll
          for (int i = 0; i < R; i++) sums[i][j] += weight[i].values[l] * value;
        }
    }
    __syncthreads(); // values are read
  }

  OUT_TYPE *out = reinterpret_cast<OUT_TYPE *>(args.out) + batch * args.out_batch + head * args.out_head;
#pragma unroll
  for (int i = 0; i < R; i++) {
    const int row = first + warp * R + i;
    const float factor = total[i] != 0.0f ? 1.0f / total[i] : 0.0f;
#pragma unroll
    for (int j = 0; j < COLUMNS; j++)
      if (row < args.seq && j * 32 + lane < HEAD_DV) out[row * args.out_step + j * 32 + lane] = from_float<OUT_TYPE>(sums[i][j] * factor);
  }
}
