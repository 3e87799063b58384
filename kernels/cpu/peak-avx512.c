/* The peak probe for AVX-512. */
#include "peak.inc"
