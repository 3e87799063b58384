/* Depthwise convolution in nchw for AVX2. */
#include "dw-nchw.inc"
