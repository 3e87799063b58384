#include "map-tile.inc"
