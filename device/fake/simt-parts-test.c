/* Every part of the dialect against a plain computation: in the emulator, and, where there is one, on a GPU with the same text
 * and the same expectations. What holds on both is what the emulator promises. */
#include "fake-rig-test.h"

#include "../../base/random.h"

#include <math.h>
#include <time.h>

static struct rig parts(int sm) {
  char spec[64];
  snprintf(spec, sizeof spec, "sm=%d,mem=256m", sm);
  return rig_open(spec, "simt-parts-test.cu", sm);
}

static struct rig gpu(void) {
  struct rig rig = {0};
  enum farm_status status = cuda_device_open(NULL, &rig.device);
  if (status == FARM_UNSUPPORTED) SKIP("%s", status_message());
  REQUIRE_OK(status);
  if (cuda_device_about(rig.device)->sm < 80) SKIP("needs sm_80 or newer");
  rig_load(&rig, "simt-parts-test.cu", cuda_device_about(rig.device)->sm);
  return rig;
}

#define PART_TEST(part)                                                                                                          \
  static void part##_check(struct rig *rig);                                                                                     \
  TEST(simt_##part, "") {                                                                                                        \
    struct rig rig = parts(90);                                                                                                  \
    part##_check(&rig);                                                                                                          \
    rig_close(&rig);                                                                                                             \
  }                                                                                                                              \
  TEST(gpu_##part, "needs:gpu") {                                                                                                \
    struct rig rig = gpu();                                                                                                      \
    part##_check(&rig);                                                                                                          \
    rig_close(&rig);                                                                                                             \
  }                                                                                                                              \
  static void part##_check(struct rig *rig)

static uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}
static float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

#define RUN(rig, entry, blocks, threads, at, in, out)                                                                            \
  REQUIRE_OK(rig_run(rig, entry, blocks, threads, at, in, sizeof in, out, sizeof out))

PART_TEST(indices) {
  enum { BLOCKS = 2 * 3 * 2, THREADS = 5 * 3 * 2 };
  static uint32_t out[BLOCKS * THREADS];
  struct rig_args args = {0};
  REQUIRE_OK(cuda_alloc(rig->device, sizeof out, &args.out));
  struct cuda_launch launch = {.entry = "indices", .grid = {2, 3, 2}, .block = {5, 3, 2}, .argument_bytes = sizeof args};
  memcpy(launch.arguments, &args, sizeof args);
  REQUIRE_OK(cuda_launch(rig->device, rig->image, &launch));
  REQUIRE_OK(cuda_copy_out(rig->device, out, args.out, sizeof out));
  REQUIRE_OK(cuda_wait(rig->device));
  for (uint32_t i = 0; i < BLOCKS * THREADS; i++) {
    uint32_t b = i / THREADS, t = i % THREADS;
    uint32_t expected = b % 2 | (b / 2 % 3) << 4 | (b / 6) << 8 | (t % 5) << 12 | (t / 5 % 3) << 20 | (t / 15) << 28;
    CHECK_MESSAGE(out[i] == expected, "thread %u: %x, not %x", i, out[i], expected);
  }
}

/* The lane that a shuffle reads, as the CUDA C++ manual words it. */
static int shuffle_lane(int kind, int lane, int width, int by) {
  int base = lane / width * width, inside = lane % width;
  if (kind == 0) return base + by % width;
  if (kind == 1) return inside - by < 0 ? lane : lane - by;
  if (kind == 2) return inside + by >= width ? lane : lane + by;
  return (lane ^ by) >= base + width ? lane : lane ^ by;
}

PART_TEST(shuffles) {
  static const int widths[] = {32, 16, 4, 1}, distances[] = {0, 1, 2, 5, 16, 31};
  uint32_t in[1] = {0}, out[32];
  for (int kind = 0; kind < 4; kind++)
    for (int w = 0; w < 4; w++)
      for (int d = 0; d < 6; d++) {
        RUN(rig, "shuffles", 1, 32, kind | widths[w] << 8 | distances[d] << 16, in, out);
        for (int lane = 0; lane < 32; lane++) {
          int from = shuffle_lane(kind, lane, widths[w], distances[d]);
          CHECK_MESSAGE(out[lane] == 100u + (uint32_t)from, "kind %d, width %d, by %d, lane %d: %u, not %d", kind, widths[w],
                        distances[d], lane, out[lane], 100 + from);
        }
      }
}

