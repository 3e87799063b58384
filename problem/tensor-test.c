#include "attr.h"

#include "../tests/kit/test.h"

#include <string.h>

TEST(tensor_sizes_are_checked, "") {
  struct tensor t = {.dtype = DTYPE_F32, .rank = 2, .dims = {3, 5}};
  CHECK(tensor_elems(&t) == 15 && tensor_bytes(&t) == 60);
  t.dims[0] = DIM_UNKNOWN;
  CHECK(tensor_elems(&t) == -1 && tensor_bytes(&t) == SIZE_MAX);
  t.dims[0] = INT64_MAX;
  CHECK(tensor_elems(&t) == -1);
  CHECK(tensor_alloc(&t) == FARM_INVALID);
  t.dims[1] = 0;
  CHECK(tensor_elems(&t) == 0);
  t = (struct tensor){.dtype = DTYPE_F32, .rank = 3, .dims = {INT64_MAX / 2, 0, 4}};
  CHECK(tensor_elems(&t) == -1);
  struct tensor scalar = {.dtype = DTYPE_F32};
  CHECK(tensor_elems(&scalar) == 1);
  scalar.rank = -1;
  CHECK(tensor_elems(&scalar) == -1);
}

TEST(tensor_alloc_is_aligned_and_zeroed, "") {
  struct tensor t = {.dtype = DTYPE_I4, .rank = 1, .dims = {101}};
  REQUIRE_OK(tensor_alloc(&t));
  CHECK((uintptr_t)t.data % 64 == 0);
  for (int i = 0; i < 51; i++) CHECK(((uint8_t *)t.data)[i] == 0);
  tensor_free(&t);
  CHECK(!t.data);
}

TEST(tensor_text_shows_unknown_dims, "") {
  struct tensor t = {.dtype = DTYPE_F32, .rank = 4, .dims = {1, DIM_UNKNOWN, DIM_FIRST_SYMBOL - 2, 7}};
  char text[64], small[6];
  CHECK_TEXT(tensor_text(&t, text, sizeof text), "f32[1,?,s2,7]");
  CHECK_TEXT(tensor_text(&t, small, sizeof small), "f32[1");
  t.rank = -1;
  CHECK_TEXT(tensor_text(&t, text, sizeof text), "f32[...]");
}

TEST(attrs_give_defaults_for_missing_and_mistyped, "") {
  static const int64_t ints[] = {1, 2, 3};
  static const struct attr items[] = {{.name = "axis", .type = ATTR_INT, .count = 1, .i = -2},
                                      {.name = "alpha", .type = ATTR_FLOAT, .count = 1, .f = 0.5f},
                                      {.name = "pads", .type = ATTR_INTS, .count = 3, .ints = ints}};
  struct attrs attrs = {items, 3};
  int64_t out[2] = {0};
  CHECK(attr_int(&attrs, "axis", 7) == -2 && attr_int(&attrs, "alpha", 7) == 7 && attr_int(&attrs, "none", 7) == 7);
  CHECK(attr_float(&attrs, "alpha", 1) == 0.5f && attr_has(&attrs, "pads") && !attr_has(&attrs, "pad"));
  CHECK(attr_ints(&attrs, "pads", out, 2) == 3 && out[1] == 2);
  CHECK(attr_ints(&attrs, "axis", out, 2) == -1);
  CHECK(!attr_find(NULL, "axis"));
}
