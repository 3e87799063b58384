/* Operations that only move elements, in the emulator against the operators' references: every width of an element, units of
 * every size, axes from both ends, parts and pads of nothing, numbers of the host that are not there.
 */
#include "op-case-test.h"

static const enum dtype widths[] = {DTYPE_F32, DTYPE_U8, DTYPE_F16, DTYPE_I64, DTYPE_BOOL, DTYPE_C64};
enum { WIDTHS = sizeof widths / sizeof *widths, LEFT_OUT = -1 };
#define LIST(...)                                                                                                                \
  (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]) { __VA_ARGS__ }

static struct cuda_sweep emulator(void) {
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, CUDA_SWEEP_COVERING, 90);
  cuda_sweep_open(&sweep);
  return sweep;
}

/* Shapes, expectation, run. */
static void go(struct cuda_sweep *sweep, struct operation_case *made, int outputs) {
  case_shapes(made, outputs);
  case_expect(made);
  case_run(sweep, made);
  case_close(made);
}

static void string_attr(struct operation_case *made, const char *attr, const char *value) {
  case_attr(made, (struct attr){.name = attr, .type = ATTR_STRING, .count = 1, .s = value, .length = strlen(value)});
}

/* ---- Concat, Split ---- */

/* The whole is `dims` with the parts' sum along the axis. */
static void joined_and_split(struct cuda_sweep *sweep, enum dtype dtype, int rank, const int64_t *dims, int axis, int count,
                             const int64_t *extents) {
  struct operation_case made;
  int64_t part[TENSOR_MAX_RANK];
  const int at = axis < 0 ? axis + rank : axis;
  memcpy(part, dims, sizeof *part * (size_t)rank);
  case_open(&made, "Concat", "axis", axis);
  for (int i = 0; i < count; i++) {
    part[at] = extents[i];
    case_input(&made, dtype, rank, part);
  }
  go(sweep, &made, 1);
  case_open(&made, "Split", "axis", axis);
  for (int i = part[at] = 0; i < count; i++) part[at] += extents[i];
  case_input(&made, dtype, rank, part);
  case_list(&made, DTYPE_I64, count, extents);
  go(sweep, &made, count);
}

static void joins(struct cuda_sweep *sweep, enum dtype dtype) {
  joined_and_split(sweep, dtype, DIMS(3, 0, 16), 1, LIST(1, 7, 2));   // whole units
  joined_and_split(sweep, dtype, DIMS(5, 0), -1, LIST(3, 1, 9, 300)); // rows of odd parts
  joined_and_split(sweep, dtype, DIMS(0, 2, 3), 0, LIST(2, 0, 5));    // one has nothing
  joined_and_split(sweep, dtype, DIMS(2, 3, 0, 2), -2, LIST(4));
}

TEST(cuda_joins_and_splits, "timeout:120") {
  struct cuda_sweep sweep = emulator();
  for (int t = 0; t < WIDTHS; t++) joins(&sweep, widths[t]);
  joined_and_split(&sweep, DTYPE_F32, DIMS(1, 2, 1, 3, 1, 0, 2, 1), -3, LIST(3, 5));
  joined_and_split(&sweep, DTYPE_F32, DIMS(0, 0, 4), 1, LIST(3, 5)); // nothing at all
  joined_and_split(&sweep, DTYPE_F32, DIMS(4, 0), 1, LIST(0, 0));
  CHECK(sweep.compiled == 1);
  cuda_sweep_end(&sweep);
}

TEST(cuda_joins_many_and_one_twice, "timeout:120") {
  struct cuda_sweep sweep = emulator();
  struct operation_case made;
  case_open(&made, "Concat", "axis", 0);
  for (int i = 0; i < CASE_MOST; i++) case_input(&made, DTYPE_F32, DIMS(i + 1, 3));
  tensor_free(&made.input_tensors[3]);
  made.inputs[3] = made.inputs[6];
  go(&sweep, &made, 1);
  case_open_at(&made, "Split", 18); // outputs that nobody wants
  case_int(&made, "num_outputs", 4);
  case_input(&made, DTYPE_F16, DIMS(10, 3));
  go(&sweep, &made, 2);
  case_open_at(&made, "Split", 18);
  case_int(&made, "num_outputs", 2);
  case_int(&made, "axis", 1);
  case_input(&made, DTYPE_F32, DIMS(3, 7));
  go(&sweep, &made, 1);
  cuda_sweep_end(&sweep);
}

