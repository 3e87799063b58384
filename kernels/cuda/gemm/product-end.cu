/* Where the results of a product go: to its parts' sums when the depth is split, else through the epilogue to the output.
 *
 * The operation's own text gives `end_put(args, batch, row, column, x)`, and `end_put2` for two neighbours of one row, of which the
 * second may lie outside.
 */
struct block_place { // of one block
  int row, column, batch, split;
};

/* Tiles are numbered along strips of 8 rows of tiles, so that neighbouring blocks share what they read in the second-level cache. */
FARM_DEVICE block_place block_place_of(const product_args &product, int tile_rows, int tile_columns) {
  const int tiles = product.row_tiles * product.column_tiles, strip = 8 * product.column_tiles;
  const int tile = (int)(blockIdx.x % tiles), rest = (int)(blockIdx.x / tiles);
  const int first = tile / strip * 8, left = product.row_tiles - first, height = left < 8 ? left : 8;
  const int within = tile % strip;
  return block_place{(first + within % height) * tile_rows, within / height * tile_columns, rest / product.splits,
                     rest % product.splits};
}

FARM_DEVICE void product_put2(const ARGUMENTS &args, const block_place &block, int row, int column, float x, float y) {
  const product_args &product = args.product;
  if (row >= product.rows || column >= product.columns) return;
  if (product.splits == 1) {
    end_put2(args, block.batch, row, column, x, y);
    return;
  }
  const i64 item = (i64)block.batch * product.splits + block.split;
  float *to = product.partial + ((item * product.rows + row) * product.columns + column);
  to[0] = x;
  if (column + 1 < product.columns) to[1] = y;
}

FARM_DEVICE void product_put(const ARGUMENTS &args, const block_place &block, int row, int column, float x) {
  const product_args &product = args.product;
  if (row >= product.rows || column >= product.columns) return;
  const i64 item = (i64)block.batch * product.splits + block.split;
  if (product.splits == 1)
    end_put(args, block.batch, row, column, x);
  else
    product.partial[(item * product.rows + row) * product.columns + column] = x;
}

/* Second pass over a split depth: the parts' sums in their order, the same on every run. */
FARM_KERNEL(product_reduce, ARGUMENTS, 256) {
  const product_args &product = args.product;
  const i64 item = (i64)product.rows * product.columns;
  const i64 index = (i64)blockIdx.x * 256 + threadIdx.x;
  if (index >= item * product.batches) return;
  const int batch = (int)(index / item), rest = (int)(index % item);
  const float *from = product.partial + ((i64)batch * product.splits * item + rest);
  float sum = 0;
  for (int split = 0; split < product.splits; split++) sum += from[split * item];
  end_put(args, batch, rest / product.columns, rest % product.columns, sum);
}
