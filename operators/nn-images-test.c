/* Resampling, sampling, detection, spectra and n-grams: cases worked by hand, and what must be refused. */
#include "nn-test.h"

static struct op_case resize_case(const struct tensor *x, const char *mode, const char *coordinates, const struct tensor *scales,
                                  const struct tensor *sizes) {
  struct op_case c = {.name = "Resize", .opset = 19, .input_count = 4, .output_count = 1, .inputs = {x, NULL, scales, sizes}};
  c.attr[0] = TEXT("mode", mode), c.attr[1] = TEXT("coordinate_transformation_mode", coordinates), c.attr_count = 2;
  return c;
}

TEST(resize_places_its_samples, "") {
  const struct tensor *x = test_values(DTYPE_F32, DIMS(1, 1, 1, 2), (double[]){1, 3}),
                      *twice = test_values(DTYPE_F32, DIMS(4), (double[]){1, 1, 1, 2});
  static const struct {
    const char *mode, *coordinates;
    double want[4];
  } cases[] = {{"linear", "half_pixel", {1, 1.5, 2.5, 3}},
               {"linear", "asymmetric", {1, 2, 3, 3}},
               {"linear", "align_corners", {1, 5.0 / 3, 7.0 / 3, 3}},
               {"nearest", "half_pixel", {1, 1, 3, 3}},
               {"nearest", "asymmetric", {1, 1, 3, 3}},
               {"nearest", "tf_half_pixel_for_nn", {1, 3, 3, 3}},
               {"cubic", "half_pixel", {0.7890625, 1.453125, 2.546875, 3.2109375}}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct op_case c = resize_case(x, cases[i].mode, cases[i].coordinates, twice, NULL);
    REQUIRE_OK(op_run(&c));
    check_output(&c, 0, cases[i].want, 1e-6, cases[i].coordinates);
  }
}

TEST(resize_averages_when_it_shrinks_with_antialias, "") {
  const struct tensor *x = test_values(DTYPE_F32, DIMS(1, 1, 1, 4), (double[]){1, 2, 3, 4});
  struct op_case c = resize_case(x, "linear", "half_pixel", test_values(DTYPE_F32, DIMS(4), (double[]){1, 1, 1, 0.5}), NULL);
  c.attr[c.attr_count++] = INT("antialias", 1), c.attr[c.attr_count++] = INT("exclude_outside", 1);
  REQUIRE_OK(op_run(&c));
  /* triangle of radius 2 around 0.5: weights .75 .75 .25 on 1 2 3 */
  check_output(&c, 0, (double[]){3 / 1.75, 5 - 3 / 1.75}, 1e-6, "antialias");
}

TEST(resize_keeps_the_ratio_and_refuses_nonsense, "") {
  struct tensor x = {DTYPE_F32, 4, {1, 1, 100, 200}, NULL};
  struct op_case c = resize_case(&x, "nearest", "half_pixel", NULL, test_values(DTYPE_I64, DIMS(2), (double[]){50, 50}));
  c.attr[c.attr_count++] = INTS("axes", 2, 3), c.attr[c.attr_count++] = TEXT("keep_aspect_ratio_policy", "not_larger");
  REQUIRE_OK(op_shape(&c));
  CHECK(c.outputs[0].dims[2] == 25 && c.outputs[0].dims[3] == 50);
  c.attr[2] = INTS("axes", 2, 2);
  CHECK(op_shape(&c) == FARM_INVALID);
  struct op_case scaled = resize_case(&x, "linear", "half_pixel", test_values(DTYPE_F32, DIMS(4), (double[]){1, 1, -2, 1}), NULL);
  CHECK(op_shape(&scaled) == FARM_INVALID);
  scaled.inputs[2] = test_values(DTYPE_F32, DIMS(4), (double[]){1, 1, NAN, 1});
  CHECK(op_shape(&scaled) == FARM_INVALID);
}

