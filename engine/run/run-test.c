#include "run-case-test.h"

#include "../../base/clock.h"

#include <pthread.h>

/* y = relu(x + w), z = y as another shape */
static struct plan_builder *chain(void) {
  static const float w[3] = {1, -2, 3};
  static const int64_t shape[1] = {-1};
  struct plan_builder *b = builder_new();
  uint32_t x = builder_input(b, "x", F32(2, 3)), c = builder_constant(b, "w", F32(3), w),
           s = builder_constant(b, "s", I64(1), shape);
  uint32_t sum = builder_value(b, "sum", VALUE_ARENA, F32(2, 3)), y = builder_output(b, "y", F32(2, 3));
  uint32_t z = builder_view(b, "z", y, 0, F32(6));
  builder_gives(b, 0, z, F32(6));
  op(b, 0, STEP_KERNEL, "Add", 14, IDS(x, c), IDS(sum));
  op(b, 0, STEP_KERNEL, "Relu", 14, IDS(sum), IDS(y));
  op(b, 0, STEP_VIEW, "Reshape", 14, IDS(y, s), IDS(z));
  return b;
}
static const float chain_in[6] = {1, 1, 1, -5, 5, -1}, chain_out[6] = {2, 0, 4, 0, 3, 2};

TEST(run_chain_of_steps, "") {
  struct run_case run = case_of(chain());
  case_input(&run, 0, F32(2, 3), chain_in);
  REQUIRE_OK(farm_context_run(run.context));
  case_expect(&run, 0, F32(2, 3), chain_out);
  case_expect(&run, 1, F32(6), chain_out);
  float other[6] = {0};
  case_input(&run, 0, F32(2, 3), other);
  REQUIRE_OK(farm_context_run(run.context));
  case_expect(&run, 1, F32(6), ((float[]){1, 0, 3, 1, 0, 3}));
  case_free(&run);
}

TEST(run_reads_and_writes_the_users_buffers, "") {
  struct run_case run = case_of(chain());
  float in[6], out[6] = {0};
  memcpy(in, chain_in, sizeof in);
  case_input(&run, 0, F32(2, 3), in);
  farm_tensor_t bound = tensor_to_farm(F32(2, 3), out);
  REQUIRE_OK(farm_context_set_output(run.context, 0, &bound));
  REQUIRE_OK(farm_context_run(run.context));
  CHECK(memcmp(out, chain_out, sizeof out) == 0);
  case_expect(&run, 1, F32(6), chain_out); // the view follows the bound buffer
  in[0] = 10;
  REQUIRE_OK(farm_context_run(run.context)); // nothing is bound anew
  CHECK(out[0] == 11);
  REQUIRE_OK(farm_context_set_output(run.context, 0, NULL));
  in[0] = 20;
  REQUIRE_OK(farm_context_run(run.context));
  CHECK(out[0] == 11);
  bound.bytes = 8;
  REQUIRE_OK(farm_context_set_output(run.context, 0, &bound));
  CHECK(farm_context_run(run.context) == FARM_USAGE);
  CHECK(strstr(farm_last_message(), "y"));
  REQUIRE_OK(farm_context_set_output(run.context, 0, NULL));
  REQUIRE_OK(farm_context_run(run.context));
  case_free(&run);
}

TEST(run_with_unaligned_buffers, "") {
  struct run_case run = case_of(chain());
  for (size_t shift = 0; shift < 8; shift++) {
    char in[40], out[2][40];
    memcpy(in + shift, chain_in, sizeof chain_in);
    case_input(&run, 0, F32(2, 3), in + shift);
    for (int i = 0; i < 2; i++) {
      farm_tensor_t bound = tensor_to_farm(i ? F32(6) : F32(2, 3), out[i] + shift);
      REQUIRE_OK(farm_context_set_output(run.context, i, &bound));
    }
    for (int again = 0; again < 2; again++) {
      memset(out, 0, sizeof out);
      REQUIRE_OK(farm_context_run(run.context));
      CHECK(memcmp(out[0] + shift, chain_out, sizeof chain_out) == 0 && memcmp(out[1] + shift, chain_out, sizeof chain_out) == 0);
    }
    memset(in + shift, 0, 4);
    REQUIRE_OK(farm_context_run(run.context));
    float first;
    memcpy(&first, out[0] + shift, 4);
    CHECK(first == 1);
    CHECK((uintptr_t)run.context->current->values[0].data % 4 == 0); // kernels never see an address that floats may not have
  }
  case_free(&run);
}

