/* Tests only: the 16-lane source on AVX2. See ../instance.h. */
#define INSTANCE_WIDE
#define VECTOR_LANES 16
#include "dw-nchw.inc"
