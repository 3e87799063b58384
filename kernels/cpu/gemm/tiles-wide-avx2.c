/* Tests only: the 16-lane tiles on AVX2, so that their logic runs where AVX-512 does not. See ../instance.h. */
#define INSTANCE_WIDE
#define VECTOR_LANES 16
#define TILE_LIST TILE_LIST_WIDE
#include "tile.inc"