/* Outputs of every place, and one value given twice. */
TEST(run_gives_inputs_constants_and_the_same_value_twice, "") {
  static const float w[2] = {7, 8};
  struct plan_builder *b = builder_new();
  uint32_t x = builder_input(b, "x", F32(2)), c = builder_constant(b, "c", F32(2), w), y = builder_output(b, "y", F32(2));
  op(b, 0, STEP_KERNEL, "Add", 14, IDS(x, c), IDS(y));
  builder_gives(b, 0, y, F32(2));
  builder_gives(b, 0, x, F32(2));
  builder_gives(b, 0, c, F32(2));
  struct run_case run = case_of(b);
  float in[2] = {1, 2}, out[4][2];
  case_input(&run, 0, F32(2), in);
  for (int bound = 0; bound < 2; bound++) {
    for (int i = 0; i < 4 && bound; i++) {
      farm_tensor_t tensor = tensor_to_farm(F32(2), out[i]);
      REQUIRE_OK(farm_context_set_output(run.context, i, &tensor));
    }
    REQUIRE_OK(farm_context_run(run.context));
    for (int i = 0; i < 2; i++) case_expect(&run, i, F32(2), ((float[]){8, 10}));
    case_expect(&run, 2, F32(2), in);
    case_expect(&run, 3, F32(2), w);
  }
  case_free(&run);
}

TEST(run_concat_as_views_of_its_output, "") {
  struct plan_builder *b = builder_new();
  uint32_t x = builder_input(b, "x", F32(1, 16)), y = builder_output(b, "y", F32(1, 32));
  uint32_t left = builder_view(b, "left", y, 0, F32(1, 16)), right = builder_view(b, "right", y, 64, F32(1, 16));
  op(b, 0, STEP_KERNEL, "Relu", 14, IDS(x), IDS(left));
  op(b, 0, STEP_KERNEL, "Neg", 13, IDS(x), IDS(right));
  axis_attr(b, op(b, 0, STEP_VIEW, "Concat", 13, IDS(left, right), IDS(y)), 1);
  struct run_case run = case_of(b);
  float in[16], out[33], expected[32];
  for (int i = 0; i < 16; i++) in[i] = (float)(i - 8), expected[i] = in[i] > 0 ? in[i] : 0, expected[16 + i] = -in[i];
  case_input(&run, 0, F32(1, 16), in);
  REQUIRE_OK(farm_context_run(run.context));
  case_expect(&run, 0, F32(1, 32), expected);
  farm_tensor_t bound = tensor_to_farm(F32(1, 32), out + 1);
  REQUIRE_OK(farm_context_set_output(run.context, 0, &bound));
  REQUIRE_OK(farm_context_run(run.context));
  for (int i = 0; i < 32; i++) CHECK(out[1 + i] == expected[i]);
  bound.bytes = 100; // the right part ends at 128
  REQUIRE_OK(farm_context_set_output(run.context, 0, &bound));
  CHECK(farm_context_run(run.context) == FARM_USAGE);
  case_free(&run);
}

/* ---- shapes that vary ---- */

