#include "attention.inc"