TEST(grid_sample_reads_between_and_beyond, "") {
  static const struct {
    const char *padding;
    double beyond;
  } paddings[] = {{"zeros", 0}, {"border", 4}, {"reflection", 4}};
  for (int i = 0; i < 3; i++) {
    struct op_case c = {.name = "GridSample",
                        .opset = 20,
                        .input_count = 2,
                        .output_count = 1,
                        .attr = {TEXT("padding_mode", paddings[i].padding)},
                        .attr_count = 1};
    c.inputs[0] = test_values(DTYPE_F32, DIMS(1, 1, 2, 2), (double[]){1, 2, 3, 4});
    c.inputs[1] = test_values(DTYPE_F32, DIMS(1, 1, 3, 2), (double[]){0, 0, 0.5, -0.5, 1.5, 1.5});
    REQUIRE_OK(op_run(&c));
    check_output(&c, 0, (double[]){2.5, 2, paddings[i].beyond}, 1e-6, paddings[i].padding);
  }
}

TEST(non_max_suppression_keeps_the_best_of_each_pile, "") {
  struct op_case c = {.name = "NonMaxSuppression", .opset = 11, .input_count = 5, .output_count = 1};
  c.inputs[0] = test_values(DTYPE_F32, DIMS(1, 4, 4), (double[]){0, 0, 1, 1, 0, 0.1, 1, 1.1, 5, 5, 6, 6, 9, 9, 8, 8});
  c.inputs[1] = test_values(DTYPE_F32, DIMS(1, 1, 4), (double[]){0.5, 0.9, 0.7, 0.1});
  c.inputs[2] = test_values(DTYPE_I64, DIMS(1), (double[]){9}), c.inputs[3] = test_values(DTYPE_F32, DIMS(1), (double[]){0.5}),
  c.inputs[4] = test_values(DTYPE_F32, DIMS(1), (double[]){0.2});
  REQUIRE_OK(op_run(&c));
  CHECK(c.outputs[0].dims[0] == 2);
  check_output(&c, 0, (double[]){0, 0, 1, 0, 0, 2}, 0, "selected");
  struct tensor *no_limit = test_values(DTYPE_I64, DIMS(1), (double[]){0}); // as exporters write it: beyond what a double holds
  ((int64_t *)no_limit->data)[0] = INT64_MAX, c.inputs[2] = no_limit;
  REQUIRE_OK(op_run(&c));
  CHECK(c.outputs[0].dims[0] == 2);
  check_output(&c, 0, (double[]){0, 0, 1, 0, 0, 2}, 0, "no limit");
  c.input_count = 2; // no limit given: none are wanted
  REQUIRE_OK(op_run(&c));
  CHECK(c.outputs[0].dims[0] == 0);
}

TEST(roi_align_averages_and_refuses_foreign_batches, "") {
  struct op_case c = {
      .name = "RoiAlign", .opset = 16, .input_count = 3, .output_count = 1, .attr = {INT("sampling_ratio", 1)}, .attr_count = 1};
  c.inputs[0] = test_values(DTYPE_F32, DIMS(1, 1, 2, 2), (double[]){1, 2, 3, 4}),
  c.inputs[1] = test_values(DTYPE_F32, DIMS(1, 4), (double[]){0, 0, 2, 2});
  c.inputs[2] = test_values(DTYPE_I64, DIMS(1), (double[]){0});
  REQUIRE_OK(op_run(&c));
  check_output(&c, 0, (double[]){2.5}, 1e-6, "roi"); // one sample at (0.5, 0.5)
  c.inputs[2] = test_values(DTYPE_I64, DIMS(1), (double[]){1});
  CHECK(op_run(&c) == FARM_INVALID);
}

TEST(max_unpool_puts_back_and_refuses_indices_outside, "") {
  struct op_case c = {.name = "MaxUnpool",
                      .opset = 11,
                      .input_count = 2,
                      .output_count = 1,
                      .attr = {INTS("kernel_shape", 2), INTS("strides", 2)},
                      .attr_count = 2};
  c.inputs[0] = test_values(DTYPE_F32, DIMS(1, 1, 2), (double[]){5, 7}),
  c.inputs[1] = test_values(DTYPE_I64, DIMS(1, 1, 2), (double[]){1, 2});
  REQUIRE_OK(op_run(&c));
  check_output(&c, 0, (double[]){0, 5, 7, 0}, 0, "unpool");
  c.inputs[1] = test_values(DTYPE_I64, DIMS(1, 1, 2), (double[]){1, 4});
  CHECK(op_run(&c) == FARM_INVALID);
}