/* y[batch * 3] = relu(x)[batch, 3] flattened by shape arithmetic on the host: Shape, Gather, Mul, Unsqueeze, Reshape */
static struct plan_builder *flatten(void) {
  static const int64_t zero = 0, three = 3, axes[1] = {0};
  struct plan_builder *b = builder_new();
  builder_symbol(b, "batch", 1, 4, 32);
  uint32_t x = builder_input(b, "x", F32(-2, 3));
  uint32_t c0 = builder_constant(b, "c0", SCALAR(DTYPE_I64), &zero), c3 = builder_constant(b, "c3", SCALAR(DTYPE_I64), &three);
  uint32_t ax = builder_constant(b, "axes", I64(1), axes);
  uint32_t dims = builder_value(b, "dims", VALUE_HOST, I64(2)), batch = builder_value(b, "batch", VALUE_HOST, SCALAR(DTYPE_I64));
  uint32_t all = builder_value(b, "all", VALUE_HOST, SCALAR(DTYPE_I64)), shape = builder_value(b, "shape", VALUE_HOST, I64(1));
  uint32_t a = builder_value(b, "a", VALUE_ARENA, F32(-2, 3)), v = builder_view(b, "v", a, 0, F32(96));
  b->values[v].fixed = false;
  uint32_t y = builder_output(b, "y", F32(96));
  b->values[y].fixed = false;
  op(b, 0, STEP_HOST, "Shape", 15, IDS(x), IDS(dims));
  op(b, 0, STEP_HOST, "Gather", 13, IDS(dims, c0), IDS(batch));
  op(b, 0, STEP_HOST, "Mul", 14, IDS(batch, c3), IDS(all));
  op(b, 0, STEP_HOST, "Unsqueeze", 13, IDS(all, ax), IDS(shape));
  op(b, 0, STEP_KERNEL, "Relu", 14, IDS(x), IDS(a));
  op(b, 0, STEP_VIEW, "Reshape", 14, IDS(a, shape), IDS(v));
  op(b, 0, STEP_KERNEL, "Neg", 13, IDS(v), IDS(y));
  return b;
}

static void flatten_check(struct run_case *run, int64_t batch) {
  float in[96], expected[96];
  for (int i = 0; i < 96; i++) in[i] = (float)(i % 7 - 3), expected[i] = in[i] > 0 ? -in[i] : -0.0f;
  case_input(run, 0, F32(batch, 3), in);
  REQUIRE_OK(farm_context_run(run->context));
  case_expect(run, 0, F32(batch * 3), expected);
}

TEST(run_shapes_vary_within_their_range, "") {
  struct run_case run = case_of(flatten());
  for (int64_t batch = 1; batch <= 32; batch++) flatten_check(&run, batch);
  float in[200] = {0};
  for (int64_t bad = 0; bad < 2; bad++) {
    farm_tensor_t tensor = tensor_to_farm(F32(bad ? 33 : 0, 3), in);
    CHECK(farm_context_set_input(run.context, 0, &tensor) == FARM_USAGE);
    CHECK(strstr(farm_last_message(), "input x") && strstr(farm_last_message(), "1 to 32"));
  }
  flatten_check(&run, 7); // a refused binding changes nothing
  case_free(&run);
}

TEST(run_a_shape_once_prepared_is_kept, "") {
  struct run_case run = case_of(flatten());
  for (int64_t batch = 1; batch <= PREPARED_SHAPES; batch++) flatten_check(&run, batch);
  const struct prepared *first = run.context->prepared[0];
  uint64_t memory = farm_context_memory(run.context);
  for (int round = 0; round < 3; round++)
    for (int64_t batch = 1; batch <= PREPARED_SHAPES; batch++) flatten_check(&run, batch);
  CHECK(run.context->prepared[0] == first && farm_context_memory(run.context) == memory);
  flatten_check(&run, 1); // shape 2 is now the one used longest ago
  flatten_check(&run, 30);
  CHECK(run.context->prepared[0] == first);
  CHECK(run.context->prepared[1]->input_types[0].dims[0] == 30);
  case_free(&run);
}

