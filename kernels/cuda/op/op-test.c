/* Operations of no kind on a GPU: which texts they take, that these compile, and that results in the emulator are those of the
 * operators' references. Such problems have no operands of their own, so the operands are made here.
 */
#include "op-case-test.h"

#include <math.h>

static const int every_sm[] = {75, 80, 86, 89, 90, 100, 120, 0};
static const int one_sm[] = {75, 0};

static const char *const problems[] = {
    "op Gather-13 axis=0 in:f32[30522,768] in:i64[1,128] out:f32[1,128,768]",
    "op Cast-13 to=1 in:i64[1,1,1,128] out:f32[1,1,1,128]",
    "op Gather-13 in:f16[7,3] in:i32[] out:f16[3]",
    "op Gather-11 axis=-1 in:u8[7,3] in:i64[2,2] out:u8[7,2,2]",
    "op Gather-1 axis=1 in:f16[7,3,2] in:i64[4] out:f16[7,4,2]",
    "op Gather-13 axis=1 in:i64[7,3,5] in:i64[4] out:i64[7,4,5]",
    "op Cast-21 to=7 in:f16[3] out:i64[3]",
    "op Cast-9 to=16 in:i64[3] out:bf16[3]",
    "op Cast-13 to=9 in:i32[3] out:bool[3]",
    "op Cast-13 saturate=1 to=3 in:f32[3,1] out:i8[3,1]",
    "op Cast-13 to=5 in:u32[] out:i16[]",
    "op Cast-13 to=10 in:u8[3] out:f16[3]",
    "op Cast-13 to=4 in:bf16[3] out:u16[3]",
    "op Concat-13 axis=1 in:f32[1,1,768] in:f32[1,196,768] out:f32[1,197,768]",
    "op Concat-4 in:f16[2,3] in:f16[2,0] out:f16[2,3]",
    "op Split-13 axis=-1 in:i64[4,9] in:i64[2] out:i64[4,5] out:i64[4,4]",
    "op Split-18 axis=0 num_outputs=3 in:u8[7] out:u8[3]",
    "op Slice-13 in:f32[9,40] in:i64[1] in:i64[1] in:i64[1] in:i64[1] out:f32[9,3]",
    "op Slice-13 in:f32[9,40] in:i32[2] in:i32[2] in:- in:i32[2] out:f32[2,3]",
    "op Slice-1 axes=0,1 ends=3,3 starts=1,0 in:bool[9,40] out:bool[2,3]",
    "op Expand-13 in:bf16[3,1] in:i64[3] out:bf16[2,3,5]",
    "op Expand-8 in:i32[] in:i64[0] out:i32[]",
    "op Tile-13 in:f64[2,3] in:i64[2] out:f64[4,9]",
    "op Tile-6 in:f32[0,3] in:i64[2] out:f32[0,9]",
    "op Pad-13 in:f32[2,3] in:i64[4] in:f32[] out:f32[4,3]",
    "op Pad-21 mode=\"constant\" in:u8[2,3] in:i64[2] in:- in:i64[1] out:u8[2,9]",
    "op Pad-2 pads=0,0,1,1 value=-0.5 in:f16[2,3] out:f16[3,4]",
    "op DepthToSpace-13 blocksize=2 mode=\"CRD\" in:f32[1,8,2,3] out:f32[1,2,4,6]",
    "op SpaceToDepth-13 blocksize=3 in:i8[1,1,6,3] out:i8[1,9,2,1]",
    "op Resize-13 coordinate_transformation_mode=\"asymmetric\" mode=\"nearest\" nearest_mode=\"floor\" in:f32[1,2,3,4] in:- "
    "in:f32[4] out:f32[1,2,6,12]",
    "op Resize-19 coordinate_transformation_mode=\"asymmetric\" mode=\"nearest\" nearest_mode=\"floor\" in:u8[3] in:f32[0] "
    "in:f32[0] in:i64[1] out:u8[9]",
};

