/* A map without a reduction: each thread makes ITEMS times VECTOR neighbouring elements of every output, all of them before it
 * stores the first. Behind the last whole vector (of rank 1 only) it goes by single elements.
 */
FARM_DEVICE void map_tail(const map_args &args, INDEX at, INDEX end) {
  for (INDEX i = at; i < end; i++) {
    float v[OUTPUTS][1];
    INDEX c[RANK];
    map_coordinates<KEPT>(args, i, c);
    map_values<1>(args, c, v);
    map_store<1>(args, i, v);
  }
}

FARM_KERNEL(map_flat, map_args, THREADS) {
  const INDEX end = (INDEX)args.outputs, per_block = THREADS * VECTOR * ITEMS;
  for (INDEX first = (INDEX)blockIdx.x * per_block; first < end; first += (INDEX)gridDim.x * per_block) {
    float v[ITEMS][OUTPUTS][VECTOR];
#pragma unroll
    for (int k = 0; k < ITEMS; k++) {
      const INDEX at = first + (INDEX)(k * THREADS + threadIdx.x) * VECTOR;
      INDEX c[RANK];
      if (at + VECTOR > end) continue;
      map_coordinates<KEPT>(args, at, c);
      map_values<VECTOR>(args, c, v[k]);
    }
#pragma unroll
    for (int k = 0; k < ITEMS; k++) {
      const INDEX at = first + (INDEX)(k * THREADS + threadIdx.x) * VECTOR;
      if (at + VECTOR <= end) map_store<VECTOR>(args, at, v[k]);
      else if (VECTOR > 1) map_tail(args, at, end);
    }
  }
}
