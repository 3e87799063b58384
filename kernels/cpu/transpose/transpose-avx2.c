#include "transpose.inc"