TEST(run_one_symbol_means_one_number, "") {
  struct plan_builder *b = builder_new();
  builder_symbol(b, "n", 1, 2, 8);
  uint32_t x = builder_input(b, "x", F32(-2)), z = builder_input(b, "z", F32(-2)), y = builder_output(b, "y", F32(-2));
  op(b, 0, STEP_KERNEL, "Add", 14, IDS(x, z), IDS(y));
  struct run_case run = case_of(b);
  float data[8] = {1, 2, 3};
  case_input(&run, 0, F32(3), data);
  CHECK(farm_context_run(run.context) == FARM_USAGE && strstr(farm_last_message(), "input z is not set"));
  case_input(&run, 1, F32(1), data);
  CHECK(farm_context_run(run.context) == FARM_USAGE && strstr(farm_last_message(), "n is 3"));
  case_input(&run, 1, F32(3), data);
  REQUIRE_OK(farm_context_run(run.context));
  case_expect(&run, 0, F32(3), ((float[]){2, 4, 6}));
  case_free(&run);
}

TEST(run_sizes_that_only_data_tells, "") {
  struct plan_builder *b = builder_new();
  uint32_t x = builder_input(b, "x", F32(2, 3));
  uint32_t where = builder_value(b, "where", VALUE_POOLED, I64(2, DIM_UNKNOWN));
  uint32_t y = builder_value(b, "y", VALUE_OUTPUT, I64(2, DIM_UNKNOWN));
  uint32_t n = builder_value(b, "n", VALUE_HOST, I64(2));
  builder_gives(b, 0, y, I64(2, DIM_UNKNOWN));
  builder_gives(b, 0, n, I64(2));
  op(b, 0, STEP_KERNEL, "NonZero", 13, IDS(x), IDS(where));
  op(b, 0, STEP_KERNEL, "Add", 14, IDS(where, where), IDS(y));
  op(b, 0, STEP_HOST, "Shape", 15, IDS(where), IDS(n));
  struct run_case run = case_of(b);
  float in[6] = {0, 1, 0, 1, 0, 1};
  case_input(&run, 0, F32(2, 3), in);
  REQUIRE_OK(farm_context_run(run.context));
  case_expect(&run, 0, I64(2, 3), ((int64_t[]){0, 2, 2, 2, 0, 4}));
  case_expect(&run, 1, I64(2), ((int64_t[]){2, 3}));
  memset(in, 0, sizeof in);
  REQUIRE_OK(farm_context_run(run.context));
  case_expect(&run, 1, I64(2), ((int64_t[]){2, 0}));
  for (int i = 0; i < 6; i++) in[i] = 1;
  REQUIRE_OK(farm_context_run(run.context));
  case_expect(&run, 0, I64(2, 6), ((int64_t[]){0, 0, 0, 2, 2, 2, 0, 2, 4, 0, 2, 4}));
  int64_t small[4];
  farm_tensor_t bound = tensor_to_farm(I64(4), small);
  REQUIRE_OK(farm_context_set_output(run.context, 0, &bound));
  CHECK(farm_context_run(run.context) == FARM_USAGE);
  in[0] = in[1] = in[2] = in[3] = 0;
  REQUIRE_OK(farm_context_run(run.context));
  CHECK(small[0] == 2 && small[1] == 2 && small[2] == 2 && small[3] == 4);
  case_free(&run);
}

