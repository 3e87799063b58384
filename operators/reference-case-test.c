/* References at their edges: what the ONNX suite (optimizer/suite-test.c) does not reach, and what must not trap. */
#include "case-test.h"

#include "../tests/kit/test.h"

/* The first NaN of a window, wherever it stands in it; its place with it. */
TEST(maximum_pooling_keeps_nan, "") {
  case_check_outputs("MaxPool", 12, 2, "f32[1,1,6]{1 nan 0 2 nan nan}", "kernel_shape=[2]",
                     "f32[1,1,5]{nan nan 2 nan nan} i64[1,1,5]{1 1 3 4 4}");
  case_check("MaxPool", 12, "f32[1,1,2,2]{3 4 nan 9}", "kernel_shape=[2,2]", "f32[1,1,1,1]{nan}");
  case_check("GlobalMaxPool", 1, "f32[1,2,3]{3 nan 4 1 2 0}", "", "f32[1,2,1]{nan 2}");
}

TEST(integer_arithmetic_never_traps, "") {
  case_check("Div", 14, "i32[3]{7 -7 5} i32[3]{2 2 0}", "", "i32[3]{3 -3 0}");
  case_check("Div", 14, "i32[]{-2147483648} i32[]{-1}", "", "i32[]{-2.14748e+09}");
  case_check("Div", 14, "i64[]{-9223372036854775808} i64[]{-1}", "", "i64[]{-9.22337e+18}");
  case_check("Mod", 13, "i32[5]{7 -7 7 -7 5} i32[5]{3 3 -3 -3 0}", "", "i32[5]{1 2 -2 -1 0}");
  case_check("Mod", 13, "i32[2]{7 -7} i32[2]{-3 3}", "fmod=1", "i32[2]{1 -1}");
  case_check("Mod", 13, "i64[]{-9223372036854775808} i64[]{-1}", "", "i64[]{0}");
  case_check("BitShift", 11, "u8[4]{1 255 3 3} u8[4]{7 1 8 200}", "direction=LEFT", "u8[4]{128 254 0 0}");
  case_check("BitShift", 11, "u8[2]{128 255} u8[2]{7 9}", "direction=RIGHT", "u8[2]{1 0}");
  case_check("Abs", 13, "i8[2]{-128 -3}", "", "i8[2]{-128 3}");
  case_check("Neg", 13, "i64[]{-9223372036854775808}", "", "i64[]{-9.22337e+18}");
  case_check("Pow", 15, "i32[4]{2 -2 0 -1} i32[4]{-1 3 0 -3}", "", "i32[4]{0 -8 1 -1}");
  case_check("Add", 14, "u8[]{200} u8[]{100}", "", "u8[]{44}");
  case_check("BitwiseAnd", 18, "f32[]{1} f32[]{1}", "", "error: INVALID");
}

TEST(the_largest_unsigned_type_is_not_compared_as_signed, "") {
  case_check("Greater", 13, "u64[2]{18446744073709549568 1} u64[2]{1 2}", "", "bool[2]{1 0}");
  case_check("Max", 13, "u64[1]{18446744073709549568} u64[1]{1}", "", "u64[1]{1.84467e+19}");
  case_check("ReduceMin", 18, "u64[2]{18446744073709549568 3}", "keepdims=0", "u64[]{3}");
  case_check("ArgMax", 13, "u64[2]{18446744073709549568 3}", "keepdims=0", "i64[]{0}");
  case_check("Clip", 13, "u64[2]{18446744073709549568 3} u64[]{5}", "", "u64[2]{1.84467e+19 5}");
  case_check("Mod", 13, "u64[]{18446744073709549568} u64[]{1000}", "", "u64[]{568}");
}