/* ---- Slice ---- */

struct slice {
  int count;
  const int64_t *starts, *ends, *axes, *steps; // axes, steps NULL: left out
};

static void sliced(struct cuda_sweep *sweep, enum dtype dtype, int rank, const int64_t *dims, struct slice slice) {
  struct operation_case made;
  case_open_at(&made, "Slice", 13);
  case_input(&made, dtype, rank, dims);
  case_list(&made, DTYPE_I64, slice.count, slice.starts);
  case_list(&made, DTYPE_I64, slice.count, slice.ends);
  if (slice.axes || slice.steps) case_list(&made, DTYPE_I64, slice.axes ? slice.count : LEFT_OUT, slice.axes);
  if (slice.steps) case_list(&made, DTYPE_I64, slice.count, slice.steps);
  go(sweep, &made, 1);
}
#define INTS(...) ((const int64_t[]){__VA_ARGS__})

static void slices(struct cuda_sweep *sweep, enum dtype dtype) {
  const int64_t first = INT64_MIN, last = INT64_MAX;
  sliced(sweep, dtype, DIMS(5, 4, 32), (struct slice){1, INTS(1), INTS(4), INTS(0), NULL}); // neighbours, in large units
  sliced(sweep, dtype, DIMS(5, 4, 32), (struct slice){1, INTS(16), INTS(last), INTS(-1), NULL});
  sliced(sweep, dtype, DIMS(5, 4, 32), (struct slice){1, INTS(3), INTS(-3), INTS(2), NULL});
  sliced(sweep, dtype, DIMS(9, 4, 11), (struct slice){2, INTS(0, -1), INTS(last, first), INTS(1, -1), INTS(3, -2)});
  sliced(sweep, dtype, DIMS(9, 4, 11), (struct slice){3, INTS(-1, 1, 2), INTS(first, 3, 3), NULL, INTS(-1, 1, last)});
  sliced(sweep, dtype, DIMS(9, 4, 11), (struct slice){1, INTS(100), INTS(first), INTS(0), INTS(-3)});
  sliced(sweep, dtype, DIMS(9, 4, 11), (struct slice){1, INTS(5), INTS(5), INTS(0), INTS(1)}); // nothing
  sliced(sweep, dtype, DIMS(9, 4, 11), (struct slice){0, NULL, NULL, NULL, NULL});             // everything
  sliced(sweep, dtype, DIMS(9), (struct slice){1, INTS(-9), INTS(-8), NULL, INTS(first + 1)});
}

TEST(cuda_slices, "timeout:120") {
  struct cuda_sweep sweep = emulator();
  struct operation_case made;
  for (int t = 0; t < WIDTHS; t++) slices(&sweep, widths[t]);
  sliced(
      &sweep, DTYPE_F16, DIMS(2, 3, 2, 3, 2, 3, 2, 3), // every dim cut: eight of them are left
      (struct slice){8, INTS(0, 2, -1, 2, 0, -1, 0, 0), INTS(2, 0, -3, -4, 1, -4, 2, 2), NULL, INTS(1, -1, -1, -1, 1, -2, 1, 1)});
  sliced(&sweep, DTYPE_F32, DIMS(0, 4), (struct slice){1, INTS(1), INTS(3), INTS(1), NULL});
  case_open_at(&made, "Slice", 9);
  case_ints(&made, "starts", LIST(1, -3));
  case_ints(&made, "ends", LIST(3, 1000));
  case_ints(&made, "axes", LIST(1, 0));
  case_input(&made, DTYPE_F32, DIMS(6, 5));
  go(&sweep, &made, 1);
  CHECK(sweep.compiled == 1);
  cuda_sweep_end(&sweep);
}

/* ---- Expand, Tile ---- */

static void repeated(struct cuda_sweep *sweep, const char *name, enum dtype dtype, int rank, const int64_t *dims, int count,
                     const int64_t *list) {
  struct operation_case made;
  case_open_at(&made, name, 13);
  case_input(&made, dtype, rank, dims);
  case_list(&made, DTYPE_I64, count, list);
  go(sweep, &made, 1);
}

