/* Depthwise convolution for AVX2. */
#include "dw.inc"
