#include "run-case-test.h"

/* if flag: x + x, else: the first two of x */
TEST(run_if_takes_one_branch, "") {
  static const int64_t index[2] = {0, 1};
  struct plan_builder *b = builder_new();
  uint32_t flag = builder_input(b, "flag", SCALAR(DTYPE_BOOL)), x = builder_input(b, "x", F32(3));
  uint32_t first = builder_constant(b, "first", I64(2), index);
  uint32_t chosen = builder_value(b, "chosen", VALUE_POOLED, F32(DIM_UNKNOWN)),
           y = builder_value(b, "y", VALUE_OUTPUT, F32(DIM_UNKNOWN));
  builder_gives(b, 0, y, F32(DIM_UNKNOWN));
  struct plan_step *step = op(b, 0, STEP_IF, "If", 16, IDS(flag), IDS(chosen));
  int yes = builder_block(b), no = builder_block(b);
  step->blocks[0] = (uint32_t)yes;
  step->blocks[1] = (uint32_t)no;
  uint32_t sum = builder_value(b, "sum", VALUE_POOLED, F32(3)), some = builder_value(b, "some", VALUE_POOLED, F32(2));
  op(b, yes, STEP_KERNEL, "Add", 14, IDS(x, x), IDS(sum));
  builder_gives(b, yes, sum, F32(3));
  op(b, no, STEP_KERNEL, "Gather", 13, IDS(x, first), IDS(some));
  builder_gives(b, no, some, F32(2));
  op(b, 0, STEP_KERNEL, "Neg", 13, IDS(chosen), IDS(y));
  struct run_case run = case_of(b);
  float in[3] = {1, 2, 3};
  uint8_t on = 1;
  case_input(&run, 0, SCALAR(DTYPE_BOOL), &on);
  case_input(&run, 1, F32(3), in);
  for (int round = 0; round < 3; round++) {
    on = 1;
    REQUIRE_OK(farm_context_run(run.context));
    case_expect(&run, 0, F32(3), ((float[]){-2, -4, -6}));
    on = 0;
    REQUIRE_OK(farm_context_run(run.context));
    case_expect(&run, 0, F32(2), ((float[]){-1, -2}));
  }
  case_free(&run);
}

/* A branch that cannot be right for these shapes is no error until it is taken. */
TEST(run_if_with_an_impossible_branch, "") {
  static const int64_t five[1] = {5};
  struct plan_builder *b = builder_new();
  uint32_t flag = builder_input(b, "flag", SCALAR(DTYPE_BOOL)), x = builder_input(b, "x", F32(3)),
           s = builder_constant(b, "s", I64(1), five);
  uint32_t y = builder_value(b, "y", VALUE_OUTPUT, F32(DIM_UNKNOWN));
  builder_gives(b, 0, y, F32(DIM_UNKNOWN));
  struct plan_step *step = op(b, 0, STEP_IF, "If", 16, IDS(flag), IDS(y));
  int yes = builder_block(b), no = builder_block(b);
  step->blocks[0] = (uint32_t)yes;
  step->blocks[1] = (uint32_t)no;
  uint32_t fine = builder_value(b, "fine", VALUE_POOLED, F32(3)),
           wrong = builder_value(b, "wrong", VALUE_POOLED, F32(DIM_UNKNOWN));
  op(b, yes, STEP_KERNEL, "Neg", 13, IDS(x), IDS(fine));
  builder_gives(b, yes, fine, F32(3));
  op(b, no, STEP_KERNEL, "Reshape", 14, IDS(x, s), IDS(wrong));
  builder_gives(b, no, wrong, F32(5));
  struct run_case run = case_of(b);
  float in[3] = {1, 2, 3};
  uint8_t on = 1;
  case_input(&run, 0, SCALAR(DTYPE_BOOL), &on);
  case_input(&run, 1, F32(3), in);
  REQUIRE_OK(farm_context_run(run.context));
  on = 0;
  CHECK(farm_context_run(run.context) == FARM_INVALID);
  CHECK(strstr(farm_last_message(), "Reshape"));
  on = 1;
  REQUIRE_OK(farm_context_run(run.context));
  case_expect(&run, 0, F32(3), ((float[]){-1, -2, -3}));
  case_free(&run);
}