TEST(nan_and_infinity_go_where_they_should, "") {
  case_check("Max", 13, "f32[2]{nan 1} f32[2]{1 2}", "", "f32[2]{nan 2}");
  case_check("Relu", 14, "f32[3]{nan -1 2}", "", "f32[3]{nan 0 2}");
  case_check("Clip", 13, "f32[3]{nan -5 inf} f32[]{-1} f32[]{1}", "", "f32[3]{nan -1 1}");
  case_check("Sigmoid", 13, "f32[3]{-inf 0 1000}", "", "f32[3]{0 0.5 1}");
  case_check("Softplus", 22, "f32[2]{1000 -1000}", "", "f32[2]{1000 0}");
  case_check("ReduceLogSumExp", 18, "f32[2]{1000 1000}", "keepdims=0", "f32[]{1000.69}");
  case_check("ReduceMax", 18, "f32[0]", "keepdims=0", "f32[]");
  case_check("ReduceMax", 20, "f32[0]{}", "keepdims=0", "f32[]{-inf}");
  case_check("ReduceSum", 13, "f32[2,0]{}", "keepdims=0", "f32[]{0}");
  case_check("ReduceMin", 20, "i32[2,0]{} i64[1]{1}", "keepdims=0", "i32[2]{2.14748e+09 2.14748e+09}");
  case_check("IsInf", 20, "f32[3]{inf -inf nan}", "detect_negative=0", "bool[3]{1 0 0}");
  case_check_outputs("TopK", 11, 2, "f32[4]{1 nan 3 3} i64[1]{3}", "", "f32[3]{nan 3 3} i64[3]{1 2 3}");
  case_check_outputs("TopK", 11, 2, "f32[4]{4 1 3 1} i64[1]{2}", "largest=0", "f32[2]{1 1} i64[2]{1 3}");
  case_check("Cast", 13, "f32[3]{nan 1e30 -1e30}", "to=6", "i32[3]{0 2.14748e+09 -2.14748e+09}");
}

TEST(indices_are_checked_before_they_are_used, "") {
  case_check("Gather", 13, "f32[3]{1 2 3} i64[2]{-1 0}", "", "f32[2]{3 1}");
  case_check("Gather", 13, "f32[3]{1 2 3} i64[1]{3}", "", "error: INVALID");
  case_check("Gather", 13, "f32[3]{1 2 3} i64[1]{-4}", "", "error: INVALID");
  case_check("Gather", 13, "f32[0]{} i64[1]{0}", "", "error: INVALID");
  case_check("Gather", 13, "f32[2]{1 2} f32[1]{0}", "", "error: INVALID");
  case_check("Gather", 13, "f32[2]{1 2} i64[1]{0}", "axis=1", "error: INVALID");
  case_check("GatherElements", 13, "f32[2,2]{1 2 3 4} i64[1,2]{1 2}", "", "error: INVALID");
  case_check("GatherElements", 13, "f32[2,1]{1 2} i64[1,3]{0 0 0}", "", "error: INVALID");
  case_check("GatherND", 13, "f32[2,2]{1 2 3 4} i64[1,2]{1 -3}", "", "error: INVALID");
  case_check("GatherND", 13, "f32[2,2]{1 2 3 4} i64[1,3]{0 0 0}", "", "error: INVALID");
  case_check("ScatterElements", 18, "f32[2]{1 2} i64[1]{2} f32[1]{9}", "", "error: INVALID");
  case_check("ScatterND", 18, "f32[2]{1 2} i64[1,1]{-3} f32[1]{9}", "", "error: INVALID");
  case_check("ScatterND", 18, "f32[2]{1 2} i64[1,1]{0} f32[2]{9 9}", "", "error: INVALID");
  case_check("ScatterND", 18, "f32[2]{1 2} i64[1,1]{0} i32[1]{9}", "", "error: INVALID");
  case_check("ReverseSequence", 10, "f32[2,2]{1 2 3 4} i64[2]{1 3}", "", "error: INVALID");
  case_check("OneHot", 11, "i64[3]{0 5 -1} i64[]{3} f32[2]{0 1}", "", "f32[3,3]{1 0 0 0 0 0 0 0 1}");
  case_check("TopK", 11, "f32[2]{1 2} i64[1]{3}", "", "error: INVALID");
  case_check("Slice", 13, "f32[4]{1 2 3 4} i64[1]{3} i64[1]{-5} i64[1]{0} i64[1]{-2}", "", "f32[2]{4 2}");
  case_check("Slice", 13, "f32[4]{1 2 3 4} i64[1]{-9223372036854775808} i64[1]{9223372036854775807} i64[1]{0} i64[1]{3}", "",
             "f32[2]{1 4}");
  case_check("Slice", 13, "f32[2]{1 2} i64[1]{0} i64[1]{1} i64[1]{0} i64[1]{0}", "", "error: INVALID");
  case_check("Where", 16, "bool[1]{1} f64[1]{1} f32[1]{1}", "", "error: INVALID");
  case_check("Range", 11, "i64[]{0} i64[]{10} i64[]{0}", "", "error: INVALID");
  case_check("Range", 11, "i64[]{-9223372036854775808} i64[]{9223372036854775807} i64[]{1}", "", "error: INVALID");
  case_check("Split", 13, "f32[3]{1 2 3} i64[1]{4}", "", "error: INVALID");
  case_check("Einsum", 12, "f32[2]{1 2} f32[3]{1 2 3}", "equation=i,i->", "error: INVALID");
  case_check("Einsum", 12, "f32[2]{1 2}", "equation=i,j->", "error: INVALID");
}

