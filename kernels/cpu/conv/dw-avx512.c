/* Depthwise convolution for AVX-512. */
#include "dw.inc"
