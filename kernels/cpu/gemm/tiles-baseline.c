/* Register tiles for any x86-64 (SSE2: 16 registers of 4 floats, no fused multiply-add) and any other machine. */
#define TILE_LIST TILE_LIST_BASELINE
#include "tile.inc"
