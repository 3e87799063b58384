/* Convolutions against the definition: for every output, a sum over channels and taps in row-major order. Sums are doubles in
 * that order on both sides, so floats must agree exactly. */
#include "nn-test.h"
#include "window.h"

struct geometry { // two or three spatial axes; unused ones are 1
  int64_t n, c, m, group, in[3], kernel[3], stride[3], dilation[3], before[3], after[3];
};

static int64_t out_dim(const struct geometry *g, int i) {
  return (g->in[i] + g->before[i] + g->after[i] - (g->kernel[i] - 1) * g->dilation[i] - 1) / g->stride[i] + 1;
}

static double padded(const struct geometry *g, const struct tensor *x, int64_t n, int64_t c, const int64_t *at) {
  int64_t index = n * g->c + c;
  for (int i = 0; i < 3; i++) {
    if (at[i] < 0 || at[i] >= g->in[i]) return 0;
    index = index * g->in[i] + at[i];
  }
  return test_at(x, index);
}

static double conv_sum(const struct geometry *g, const struct tensor *x, const struct tensor *w, int64_t n, int64_t m,
                       const int64_t *out) {
  double sum = 0;
  int64_t channels = g->c / g->group, first = m / (g->m / g->group) * channels, at[3],
          weight = m * channels * g->kernel[0] * g->kernel[1] * g->kernel[2];
  for (int64_t c = 0; c < channels; c++)
    for (int64_t a = 0; a < g->kernel[0]; a++)
      for (int64_t b = 0; b < g->kernel[1]; b++)
        for (int64_t d = 0; d < g->kernel[2]; d++, weight++) {
          const int64_t tap[3] = {a, b, d};
          for (int i = 0; i < 3; i++) at[i] = out[i] * g->stride[i] - g->before[i] + tap[i] * g->dilation[i];
          sum += padded(g, x, n, first + c, at) * test_at(w, weight);
        }
  return sum;
}

static double *conv_naive(const struct geometry *g, const struct tensor *x, const struct tensor *w, const struct tensor *bias) {
  int64_t dims[3] = {out_dim(g, 0), out_dim(g, 1), out_dim(g, 2)}, index = 0, at[3];
  double *y = test_keep(calloc((size_t)(g->n * g->m * dims[0] * dims[1] * dims[2]), sizeof *y));
  for (int64_t n = 0; n < g->n; n++)
    for (int64_t m = 0; m < g->m; m++)
      for (at[0] = 0; at[0] < dims[0]; at[0]++)
        for (at[1] = 0; at[1] < dims[1]; at[1]++)
          for (at[2] = 0; at[2] < dims[2]; at[2]++) y[index++] = conv_sum(g, x, w, n, m, at) + (bias ? test_at(bias, m) : 0);
  return y;
}

static const struct geometry geometries[] = {
    {1, 1, 1, 1, {5, 5, 1}, {3, 3, 1}, {1, 1, 1}, {1, 1, 1}, {0}, {0}},
    {2, 3, 5, 1, {9, 7, 1}, {3, 3, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 0}, {1, 1, 0}},
    {1, 4, 6, 2, {8, 11, 1}, {3, 2, 1}, {2, 3, 1}, {1, 2, 1}, {0, 2, 0}, {3, 1, 0}},
    {3, 6, 6, 6, {10, 10, 1}, {5, 5, 1}, {2, 2, 1}, {1, 1, 1}, {2, 2, 0}, {2, 2, 0}},
    {1, 17, 33, 1, {13, 13, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0}, {0}},
    {1, 3, 4, 1, {6, 5, 4}, {3, 2, 3}, {1, 2, 1}, {2, 1, 1}, {2, 0, 1}, {1, 1, 1}},
    {2, 2, 3, 1, {12, 1, 1}, {4, 1, 1}, {3, 1, 1}, {2, 1, 1}, {5, 0, 0}, {4, 0, 0}},
};

