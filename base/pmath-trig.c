/* Trigonometric functions and their inverses.
 *
 * Reduction (after Payne and Hanek): x = M 2^e with integer M. Only 192 bits of 2/pi matter for x * 2/pi mod 4: bits of weight
 * above 2^(1 - e) give multiples of 4, bits far below give nothing. The product with M is exact integer arithmetic:
 *
 *     M * W  =  …… qq . ffffffff…      qq: the quadrant; f: the fraction, taken as a signed 128-bit number
 */
#include "pmath-parts.h"

typedef unsigned __int128 u128;
typedef __int128 i128;

static const struct pair half_pi = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54};

static const uint64_t two_over_pi[19] = {0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561,
                                         0xb7246e3a424dd2e0, 0x06492eea09d1921c, 0xfe1deb1cb129a73e, 0xe88235f52ebb4484,
                                         0xe99c7026b45f7e41, 0x3991d639835339f4, 0x9c845f8bbdf9283b, 0x1ff897ffde05980f,
                                         0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7, 0x4f463f669e5fea2d, 0x7527bac7ebe5f17b,
                                         0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab};

/* 64 bits of 2/pi from bit `first` (0 is the one worth 1/2). */
static uint64_t two_over_pi_bits(int first) {
  int word = first / 64, shift = first % 64;
  return shift ? two_over_pi[word] << shift | two_over_pi[word + 1] >> (64 - shift) : two_over_pi[word];
}

/* Bits `low` .. `low` + 127 of the 256-bit number p (least word first); bits below 0 are 0. */
static u128 bits_from(const uint64_t *p, int low) {
  u128 result = 0;
  for (int i = 0; i < 4; i++) {
    int at = 64 * i - low;
    if (at <= -64 || at >= 128) continue;
    result |= at >= 0 ? (u128)p[i] << at : (u128)(p[i] >> -at);
  }
  return result;
}

static double shifted_double(uint64_t value, int shift) { return pmath_ldexp((double)value, shift); }

/* fraction * 2^-128 * pi/2, as a pair */
static struct pair fraction_to_angle(i128 fraction) {
  u128 magnitude = fraction < 0 ? -(u128)fraction : (u128)fraction;
  if (!magnitude) return (struct pair){0, 0};
  uint64_t top = (uint64_t)(magnitude >> 64);
  int zeros = top ? __builtin_clzll(top) : 64 + __builtin_clzll((uint64_t)magnitude);
  magnitude <<= zeros;
  struct pair f = {shifted_double((uint64_t)(magnitude >> 75), -53 - zeros),
                   shifted_double((uint64_t)(magnitude >> 22) & 0x1fffffffffffffu, -106 - zeros)};
  struct pair r = pair_multiply(f, half_pi);
  return fraction < 0 ? (struct pair){-r.hi, -r.lo} : r;
}

/* |x| >= 0.78, finite: x = quadrant * pi/2 + r, |r| <= pi/4 */
static int reduce_quadrant(double x, struct pair *out_r) {
  int exponent;
  uint64_t mantissa = (uint64_t)(pmath_frexp(pmath_abs(x), &exponent) * 9007199254740992.0);
  int e = exponent - 53, first = e - 2 > 0 ? e - 2 : 0; // index of the first bit that matters
  uint64_t w[3] = {two_over_pi_bits(first + 128), two_over_pi_bits(first + 64), two_over_pi_bits(first)}, p[4] = {0};
  u128 carry = 0;
  for (int i = 0; i < 3; i++) {
    carry += (u128)w[i] * mantissa;
    p[i] = (uint64_t)carry;
    carry >>= 64;
  }
  p[3] = (uint64_t)carry;
  int point = 192 + first - e; // bits of p below the binary point
  int quadrant = (int)(bits_from(p, point) & 3);
  i128 fraction = (i128)bits_from(p, point - 128);
  if (fraction < 0) quadrant++;
  *out_r = fraction_to_angle(fraction);
  if (!(x < 0)) return quadrant & 3;
  *out_r = (struct pair){-out_r->hi, -out_r->lo};
  return -quadrant & 3;
}

static double sin_kernel(struct pair r) {
  static const double c[] = {-1.0 / 6,        1.0 / 120,        -1.0 / 5040,          1.0 / 362880,
                             -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000, 1.0 / 355687428096000};
  double x2 = r.hi * r.hi, sum = 0;
  for (int i = (int)(sizeof c / sizeof c[0]) - 1; i >= 0; i--) sum = sum * x2 + c[i];
  return r.hi + (sum * x2 * r.hi + r.lo * (1 - x2 / 2));
}

