#include "norm.inc"
