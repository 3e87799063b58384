#include "pool-nhwc.inc"