static void repeats(struct cuda_sweep *sweep, enum dtype dtype) {
  repeated(sweep, "Expand", dtype, DIMS(3, 1, 16), LIST(2, 1, 5, 1)); // a new dim in front
  repeated(sweep, "Expand", dtype, DIMS(7, 1), LIST(7, 33));
  repeated(sweep, "Expand", dtype, DIMS(1, 1, 768), LIST(3, 1, 768));
  repeated(sweep, "Expand", dtype, 0, NULL, LIST(2, 3));
  repeated(sweep, "Expand", dtype, DIMS(1, 3, 1, 2), LIST(2, 1, 2, 1, 2, 1, 3, 1));
  repeated(sweep, "Expand", dtype, DIMS(3, 1), LIST(3, 0)); // nothing
  repeated(sweep, "Tile", dtype, DIMS(2, 3), LIST(2, 3));
  repeated(sweep, "Tile", dtype, DIMS(2, 16), LIST(1, 2));
  repeated(sweep, "Tile", dtype, DIMS(5, 16), LIST(3, 1));
  repeated(sweep, "Tile", dtype, DIMS(2, 3), LIST(0, 3));
  repeated(sweep, "Tile", dtype, DIMS(0, 3), LIST(2, 3));
}

TEST(cuda_expands_and_tiles, "timeout:120") {
  struct cuda_sweep sweep = emulator();
  for (int t = 0; t < WIDTHS; t++) repeats(&sweep, widths[t]);
  repeated(&sweep, "Tile", DTYPE_F32, DIMS(2, 1, 2, 1, 2, 1, 2, 1), LIST(2, 3, 1, 2, 2, 1, 2, 3));
  repeated(&sweep, "Tile", DTYPE_U8, DIMS(2, 3, 2, 2, 2, 2, 3, 2), LIST(2, 2, 2, 2, 2, 2, 2, 2)); // no dims to merge
  CHECK(sweep.compiled == 1);
  cuda_sweep_end(&sweep);
}

/* ---- DepthToSpace, SpaceToDepth ---- */

static void blocks(struct cuda_sweep *sweep, const char *name, const char *mode, enum dtype dtype, int64_t b, int rank,
                   const int64_t *dims) {
  struct operation_case made;
  case_open(&made, name, "blocksize", b);
  if (mode) string_attr(&made, "mode", mode);
  case_input(&made, dtype, rank, dims);
  go(sweep, &made, 1);
}

TEST(cuda_depth_to_space_and_back, "timeout:120") {
  struct cuda_sweep sweep = emulator();
  for (int t = 0; t < WIDTHS; t++) {
    blocks(&sweep, "DepthToSpace", NULL, widths[t], 2, DIMS(2, 12, 3, 5));
    blocks(&sweep, "DepthToSpace", "DCR", widths[t], 3, DIMS(1, 9, 2, 4));
    blocks(&sweep, "DepthToSpace", "CRD", widths[t], 2, DIMS(2, 12, 3, 5));
    blocks(&sweep, "SpaceToDepth", NULL, widths[t], 2, DIMS(2, 3, 6, 10));
    blocks(&sweep, "SpaceToDepth", NULL, widths[t], 1, DIMS(1, 2, 3, 16));
  }
  blocks(&sweep, "DepthToSpace", "CRD", DTYPE_F32, 2, DIMS(0, 4, 3, 3));
  cuda_sweep_end(&sweep);
}

/* ---- Resize ---- */

/* By scales, or to the sizes that they make. */
static void resized(struct cuda_sweep *sweep, enum dtype dtype, bool by_sizes, int rank, const int64_t *dims,
                    const int64_t *factors) {
  struct operation_case made;
  int64_t sizes[TENSOR_MAX_RANK];
  case_open_at(&made, "Resize", 13);
  string_attr(&made, "mode", "nearest");
  string_attr(&made, "nearest_mode", "floor");
  string_attr(&made, "coordinate_transformation_mode", "asymmetric");
  case_input(&made, dtype, rank, dims);
  made.input_count++; // no region of interest
  for (int d = 0; d < rank; d++) sizes[d] = dims[d] * factors[d];
  if (by_sizes) made.input_count++;
  case_list(&made, by_sizes ? DTYPE_I64 : DTYPE_F32, rank, by_sizes ? sizes : factors);
  go(sweep, &made, 1);
}

