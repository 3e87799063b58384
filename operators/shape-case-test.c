/* Shape arithmetic as exporters write it, with symbolic dims: what must be known at build time. */
#include "case-test.h"

#include "../tests/kit/test.h"

TEST(shape_of_a_symbolic_tensor_travels_to_reshape, "") {
  case_check("Shape", 13, "f32[s0,12,?,64]", "", "i64[4]{s0 12 ? 64}");
  case_check("Shape", 15, "f32[s0,12,?,64]", "start=-3 end=2", "i64[1]{12}");
  case_check("Gather", 13, "i64[4]{s0 12 s1 64} i64[]{0}", "axis=0", "i64[]{s0}");
  case_check("Gather", 13, "i64[4]{s0 12 s1 64} i64[2]{-1 -2}", "axis=0", "i64[2]{64 s1}");
  case_check("Unsqueeze", 13, "i64[]{s0} i64[1]{0}", "", "i64[1]{s0}");
  case_check("Unsqueeze", 11, "i64[]{s0}", "axes=[0]", "i64[1]{s0}");
  case_check("Concat", 13, "i64[1]{s0} i64[1]{-1} i64[2]{12 64}", "axis=0", "i64[4]{s0 -1 12 64}");
  case_check("Concat", 13, "i64[1]{s0} i64[1]", "axis=0", "i64[2]{s0 ?}");
  case_check("Slice", 13, "i64[4]{s0 12 s1 64} i64[1]{1} i64[1]{3} i64[1]{0}", "", "i64[2]{12 s1}");
  case_check("Slice", 13, "i64[3]{s0 2 s1} i64[1]{-1} i64[1]{-9223372036854775807} i64[1]{0} i64[1]{-1}", "", "i64[3]{s1 2 s0}");
  case_check("Squeeze", 13, "i64[1]{s0} i64[1]{0}", "", "i64[]{s0}");
  case_check("Cast", 13, "i64[2]{s0 3}", "to=6", "i32[2]{s0 3}");
  case_check("Cast", 13, "i64[2]{s0 3}", "to=1", "f32[2]");
  case_check("Identity", 13, "i64[2]{s0 3}", "", "i64[2]{s0 3}");
  case_check_outputs("Split", 13, 2, "i64[3]{s0 3 s1} i64[2]{1 2}", "axis=0", "i64[1]{s0} i64[2]");
}

TEST(reshape_solves_what_the_number_of_elements_tells, "") {
  case_check("Reshape", 14, "f32[s0,12,64] i64[2]{0 -1}", "", "f32[s0,768]");
  case_check("Reshape", 14, "f32[s0,12,64] i64[2]{s0 -1}", "", "f32[s0,768]");
  case_check("Reshape", 14, "f32[s0,12,64] i64[2]{-1 768}", "", "f32[s0,768]");
  case_check("Reshape", 14, "f32[s0,s1,768] i64[4]{s0 s1 12 64}", "", "f32[s0,s1,12,64]");
  case_check("Reshape", 14, "f32[s0,s1,768] i64[3]{0 -1 64}", "", "f32[s0,?,64]");
  case_check("Reshape", 14, "f32[s0,s1,768] i64[3]{0 0 ?}", "", "f32[s0,s1,768]");
  case_check("Reshape", 14, "f32[s0,8] i64[3]", "", "f32[?,?,?]");
  case_check("Reshape", 14, "f32[s0,8] i64[?]", "", "f32[...]");
  case_check("Reshape", 14, "f32[0,3] i64[2]{3 0}", "allowzero=1", "f32[3,0]");
  case_check("Reshape", 14, "f32[2,3] i64[2]{4 -1}", "", "error: INVALID");
  case_check("Reshape", 14, "f32[2,3] i64[2]{-1 -1}", "", "error: INVALID");
  case_check("Reshape", 14, "f32[2,3] i64[1]{-2}", "", "error: INVALID");
  case_check("Flatten", 13, "f32[s0,3,4]", "axis=1", "f32[s0,12]");
}