/* (a, b) -> (b, a + b), collecting a: an out that is another's in, and one that is made */
static struct plan_builder *fibonacci(enum value_place place) {
  struct plan_builder *b = builder_new();
  uint32_t trips = builder_input(b, "trips", SCALAR(DTYPE_I64));
  uint32_t a = builder_input(b, "a", I64(1)), c = builder_input(b, "b", I64(1));
  uint32_t last_a = builder_output(b, "last_a", I64(1)), last_b = builder_output(b, "last_b", I64(1));
  uint32_t all = builder_value(b, "all", VALUE_OUTPUT, I64(DIM_UNKNOWN, 1));
  builder_gives(b, 0, all, I64(DIM_UNKNOWN, 1));
  struct plan_step *loop = op(b, 0, STEP_LOOP, "Loop", 16, IDS(trips, PLAN_NO_INDEX, a, c), IDS(last_a, last_b, all));
  int body = builder_block(b);
  loop->blocks[0] = (uint32_t)body;
  uint32_t i = builder_value(b, "i", VALUE_HOST, SCALAR(DTYPE_I64)),
           going = builder_value(b, "going", VALUE_HOST, SCALAR(DTYPE_BOOL));
  uint32_t in_a = builder_value(b, "in_a", place, I64(1)), in_b = builder_value(b, "in_b", place, I64(1));
  uint32_t sum = builder_value(b, "sum", place, I64(1));
  uint32_t takes[] = {i, going, in_a, in_b}, gives[] = {going, in_b, sum, in_a};
  for (int k = 0; k < 4; k++) builder_takes(b, body, takes[k]);
  op(b, body, STEP_KERNEL, "Add", 14, IDS(in_a, in_b), IDS(sum));
  for (int k = 0; k < 4; k++) builder_gives(b, body, gives[k], I64(1));
  return b;
}

static void fibonacci_check(struct run_case *run, int64_t trips) {
  int64_t a = 0, c = 1, all[64], start[2] = {0, 1};
  case_input(run, 0, SCALAR(DTYPE_I64), &trips);
  case_input(run, 1, I64(1), &start[0]);
  case_input(run, 2, I64(1), &start[1]);
  int64_t count = trips > 0 ? trips : 0;
  for (int64_t i = 0; i < count; i++) {
    all[i] = a;
    int64_t next = a + c;
    a = c;
    c = next;
  }
  REQUIRE_OK(farm_context_run(run->context));
  case_expect(run, 0, I64(1), &a);
  case_expect(run, 1, I64(1), &c);
  case_expect(run, 2, I64(count, 1), all);
}

TEST(run_loop_carries_and_collects, "") {
  static const enum value_place places[] = {VALUE_POOLED, VALUE_ARENA, VALUE_HOST};
  for (int p = 0; p < 3; p++) {
    struct run_case run = case_of(fibonacci(places[p]));
    static const int64_t trips[] = {1, 10, 0, 2, 50, 3, -4, 10};
    for (int i = 0; i < 8; i++) fibonacci_check(&run, trips[i]);
    uint64_t memory = farm_context_memory(run.context);
    for (int i = 0; i < 8; i++) fibonacci_check(&run, trips[i]);
    CHECK(farm_context_memory(run.context) == memory);
    case_free(&run);
  }
}

