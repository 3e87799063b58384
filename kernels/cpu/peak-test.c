/* The probes give numbers that a CPU can have, and more with wider registers. */
#include "../../tests/kit/test.h"
#include "../tactic.h"
#include "peak.h"

#include <stdio.h>

TEST(peaks_are_plausible, "") {
  struct device_class found;
  REQUIRE_OK(cpu_device_class(&found));
  double slow = cpu_fma_peak_gflops(ISA_BASELINE, NULL, 20), fast = cpu_fma_peak_gflops(found.isa, NULL, 20);
  double read = cpu_read_bandwidth_gbs(&found, NULL, 0, 20), cached = cpu_read_bandwidth_gbs(&found, NULL, 16 << 10, 5);
  printf("%.1f GFLOP/s baseline, %.1f best; %.1f GB/s from memory, %.1f from the first-level cache\n", slow, fast, read, cached);
  CHECK(slow > 1 && slow < 1000);
  CHECK(found.isa == ISA_BASELINE || (fast > 1.2 * slow && fast < 2000));
  CHECK(read > 0.2 && read < 2000);
  CHECK(cached > 0.8 * read);
}