TEST(arithmetic_on_dims_keeps_what_can_be_kept, "") {
  case_check("Mul", 14, "i64[2]{s0 3} i64[]{1}", "", "i64[2]{s0 3}");
  case_check("Mul", 14, "i64[2]{s0 3} i64[]{2}", "", "i64[2]{? 6}");
  case_check("Add", 14, "i64[]{0} i64[2]{s0 3}", "", "i64[2]{s0 3}");
  case_check("Sub", 14, "i64[2]{s0 s1} i64[2]{s0 s0}", "", "i64[2]{0 ?}");
  case_check("Div", 14, "i64[2]{s0 12} i64[2]{1 4}", "", "i64[2]{s0 3}");
  case_check("Equal", 13, "i64[3]{s0 -1 4} i64[3]{-1 -1 -1}", "", "bool[3]{0 1 0}");
  case_check("Equal", 13, "i64[2]{? s0} i64[2]{-1 s0}", "", "bool[2]{? 1}");
  case_check("Where", 16, "bool[3]{0 1 0} i64[3]{1 1 1} i64[3]{s0 -1 4}", "", "i64[3]{s0 1 4}");
  case_check("ConstantOfShape", 9, "i64[2]{s0 3}", "", "f32[s0,3]");
  case_check("Expand", 13, "f32[1,4] i64[2]{s0 1}", "", "f32[s0,4]");
  case_check("Expand", 13, "i64[1]{s0} i64[1]{3}", "", "i64[3]{s0 s0 s0}");
  case_check("Range", 11, "i64[]{0} i64[]{s0} i64[]{1}", "", "i64[s0]");
  case_check("Size", 13, "f32[s0,1]", "", "i64[]{s0}");
  case_check("ReduceProd", 18, "i64[2]{6 7} i64[1]{0}", "keepdims=0", "i64[]{42}");
}

TEST(broadcasting_understands_symbols, "") {
  case_check("Add", 14, "f32[s0,1,4] f32[3,1]", "", "f32[s0,3,4]");
  case_check("Add", 14, "f32[s0,4] f32[s0,1]", "", "f32[s0,4]");
  case_check("Add", 14, "f32[s0,4] f32[s1,4]", "", "f32[?,4]");
  case_check("Add", 14, "f32[s0] f32[7]", "", "f32[7]");
  case_check("Add", 14, "f32[...] f32[7]", "", "f32[...]");
  case_check("Add", 14, "f32[3] f32[7]", "", "error: INVALID");
  case_check("Less", 13, "f32[s0] f32[1]", "", "bool[s0]");
}

TEST(other_shapes_hold_with_unknown_dims, "") {
  case_check("Transpose", 13, "f32[s0,2,?]", "perm=[2,0,1]", "f32[?,s0,2]");
  case_check("Transpose", 13, "f32[2,3]", "perm=[0,0]", "error: INVALID");
  case_check("Concat", 13, "f32[s0,3] f32[s0,4]", "axis=-1", "f32[s0,7]");
  case_check("Concat", 13, "f32[2,3] f32[3,3]", "axis=1", "error: INVALID");
  case_check("Gather", 13, "f32[100,s0] i64[s1,7]", "axis=0", "f32[s1,7,s0]");
  case_check("Slice", 13, "f32[s0,9] i64[1]{2} i64[1]{100} i64[1]{1}", "", "f32[s0,7]");
  case_check("Slice", 13, "f32[s0,9] i64[1]{0} i64[1]{9223372036854775807} i64[1]{0}", "", "f32[s0,9]");
  case_check("Slice", 13, "f32[4,9] i64[1]{0} i64[1]{s0} i64[1]{1}", "", "f32[4,?]");
  case_check("Tile", 13, "f32[s0,3] i64[2]{1 2}", "", "f32[s0,6]");
  case_check("Tile", 13, "f32[2] i64[1]{-1}", "", "error: INVALID");
  case_check("Pad", 18, "f32[s0,3] i64[4]{0 1 0 2}", "", "f32[s0,6]");
  case_check("Pad", 18, "f32[3] i64[2]{-2 -2}", "", "error: INVALID");
  case_check_outputs("TopK", 11, 2, "f32[s0,9] i64[1]{4}", "", "f32[s0,4] i64[s0,4]");
  case_check_outputs("Split", 18, 3, "f32[s0,8]", "axis=1 num_outputs=3", "f32[s0,3] f32[s0,3] f32[s0,2]");
  case_check("ReduceMean", 18, "f32[s0,3,4] i64[1]{-1}", "", "f32[s0,3,1]");
  case_check("ReduceMean", 13, "f32[s0,3,4]", "axes=[1,2] keepdims=0", "f32[s0]");
  case_check("ArgMax", 13, "f32[s0,3]", "axis=1 keepdims=0", "i64[s0]");
  case_check("OneHot", 11, "i64[s0] i64[]{5} f32[2]", "", "f32[s0,5]");
  case_check("NonZero", 13, "f32[s0,3]", "", "i64[2,?]");
  case_check("Squeeze", 13, "f32[s0,3]", "", "f32[...]");
  case_check("Squeeze", 13, "f32[2,3] i64[1]{0}", "", "error: INVALID");
  case_check("DepthToSpace", 13, "f32[s0,12,s1,5]", "blocksize=2", "f32[s0,3,?,10]");
  case_check("Einsum", 12, "f32[s0,2,3] f32[s0,3,4]", "equation=bij,bjk->bik", "f32[s0,2,4]");
  case_check("CenterCropPad", 18, "f32[s0,8] i64[1]{4}", "axes=[1]", "f32[s0,4]");
}