TEST(cuda_resizes_by_whole_factors, "timeout:120") {
  static const enum dtype types[] = {DTYPE_F32, DTYPE_F16, DTYPE_U8};
  struct cuda_sweep sweep = emulator();
  for (int t = 0; t < 3; t++)
    for (int by_sizes = 0; by_sizes < 2; by_sizes++) {
      resized(&sweep, types[t], by_sizes, DIMS(2, 3, 5, 7), INTS(1, 1, 2, 2));
      resized(&sweep, types[t], by_sizes, DIMS(1, 2, 3, 16), INTS(1, 2, 3, 1));
      resized(&sweep, types[t], by_sizes, DIMS(5), INTS(3));
    }
  cuda_sweep_end(&sweep);
}

/* ---- Pad ---- */

/* axis_count -1: no axes; constant: whether there is one. */
static void padded(struct cuda_sweep *sweep, enum dtype dtype, int rank, const int64_t *dims, int count, const int64_t *pads,
                   bool constant, int axis_count, const int64_t *axes) {
  struct operation_case made;
  case_open_at(&made, "Pad", 18);
  case_input(&made, dtype, rank, dims);
  case_list(&made, DTYPE_I64, count, pads);
  if (constant)
    case_input(&made, dtype, 0, NULL);
  else
    made.input_count++;
  if (axis_count >= 0) case_list(&made, DTYPE_I64, axis_count, axes);
  go(sweep, &made, 1);
}

static void pads(struct cuda_sweep *sweep, enum dtype dtype, bool constant) {
  padded(sweep, dtype, DIMS(3, 5), LIST(1, 0, 2, 0), constant, LEFT_OUT, NULL); // whole rows
  padded(sweep, dtype, DIMS(3, 5), LIST(0, 3, 0, 1), constant, LEFT_OUT, NULL);
  padded(sweep, dtype, DIMS(2, 3, 4, 16), LIST(0, 0, 1, 1, 0, 0, 1, 1), constant, LEFT_OUT, NULL); // an image's border
  padded(sweep, dtype, DIMS(2, 3, 16), LIST(0, 1, 16, 0, 0, 32), constant, LEFT_OUT, NULL);
  padded(sweep, dtype, DIMS(4, 6), LIST(-1, 2, 1, -3), constant, LEFT_OUT, NULL); // cut on one side
  padded(sweep, dtype, DIMS(4, 6), LIST(-3, -6, 2, 9), constant, LEFT_OUT, NULL); // nothing left in between
  padded(sweep, dtype, DIMS(4, 6), LIST(0, 1, 0, -1), constant, LEFT_OUT, NULL);  // shifted
  padded(sweep, dtype, DIMS(2, 3), LIST(0, 4, 0, 1), constant, LEFT_OUT, NULL);
  padded(sweep, dtype, DIMS(4, 6, 8), LIST(2, 1, 0, 3), constant, LIST(-1, 0));
  padded(sweep, dtype, DIMS(0, 3), LIST(1, 1, 1, 0), constant, LEFT_OUT, NULL);   // filler alone
  padded(sweep, dtype, DIMS(2, 3), LIST(-1, 0, -1, 0), constant, LEFT_OUT, NULL); // nothing
  padded(sweep, dtype, 0, NULL, 0, NULL, constant, LEFT_OUT, NULL);
}

TEST(cuda_pads_with_a_constant, "timeout:120") {
  struct cuda_sweep sweep = emulator();
  struct operation_case made;
  for (int t = 0; t < WIDTHS; t++)
    for (int constant = 0; constant < 2; constant++) pads(&sweep, widths[t], constant);
  padded(&sweep, DTYPE_F16, DIMS(1, 2, 1, 2, 1, 2, 1, 2), LIST(1, 0, 1, -1, 1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 0), true, LEFT_OUT,
         NULL);
  case_open_at(&made, "Pad", 10);
  case_ints(&made, "pads", LIST(0, 1, 2, 0));
  case_attr(&made, (struct attr){.name = "value", .type = ATTR_FLOAT, .count = 1, .f = -1.5f});
  case_input(&made, DTYPE_F16, DIMS(3, 5));
  go(&sweep, &made, 1);
  CHECK(sweep.compiled == 1);
  cuda_sweep_end(&sweep);
}