/* Variants differ in their numbers of threads alone: `most` 1 takes one of them. */
static void compile_variants(struct cuda_sweep *sweep, const char *text, int sm, int most) {
  struct arena arena = {0};
  struct problem problem;
  struct variant variants[8];
  sweep->device_class.sm = sm;
  REQUIRE_OK(problem_parse(text, &arena, &problem));
  int count = catalogue_variants(&problem, &sweep->device_class, LAYOUT_ANY, variants, 8);
  CHECK_MESSAGE(count == 2, "%s has %d variants", text, count);
  for (int i = 0; i < count && i < most; i++) cuda_sweep_compile(sweep, text, &problem, &variants[i], sm);
  arena_free(&arena);
}

static void compile_all(const int *sms, int most) {
  struct cuda_sweep sweep = cuda_sweep_compiler(NULL, 1, sms);
  for (size_t i = 0; i < sizeof problems / sizeof *problems; i++)
    for (const int *sm = sms; *sm; sm++)
      if (nvrtc_supports(*sm)) compile_variants(&sweep, problems[i], *sm, most);
  printf("%d texts of %d variants\n", sweep.compiled, sweep.checked);
  CHECK(sweep.compiled > 0);
  cuda_sweep_end(&sweep);
}

TEST(cuda_operations_compile, "timeout:120") { compile_all(one_sm, 1); }

TEST(cuda_every_architecture_compiles_operations, "slow timeout:900") { compile_all(every_sm, 2); }

