/* Depthwise convolution in nchw for any machine. */
#include "dw-nchw.inc"