/* ---- what is not possible ---- */

/* The launches of a problem's first variant with these lists as the host's numbers. */
static enum farm_status launched(const char *text, const struct tensor *const *contents, int count) {
  struct arena arena = {0};
  struct problem problem;
  struct device_class device_class;
  struct variant variant;
  struct cuda_launch launches[CUDA_LAUNCHES_MOST];
  int made = 0;
  REQUIRE_OK(device_class_parse("cuda sm:90", &device_class));
  REQUIRE_OK(problem_parse(text, &arena, &problem));
  REQUIRE(catalogue_variants(&problem, &device_class, LAYOUT_ANY, &variant, 1) > 0);
  struct cuda_call call = {.problem = &problem, .variant = &variant};
  for (int i = 0; i < count; i++) call.contents[i] = contents[i];
  enum farm_status status = cuda_tactic_of(variant.tactic)->launches(&call, launches, &made);
  arena_free(&arena);
  return status;
}

static enum farm_status launched_with(const char *text, int64_t first, int64_t axis, int64_t step) {
  int64_t values[3] = {first, axis, step};
  struct tensor lists[3];
  for (int i = 0; i < 3; i++) lists[i] = (struct tensor){.dtype = DTYPE_I64, .rank = 1, .dims = {1}, .data = &values[i]};
  const struct tensor *contents[] = {NULL, &lists[0], &lists[0], &lists[1], &lists[2]};
  return launched(text, contents, 5);
}

TEST(cuda_moves_refuse_what_lies_outside, "") {
  const char *slice = "op Slice-13 in:f32[9,7] in:i64[1] in:i64[1] in:i64[1] in:i64[1] out:f32[4,7]";
  CHECK(launched(slice, NULL, 0) == FARM_TACTIC_REFUSED); // not known before it runs
  CHECK(launched_with(slice, 5, 0, 1) == FARM_OK);
  CHECK(launched_with(slice, 6, 0, 1) == FARM_TACTIC_REFUSED);
  CHECK(launched_with(slice, 9, 0, 1) == FARM_TACTIC_REFUSED);
  CHECK(launched_with(slice, 0, 0, 3) == FARM_TACTIC_REFUSED);
  CHECK(launched_with(slice, 8, 0, -2) == FARM_OK);
  CHECK(launched_with(slice, 2, 0, -1) == FARM_TACTIC_REFUSED);
  CHECK(launched_with(slice, 0, 0, 0) == FARM_TACTIC_REFUSED);
  CHECK(launched_with(slice, 0, 0, INT64_MAX) == FARM_TACTIC_REFUSED);
  CHECK(launched_with(slice, 0, 2, 1) == FARM_TACTIC_REFUSED);
  CHECK(launched_with(slice, 0, -3, 1) == FARM_TACTIC_REFUSED);
  CHECK(launched_with(slice, 0, 1, 1) == FARM_TACTIC_REFUSED);                   // axis 0 has another extent
  const char *torn = "op Slice-13 in:f32[9,7] in:i64[2] in:i64[2] out:f32[4,7]"; // two numbers, of which there is one
  CHECK(launched_with(torn, 0, 0, 1) == FARM_TACTIC_REFUSED);
  CHECK(launched("op Slice-13 in:f32[9] in:i64[1] in:i64[1] out:f32[0]", NULL, 0) == FARM_TACTIC_REFUSED);
  int64_t zeros[2] = {0, 0};
  const struct tensor twice = {.dtype = DTYPE_I64, .rank = 1, .dims = {2}, .data = zeros};
  const struct tensor *lists[] = {NULL, &twice, &twice, &twice};
  CHECK(launched("op Slice-13 in:f32[9,7] in:i64[2] in:i64[2] in:i64[2] out:f32[9,7]", lists, 4) == FARM_TACTIC_REFUSED);
}

