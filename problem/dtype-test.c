#include "dtype.h"

#include "../tests/kit/test.h"

#include <math.h>
#include <string.h>

TEST(dtype_names_go_both_ways, "") {
  for (int i = 1; i < DTYPE_COUNT; i++) {
    CHECK(dtype_known(i));
    CHECK(dtype_from_name(dtype_name((enum dtype)i)) == (enum dtype)i);
  }
  CHECK(!dtype_known(0) && !dtype_known(-1) && !dtype_known(DTYPE_COUNT));
  CHECK_TEXT(dtype_name((enum dtype)99), "?");
  CHECK(dtype_from_name("float") == DTYPE_NONE);
}

TEST(dtype_bytes_of_packed_types_round_up, "") {
  CHECK(dtype_bytes(DTYPE_I4, 3) == 2 && dtype_bytes(DTYPE_U2, 5) == 2 && dtype_bytes(DTYPE_F32, 3) == 12);
  CHECK(dtype_bytes(DTYPE_F32, 0) == 0);
  CHECK(dtype_bytes(DTYPE_F32, -1) == SIZE_MAX && dtype_bytes(DTYPE_STRING, 1) == SIZE_MAX);
  CHECK(dtype_bytes(DTYPE_F64, INT64_MAX / 2) == SIZE_MAX);
}

/* Every code of every small format survives decoding and encoding; NaN codes stay NaN. */
static void check_round_trip(enum dtype type, int codes) {
  for (int code = 0; code < codes; code++) {
    uint16_t data = (uint16_t)code, again = 0;
    double value = dtype_load_f64(type, &data, 0);
    dtype_store_f64_overflowing(type, &again, 0, value);
    if (value != value)
      CHECK(isnan(dtype_load_f64(type, &again, 0)));
    else
      CHECK_MESSAGE(again == data, "%s code %d became %d", dtype_name(type), code, again);
  }
}

TEST(dtype_small_floats_round_trip, "") {
  check_round_trip(DTYPE_F16, 65536);
  check_round_trip(DTYPE_BF16, 65536);
  check_round_trip(DTYPE_E4M3, 256);
  check_round_trip(DTYPE_E4M3Z, 256);
  check_round_trip(DTYPE_E5M2, 256);
  check_round_trip(DTYPE_E5M2Z, 256);
  check_round_trip(DTYPE_E2M1, 16);
  check_round_trip(DTYPE_E8M0, 256);
}

static double magnitude_of(int code) { return code == 0x7c00 ? 65536.0 : (double)dtype_f16_to_f32((uint16_t)code); }

/* No neighbour is nearer, and one as near is odd. Infinity stands where the next number would be. */
TEST(dtype_f16_rounds_to_the_nearest_even, "") {
  for (uint32_t i = 0; i < 2000000; i++) {
    uint32_t bits = i * 2147u + (i << 13);
    float value;
    memcpy(&value, &bits, sizeof value);
    if (value != value) continue;
    int code = dtype_f32_to_f16(value);
    double x = fabs((double)value), here = fabs(x - magnitude_of(code & 0x7fff));
    bool sound = (signbit(value) != 0) == code >> 15;
    code &= 0x7fff;
    if (x >= 65520) sound &= code == 0x7c00;
    for (int other = code - 1; x < 65520 && other <= code + 1; other += 2) {
      double there = other < 0 || other > 0x7c00 ? INFINITY : fabs(x - magnitude_of(other));
      sound &= here < there || (here == there && code % 2 == 0);
    }
    if (!sound) test_fail(__FILE__, __LINE__, "%a gave %04x", (double)value, code);
    REQUIRE(sound);
  }
}

TEST(dtype_bf16_rounds_to_even, "") {
  CHECK(dtype_f32_to_bf16(1.00390625f) == 0x3f80); // half a step, down to even
  CHECK(dtype_f32_to_bf16(1.01171875f) == 0x3f82); // half a step, up to even
  CHECK(dtype_f32_to_bf16(3.4e38f) == 0x7f80);     // beyond the largest
  CHECK(dtype_f32_to_bf16(-0.0f) == 0x8000);
  CHECK(dtype_bf16_to_f32(0x4049) == 3.140625f);
}

static double stored(enum dtype type, double value, bool overflowing) {
  uint8_t data[8] = {0};
  if (overflowing)
    dtype_store_f64_overflowing(type, data, 0, value);
  else
    dtype_store_f64(type, data, 0, value);
  return dtype_load_f64(type, data, 0);
}

TEST(dtype_fp8_saturates_unless_told, "") {
  CHECK(stored(DTYPE_E4M3, 1e6, false) == 448 && isnan(stored(DTYPE_E4M3, 1e6, true)));
  CHECK(stored(DTYPE_E4M3, 464, true) == 448 && isnan(stored(DTYPE_E4M3, 465, true)));
  CHECK(stored(DTYPE_E5M2, -1e6, false) == -57344 && stored(DTYPE_E5M2, -1e6, true) == -INFINITY);
  CHECK(stored(DTYPE_E4M3Z, 1e6, false) == 240 && isnan(stored(DTYPE_E4M3Z, 1e6, true)));
  CHECK(!signbit(stored(DTYPE_E4M3Z, -0.0, false)) && signbit(stored(DTYPE_E4M3, -0.0, false)));
  CHECK(stored(DTYPE_E2M1, 100, false) == 6 && stored(DTYPE_E2M1, 2.5, false) == 2 && stored(DTYPE_E2M1, 0.25, false) == 0);
}

TEST(dtype_integers_saturate_from_doubles_and_wrap_from_integers, "") {
  CHECK(stored(DTYPE_I8, 300, false) == 127 && stored(DTYPE_U8, -3, false) == 0 && stored(DTYPE_I32, -2.7, false) == -2);
  CHECK(stored(DTYPE_I64, NAN, false) == 0 && stored(DTYPE_U64, 1e30, false) == 18446744073709551616.0);
  CHECK(stored(DTYPE_I4, 9, false) == 7 && stored(DTYPE_I2, -5, false) == -2 && stored(DTYPE_BOOL, 0.5, false) == 1);
  int8_t narrow;
  dtype_store_i64(DTYPE_I8, &narrow, 0, 200);
  CHECK(narrow == -56);
}

TEST(dtype_packed_elements_keep_their_neighbours, "") {
  uint8_t data[2] = {0};
  int64_t in[4] = {-8, 7, -1, 3}, out[4];
  dtype_store_i64_row(DTYPE_I4, data, 0, 4, in);
  CHECK(data[0] == 0x78 && data[1] == 0x3f);
  dtype_store_i64(DTYPE_I4, data, 1, 2);
  dtype_load_i64_row(DTYPE_I4, data, 0, 4, out);
  CHECK(out[0] == -8 && out[1] == 2 && out[2] == -1 && out[3] == 3);
  int64_t twos[5] = {0, 1, 2, 3, 1}, back[5];
  uint8_t packed[2] = {0};
  dtype_store_i64_row(DTYPE_U2, packed, 0, 5, twos);
  dtype_load_i64_row(DTYPE_U2, packed, 0, 5, back);
  CHECK(memcmp(twos, back, sizeof twos) == 0);
}