/* The same types, other contents: what follows from host values is found anew. */
TEST(run_shapes_that_the_caller_computes, "") {
  struct plan_builder *b = builder_new();
  uint32_t x = builder_input(b, "x", F32(6)), shape = builder_input(b, "shape", I64(2));
  uint32_t y = builder_value(b, "y", VALUE_OUTPUT, F32(DIM_UNKNOWN, DIM_UNKNOWN));
  builder_gives(b, 0, y, F32(DIM_UNKNOWN, DIM_UNKNOWN));
  op(b, 0, STEP_KERNEL, "Reshape", 14, IDS(x, shape), IDS(y));
  struct run_case run = case_of(b);
  float in[6] = {1, 2, 3, 4, 5, 6};
  int64_t dims[2] = {2, 3};
  case_input(&run, 0, F32(6), in);
  case_input(&run, 1, I64(2), dims);
  for (int64_t rows = 1; rows <= 3; rows++) {
    dims[0] = rows;
    dims[1] = 6 / rows;
    REQUIRE_OK(farm_context_run(run.context));
    case_expect(&run, 0, F32(rows, 6 / rows), in);
  }
  dims[0] = 4;
  CHECK(farm_context_run(run.context) == FARM_INVALID && strstr(farm_last_message(), "step Reshape"));
  dims[0] = 3;
  REQUIRE_OK(farm_context_run(run.context));
  case_expect(&run, 0, F32(3, 2), in);
  case_free(&run);
}

/* ---- profile, cost ---- */

TEST(run_profile_counts_every_step, "") {
  struct run_case run = {.builder = chain()};
  case_load(&run, 1, true);
  case_input(&run, 0, F32(2, 3), chain_in);
  for (int i = 0; i < 5; i++) REQUIRE_OK(farm_context_run(run.context));
  CHECK(farm_context_step_count(run.context) == 3);
  farm_step_profile_t profile = {.size = sizeof profile};
  REQUIRE_OK(farm_context_profile(run.context, 1, &profile));
  CHECK_TEXT(profile.name, "Relu");
  CHECK(profile.calls == 5 && profile.total_ns > 0);
  CHECK(farm_context_profile(run.context, 3, &profile) == FARM_USAGE);
  case_free(&run);
}

TEST(run_step_overhead, "slow") {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  SKIP("sanitizers make it slower");
#endif
  struct plan_builder *b = builder_new();
  uint32_t at = builder_input(b, "x", F32(1));
  for (int i = 0; i < 50; i++) {
    uint32_t to = i == 49 ? builder_output(b, "y", F32(1)) : builder_value(b, "v", VALUE_ARENA, F32(1));
    op(b, 0, STEP_COPY, "Identity", 16, IDS(at), IDS(to));
    at = to;
  }
  struct run_case run = case_of(b);
  float in[1] = {3};
  case_input(&run, 0, F32(1), in);
  double best_ns = 1e9;
  for (int i = 0; i < 2000; i++) {
    uint64_t start = clock_now_ns();
    REQUIRE_OK(farm_context_run(run.context));
    double each = (double)(clock_now_ns() - start) / 50;
    if (each < best_ns) best_ns = each;
  }
  case_expect(&run, 0, F32(1), in);
  CHECK_MESSAGE(best_ns < 300, "%.0f ns per step", best_ns);
  case_free(&run);
}

/* ---- contexts side by side ---- */

struct side {
  farm_engine_t *engine;
  int64_t first;
  bool right;
};

static void *side_run(void *argument) {
  struct side *side = argument;
  farm_context_options_t options = {.size = sizeof options, .threads = 2};
  struct run_case run = {.engine = side->engine};
  REQUIRE_OK(farm_context_create(side->engine, &options, &run.context));
  for (int64_t i = 0; i < 60; i++) flatten_check(&run, 1 + (side->first + i) % 20);
  farm_context_free(run.context);
  side->right = true;
  return NULL;
}

TEST(run_contexts_of_one_engine_in_parallel, "") {
  struct run_case run = case_of(flatten());
  struct side sides[4];
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) {
    sides[i] = (struct side){run.engine, i * 5, false};
    REQUIRE(pthread_create(&threads[i], NULL, side_run, &sides[i]) == 0);
  }
  for (int i = 0; i < 4; i++) {
    pthread_join(threads[i], NULL);
    CHECK(sides[i].right);
  }
  case_free(&run);
}