TEST(col2im_sums_where_blocks_overlap, "") {
  struct op_case c = {.name = "Col2Im", .opset = 18, .input_count = 3, .output_count = 1};
  c.inputs[0] = test_values(DTYPE_F32, DIMS(1, 2, 2), (double[]){1, 2, 10, 20}),
  c.inputs[1] = test_values(DTYPE_I64, DIMS(1), (double[]){3}), c.inputs[2] = test_values(DTYPE_I64, DIMS(1), (double[]){2});
  REQUIRE_OK(op_run(&c));
  check_output(&c, 0, (double[]){1, 12, 20}, 0, "col2im");
}

TEST(dft_and_back_is_where_it_began, "") {
  const struct tensor *x = test_random(DTYPE_F64, 4, DIMS(2, 7, 2));
  struct op_case there = {
      .name = "DFT", .opset = 17, .input_count = 1, .output_count = 1, .inputs = {x}, .attr = {INT("axis", 1)}, .attr_count = 1};
  REQUIRE_OK(op_run(&there));
  double sum[2] = {0, 0};
  for (int i = 0; i < 7; i++) sum[0] += test_at(x, 2 * i), sum[1] += test_at(x, 2 * i + 1);
  CHECK(fabs(test_at(&there.outputs[0], 0) - sum[0]) < 1e-13 && fabs(test_at(&there.outputs[0], 1) - sum[1]) < 1e-13);
  struct op_case back = there;
  back.inputs[0] = &there.outputs[0], back.attr[1] = INT("inverse", 1), back.attr_count = 2;
  REQUIRE_OK(op_run(&back));
  check_output(&back, 0, x->data, 1e-13, "there and back");
}

TEST(stft_is_the_dft_of_each_frame, "") {
  struct op_case c = {.name = "STFT", .opset = 17, .input_count = 4, .output_count = 1};
  c.inputs[0] = test_values(DTYPE_F32, DIMS(1, 4, 1), (double[]){1, 2, 3, 4}),
  c.inputs[1] = test_values(DTYPE_I64, 0, NULL, (double[]){1});
  c.inputs[2] = test_values(DTYPE_F32, DIMS(2), (double[]){1, 2}), c.inputs[3] = test_values(DTYPE_I64, 0, NULL, (double[]){2});
  REQUIRE_OK(op_run(&c));
  check_output(&c, 0, (double[]){5, 0, -3, 0, 8, 0, -4, 0, 11, 0, -5, 0}, 1e-12, "stft");
  c.inputs[1] = test_values(DTYPE_I64, 0, NULL, (double[]){0});
  CHECK(op_shape(&c) == FARM_INVALID);
}

TEST(tfidf_counts_with_gaps_and_refuses_pools_that_lie, "") {
  struct op_case c = {.name = "TfIdfVectorizer", .opset = 9, .input_count = 1, .output_count = 1, .attr_count = 7};
  c.inputs[0] = test_values(DTYPE_I64, DIMS(4), (double[]){1, 2, 1, 3});
  c.attr[0] = TEXT("mode", "TF"), c.attr[1] = INTS("pool_int64s", 1, 3, 1, 3), c.attr[2] = INTS("ngram_counts", 0, 2),
  c.attr[3] = INTS("ngram_indexes", 2, 0, 1);
  c.attr[4] = INT("min_gram_length", 1), c.attr[5] = INT("max_gram_length", 2), c.attr[6] = INT("max_skip_count", 2);
  REQUIRE_OK(op_run(&c));
  check_output(&c, 0, (double[]){1, 2, 2}, 0, "counts"); // 3 once; (1, 3) at distances 1 and 3; 1 twice
  c.attr[2] = INTS("ngram_counts", 0, 9);
  CHECK(op_shape(&c) == FARM_INVALID);
  c.attr[2] = INTS("ngram_counts", 0, 2), c.attr[3] = INTS("ngram_indexes", 2, 0);
  CHECK(op_shape(&c) == FARM_INVALID);
}
