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

/* Around what a template says about problems (applicable, legal, cost, workspace): the catalogue asks that of machines that are not
 * this one, so it must run here whatever the set is. */
#if defined(__clang__)
#define PORTABLE_BEGIN _Pragma("clang attribute push(__attribute__((target(\"no-avx\"))), apply_to = function)")
#define PORTABLE_END _Pragma("clang attribute pop")
#else
#define PORTABLE_BEGIN _Pragma("GCC push_options") _Pragma("GCC target(\"no-avx\")")
#define PORTABLE_END _Pragma("GCC pop_options")
#endif

#endif