/* v = concat(v, x) until it has 10 elements or more: shapes change with every iteration, the condition ends the loop */
TEST(run_loop_grows_until_its_condition_ends_it, "") {
  static const int64_t ten = 10, zero = 0;
  struct plan_builder *b = builder_new();
  uint32_t x = builder_input(b, "x", F32(3)), y = builder_value(b, "y", VALUE_OUTPUT, F32(DIM_UNKNOWN));
  uint32_t c10 = builder_constant(b, "ten", SCALAR(DTYPE_I64), &ten), c0 = builder_constant(b, "zero", SCALAR(DTYPE_I64), &zero);
  builder_gives(b, 0, y, F32(DIM_UNKNOWN));
  struct plan_step *loop = op(b, 0, STEP_LOOP, "Loop", 16, IDS(PLAN_NO_INDEX, PLAN_NO_INDEX, x), IDS(y));
  int body = builder_block(b);
  loop->blocks[0] = (uint32_t)body;
  uint32_t i = builder_value(b, "i", VALUE_POOLED, SCALAR(DTYPE_I64)),
           going = builder_value(b, "going", VALUE_POOLED, SCALAR(DTYPE_BOOL));
  uint32_t v = builder_value(b, "v", VALUE_POOLED, F32(DIM_UNKNOWN)),
           longer = builder_value(b, "longer", VALUE_POOLED, F32(DIM_UNKNOWN));
  uint32_t dims = builder_value(b, "dims", VALUE_HOST, I64(1)), n = builder_value(b, "n", VALUE_HOST, SCALAR(DTYPE_I64));
  uint32_t on = builder_value(b, "on", VALUE_HOST, SCALAR(DTYPE_BOOL));
  uint32_t takes[] = {i, going, v};
  for (int k = 0; k < 3; k++) builder_takes(b, body, takes[k]);
  axis_attr(b, op(b, body, STEP_KERNEL, "Concat", 13, IDS(v, x), IDS(longer)), 0);
  op(b, body, STEP_HOST, "Shape", 15, IDS(longer), IDS(dims));
  op(b, body, STEP_HOST, "Gather", 13, IDS(dims, c0), IDS(n));
  op(b, body, STEP_HOST, "Less", 13, IDS(n, c10), IDS(on));
  builder_gives(b, body, on, SCALAR(DTYPE_BOOL));
  builder_gives(b, body, longer, F32(DIM_UNKNOWN));
  struct run_case run = case_of(b);
  float in[3] = {1, 2, 3};
  case_input(&run, 0, F32(3), in);
  for (int round = 0; round < 3; round++) {
    REQUIRE_OK(farm_context_run(run.context));
    case_expect(&run, 0, F32(12), ((float[]){1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3}));
  }
  case_free(&run);
}

/* Running sums over rows or columns, forwards or backwards. */
static struct plan_builder *running_sum(int64_t axis, int64_t backwards) {
  static int64_t attrs[4];
  struct plan_builder *b = builder_new();
  uint32_t start = builder_input(b, "start", F32(2)),
           x = axis ? builder_input(b, "x", F32(2, 3)) : builder_input(b, "x", F32(3, 2));
  uint32_t total = builder_output(b, "total", F32(2)), sums = builder_output(b, "sums", axis ? F32(2, 3) : F32(3, 2));
  struct plan_step *scan = op(b, 0, STEP_SCAN, "Scan", 16, IDS(start, x), IDS(total, sums));
  attrs[0] = axis;
  attrs[1] = backwards;
  builder_attr(b, scan, (struct attr){.name = "num_scan_inputs", .type = ATTR_INT, .count = 1, .i = 1});
  builder_attr(b, scan, (struct attr){.name = "scan_input_axes", .type = ATTR_INTS, .count = 1, .ints = &attrs[0]});
  builder_attr(b, scan, (struct attr){.name = "scan_output_axes", .type = ATTR_INTS, .count = 1, .ints = &attrs[0]});
  builder_attr(b, scan, (struct attr){.name = "scan_input_directions", .type = ATTR_INTS, .count = 1, .ints = &attrs[1]});
  builder_attr(b, scan, (struct attr){.name = "scan_output_directions", .type = ATTR_INTS, .count = 1, .ints = &attrs[1]});
  int body = builder_block(b);
  scan->blocks[0] = (uint32_t)body;
  uint32_t carried = builder_value(b, "carried", VALUE_POOLED, F32(2)), slice = builder_value(b, "slice", VALUE_POOLED, F32(2));
  uint32_t sum = builder_value(b, "sum", VALUE_POOLED, F32(2));
  builder_takes(b, body, carried);
  builder_takes(b, body, slice);
  op(b, body, STEP_KERNEL, "Add", 14, IDS(carried, slice), IDS(sum));
  builder_gives(b, body, sum, F32(2));
  builder_gives(b, body, sum, F32(2));
  return b;
}