TEST(cuda_resizes_refuse_other_factors, "") {
  const char *resize = "op Resize-13 coordinate_transformation_mode=\"asymmetric\" mode=\"nearest\" nearest_mode=\"floor\" "
                       "in:f32[5] in:- in:f32[1] out:f32[10]";
  float scale = 2;
  const struct tensor scales = {.dtype = DTYPE_F32, .rank = 1, .dims = {1}, .data = &scale};
  const struct tensor *contents[] = {NULL, NULL, &scales};
  CHECK(launched(resize, NULL, 0) == FARM_TACTIC_REFUSED);
  CHECK(launched(resize, contents, 3) == FARM_OK);
  scale = 2.1f; // makes 10 of 5 as well
  CHECK(launched(resize, contents, 3) == FARM_TACTIC_REFUSED);
}

static enum farm_status padded_with(const char *text, int count, int64_t *pads) {
  struct tensor list = {.dtype = DTYPE_I64, .rank = 1, .dims = {count}, .data = pads};
  const struct tensor *contents[] = {NULL, &list};
  return launched(text, contents, 2);
}

TEST(cuda_pads_refuse_what_does_not_fit, "") {
  const char *pad = "op Pad-13 in:f32[3,5] in:i64[4] out:f32[4,6]";
  CHECK(launched(pad, NULL, 0) == FARM_TACTIC_REFUSED);
  CHECK(padded_with(pad, LIST(1, 0, 0, 1)) == FARM_OK);
  CHECK(padded_with(pad, LIST(1, 0, 1, 1)) == FARM_TACTIC_REFUSED);
  CHECK(padded_with(pad, LIST(1, 0)) == FARM_TACTIC_REFUSED);
  CHECK(padded_with(pad, LIST(INT64_MAX, 0, INT64_MAX, 1)) == FARM_TACTIC_REFUSED);
  const int64_t far = (int64_t)1 << 47; // what is before the tensor is cut off behind it
  CHECK(padded_with(pad, LIST(far, 0, 1 - far, 1)) == FARM_TACTIC_REFUSED);
  CHECK(padded_with("op Pad-13 in:f32[3,5,1] in:i64[6] out:f32[4,6,1]", LIST(1, 1, 0, 0, 0, 0)) == FARM_OK);
}

/* ---- from block to block, and on a real GPU ---- */

TEST(cuda_moves_go_on_from_block_to_block, "timeout:120") {
  cuda_grid_most = 2;
  struct cuda_sweep sweep = emulator();
  joined_and_split(&sweep, DTYPE_F32, DIMS(3, 0), 1, LIST(301, 200));
  sliced(&sweep, DTYPE_F32, DIMS(3, 501), (struct slice){1, INTS(-1), INTS(0), INTS(1), INTS(-1)});
  padded(&sweep, DTYPE_F32, DIMS(3, 501), LIST(1, 1, 0, 0), true, LEFT_OUT, NULL);
  cuda_sweep_end(&sweep);
}

/* What gpu-check.sh runs of them. */
TEST(gpu_family_op_moves, "slow needs:gpu timeout:900") {
  int devices;
  if (cuda_device_count(&devices) != FARM_OK) SKIP("%s", status_message());
  struct cuda_sweep sweep = cuda_sweep_compiler(NULL, 1, NULL);
  REQUIRE_OK(cuda_device_open(NULL, &sweep.device));
  cuda_device_class(cuda_device_about(sweep.device), &sweep.device_class);
  for (int t = 0; t < WIDTHS; t++) {
    joins(&sweep, widths[t]);
    slices(&sweep, widths[t]);
    repeats(&sweep, widths[t]);
    pads(&sweep, widths[t], t % 2);
    blocks(&sweep, "DepthToSpace", "CRD", widths[t], 2, DIMS(2, 64, 33, 65));
    blocks(&sweep, "SpaceToDepth", NULL, widths[t], 2, DIMS(2, 16, 66, 130));
  }
  joined_and_split(&sweep, DTYPE_F32, DIMS(8, 0, 768), 1, LIST(1, 196));
  padded(&sweep, DTYPE_F16, DIMS(8, 64, 56, 56), LIST(0, 0, 1, 1, 0, 0, 1, 1), true, LEFT_OUT, NULL);
  printf("op moves: %d runs, %d texts compiled\n", sweep.checked, sweep.compiled);
  cuda_sweep_end(&sweep);
}
