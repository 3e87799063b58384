/* Depthwise convolution for any machine. */
#include "dw.inc"