static struct op_case conv_case(const struct geometry *g, const char *name, int axes, const struct tensor *x,
                                const struct tensor *w, const struct tensor *bias, int64_t *pads) {
  struct op_case c = {
      .name = name, .opset = 11, .input_count = bias ? 3 : 2, .output_count = 1, .inputs = {x, w, bias}, .attr_count = 4};
  for (int i = 0; i < axes; i++) pads[i] = g->before[i], pads[axes + i] = g->after[i];
  c.attr[0] = INT("group", g->group);
  c.attr[1] = (struct attr){.name = "pads", .type = ATTR_INTS, .count = 2 * axes, .ints = pads};
  c.attr[2] = (struct attr){.name = "strides", .type = ATTR_INTS, .count = axes, .ints = g->stride};
  c.attr[3] = (struct attr){.name = "dilations", .type = ATTR_INTS, .count = axes, .ints = g->dilation};
  return c;
}

TEST(conv_is_its_definition_to_the_bit, "") {
  for (size_t i = 0; i < sizeof geometries / sizeof geometries[0]; i++) {
    const struct geometry *g = &geometries[i];
    int64_t pads[6];
    const struct tensor *x = test_random(DTYPE_F32, 1 + i, 5, (int64_t[]){g->n, g->c, g->in[0], g->in[1], g->in[2]});
    const struct tensor *w =
        test_random(DTYPE_F32, 50 + i, 5, (int64_t[]){g->m, g->c / g->group, g->kernel[0], g->kernel[1], g->kernel[2]});
    const struct tensor *bias = i % 2 ? test_random(DTYPE_F32, 90 + i, DIMS(g->m)) : NULL;
    struct op_case c = conv_case(g, "Conv", 3, x, w, bias, pads);
    REQUIRE_OK(op_run(&c));
    check_output(&c, 0, conv_naive(g, x, w, bias), 0, "conv");
  }
}

/* <conv(x), y> = <x, conv_transpose(y)>: the transposed convolution is the adjoint. */
TEST(conv_transpose_is_the_adjoint_of_conv, "") {
  for (size_t i = 1; i < 4; i++) {
    const struct geometry *g = &geometries[i];
    int64_t pads[6];
    const struct tensor *x = test_random(DTYPE_F64, 1 + i, 4, (int64_t[]){g->n, g->c, g->in[0], g->in[1]});
    const struct tensor *w = test_random(DTYPE_F64, 50 + i, 4, (int64_t[]){g->m, g->c / g->group, g->kernel[0], g->kernel[1]});
    struct op_case forward = conv_case(g, "Conv", 2, x, w, NULL, pads);
    REQUIRE_OK(op_run(&forward));
    const struct tensor *y = test_random(DTYPE_F64, 70 + i, 4, forward.outputs[0].dims);
    struct op_case back = conv_case(g, "ConvTranspose", 2, y, w, NULL, pads);
    back.attr[back.attr_count++] =
        INTS("output_padding", (g->in[0] + g->before[0] + g->after[0] - (g->kernel[0] - 1) * g->dilation[0] - 1) % g->stride[0],
             (g->in[1] + g->before[1] + g->after[1] - (g->kernel[1] - 1) * g->dilation[1] - 1) % g->stride[1]);
    REQUIRE_OK(op_run(&back));
    REQUIRE(tensor_shape_equal(&back.outputs[0], x));
    double left = 0, right = 0;
    for (int64_t k = 0; k < tensor_elems(y); k++) left += test_at(&forward.outputs[0], k) * test_at(y, k);
    for (int64_t k = 0; k < tensor_elems(x); k++) right += test_at(&back.outputs[0], k) * test_at(x, k);
    CHECK_MESSAGE(fabs(left - right) < 1e-9 * (fabs(left) + 1), "case %zu: %.17g and %.17g", i, left, right);
  }
}

