#include "softmax.inc"
