/* Depthwise convolution in nchw for AVX-512. */
#include "dw-nchw.inc"
