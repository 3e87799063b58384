/* Collective calls of a warp: a lane that comes waits until every living lane that its mask names has made the same call; the
 * last one serves all. */
#include "simt-state.h"

#include <string.h>

static const char *const names[] = {[SIMT_SYNCWARP] = "__syncwarp",         [SIMT_SHUFFLE] = "__shfl_sync",
                                    [SIMT_SHUFFLE_UP] = "__shfl_up_sync",   [SIMT_SHUFFLE_DOWN] = "__shfl_down_sync",
                                    [SIMT_SHUFFLE_XOR] = "__shfl_xor_sync", [SIMT_BALLOT] = "a vote",
                                    [SIMT_LDMATRIX] = "ldmatrix_x4",        [SIMT_LDMATRIX_TRANS] = "ldmatrix_x4_trans",
                                    [SIMT_MMA_F16] = "mma_16x8x16 (f16)",   [SIMT_MMA_BF16] = "mma_16x8x16 (bf16)",
                                    [SIMT_MMA_TF32] = "mma_16x8x8_tf32"};

const char *simt_collective_name(int kind) { return names[kind]; }

/* The lane a shuffle reads from, as shfl.sync of the PTX manual: within segments of `width`, its own when beyond one's end. */
static unsigned shuffle_source(int kind, unsigned lane, const struct simt_exchange *exchange) {
  unsigned segment = exchange->width - 1, first = lane & ~segment, last = lane | segment, source;
  switch (kind) {
  case SIMT_SHUFFLE:
    return first | (exchange->from & segment);
  case SIMT_SHUFFLE_UP:
    return exchange->from > lane - first ? lane : lane - exchange->from;
  case SIMT_SHUFFLE_DOWN:
    return exchange->from > last - lane ? lane : lane + exchange->from;
  default:
    source = lane ^ exchange->from;
    return source > last ? lane : source;
  }
}

static void shuffle(struct simt_lane *lanes, int kind, unsigned called, int line) {
  unsigned long long values[SIMT_WARP];
  for (unsigned rest = called; rest != 0; rest &= rest - 1) {
    unsigned lane = (unsigned)__builtin_ctz(rest), width = lanes[lane].exchange->width;
    if (width == 0 || width > SIMT_WARP || (width & (width - 1)) != 0) {
      simt_note(SIMT_BROKEN, line, "%s: width %u is no power of two up to 32", names[kind], width);
      return;
    }
    unsigned source = shuffle_source(kind, lane, lanes[lane].exchange);
    if (source >= SIMT_WARP || (called >> source & 1) == 0) {
      simt_note(SIMT_BROKEN, line, "%s: lane %u reads from lane %u, which does not take part", names[kind], lane, source);
      return;
    }
    values[lane] = lanes[source].exchange->value;
  }
  for (unsigned rest = called; rest != 0; rest &= rest - 1)
    lanes[__builtin_ctz(rest)].exchange->value = values[__builtin_ctz(rest)];
}

static void vote(struct simt_lane *lanes, unsigned called) {
  unsigned yes = 0;
  for (unsigned rest = called; rest != 0; rest &= rest - 1)
    if (lanes[__builtin_ctz(rest)].exchange->value != 0) yes |= rest & -rest;
  for (unsigned rest = called; rest != 0; rest &= rest - 1) lanes[__builtin_ctz(rest)].exchange->value = yes;
}

static void fragments(struct simt_lane *lanes, int kind, unsigned called, int line) {
  struct simt_exchange *exchanges[SIMT_WARP];
  if (called != 0xffffffffu) {
    simt_note(SIMT_BROKEN, line, "%s takes a whole warp; lanes 0x%08x came", names[kind], called);
    return;
  }
  for (unsigned lane = 0; lane < SIMT_WARP; lane++) {
    exchanges[lane] = lanes[lane].exchange;
    if (lanes[lane].line != line) {
      simt_note(SIMT_BROKEN, line, "%s: lane %u is at line %d", names[kind], lane, lanes[lane].line);
      return;
    }
  }
  if (kind == SIMT_LDMATRIX || kind == SIMT_LDMATRIX_TRANS)
    simt_ldmatrix(exchanges, kind == SIMT_LDMATRIX_TRANS);
  else
    simt_mma(exchanges, kind);
}

/* Serves the call in which `lane` waits when all are there. false: not yet, or found wrong. */
static bool complete(struct simt_warp *warp, struct simt_lane *lanes, unsigned lane) {
  struct simt_grid *g = &simt_grid;
  int kind = lanes[lane].kind, line = lanes[lane].line;
  unsigned needed = lanes[lane].mask & warp->live;
  if ((warp->waiting & needed) != needed) return false;
  for (unsigned rest = needed; rest != 0; rest &= rest - 1) {
    const struct simt_lane *other = &lanes[__builtin_ctz(rest)];
    if (other->kind == kind && other->mask == lanes[lane].mask) continue;
    simt_note(SIMT_BROKEN, line, "lane %u is in %s with mask 0x%08x, lane %d in %s with mask 0x%08x (line %d)", lane, names[kind],
              lanes[lane].mask, __builtin_ctz(rest), names[other->kind], other->mask, other->line);
    return false;
  }
  if (kind == SIMT_SYNCWARP)
    warp->times.warp = ++g->clock;
  else if (kind == SIMT_BALLOT)
    vote(lanes, needed);
  else if (kind <= SIMT_SHUFFLE_XOR)
    shuffle(lanes, kind, needed, line);
  else
    fragments(lanes, kind, needed, line);
  warp->waiting &= ~needed;
  warp->ready |= needed;
  return g->result == SIMT_DONE;
}

void simt_collective(int kind, unsigned mask, struct simt_exchange *exchange, int line) {
  struct simt_grid *g = &simt_grid;
  struct simt_lane *lane = g->current;
  struct simt_warp *warp = &g->warps[lane->thread.warp_index];
  unsigned self = 1u << lane->thread.lane;
  if ((mask & self) == 0)
    simt_fail(SIMT_BROKEN, line, "%s with mask 0x%08x, which does not name its own lane", names[kind], mask);
  lane->wait = SIMT_IN_COLLECTIVE;
  lane->kind = kind;
  lane->mask = mask;
  lane->line = line;
  lane->exchange = exchange;
  warp->waiting |= self;
  if (complete(warp, lane - lane->thread.lane, lane->thread.lane)) { // the last one goes on at once
    warp->ready &= ~self;
    lane->wait = SIMT_RUNS;
    return;
  }
  simt_yield();
}

void simt_warp_retry(struct simt_warp *warp) {
  struct simt_grid *g = &simt_grid;
  struct simt_lane *lanes = &g->lanes[(warp - g->warps) * SIMT_WARP];
  for (unsigned rest = warp->waiting; rest != 0; rest &= rest - 1)
    if ((warp->waiting & rest & -rest) != 0 && !complete(warp, lanes, (unsigned)__builtin_ctz(rest)) && g->result != SIMT_DONE)
      return;
}
