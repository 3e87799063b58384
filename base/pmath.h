/* Portable mathematics: the same bits on every machine and compiler, for constant folding, references and synthesis.
 *
 * Double precision, computed with IEEE + - * / and sqrt only, without contraction or libm; relative error below 4e-16 x 4
 * (a few ulp) over the whole range, special values as in C99 Annex F. Float callers round the double result once.
 */
#ifndef BASE_PMATH_H
#define BASE_PMATH_H

double pmath_sqrt(double x);
double pmath_exp(double x);
double pmath_expm1(double x);
double pmath_log(double x);
double pmath_log1p(double x);
double pmath_log2(double x);
double pmath_pow(double x, double y);
double pmath_sin(double x);
double pmath_cos(double x);
double pmath_tan(double x);
double pmath_asin(double x);
double pmath_acos(double x);
double pmath_atan(double x);
double pmath_atan2(double y, double x);
double pmath_sinh(double x);
double pmath_cosh(double x);
double pmath_tanh(double x);
double pmath_asinh(double x);
double pmath_acosh(double x);
double pmath_atanh(double x);
double pmath_erf(double x);
double pmath_floor(double x);
double pmath_ceil(double x);
double pmath_round_even(double x); // to nearest, ties to even
double pmath_fmod(double x, double y);
double pmath_ldexp(double x, int exponent);
double pmath_frexp(double x, int *out_exponent);

#endif
