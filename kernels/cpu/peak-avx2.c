/* The peak probe for AVX2. */
#include "peak.inc"