PART_TEST(votes_and_sums) {
  uint32_t in[1] = {0}, sums[64], votes[64 * 3];
  RUN(rig, "sums", 1, 48, 0, in, sums);
  for (int t = 0; t < 32; t++) CHECK(float_of(sums[t]) == 31.0f * 16);
  CHECK(float_of(sums[32]) == 2.0f * (32 + 47) * 8); // the step of 16 is beyond its 16 lanes: each adds itself
  RUN(rig, "votes", 1, 64, 0, in, votes);
  for (uint32_t t = 0; t < 64; t++) {
    uint32_t first = t / 32 * 32, ballot = 0, mask = t % 32 < 8 ? 0xffu : 0xffffff00u;
    for (uint32_t lane = 0; lane < 32; lane++) ballot |= (uint32_t)((first + lane) % 3 == 0) << lane;
    CHECK_MESSAGE(votes[t * 3] == (ballot & mask), "thread %u: %x, not %x", t, votes[t * 3], ballot & mask);
    CHECK(votes[t * 3 + 1] == (first == 32 && t % 32 >= 8));
    CHECK(votes[t * 3 + 2] == (first == 0 || t % 32 < 8));
  }
}

PART_TEST(atomics) {
  static const uint32_t zeros[12] = {[11] = 7};
  uint32_t out[12];
  struct rig_args args = {0};
  REQUIRE_OK(cuda_alloc(rig->device, sizeof out, &args.out));
  REQUIRE_OK(cuda_copy_in(rig->device, args.out, zeros, sizeof zeros));
  struct cuda_launch launch = rig_launch("atomics", 3, 256, args);
  REQUIRE_OK(cuda_launch(rig->device, rig->image, &launch));
  REQUIRE_OK(cuda_copy_out(rig->device, out, args.out, sizeof out));
  REQUIRE_OK(cuda_wait(rig->device));
  for (uint32_t i = 0; i < 8; i++) CHECK(out[i] == 3 * (32 * i + 8 * (31 * 32 / 2)));
  CHECK(out[8] == 767 && (int)out[9] == -767);
  CHECK(float_of(out[10]) == 384.0f);
  CHECK(out[11] == 9);
}

PART_TEST(tiles) {
  uint32_t in[256], out[256];
  for (uint32_t i = 0; i < 256; i++) in[i] = i * i;
  RUN(rig, "tiles", 1, 64, 0, in, out);
  for (uint32_t t = 0; t < 64; t++) {
    CHECK(out[t * 4] == in[(63 - t) * 4] + 63 - t);
    CHECK(out[t * 4 + 1] == in[(t * 4 + 7) % 256]);
    CHECK(out[t * 4 + 2] == in[(63 - t) * 4 + 2] && out[t * 4 + 3] == in[(63 - t) * 4 + 3]);
  }
}

/* ---- numbers of 16 bits ---- */

static double half_value(uint32_t bits) {
  int exponent = (int)(bits >> 10 & 31), fraction = (int)(bits & 1023);
  double size = exponent == 0    ? ldexp(fraction, -24)
                : exponent == 31 ? (fraction ? NAN : INFINITY)
                                 : ldexp(1024 + fraction, exponent - 25);
  return bits & 0x8000 ? -size : size;
}

/* The 16-bit pattern nearest to x by search in the order of sizes; ties to the even pattern. `most`: infinity's pattern. */
static uint32_t nearest16(float x, uint32_t most, double (*value)(uint32_t)) {
  uint32_t sign = bits_of(x) >> 31 << 15, low = 0, high = most;
  double size = fabs((double)x), step = value(most - 1) - value(most - 2);
  if (size >= value(most - 1) + step / 2) return sign | most;
  while (low < high) { // the largest pattern that is no larger than x
    uint32_t middle = (low + high + 1) / 2;
    if (value(middle) <= size)
      low = middle;
    else
      high = middle - 1;
  }
  double above = low + 1 == most ? value(low) + step : value(low + 1);
  double down = size - value(low), up = above - size;
  return sign | (down < up || (down == up && low % 2 == 0) ? low : low + 1);
}
static double brain_value(uint32_t bits) { return (double)float_of(bits << 16); }