TEST(conv_integer_subtracts_zero_points_and_pads_with_them, "") {
  const struct geometry *g = &geometries[1];
  int64_t pads[6];
  const struct tensor *x = test_random(DTYPE_U8, 1, 4, (int64_t[]){g->n, g->c, g->in[0], g->in[1]});
  const struct tensor *w = test_random(DTYPE_I8, 2, 4, (int64_t[]){g->m, g->c, g->kernel[0], g->kernel[1]});
  const struct tensor *zero = test_values(DTYPE_U8, 0, NULL, (double[]){17});
  struct tensor *centred = test_tensor(DTYPE_F64, 4, x->dims);
  for (int64_t i = 0; i < tensor_elems(x); i++) ((double *)centred->data)[i] = test_at(x, i) - 17;
  struct op_case c = conv_case(g, "ConvInteger", 2, x, w, zero, pads);
  REQUIRE_OK(op_run(&c));
  CHECK(c.outputs[0].dtype == DTYPE_I32);
  check_output(&c, 0, conv_naive(g, centred, w, NULL), 1e-9, "conv integer");
}

TEST(qlinear_conv_scales_per_channel_and_rounds_half_to_even, "") {
  const struct tensor *scale = test_values(DTYPE_F32, 0, NULL, (double[]){0.5}),
                      *one = test_values(DTYPE_F32, 0, NULL, (double[]){1});
  struct op_case c = {.name = "QLinearConv", .opset = 10, .input_count = 9, .output_count = 1};
  c.inputs[0] = test_values(DTYPE_U8, DIMS(1, 1, 4), (double[]){1, 3, 5, 200});
  c.inputs[1] = scale, c.inputs[2] = test_values(DTYPE_U8, 0, NULL, (double[]){0});
  c.inputs[3] = test_values(DTYPE_I8, DIMS(2, 1, 1), (double[]){1, 2});
  c.inputs[4] = test_values(DTYPE_F32, DIMS(2), (double[]){1, 2});
  c.inputs[5] = test_values(DTYPE_I8, 0, NULL, (double[]){0});
  c.inputs[6] = one, c.inputs[7] = test_values(DTYPE_U8, 0, NULL, (double[]){10});
  c.inputs[8] = test_values(DTYPE_I32, DIMS(2), (double[]){0, -1});
  REQUIRE_OK(op_run(&c));
  /* channel 0: x / 2 → 0.5 1.5 2.5 100 → 0 2 2 100; channel 1: (2x - 1) → 1 5 9 399; all + 10, at most 255 */
  check_output(&c, 0, (double[]){10, 12, 12, 110, 11, 15, 19, 255}, 0, "qlinear conv");
}

TEST(fused_conv_adds_then_activates, "") {
  struct op_case c = {.domain = "com.microsoft", .name = "FusedConv", .opset = 1, .input_count = 4, .output_count = 1};
  c.inputs[0] = test_values(DTYPE_F32, DIMS(1, 1, 3), (double[]){1, -2, 3});
  c.inputs[1] = test_values(DTYPE_F32, DIMS(1, 1, 1), (double[]){2});
  c.inputs[2] = test_values(DTYPE_F32, DIMS(1), (double[]){0.5});
  c.inputs[3] = test_values(DTYPE_F32, DIMS(1, 1, 3), (double[]){-10, 4, 1});
  c.attr[c.attr_count++] = TEXT("activation", "Relu");
  REQUIRE_OK(op_run(&c));
  check_output(&c, 0, (double[]){0, 0.5, 7.5}, 0, "fused conv");
}

