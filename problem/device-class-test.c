/* Device class texts. */
#include "device-class.h"

#include "../tests/kit/test.h"

TEST(device_class_text_round_trip, "") {
  static const char text[] = "cpu vendor:amd family:25 model:17 isa:avx2 l1d:32k l2:1m l3:32m mem:24g";
  struct device_class device_class;
  char out[DEVICE_CLASS_TEXT_MAX];
  REQUIRE_OK(device_class_parse(text, &device_class));
  CHECK(device_class.isa == ISA_AVX2 && device_class.l2_bytes == 1 << 20 && device_class.family == 25);
  device_class_print(&device_class, out);
  CHECK_TEXT(out, text);
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
                                      "cpu vendor:amd family:25 model:17 isa:avx2 l1d:32k l2:1m l3:32m mem:99999999999999g"};
  struct device_class device_class;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    CHECK_MESSAGE(device_class_parse(texts[i], &device_class) == FARM_USAGE, "`%s` was not refused", texts[i]);
  CHECK(device_class_parse("cuda sm:90", &device_class) == FARM_UNSUPPORTED);
}
