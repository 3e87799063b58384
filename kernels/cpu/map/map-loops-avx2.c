#include "map-loops.inc"
