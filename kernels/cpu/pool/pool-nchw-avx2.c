#include "pool-nchw.inc"