static const struct refused {
  const char *why;
  int64_t x[4], w[4];
  struct attr attr;
} refused[] = {
    {"channels", {1, 3, 8, 8}, {4, 2, 3, 3}, {0}},
    {"group of 0", {1, 4, 8, 8}, {4, 4, 3, 3}, {.name = "group", .type = ATTR_INT, .i = 0}},
    {"group that does not divide", {1, 6, 8, 8}, {4, 2, 3, 3}, {.name = "group", .type = ATTR_INT, .i = 3}},
    {"kernel too large", {1, 4, 2, 2}, {4, 4, 3, 3}, {0}},
    {"kernel of 0", {1, 4, 8, 8}, {4, 4, 0, 3}, {0}},
    {"negative stride",
     {1, 4, 8, 8},
     {4, 4, 3, 3},
     {.name = "strides", .type = ATTR_INTS, .count = 2, .ints = (const int64_t[]){1, -1}}},
    {"stride of 0",
     {1, 4, 8, 8},
     {4, 4, 3, 3},
     {.name = "strides", .type = ATTR_INTS, .count = 2, .ints = (const int64_t[]){0, 1}}},
    {"huge dilation",
     {1, 4, 8, 8},
     {4, 4, 3, 3},
     {.name = "dilations", .type = ATTR_INTS, .count = 2, .ints = (const int64_t[]){INT64_MAX, 1}}},
    {"negative pads",
     {1, 4, 8, 8},
     {4, 4, 3, 3},
     {.name = "pads", .type = ATTR_INTS, .count = 4, .ints = (const int64_t[]){0, 0, -1, 0}}},
    {"too few pads",
     {1, 4, 8, 8},
     {4, 4, 3, 3},
     {.name = "pads", .type = ATTR_INTS, .count = 3, .ints = (const int64_t[]){0, 0, 1}}},
    {"kernel_shape unlike the weights",
     {1, 4, 8, 8},
     {4, 4, 3, 3},
     {.name = "kernel_shape", .type = ATTR_INTS, .count = 2, .ints = (const int64_t[]){3, 5}}},
    {"unknown auto_pad", {1, 4, 8, 8}, {4, 4, 3, 3}, {.name = "auto_pad", .type = ATTR_STRING, .s = "SAME"}},
    {"a dimension beyond all bounds", {1, 4, INT64_MAX, 8}, {4, 4, 3, 3}, {0}},
};

TEST(conv_refuses_what_cannot_be, "") {
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    struct tensor x = {DTYPE_F32, 4, {0}, NULL}, w = x;
    memcpy(x.dims, refused[i].x, sizeof refused[i].x), memcpy(w.dims, refused[i].w, sizeof refused[i].w);
    struct op_case c = {
        .name = "Conv", .opset = 11, .input_count = 2, .output_count = 1, .inputs = {&x, &w}, .attr = {refused[i].attr}};
    c.attr_count = refused[i].attr.name != NULL;
    CHECK_MESSAGE(op_shape(&c) == FARM_INVALID, "%s passed", refused[i].why);
  }
}

TEST(conv_keeps_symbols_that_it_does_not_change, "") {
  struct tensor x = {DTYPE_F32, 4, {-2, 4, -3, -4}, NULL}, w = {DTYPE_F32, 4, {8, 4, 3, 3}, NULL};
  struct op_case c = {.name = "Conv",
                      .opset = 11,
                      .input_count = 2,
                      .output_count = 1,
                      .inputs = {&x, &w},
                      .attr = {INTS("pads", 1, 1, 1, 0)},
                      .attr_count = 1};
  REQUIRE_OK(op_shape(&c));
  const struct tensor *y = &c.outputs[0];
  CHECK(y->rank == 4 && y->dims[0] == -2 && y->dims[1] == 8 && y->dims[2] == -3 && y->dims[3] == DIM_UNKNOWN);
  x.rank = -1;
  REQUIRE_OK(op_shape(&c));
  CHECK(c.outputs[0].rank == 4 && c.outputs[0].dims[0] == DIM_UNKNOWN && c.outputs[0].dims[1] == 8);
}

TEST(window_pads_by_itself_as_asked, "") {
  static const struct {
    const char *mode;
    int64_t out, before, after;
  } modes[] = {{"SAME_UPPER", 3, 1, 2}, {"SAME_LOWER", 3, 2, 1}, {"VALID", 1, 0, 0}};
  for (int i = 0; i < 3; i++) { // 5 elements, kernel 4, stride 2
    struct attr attrs[] = {TEXT("auto_pad", modes[i].mode), INTS("kernel_shape", 4), INTS("strides", 2)};
    struct window window;
    REQUIRE_OK(window_read(&(struct attrs){attrs, 3}, 1, NULL, &window));
    REQUIRE_OK(window_slide(&window, (int64_t[]){5}, false));
    CHECK_MESSAGE(window.out[0] == modes[i].out && window.before[0] == modes[i].before && window.after[0] == modes[i].after,
                  "%s: %lld %lld %lld", modes[i].mode, (long long)window.out[0], (long long)window.before[0],
                  (long long)window.after[0]);
  }
}