TEST(packed_elements_are_moved_one_by_one, "") {
  case_check("Transpose", 21, "i4[3,1]{-8 7 3}", "perm=[1,0]", "i4[1,3]{-8 7 3}");
  case_check("Transpose", 21, "u4[2,3]{1 2 3 4 5 6}", "", "u4[3,2]{1 4 2 5 3 6}");
  case_check("Concat", 13, "u2[3]{1 2 3} u2[2]{0 3}", "axis=0", "u2[5]{1 2 3 0 3}");
  case_check("Slice", 13, "i4[5]{1 2 3 4 5} i64[1]{1} i64[1]{4}", "", "i4[3]{2 3 4}");
  case_check("Pad", 21, "u4[2]{1 2} i64[2]{1 2} u4[]{9}", "", "u4[5]{9 1 2 9 9}");
  case_check("Gather", 13, "i4[4]{-1 -2 -3 -4} i64[3]{3 1 0}", "", "i4[3]{-4 -2 -1}");
  case_check("Cast", 21, "f32[4]{-9 7 8 2.6}", "to=22", "i4[4]{7 7 -8 2}");
  case_check("Cast", 23, "f32[3]{2.5 -100 0.3}", "to=23", "e2m1[3]{2 -6 0.5}");
  case_check("Cast", 19, "f32[2]{1000000 -0.01}", "to=17 saturate=0", "e4m3[2]{nan -0.00976562}");
}

TEST(pads_and_tiles_of_all_kinds, "") {
  case_check("Pad", 18, "f32[3]{1 2 3} i64[2]{-1 2}", "", "f32[4]{2 3 0 0}");
  case_check("Pad", 18, "f32[3]{1 2 3} i64[2]{5 0}", "mode=reflect", "f32[8]{2 1 2 3 2 1 2 3}");
  case_check("Pad", 19, "f32[3]{1 2 3} i64[2]{4 1}", "mode=wrap", "f32[8]{3 1 2 3 1 2 3 1}");
  case_check("Pad", 18, "f32[2,1]{1 2} i64[2]{1 1} _ i64[1]{-2}", "mode=edge", "f32[4,1]{1 1 2 2}");
  case_check("Pad", 2, "f32[1]{1}", "pads=[1,1] value=2.5", "f32[3]{2.5 1 2.5}");
  case_check("Pad", 18, "f32[0]{} i64[2]{1 1}", "mode=edge", "error: INVALID");
  case_check("Tile", 13, "f32[1,2]{1 2} i64[2]{2 2}", "", "f32[2,4]{1 2 1 2 1 2 1 2}");
  case_check("Tile", 13, "f32[2]{1 2} i64[1]{0}", "", "f32[0]{}");
  case_check("Trilu", 14, "f32[2,2]{1 2 3 4} i64[]{-9223372036854775808}", "", "f32[2,2]{1 2 3 4}");
  case_check("Trilu", 14, "f32[2,2]{1 2 3 4} i64[]{0}", "upper=0", "f32[2,2]{1 0 3 4}");
}

TEST(data_dependent_shapes_are_found_by_the_reference, "") {
  case_check("NonZero", 13, "f32[2,2]{1 0 nan 4}", "", "i64[2,3]{0 1 1 0 0 1}");
  case_check("NonZero", 13, "f32[2]{0 0}", "", "i64[1,0]{}");
  case_check("Compress", 11, "f32[2,3]{1 2 3 4 5 6} bool[2]{0 1}", "axis=1", "f32[2,1]{2 5}");
  case_check("Compress", 11, "f32[3]{1 2 3} bool[5]{1 0 1 1 1}", "", "f32[2]{1 3}");
  case_check_outputs("Unique", 11, 4, "f32[5]{3 1 3 2 1}", "sorted=0",
                     "f32[3]{3 1 2} i64[3]{0 1 3} i64[5]{0 1 0 2 1} i64[3]{2 2 1}");
  case_check_outputs("Unique", 11, 4, "i32[3,1]{2 1 2}", "axis=0", "i32[2,1]{1 2} i64[2]{1 0} i64[3]{1 0 1} i64[2]{1 2}");
  case_check_outputs("Unique", 11, 2, "i32[0]{}", "", "i32[0]{} i64[0]{}");
}

