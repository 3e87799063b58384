/* Register tiles for AVX-512: 32 registers of 16 floats. */
#define TILE_LIST TILE_LIST_AVX512
#include "tile.inc"
