/* How tiles of an operand come from memory: the same for products of matrices and for convolutions, whose matrix of windows is never
 * made.
 *
 * An operand has lines (rows of the left one, columns of the right one) and a depth. It tells, for a line and a place along the
 * depth, where the element is and whether it is inside; what is outside is zero:
 *
 *   typedef … type;  K_MAJOR: neighbours along the depth are neighbours in memory, else neighbours along the lines
 *   ALIGNED          runs of 16 bytes that begin at a multiple of their length are whole and aligned
 *   struct line, line_at(i);  struct place, place_at(k);  inside(line, place);  address(line, place)
 *
 * A tile_source deals the LINES x DEPTH elements of a tile out to the threads in runs of RUN along the contiguous direction, each
 * thread SLOTS of them:
 *
 *   K_MAJOR      thread -> (row of the tile = line, run of the depth),  further slots STEP lines on
 *   else         thread -> (row of the tile = depth, run of lines),     further slots STEP deeper
 */
template <class Operand, int LINES, int DEPTH, int RUN> struct tile_source {
  static constexpr int RUNS = (Operand::K_MAJOR ? DEPTH : LINES) / RUN;
  static constexpr int SLOTS = LINES * DEPTH / RUN / THREADS, STEP = THREADS / RUNS;
  static constexpr int KEPT = Operand::K_MAJOR ? SLOTS : Operand::ALIGNED ? 1 : RUN; // lines that a thread meets
  static_assert(SLOTS >= 1 && THREADS % RUNS == 0 && LINES * DEPTH == SLOTS * RUN * THREADS, "the tile does not fit the threads");

  const Operand &operand;
  int run, row;
  typename Operand::line lines[KEPT];

  FARM_MEMBER tile_source(const Operand &of, int first_line) : operand(of) {
    run = (int)threadIdx.x % RUNS;
    row = (int)threadIdx.x / RUNS;
    for (int i = 0; i < KEPT; i++)
      lines[i] = operand.line_at(first_line + (Operand::K_MAJOR ? row + i * STEP : run * RUN + i));
  }

  FARM_MEMBER int slot_row(int slot) const { return row + slot * STEP; } // of the tile
  FARM_MEMBER typename Operand::place run_place(int slot, int k0) const {
    return operand.place_at(k0 + (Operand::K_MAJOR ? run * RUN : slot_row(slot)));
  }
  /* Element i of a run, zero outside. */
  FARM_MEMBER typename Operand::type element(int slot, int k0, int i) const {
    const typename Operand::line &line = lines[Operand::K_MAJOR ? slot : Operand::ALIGNED ? 0 : i];
    const typename Operand::place place = operand.place_at(k0 + (Operand::K_MAJOR ? run * RUN + i : slot_row(slot)));
    typename Operand::type zero = {};
    return operand.inside(line, place) ? *operand.address(line, place) : zero;
  }
};