PART_TEST(to_float) {
  static uint32_t in[1], out[2 * 65536];
  RUN(rig, "to_floats", 256, 256, 0, in, out);
  for (uint32_t i = 0; i < 65536; i++) {
    double expected = half_value(i);
    CHECK(isnan(expected) ? isnan(float_of(out[i]))
                          : (double)float_of(out[i]) == expected && !!signbit(float_of(out[i])) == (int)(i >> 15 != 0));
    CHECK(out[i + 65536] == i << 16);
  }
}

PART_TEST(from_float) {
  enum { COUNT = 16384 };
  static uint32_t in[COUNT], out[COUNT * 4];
  for (uint32_t i = 0; i < COUNT; i++) { // all exponents that matter; halfway points; the neighbours of these
    uint32_t bits = (uint32_t)random_u64(7, i);
    if (i % 4 == 1) bits = (bits & 0xffffe000u) | 0x1000u;
    if (i % 4 == 2) bits = (bits & 0xffff0000u) | (0x7fffu + i % 3);
    if (i % 8 < 4) bits = (bits & 0x807fffffu) | (96 + bits % 52) << 23;
    in[i] = bits;
  }
  in[0] = 0x7f800000u, in[1] = 0x7fc00000u, in[2] = 0x477fefffu, in[3] = 0x477ff000u, in[4] = 0x33000000u, in[5] = 0x33000001u,
  in[6] = 0;
  RUN(rig, "from_floats", COUNT / 256, 256, 0, in, out);
  for (uint32_t i = 0; i < COUNT; i++) {
    float x = float_of(in[i]);
    if (isnan(x)) {
      CHECK((out[i * 4] & 0x7c00) == 0x7c00 && (out[i * 4] & 0x3ff) && (out[i * 4 + 1] & 0x7f80) == 0x7f80 &&
            (out[i * 4 + 1] & 0x7f));
      CHECK(isnan(float_of(out[i * 4 + 2])) && out[i * 4 + 3] == 1);
      continue;
    }
    uint32_t half = nearest16(x, 0x7c00, half_value), brain = nearest16(x, 0x7f80, brain_value);
    CHECK_MESSAGE(out[i * 4] == half, "f16 of %a: %x, not %x", (double)x, out[i * 4], half);
    CHECK_MESSAGE(out[i * 4 + 1] == brain, "bf16 of %a: %x, not %x", (double)x, out[i * 4 + 1], brain);
    if (isfinite(x) && fabsf(x) > 1e-30f && fabsf(x) < 1e30f) { // to 11 bits, ties away from zero
      int exponent;
      double fraction = frexp((double)x, &exponent);
      CHECK((double)float_of(out[i * 4 + 2]) == ldexp(round(ldexp(fraction, 11)), exponent - 11));
    }
    CHECK(out[i * 4 + 3] == (x != 0.0f));
  }
}

/* ---- matrices ---- */

PART_TEST(ldmatrix) {
  uint32_t in[1] = {0}, out[32 * 8];
  RUN(rig, "matrices", 1, 32, 0, in, out);
  for (uint32_t lane = 0; lane < 32; lane++)
    for (uint32_t m = 0; m < 4; m++) {
      uint32_t row = lane / 4, column = lane % 4 * 2;
      uint32_t plain = m * 64 + row * 8 + column, turned = m * 64 + column * 8 + row;
      CHECK(out[lane * 8 + m] == (plain | (plain + 1) << 16));
      CHECK(out[lane * 8 + 4 + m] == (turned | (turned + 8) << 16));
    }
}