static double cos_kernel(struct pair r) {
  static const double c[] = {1.0 / 24,        -1.0 / 720,         1.0 / 40320,          -1.0 / 3628800,
                             1.0 / 479001600, -1.0 / 87178291200, 1.0 / 20922789888000, -1.0 / 6402373705728000};
  double x2 = r.hi * r.hi, sum = 0;
  for (int i = (int)(sizeof c / sizeof c[0]) - 1; i >= 0; i--) sum = sum * x2 + c[i];
  struct pair head = pair_sum(1, -x2 / 2);
  return head.hi + (head.lo + (sum * x2 * x2 - r.hi * r.lo));
}

/* sin and cos of x at once; NaN for infinities. */
static void sin_cos(double x, double *out_sin, double *out_cos) {
  struct pair r = {x, 0};
  int quadrant = 0;
  if (!(pmath_abs(x) < pmath_inf())) {
    *out_sin = *out_cos = pmath_nan();
    return;
  }
  if (pmath_abs(x) > 0.785) quadrant = reduce_quadrant(x, &r);
  double s = sin_kernel(r), c = cos_kernel(r);
  *out_sin = quadrant == 0 ? s : quadrant == 1 ? c : quadrant == 2 ? -s : -c;
  *out_cos = quadrant == 0 ? c : quadrant == 1 ? -s : quadrant == 2 ? -c : s;
}

double pmath_sin(double x) {
  double s, c;
  if (x == 0) return x;
  sin_cos(x, &s, &c);
  return s;
}

double pmath_cos(double x) {
  double s, c;
  sin_cos(x, &s, &c);
  return c;
}

double pmath_tan(double x) {
  double s, c;
  if (x == 0) return x;
  sin_cos(x, &s, &c);
  return s / c;
}

/* atan(k / 8) */
static const struct pair atan_eighths[9] = {{0, 0},
                                            {0x1.fd5ba9aac2f6ep-4, -0x1.cd37686760c17p-59},
                                            {0x1.f5b75f92c80ddp-3, 0x1.8ab6e3cf7afbdp-57},
                                            {0x1.6f61941e4def1p-2, -0x1.c63aae6f6e918p-56},
                                            {0x1.dac670561bb4fp-2, 0x1.a2b7f222f65e2p-56},
                                            {0x1.1e00babdefeb4p-1, -0x1.928df287a668fp-58},
                                            {0x1.4978fa3269ee1p-1, 0x1.2419a87f2a458p-56},
                                            {0x1.700a7c5784634p-1, -0x1.8c34d25aadef6p-56},
                                            {0x1.921fb54442d18p-1, 0x1.1a62633145c07p-55}};

/* atan(t) - t for |t| <= 1/16 */
static double atan_tail(double t) {
  static const double c[] = {-1.0 / 3, 1.0 / 5, -1.0 / 7, 1.0 / 9, -1.0 / 11, 1.0 / 13, -1.0 / 15};
  double t2 = t * t, sum = 0;
  for (int i = (int)(sizeof c / sizeof c[0]) - 1; i >= 0; i--) sum = sum * t2 + c[i];
  return sum * t2 * t;
}

/* 0 <= x <= 1, as a pair: atan(k/8) + atan((x - k/8) / (1 + x k/8)) */
static struct pair atan_unit(double x) {
  int k = (int)(x * 8 + 0.5);
  double t = (x - k / 8.0) / (1 + x * (k / 8.0));
  struct pair sum = pair_sum(atan_eighths[k].hi, t);
  return pair_normal(sum.hi, sum.lo + (atan_eighths[k].lo + atan_tail(t)));
}

double pmath_atan(double x) {
  double a = pmath_abs(x);
  if (x != x) return x;
  if (a <= 1) return pmath_sign_of(atan_unit(a).hi, x);
  struct pair other = atan_unit(1 / a);
  return pmath_sign_of(pair_add(half_pi, (struct pair){-other.hi, -other.lo}).hi, x);
}

double pmath_atan2(double y, double x) {
  if (x != x || y != y) return x + y;
  double ay = pmath_abs(y), ax = pmath_abs(x);
  bool steep = ay > ax, left = pmath_bits(x) >> 63;
  struct pair angle; // of (ax, ay), in the first quadrant
  if (ay == 0)
    angle = (struct pair){0, 0};
  else if (ay == ax)
    angle = atan_eighths[8]; // infinities too
  else
    angle = atan_unit(steep ? ax / ay : ay / ax);
  if (steep) angle = pair_add(half_pi, (struct pair){-angle.hi, -angle.lo});
  if (left) angle = pair_add((struct pair){2 * half_pi.hi, 2 * half_pi.lo}, (struct pair){-angle.hi, -angle.lo});
  return pmath_sign_of(angle.hi, y);
}

double pmath_asin(double x) {
  if (x != x || pmath_abs(x) > 1) return pmath_nan();
  return x == 0 ? x : pmath_atan2(x, pmath_sqrt((1 - x) * (1 + x)));
}

double pmath_acos(double x) {
  if (x != x || pmath_abs(x) > 1) return pmath_nan();
  return 2 * pmath_atan2(pmath_sqrt(1 - x), pmath_sqrt(1 + x));
}
