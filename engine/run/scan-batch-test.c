#include "run-case-test.h"

/* Opset 8: a batch of two, the second sequence one shorter when lengths are given; x[batch][3][2]. */
static struct plan_builder *batch_running_sum(bool lengths, int64_t *direction) {
  struct plan_builder *b = builder_new();
  uint32_t start = builder_input(b, "start", F32(2, 2)), x = builder_input(b, "x", F32(2, 3, 2));
  uint32_t lens = lengths ? builder_input(b, "lens", I64(2)) : PLAN_NO_INDEX;
  uint32_t total = builder_output(b, "total", F32(2, 2)), sums = builder_output(b, "sums", F32(2, 3, 2));
  struct plan_step *scan = op(b, 0, STEP_SCAN, "Scan", 8, IDS(lens, start, x), IDS(total, sums));
  builder_attr(b, scan, (struct attr){.name = "num_scan_inputs", .type = ATTR_INT, .count = 1, .i = 1});
  builder_attr(b, scan, (struct attr){.name = "directions", .type = ATTR_INTS, .count = 1, .ints = direction});
  int body = builder_block(b);
  scan->blocks[0] = (uint32_t)body;
  uint32_t carried = builder_value(b, "carried", VALUE_POOLED, F32(2)), slice = builder_value(b, "slice", VALUE_POOLED, F32(2));
  uint32_t sum = builder_value(b, "sum", VALUE_POOLED, F32(2));
  builder_takes(b, body, carried);
  builder_takes(b, body, slice);
  op(b, body, STEP_KERNEL, "Add", 7, IDS(carried, slice), IDS(sum));
  builder_gives(b, body, sum, F32(2));
  builder_gives(b, body, sum, F32(2));
  return b;
}

TEST(run_scan_of_a_batch, "") {
  const float x[12] = {1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60}, start[4] = {0, 0, 100, 200};
  const float whole[12] = {1, 2, 4, 6, 9, 12, 110, 220, 140, 260, 190, 320}, whole_total[4] = {9, 12, 190, 320};
  const float shorter[2][12] = {{1, 2, 4, 6, 9, 12, 110, 220, 140, 260, 0, 0}, {5, 6, 8, 10, 9, 12, 130, 240, 140, 260, 0, 0}};
  const float shorter_total[4] = {9, 12, 140, 260};
  int64_t lens[2] = {3, 2}, direction = 0;
  struct run_case plain = case_of(batch_running_sum(false, &direction));
  case_input(&plain, 0, F32(2, 2), start);
  case_input(&plain, 1, F32(2, 3, 2), x);
  REQUIRE_OK(farm_context_run(plain.context));
  case_expect(&plain, 0, F32(2, 2), whole_total);
  case_expect(&plain, 1, F32(2, 3, 2), whole);
  case_free(&plain);
  for (direction = 0; direction < 2; direction++) {
    struct run_case run = case_of(batch_running_sum(true, &direction));
    case_input(&run, 0, F32(2, 2), start);
    case_input(&run, 1, F32(2, 3, 2), x);
    case_input(&run, 2, I64(2), lens);
    for (int round = 0; round < 2; round++) {
      REQUIRE_OK(farm_context_run(run.context));
      case_expect(&run, 0, F32(2, 2), shorter_total);
      case_expect(&run, 1, F32(2, 3, 2), shorter[direction]);
    }
    lens[1] = 4;
    CHECK(farm_context_run(run.context) == FARM_INVALID);
    lens[1] = 2;
    case_free(&run);
  }
}
