/* Names of an instance: kernels are templates (`*.inc`) that thin files include once per instruction set.
 *
 *   softmax-avx2.c: #include "softmax.inc"  ->  the symbol softmax_f32__rows__avx2, whose id is the same word
 *
 * The set follows from the compiler's flags, which follow from the file's suffix. INSTANCE_WIDE is the 16-lane source compiled
 * for AVX2: only tests run it, on CPUs that lack AVX-512; it stands in no catalogue.
 */
#ifndef KERNELS_CPU_INSTANCE_H
#define KERNELS_CPU_INSTANCE_H

#include "../tactic.h"
#include "vector.h"

#if defined(INSTANCE_WIDE)
#define INSTANCE(name) name##__wide
#define INSTANCE_SUFFIX "wide"
#define INSTANCE_ISA ISA_AVX2
#elif defined(__AVX512F__)
#define INSTANCE(name) name##__avx512
#define INSTANCE_SUFFIX "avx512"
#define INSTANCE_ISA ISA_AVX512
#elif defined(__AVX2__)
#define INSTANCE(name) name##__avx2
#define INSTANCE_SUFFIX "avx2"
#define INSTANCE_ISA ISA_AVX2
#else
#define INSTANCE(name) name##__baseline
#define INSTANCE_SUFFIX "baseline"
#define INSTANCE_ISA ISA_BASELINE
#endif
#define INSTANCE_ID(text) text "__" INSTANCE_SUFFIX

#endif
