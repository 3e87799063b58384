/* How the tiles of an output are cut among threads. */
#include "gemm.h"

struct tile_grid tile_grid_of(int64_t batch, int64_t rows, int64_t columns, int threads) {
  struct tile_grid best = {1, 1};
  double best_work = -1;
  for (int64_t row_parts = 1; row_parts <= threads && row_parts <= rows; row_parts++)
    for (int64_t column_parts = 1; row_parts * column_parts <= threads && column_parts <= columns; column_parts++) {
      int64_t tasks = batch * row_parts * column_parts, rounds = (tasks + threads - 1) / threads;
      int64_t largest = ((rows + row_parts - 1) / row_parts) * ((columns + column_parts - 1) / column_parts);
      double work = (double)rounds * (double)largest;
      if (best_work >= 0 && work >= best_work) continue;
      best = (struct tile_grid){row_parts, column_parts};
      best_work = work;
    }
  return best;
}

void tile_part(int64_t count, int64_t parts, int64_t index, int64_t *out_first, int64_t *out_last) {
  *out_first = count * index / parts;
  *out_last = count * (index + 1) / parts;
}