TEST(cuda_operations_take_what_they_understand, "") {
  static const char *const others[] = {
      "op Gather-13 axis=2 in:f32[3,4] in:i64[2] out:f32[3,2]",
      "op Gather-13 axis=-3 in:f32[3,4] in:i64[2] out:f32[2,4]",
      "op Gather-13 axis=0,1 in:f32[3,4] in:i64[2] out:f32[2,4]",
      "op Gather-13 axis=0 in:f32[3,4] in:i64[2] out:f32[2,5]",
      "op Gather-13 axis=0 in:f32[3,4] in:i64[2] out:f32[8]",
      "op Gather-13 axis=0 in:f32[3,4] in:i64[2] out:f16[2,4]",
      "op Gather-13 axis=0 in:f32[3,4] in:u8[2] out:f32[2,4]",
      "op Gather-13 axis=0 in:f32[3,4] in:f32[2] out:f32[2,4]",
      "op Gather-13 axis=0 in:u4[3,4] in:i64[2] out:u4[2,4]",
      "op Gather-13 axis=0 in:string[3,4] in:i64[2] out:string[2,4]",
      "op Gather-13 axis=0 in:c128[3,4] in:i64[2] out:c128[2,4]",
      "op Gather-13 axis=0 in:f32[3,4] in:- out:f32[4]",
      "op Gather-13 axis=0 in:f32[3,4] out:f32[4]",
      "op Gather-13 axis=0 in:f32[] in:i64[] out:f32[]",
      "op Gather-13 axis=0 in:f32[0,2305843009213693952] in:i64[0] out:f32[0,2305843009213693952]",
      "op Gather-13 axis=0 in:f32[3,35184372088832] in:i64[1] out:f32[1,35184372088832]",
      "op Gather-13 axis=0 in:f32[9223372036854775807,9223372036854775807] in:i64[1] out:f32[1,9223372036854775807]",
      "op GatherND-13 in:f32[3,4] in:i64[2] out:f32[]",
      "op com.example.Gather-13 in:f32[3,4] in:i64[2] out:f32[2,4]",
      "op Cast-13 in:i64[3] out:f32[3]",
      "op Cast-13 to=7 in:i64[3] out:f32[3]",
      "op Cast-13 to=1 in:i64[3] out:f32[4]",
      "op Cast-13 to=1 in:f64[3] out:f32[3]",
      "op Cast-13 to=13 in:f32[3] out:u64[3]",
      "op Cast-19 saturate=0 to=17 in:f32[3] out:e4m3[3]",
      "op CastLike-15 in:i64[3] in:f32[1] out:f32[3]",
      "op Concat-13 axis=1 in:string[1,2] in:string[1,2] out:string[1,4]",
      "op Concat-13 axis=1 in:c128[1,2] in:c128[1,2] out:c128[1,4]",
      "op Concat-13 axis=1 in:u4[1,2] in:u4[1,2] out:u4[1,4]",
      "op Concat-13 axis=1 in:f32[1,2] in:f32[1,2] out:f32[1,5]",
      "op Concat-13 axis=1 in:f32[1,2] in:f32[1,2] out:f32[1,3]",
      "op Concat-13 axis=1 in:f32[1,2] in:f16[1,2] out:f32[1,4]",
      "op Concat-13 axis=1 in:f32[1,2] in:f32[2,2] out:f32[1,4]",
      "op Concat-13 axis=1 in:f32[1,2] in:- out:f32[1,2]",
      "op Concat-13 axis=2 in:f32[1,2] in:f32[1,2] out:f32[1,4]",
      "op Concat-13 axis=-3 in:f32[1,2] in:f32[1,2] out:f32[1,4]",
      "op Concat-13 axis=0 in:f32[] in:f32[] out:f32[]",
      "op Concat-13 axis=0 in:f32[1,99999999999999999] in:f32[0,99999999999999999] out:f32[1,99999999999999999]",
      "op Concat-13 axis=1 in:f32[0,2] in:f32[0,9223372036854775807] out:f32[0,9223372036854775807]",
      "op ConcatFromSequence-11 axis=0 in:f32[1] out:f32[1]",
      "op Split-13 axis=0 in:f32[4] in:i64[2] out:f32[3] out:f32[2]",
      "op Split-13 axis=0 in:f32[4] in:i64[2] out:- out:f32[2]",
      "op Slice-13 in:f32[9] in:i64[1] in:i64[1] out:f32[10]",
      "op Slice-13 in:f32[9] in:i64[1] in:i64[1] out:f32[9,1]",
      "op Slice-13 in:f32[9] in:i64[1] in:i64[1] in:i64[2] out:f32[3]",
      "op Slice-13 in:f32[9] in:i64[1] in:i64[1] in:i64[1] in:i64[0] out:f32[3]",
      "op Slice-13 in:f32[9] in:f32[1] in:i64[1] out:f32[3]",
      "op Slice-13 in:f32[9] in:i64[2] in:i64[2] out:f32[3]",
      "op Slice-13 in:f32[9] out:f32[3]",
      "op Slice-13 in:string[9] in:i64[1] in:i64[1] out:string[3]",
      "op Expand-13 in:f32[3] in:i64[1] out:f32[4]",
      "op Expand-13 in:f32[3,1] in:i64[1] out:f32[3]",
      "op Expand-13 in:string[1] in:i64[1] out:string[4]",
      "op Tile-13 in:f32[3] in:i64[1] out:f32[4]",
      "op Tile-13 in:f32[0] in:i64[1] out:f32[4]",
      "op Pad-13 mode=\"edge\" in:f32[3] in:i64[2] out:f32[4]",
      "op Pad-13 in:f32[3] in:i64[2] in:f16[] out:f32[4]",
      "op Pad-13 in:f32[3] in:i64[2] in:f32[2] out:f32[4]",
      "op Pad-13 in:f32[3] out:f32[4]",
      "op Pad-13 in:f32[3] in:i64[17] out:f32[4]",
      "op Pad-2 pads=0,1 value=nan in:f32[3] out:f32[4]",
      "op DepthToSpace-13 blocksize=2 mode=\"RCD\" in:f32[1,8,2,3] out:f32[1,2,4,6]",
      "op DepthToSpace-13 blocksize=2 in:f32[1,8,2,3] out:f32[1,2,4,7]",
      "op DepthToSpace-13 in:f32[1,8,2,3] out:f32[1,2,4,6]",
      "op DepthToSpace-13 blocksize=2 in:f32[1,9,2,3] out:f32[1,2,4,6]",
      "op SpaceToDepth-13 blocksize=2 in:i8[1,1,6,3] out:i8[1,4,3,1]",
      "op Resize-13 coordinate_transformation_mode=\"asymmetric\" mode=\"nearest\" nearest_mode=\"floor\" in:f32[4] in:- "
      "in:f32[1] out:f32[6]",
      "op Resize-13 coordinate_transformation_mode=\"asymmetric\" mode=\"nearest\" nearest_mode=\"floor\" in:f64[4] in:- "
      "in:f32[1] out:f64[8]",
      "op Resize-13 coordinate_transformation_mode=\"asymmetric\" mode=\"nearest\" nearest_mode=\"floor\" in:f32[4] in:- "
      "in:f32[2] out:f32[8]",
      "op Resize-13 coordinate_transformation_mode=\"asymmetric\" mode=\"nearest\" nearest_mode=\"floor\" in:f32[4] in:- "
      "in:f32[1] in:i64[1] out:f32[8]",
      "op Resize-13 coordinate_transformation_mode=\"asymmetric\" mode=\"nearest\" nearest_mode=\"floor\" in:f32[4] out:f32[8]",
      "op Resize-13 coordinate_transformation_mode=\"asymmetric\" mode=\"nearest\" in:f32[4] in:- in:f32[1] out:f32[8]",
      "op Resize-13 coordinate_transformation_mode=\"asymmetric\" mode=\"nearest\" nearest_mode=\"ceil\" in:f32[4] in:- "
      "in:f32[1] out:f32[8]",
      "op Resize-13 coordinate_transformation_mode=\"half_pixel\" mode=\"nearest\" nearest_mode=\"floor\" in:f32[4] in:- "
      "in:f32[1] out:f32[8]",
      "op Resize-13 coordinate_transformation_mode=\"asymmetric\" mode=\"linear\" nearest_mode=\"floor\" in:f32[4] in:- "
      "in:f32[1] out:f32[8]",
      "op Resize-18 axes=0 coordinate_transformation_mode=\"asymmetric\" mode=\"nearest\" nearest_mode=\"floor\" in:f32[4] in:- "
      "in:f32[1] out:f32[8]",
      "op Resize-18 keep_aspect_ratio_policy=\"not_larger\" coordinate_transformation_mode=\"asymmetric\" mode=\"nearest\" "
      "nearest_mode=\"floor\" in:f32[4] in:- in:- in:i64[1] out:f32[8]",
  };
  struct arena arena = {0};
  struct device_class device_class;
  struct problem problem = {.kind = PROBLEM_OP, .op_text = "Gather-13"}; // as no parser leaves it
  REQUIRE_OK(device_class_parse("cuda sm:90", &device_class));
  CHECK(catalogue_variants(&problem, &device_class, LAYOUT_ANY, NULL, 0) == 0);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    REQUIRE_OK(problem_parse(others[i], &arena, &problem));
    CHECK_MESSAGE(catalogue_variants(&problem, &device_class, LAYOUT_ANY, NULL, 0) == 0, "%s", others[i]);
  }
  for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) {
    REQUIRE_OK(problem_parse(problems[i], &arena, &problem));
    struct variant best = catalogue_default(&problem, &device_class, LAYOUT_ANY, 1);
    REQUIRE(best.tactic);
    double cost = variant_cost(&problem, &best, &device_class, 1);
    CHECK_MESSAGE(cost > 1000 && cost < 1e6, "%s costs %g ns", problems[i], cost);
  }
  arena_free(&arena);
}