/* Small whole numbers: every product and sum is exact in all types. */
static void check_mma16(struct rig *rig, const char *entry, bool brain) {
  uint16_t in[256 + 128];
  float a[256 + 128], out[128];
  for (int i = 0; i < 384; i++) {
    a[i] = (float)((int)(random_u64(11, (uint64_t)i) % 17) - 8);
    for (uint32_t bits = 0; bits < 65536; bits++)
      if ((brain ? brain_value(bits) : half_value(bits)) == (double)a[i]) in[i] = (uint16_t)bits;
  }
  REQUIRE_OK(rig_run(rig, entry, 1, 32, 0, in, sizeof in, out, sizeof out));
  for (int row = 0; row < 16; row++)
    for (int column = 0; column < 8; column++) {
      float sum = 1.0f;
      for (int k = 0; k < 16; k++) sum += a[row * 16 + k] * a[256 + k * 8 + column];
      CHECK_MESSAGE(out[row * 8 + column] == sum, "%s (%d,%d): %g, not %g", entry, row, column, (double)out[row * 8 + column],
                    (double)sum);
    }
}

PART_TEST(mma) {
  check_mma16(rig, "mma_f16", false);
  check_mma16(rig, "mma_bf16", true);
  uint32_t in[128 + 64];
  float out[128];
  for (uint32_t i = 0; i < 192; i++) in[i] = bits_of((float)((int)(i * 7 % 23) - 11)) | i % 0x2000; // bits that do not count
  RUN(rig, "mma_tf32", 1, 32, 0, in, out);
  for (int row = 0; row < 16; row++)
    for (int column = 0; column < 8; column++) {
      float sum = 0.0f;
      for (int k = 0; k < 8; k++)
        sum += float_of(in[row * 8 + k] & 0xffffe000u) * float_of(in[128 + k * 8 + column] & 0xffffe000u);
      CHECK_MESSAGE(out[row * 8 + column] == sum, "tf32 (%d,%d): %g, not %g", row, column, (double)out[row * 8 + column],
                    (double)sum);
    }
}

PART_TEST(pipeline) {
  static uint32_t in[8 * 256], out[256];
  for (uint32_t i = 0; i < 8 * 256; i++) in[i] = i * 3;
  RUN(rig, "pipeline", 1, 64, 0, in, out);
  for (uint32_t t = 0; t < 64; t++)
    for (uint32_t i = 0; i < 4; i++) {
      uint32_t sum = 0;
      for (uint32_t round = 0; round < 7; round++) sum += in[round * 256 + (63 - t) * 4 + i];
      CHECK(out[t * 4 + i] == sum);
    }
}

PART_TEST(functions) {
  uint32_t in[64], out[64 * 8];
  for (int i = 0; i < 64; i++) in[i] = bits_of((float)i / 16 - 2);
  RUN(rig, "functions", 1, 64, 0, in, out);
  for (int i = 0; i < 64; i++) {
    double x = (double)float_of(in[i]);
    const double expected[] = {erf(x),    exp(x),           tanh(x),       1 / sqrt(fabs(x) + 1),
                               x * x + 1, log(fabs(x) + 1), sqrt(fabs(x)), fmax(x, 0.25)};
    for (int f = 0; f < 8; f++)
      CHECK_MESSAGE(fabs((double)float_of(out[i * 8 + f]) - expected[f]) <= 2e-6 * (fabs(expected[f]) + 1e-3),
                    "function %d of %g", f, x);
  }
}

/* ---- figures: printed; the bounds are those that only a broken scheduler misses ---- */

static double processor_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

TEST(simt_speed, "") {
  struct rig rig = parts(90);
  enum { N = 64, SWITCHES = 8 * 256 * 101 };
  static float in[2 * N * N], out[N * N];
  for (int i = 0; i < 2 * N * N; i++) in[i] = (float)(i % 7 - 3);
  double begin = processor_ns();
  RUN(&rig, "switches", 8, 256, 0, in, out);
  double switches_ns = processor_ns() - begin;
  begin = processor_ns();
  RUN(&rig, "gemm", 4, 256, N, in, out);
  double gemm_ns = processor_ns() - begin;
  printf("     %.0f million times per second a fiber begins to run; a gemm of 64x64x64 takes %.1f ms\n",
         SWITCHES / switches_ns * 1e3, gemm_ns * 1e-6);
  CHECK(SWITCHES / switches_ns * 1e3 > 0.2);
  for (int row = 0; row < N; row++)
    for (int column = 0; column < N; column++) {
      float sum = 0;
      for (int k = 0; k < N; k++) sum += in[row * N + k] * in[N * N + k * N + column];
      CHECK(out[row * N + column] == sum);
    }
  rig_close(&rig);
}
