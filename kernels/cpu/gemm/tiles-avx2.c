/* Register tiles for AVX2: 16 registers of 8 floats. */
#define TILE_LIST TILE_LIST_AVX2
#include "tile.inc"