/* ---- gathers ---- */

/* data [dims], axis, indices [indices]; every `bad`-th index (0: none) is beyond the ends. */
static void gather_case(struct cuda_sweep *sweep, enum dtype dtype, enum dtype index, int rank, const int64_t *dims, int axis,
                        int index_rank, const int64_t *index_dims, int bad) {
  struct operation_case made;
  int64_t out[2 * TENSOR_MAX_RANK];
  const int at = axis < 0 ? axis + rank : axis;
  case_open(&made, "Gather", "axis", axis);
  struct tensor *data = case_tensor(&made, true, dtype, rank, dims);
  unsigned char *bytes = data->data;
  for (size_t i = 0; i < tensor_bytes(data); i++) bytes[i] = (unsigned char)(i * 37 + i / 251);
  if (dtype == DTYPE_BOOL)
    for (size_t i = 0; i < tensor_bytes(data); i++) bytes[i] %= 2;
  struct tensor *indices = case_tensor(&made, true, index, index_rank, index_dims);
  const int64_t dim = dims[at], count = tensor_elems(indices);
  for (int64_t i = 0; i < count; i++) dtype_store_i64(index, indices->data, i, dim ? i * 7 % (2 * dim) - dim : 0);
  for (int i = 0; i < at; i++) out[i] = dims[i];
  for (int i = 0; i < index_rank; i++) out[at + i] = index_dims[i];
  for (int i = at + 1; i < rank; i++) out[index_rank - 1 + i] = dims[i];
  struct tensor *wanted = case_tensor(&made, false, dtype, rank - 1 + index_rank, out);
  if (dim) case_expect(&made);
  const int64_t beyond[] = {dim, -dim - 1, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
  const int64_t outer = tensor_dims_product(dims, at), inner = tensor_dims_product(dims + at + 1, rank - 1 - at);
  for (int64_t i = 0; bad && i < count; i += bad) {
    dtype_store_i64(index, indices->data, i, beyond[i / bad % (index == DTYPE_I64 ? 6 : 4)]);
    for (int64_t o = 0; o < outer; o++)
      for (int64_t e = 0; e < inner; e++)
        dtype_store_f64(dtype, wanted->data, (o * count + i) * inner + e, dtype_is_float(dtype) ? (double)NAN : 0.0);
  }
  case_run(sweep, &made);
  case_close(&made);
}
static void gathers(struct cuda_sweep *sweep, enum dtype dtype, enum dtype index, int bad) {
  gather_case(sweep, dtype, index, DIMS(9, 64), 0, DIMS(2, 50), bad);      // units of 16 bytes
  gather_case(sweep, dtype, index, DIMS(3, 5, 7), 1, DIMS(11), bad);       // of one element
  gather_case(sweep, dtype, index, DIMS(3, 5, 2), -2, DIMS(3, 1, 2), bad); // of two
  gather_case(sweep, dtype, index, DIMS(17, 13), -1, DIMS(1), bad);        // rows of one element
  gather_case(sweep, dtype, index, DIMS(4), 0, 0, NULL, bad);              // one index, no dims
}

TEST(cuda_gathers_give_the_references_results, "timeout:120") {
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, CUDA_SWEEP_COVERING, 90);
  cuda_sweep_open(&sweep);
  gathers(&sweep, DTYPE_F32, DTYPE_I64, 0);
  gathers(&sweep, DTYPE_F16, DTYPE_I64, 0);
  gathers(&sweep, DTYPE_BOOL, DTYPE_I64, 0);
  gathers(&sweep, DTYPE_I64, DTYPE_I64, 0);
  gathers(&sweep, DTYPE_F32, DTYPE_I32, 0);
  printf("%d texts, %d runs\n", sweep.compiled, sweep.checked);
  cuda_sweep_end(&sweep);
}