TEST(run_scan_along_an_axis, "") {
  const float rows[6] = {1, 2, 3, 4, 5, 6}, columns[6] = {1, 3, 5, 2, 4, 6}, start[2] = {10, 20};
  const float row_sums[2][6] = {{11, 22, 14, 26, 19, 32}, {19, 32, 18, 30, 15, 26}};
  const float column_sums[2][6] = {{11, 14, 19, 22, 26, 32}, {19, 18, 15, 32, 30, 26}};
  for (int axis = 0; axis < 2; axis++)
    for (int backwards = 0; backwards < 2; backwards++) {
      struct run_case run = case_of(running_sum(axis, backwards));
      struct tensor type = axis ? F32(2, 3) : F32(3, 2);
      case_input(&run, 0, F32(2), start);
      case_input(&run, 1, type, axis ? columns : rows);
      for (int round = 0; round < 2; round++) {
        REQUIRE_OK(farm_context_run(run.context));
        case_expect(&run, 0, F32(2), ((float[]){19, 32}));
        case_expect(&run, 1, type, axis ? column_sums[backwards] : row_sums[backwards]);
      }
      case_free(&run);
    }
}

/* (a, b) -> two of {a, b, a + b}: outs that are each other's in, and one out given twice */
static struct plan_builder *carrying(enum value_place place, int first, int second) {
  struct plan_builder *b = builder_new();
  uint32_t trips = builder_input(b, "trips", SCALAR(DTYPE_I64)), a = builder_input(b, "a", I64(1)),
           c = builder_input(b, "b", I64(1));
  uint32_t last_a = builder_output(b, "last_a", I64(1)), last_b = builder_output(b, "last_b", I64(1));
  struct plan_step *loop = op(b, 0, STEP_LOOP, "Loop", 16, IDS(trips, PLAN_NO_INDEX, a, c), IDS(last_a, last_b));
  int body = builder_block(b);
  loop->blocks[0] = (uint32_t)body;
  uint32_t i = builder_value(b, "i", VALUE_HOST, SCALAR(DTYPE_I64)),
           going = builder_value(b, "going", VALUE_HOST, SCALAR(DTYPE_BOOL));
  uint32_t in_a = builder_value(b, "in_a", place, I64(1)), in_b = builder_value(b, "in_b", place, I64(1));
  uint32_t sum = builder_value(b, "sum", place, I64(1)), choice[] = {in_a, in_b, sum};
  uint32_t takes[] = {i, going, in_a, in_b}, gives[] = {going, choice[first], choice[second]};
  for (int k = 0; k < 4; k++) builder_takes(b, body, takes[k]);
  op(b, body, STEP_KERNEL, "Add", 14, IDS(in_a, in_b), IDS(sum));
  for (int k = 0; k < 3; k++) builder_gives(b, body, gives[k], I64(1));
  return b;
}

TEST(run_loop_carries_all_at_once, "") {
  static const enum value_place places[] = {VALUE_POOLED, VALUE_ARENA, VALUE_HOST};
  for (int kind = 0; kind < 27; kind++) {
    int first = kind % 3, second = kind / 3 % 3;
    struct run_case run = case_of(carrying(places[kind / 9], first, second));
    for (int64_t trips = 0; trips < 7; trips++) {
      int64_t start[2] = {3, 5}, a = 3, b = 5;
      for (int64_t t = 0; t < trips; t++) {
        int64_t choice[] = {a, b, a + b};
        a = choice[first];
        b = choice[second];
      }
      case_input(&run, 0, SCALAR(DTYPE_I64), &trips);
      for (int i = 0; i < 2; i++) case_input(&run, 1 + i, I64(1), &start[i]);
      REQUIRE_OK(farm_context_run(run.context));
      case_expect(&run, 0, I64(1), &a);
      case_expect(&run, 1, I64(1), &b);
    }
    case_free(&run);
  }
}
