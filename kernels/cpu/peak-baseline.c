/* The peak probe for the baseline instruction set, multiply and add apart. */
#include "peak.inc"