TEST(cuda_gathers_poison_rows_of_wrong_indices, "timeout:120") {
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, CUDA_SWEEP_COVERING, 90);
  cuda_sweep_open(&sweep);
  gathers(&sweep, DTYPE_F32, DTYPE_I64, 2);
  gathers(&sweep, DTYPE_F16, DTYPE_I64, 3);
  gathers(&sweep, DTYPE_BF16, DTYPE_I64, 1);
  gathers(&sweep, DTYPE_F64, DTYPE_I64, 2);
  gathers(&sweep, DTYPE_I64, DTYPE_I64, 2);
  gathers(&sweep, DTYPE_U8, DTYPE_I64, 2);
  gathers(&sweep, DTYPE_E4M3, DTYPE_I64, 2);
  gathers(&sweep, DTYPE_BOOL, DTYPE_I64, 2);
  gathers(&sweep, DTYPE_I32, DTYPE_I32, 2);
  gather_case(&sweep, DTYPE_F32, DTYPE_I64, DIMS(0, 8), 0, DIMS(3), 1); // nothing to pick from
  cuda_sweep_end(&sweep);
}

TEST(cuda_gathers_of_nothing_write_nothing, "timeout:120") {
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, CUDA_SWEEP_COVERING, 90);
  cuda_sweep_open(&sweep);
  gather_case(&sweep, DTYPE_F32, DTYPE_I64, DIMS(5, 8), 0, DIMS(0), 0);
  gather_case(&sweep, DTYPE_F32, DTYPE_I64, DIMS(5, 0), 0, DIMS(4), 0);
  gather_case(&sweep, DTYPE_F32, DTYPE_I64, DIMS(0, 5, 4), 1, DIMS(4), 0);
  cuda_sweep_end(&sweep);
}

