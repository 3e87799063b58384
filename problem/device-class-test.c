/* Device class texts. */
#include "device-class.h"

#include "../base/random.h"
#include "../tests/kit/test.h"

#include <stdio.h>
#include <string.h>

TEST(device_class_text_round_trip, "") {
  static const char text[] = "cpu vendor:amd family:25 model:17 isa:avx2 l1d:32k l2:1m l3:32m mem:24g";
  struct device_class device_class;
  char out[DEVICE_CLASS_TEXT_MAX];
  REQUIRE_OK(device_class_parse(text, &device_class));
  CHECK(device_class.isa == ISA_AVX2 && device_class.l2_bytes == 1 << 20 && device_class.family == 25);
  device_class_print(&device_class, out);
  CHECK_TEXT(out, text);
}

TEST(device_class_of_gpus, "") {
  static const struct {
    const char *text, *product;
    int sm, sms, clock, memory_clock;
    int64_t memory_g;
  } rows[] = {
      {"cuda sm:90 product:h200 sms:132 clock:1980 memclock:3201 mem:141g", "h200", 90, 132, 1980, 3201, 141},
      {"cuda sm:75 product:teslat4 sms:40 clock:1590 memclock:5001 mem:15g", "teslat4", 75, 40, 1590, 5001, 15},
      {"cuda sm:120 product:rtxpro6000blackwellmaxqworkstationedition sms:188 clock:2617 memclock:14001 mem:95g",
       "rtxpro6000blackwellmaxqworkstationedition", 120, 188, 2617, 14001, 95},
      {"cuda sm:90", "", 90, 0, 0, 0, 0},
      {"cuda sm:103", "", 103, 0, 0, 0, 0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct device_class got;
    char out[DEVICE_CLASS_TEXT_MAX];
    REQUIRE_OK(device_class_parse(rows[i].text, &got));
    CHECK(got.kind == DEVICE_CUDA && got.isa == ISA_BASELINE && got.sm == rows[i].sm);
    CHECK_TEXT(got.product, rows[i].product);
    CHECK(got.sms == rows[i].sms && got.clock_mhz == rows[i].clock);
    CHECK(got.memory_clock_mhz == rows[i].memory_clock && got.memory_bytes == rows[i].memory_g << 30);
    device_class_print(&got, out);
    CHECK_TEXT(out, rows[i].text);
  }
}

TEST(device_class_fits_where_it_runs, "") {
#define CPU(isa) "cpu vendor:amd family:25 model:17 isa:" isa " l1d:32k l2:1m l3:32m mem:24g"
  static const struct {
    const char *made_for, *machine;
    bool fits;
  } rows[] = {
      {CPU("avx2"), CPU("avx2"), true},
      {CPU("avx2"), CPU("avx512"), true},
      {CPU("avx512"), CPU("avx2"), false},
      {"cuda sm:90", "cuda sm:90 product:h200 sms:132 clock:1980 memclock:3201 mem:141g", true},
      {"cuda sm:90 product:h100 sms:132 clock:1980 memclock:2619 mem:79g",
       "cuda sm:90 product:h200 sms:132 clock:1980 memclock:3201 mem:141g", true},
      {"cuda sm:80", "cuda sm:86 product:a10 sms:72 clock:1695 memclock:6251 mem:22g", false},
      {"cuda sm:90", CPU("avx512"), false},
      {CPU("baseline"), "cuda sm:90", false},
  };
#undef CPU
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct device_class made_for, machine;
    REQUIRE_OK(device_class_parse(rows[i].made_for, &made_for));
    REQUIRE_OK(device_class_parse(rows[i].machine, &machine));
    CHECK_MESSAGE(device_class_fits(&made_for, &machine) == rows[i].fits, "`%s` on `%s`", rows[i].made_for, rows[i].machine);
  }
}

TEST(device_class_refuses, "") {
  static const char *const texts[] = {"",
                                      "cpu",
                                      "gpu sm:90",
                                      "cpu vendor:amd family:25 model:17 isa:avx2 l1d:32k l2:1m l3:32m",
                                      "cpu vendor:amd family:25 model:17 isa:avx3 l1d:32k l2:1m l3:32m mem:24g",
                                      "cpu vendor:amd family:25 model:17 isa:avx2 l1d:32k l2:1024k l3:32m mem:24g",
                                      "cpu vendor:amd family:25 model:17 isa:avx2 l1d:32k l2:1m l3:32m mem:24g ",
                                      "cpu  vendor:amd family:25 model:17 isa:avx2 l1d:32k l2:1m l3:32m mem:24g",
                                      "cpu vendor:AMD family:25 model:17 isa:avx2 l1d:32k l2:1m l3:32m mem:24g",
                                      "cpu vendor:amd family:-5 model:17 isa:avx2 l1d:32k l2:1m l3:32m mem:24g",
                                      "cpu vendor:amd family:25 model:17 isa:avx2 l1d:32k l2:1m l3:32m mem:99999999999999g",
                                      "cuda",
                                      "cuda ",
                                      "cuda sm:9",
                                      "cuda sm:1000",
                                      "cuda sm:090",
                                      "cuda sm:90 ",
                                      "cuda sm:90 product:h200",
                                      "cuda sm:90 product: sms:132 clock:1980 memclock:3201 mem:141g",
                                      "cuda sm:90 product:H200 sms:132 clock:1980 memclock:3201 mem:141g",
                                      "cuda sm:90 product:h200 sms:132 clock:1980 mem:141g",
                                      "cuda sm:90 product:h200 sms:132 clock:1980 memclock:3201 mem:141g l2:1m",
                                      "cuda sm:90 product:h200 sms:132 clock:1980 memclock:3201 mem:144384m",
                                      "cuda sm:90 product:0123456789012345678901234567890123456789012345678901234567890123 sms:1 "
                                      "clock:1 memclock:1 mem:1g",
                                      "cudasm:90"};
  struct device_class device_class;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    CHECK_MESSAGE(device_class_parse(texts[i], &device_class) == FARM_USAGE, "`%s` was not refused", texts[i]);
}

/* Words lost, doubled, cut short or changed by one character: refused, or the very same text again. */
TEST(device_class_survives_any_text, "") {
  static const char *const texts[] = {"cpu vendor:amd family:25 model:17 isa:avx2 l1d:32k l2:1m l3:32m mem:24g",
                                      "cuda sm:90 product:h200 sms:132 clock:1980 memclock:3201 mem:141g"};
  int accepted = 0;
  for (unsigned i = 0; i < 20000; i++) {
    struct device_class got;
    char text[512], out[DEVICE_CLASS_TEXT_MAX];
    snprintf(text, sizeof text, "%s", texts[i % 2]);
    size_t length = strlen(text), at = random_u64(3, 3 * i) % length, from = random_u64(3, 3 * i + 1) % length;
    if (i % 3 == 0) text[at] = (char)(1 + random_u64(3, 3 * i + 2) % 255);
    if (i % 3 == 1) text[at] = 0;
    if (i % 3 == 2) memmove(text + at, text + from, length - from + 1);
    if (device_class_parse(text, &got) != FARM_OK) continue;
    device_class_print(&got, out);
    CHECK_TEXT(out, text);
    accepted++;
  }
  CHECK(accepted > 100 && accepted < 10000);
}