TEST(references_of_the_rest, "") {
  case_check("Mean", 13, "f32[2]{1 2} f32[1]{3} f32[2]{5 7}", "", "f32[2]{3 4}");
  case_check("CumSum", 14, "f32[3]{1 2 3} i64[]{0}", "exclusive=1 reverse=1", "f32[3]{5 3 0}");
  case_check("Det", 11, "f32[2,2,2]{1 2 3 4 0 1 1 0}", "", "f32[2]{-2 -1}");
  case_check("Det", 11, "f32[0,0]{}", "", "f32[]{1}");
  case_check("Einsum", 12, "f32[2,2]{1 2 3 4}", "equation=ii", "f32[]{5}");
  case_check("Einsum", 12, "f32[2,2]{1 2 3 4} f32[2]{10 100}", "equation=...i,i->...", "f32[2]{210 430}");
  case_check("Einsum", 12, "f32[2,0]{}", "equation=ij->i", "f32[2]{0 0}");
  case_check("EyeLike", 9, "f32[2,3]{0 0 0 0 0 0}", "k=1 dtype=7", "i64[2,3]{0 1 0 0 0 1}");
  case_check("Hardmax", 11, "f32[1,2,2]{1 5 5 2}", "", "f32[1,2,2]{0 1 0 0}");
  case_check("Hardmax", 13, "f32[1,2,2]{1 5 5 2}", "", "f32[1,2,2]{0 1 1 0}");
  case_check("Range", 11, "f32[]{0} f32[]{1} f32[]{0.25}", "", "f32[4]{0 0.25 0.5 0.75}");
  case_check("Range", 11, "i32[]{5} i32[]{0} i32[]{-2}", "", "i32[3]{5 3 1}");
  case_check_outputs("Dropout", 13, 2, "f32[2]{1 2}", "", "f32[2]{1 2} bool[2]{1 1}");
  case_check("Dropout", 13, "f32[2]{1 2} f32[]{0.5} bool[]{1}", "", "error: UNSUPPORTED");
  case_check("ScatterElements", 18, "f32[3]{1 2 3} i64[2]{1 1} f32[2]{10 20}", "reduction=add", "f32[3]{1 32 3}");
  case_check("BitCast", 26, "f32[1]{1}", "to=6", "i32[1]{1.06535e+09}");
  case_check("BitCast", 26, "f32[1]{1}", "to=7", "error: INVALID");
  case_check("Reshape", 14, "f32[2,2]{1 2 3 4} i64[1]{-1}", "", "f32[4]{1 2 3 4}");
}

/* Indices that cover a corner of the data, negative ones, either axis; tuples behind a batch dimension. */
TEST(indices_are_walked_in_the_shape_of_their_own, "") {
  const char *data = "f32[3,3]{1 2 3 4 5 6 7 8 9} i64[2,2]{0 -1 2 1}";
  case_check("GatherElements", 13, data, "axis=0", "f32[2,2]{1 8 7 5}");
  case_check("GatherElements", 13, data, "axis=1", "f32[2,2]{1 3 6 5}");
  case_check("ScatterElements", 18, "f32[3,3]{1 2 3 4 5 6 7 8 9} i64[2,2]{0 -1 2 1} f32[2,2]{10 20 30 40}", "axis=0",
             "f32[3,3]{10 2 3 4 40 6 30 20 9}");
  case_check("ScatterElements", 18, "f32[3,3]{1 2 3 4 5 6 7 8 9} i64[2,2]{0 -1 2 1} f32[2,2]{10 20 30 40}", "axis=1 reduction=add",
             "f32[3,3]{11 2 23 4 45 36 7 8 9}");
  case_check("GatherND", 13, "f32[2,2,2]{1 2 3 4 5 6 7 8} i64[2,1]{-1 0}", "batch_dims=1", "f32[2,2]{3 4 5 6}");
  case_check("GatherND", 13, "f32[2,2,2]{1 2 3 4 5 6 7 8} i64[2,3]{1 -1 0 0 1 1}", "", "f32[2]{7 4}");
  case_check("ScatterND", 18, "f32[2,3]{1 2 3 4 5 6} i64[2,2]{-1 0 0 2} f32[2]{10 20}", "", "f32[2,3]{1 2 20 10 5 6}");
}