TEST(cuda_operations_go_on_from_block_to_block, "timeout:120") {
  cuda_grid_most = 2;
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, CUDA_SWEEP_COVERING, 90);
  cuda_sweep_open(&sweep);
  gather_case(&sweep, DTYPE_F32, DTYPE_I64, DIMS(9, 64), 0, DIMS(2, 50), 0);
  struct operation_case made;
  case_open(&made, "Cast", "to", DTYPE_F32);
  struct tensor *x = case_tensor(&made, true, DTYPE_I64, DIMS(1501));
  for (int64_t i = 0; i < 1501; i++) dtype_store_i64(DTYPE_I64, x->data, i, i - 700);
  case_tensor(&made, false, DTYPE_F32, DIMS(1501));
  case_expect(&made);
  case_run(&sweep, &made);
  case_close(&made);
  cuda_sweep_end(&sweep);
}

/* ---- casts ---- */

static const enum dtype cast_types[] = {DTYPE_I64, DTYPE_I32,  DTYPE_U32, DTYPE_I16, DTYPE_U16, DTYPE_I8,
                                        DTYPE_U8,  DTYPE_BOOL, DTYPE_F32, DTYPE_F16, DTYPE_BF16};
enum { CAST_TYPES = sizeof cast_types / sizeof *cast_types };

static const double odd_floats[] = {(double)NAN,
                                    (double)INFINITY,
                                    -(double)INFINITY,
                                    0.0,
                                    -0.0,
                                    0.5,
                                    -0.5,
                                    0.999,
                                    -1.5,
                                    2.5,
                                    127.9,
                                    128,
                                    -128.5,
                                    -129,
                                    255.9,
                                    256,
                                    32767.5,
                                    32768,
                                    -32769,
                                    65535.5,
                                    65536,
                                    2147483520,
                                    2147483648.0,
                                    -2147483648.0,
                                    -2147483904.0,
                                    4294967040.0,
                                    4294967296.0,
                                    9223371487098961920.0,
                                    9223372036854775808.0,
                                    -9223372036854775808.0,
                                    1e30,
                                    -1e30,
                                    1e-40,
                                    1e-7};
/* 2^40 + 2^32 + 1: to bf16 it rounds up, what a float keeps of it is a tie */
static const int64_t odd_integers[] = {0,
                                       1,
                                       -1,
                                       2,
                                       127,
                                       128,
                                       -128,
                                       -129,
                                       255,
                                       256,
                                       257,
                                       32767,
                                       32768,
                                       -32769,
                                       65519,
                                       65520,
                                       65535,
                                       65536,
                                       16777217,
                                       -16777219,
                                       33554435,
                                       INT32_MAX,
                                       INT32_MIN,
                                       2147483648,
                                       4294967295,
                                       4294967296,
                                       1099511627776 + 4294967296 + 1,
                                       -1099511627776 - 4294967296 - 1,
                                       1099511627776 + 4294967296,
                                       INT64_MAX,
                                       INT64_MIN,
                                       INT64_MIN + 1};

static void cast_case(struct cuda_sweep *sweep, enum dtype from, enum dtype to, int64_t count) {
  enum { FLOATS = sizeof odd_floats / sizeof *odd_floats, INTEGERS = sizeof odd_integers / sizeof *odd_integers };
  struct operation_case made;
  const bool is_float = dtype_is_float(from);
  case_open(&made, "Cast", "to", to);
  struct tensor *x = case_tensor(&made, true, from, 1, &count);
  for (int64_t i = 0; i < count; i++)
    if (is_float)
      dtype_store_f64(from, x->data, i, odd_floats[i % FLOATS] + (double)(i / FLOATS));
    else
      dtype_store_i64(from, x->data, i, odd_integers[i % INTEGERS] ^ i / INTEGERS);
  if (from == DTYPE_BOOL && count > 3) ((unsigned char *)x->data)[3] = 0x80; // not zero either
  case_tensor(&made, false, to, 1, &count);
  case_expect(&made);
  case_run(sweep, &made);
  case_close(&made);
}

static void casts(struct cuda_sweep *sweep, enum dtype from, enum dtype to) {
  cast_case(sweep, from, to, 1);
  cast_case(sweep, from, to, 16);
  cast_case(sweep, from, to, 1031);
}

TEST(cuda_casts_give_the_references_results, "timeout:120") {
  static const enum dtype pairs[][2] = {{DTYPE_I64, DTYPE_F32},  {DTYPE_I64, DTYPE_BF16}, {DTYPE_I64, DTYPE_F16},
                                        {DTYPE_F32, DTYPE_I64},  {DTYPE_F16, DTYPE_I8},   {DTYPE_F32, DTYPE_U8},
                                        {DTYPE_I32, DTYPE_BOOL}, {DTYPE_BOOL, DTYPE_I64}, {DTYPE_BF16, DTYPE_U32},
                                        {DTYPE_I64, DTYPE_I16},  {DTYPE_U8, DTYPE_F16}};
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, CUDA_SWEEP_COVERING, 90);
  cuda_sweep_open(&sweep);
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) casts(&sweep, pairs[i][0], pairs[i][1]);
  cuda_sweep_end(&sweep);
}

TEST(cuda_every_pair_of_types_is_cast, "slow timeout:900") {
  struct cuda_sweep sweep = cuda_sweep_emulator(NULL, 1, 75);
  cuda_sweep_open(&sweep);
  for (int from = 0; from < CAST_TYPES; from++)
    for (int to = 0; to < CAST_TYPES; to++)
      if (dtype_is_integer(cast_types[from]) || dtype_is_integer(cast_types[to])) casts(&sweep, cast_types[from], cast_types[to]);
  printf("%d texts, %d runs\n", sweep.compiled, sweep.checked);
  cuda_sweep_end(&sweep);
}

/* The same on a real GPU: what gpu-check.sh runs of this family. */
TEST(gpu_family_op, "slow needs:gpu timeout:900") {
  static const enum dtype types[] = {DTYPE_F32, DTYPE_F16, DTYPE_U8, DTYPE_I64};
  int devices;
  if (cuda_device_count(&devices) != FARM_OK) SKIP("%s", status_message());
  struct cuda_sweep sweep = cuda_sweep_compiler(NULL, 1, NULL);
  REQUIRE_OK(cuda_device_open(NULL, &sweep.device));
  cuda_device_class(cuda_device_about(sweep.device), &sweep.device_class);
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    for (int bad = 0; bad < 3; bad++) {
      gathers(&sweep, types[i], DTYPE_I64, bad);
      gathers(&sweep, types[i], DTYPE_I32, bad);
    }
  gather_case(&sweep, DTYPE_F32, DTYPE_I64, DIMS(30522, 768), 0, DIMS(1, 128), 0);
  for (int t = 0; t < CAST_TYPES; t++) {
    casts(&sweep, DTYPE_I64, cast_types[t]);
    casts(&sweep, cast_types[t], DTYPE_I32);
  }
  printf("op: %d runs, %d texts compiled\n", sweep.checked, sweep.compiled);
  cuda_sweep_end(&sweep);
}
