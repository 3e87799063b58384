/* Every architecture is written the same each time, imports, and its shapes come out as they should (a length that went through a
 * slice of a table of positions is unknown until run time). */
#include "synth.h"

#include "../base/digest.h"
#include "../base/file.h"
#include "../optimizer/onnx/import.h"
#include "../tests/kit/test.h"

#include <stdio.h>
#include <string.h>

static struct digest write_and_digest(const char *name, const struct synth_options *options, const char *path) {
  struct file_map map;
  REQUIRE_OK(synth_write(name, options, path));
  REQUIRE_OK(file_map_open(path, &map));
  struct digest digest = digest_of(map.data, map.length);
  file_map_close(&map);
  return digest;
}

static void output_check(const char *path, int output, const char *expected) {
  struct model *model;
  char text[128];
  REQUIRE_OK(onnx_import(path, &model));
  REQUIRE_OK(graph_verify(model));
  REQUIRE(output < model->graph->output_count);
  CHECK_TEXT(tensor_text(&model->graph->outputs[output]->type, text, sizeof text), expected);
  model_free(&model);
}

static void shape_check(const char *name, struct synth_options options, const char *expected) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s.onnx", test_folder(), name);
  REQUIRE_OK(synth_write(name, &options, path));
  output_check(path, 0, expected);
}

TEST(synth_resnet50_is_the_same_each_time, "") {
  char path[512], hex[DIGEST_HEX_BYTES];
  snprintf(path, sizeof path, "%s/resnet50.onnx", test_folder());
  struct synth_options options = {.seed = 1, .dtype = DTYPE_F32, .batch = 1};
  struct digest digest = write_and_digest("resnet50", &options, path);
  digest_to_hex(&digest, hex);
  CHECK_TEXT(
      hex,
      "1493c72a2370e6c1f211fe0734f8c510c577065579d5d2881acd0379cd20afe3"); // changes only with the architecture or the generator
  output_check(path, 0, "f32[1,1000]");
  options.seed = 2;
  struct digest other = write_and_digest("resnet50", &options, path);
  CHECK(!digest_equal(&digest, &other));
}

TEST(synth_images_import, "") {
  shape_check("mobilenetv2", (struct synth_options){.seed = 1, .dtype = DTYPE_F32, .batch = 3}, "f32[3,1000]");
  shape_check("mobilenetv2", (struct synth_options){.seed = 1, .dtype = DTYPE_F16, .batch = 1, .dynamic = true}, "f16[s0,1000]");
  shape_check("mlp", (struct synth_options){.seed = 1, .dtype = DTYPE_F32, .batch = 1}, "f32[1,1024]");
}

TEST(synth_large_models_import, "slow parallel timeout:300") {
  shape_check("vgg16", (struct synth_options){.seed = 1, .dtype = DTYPE_F32, .batch = 1}, "f32[1,1000]");
  shape_check("bert-base", (struct synth_options){.seed = 1, .dtype = DTYPE_F32, .batch = 2, .seq = 16}, "f32[2,16,768]");
  shape_check("bert-base", (struct synth_options){.seed = 1, .dtype = DTYPE_F16, .batch = 1, .dynamic = true}, "f16[s0,?,768]");
  shape_check("gpt2", (struct synth_options){.seed = 1, .dtype = DTYPE_F32, .batch = 1, .dynamic = true}, "f32[s0,?,50257]");
  shape_check("vit-b16", (struct synth_options){.seed = 1, .dtype = DTYPE_BF16, .batch = 1}, "bf16[1,1000]");
}

TEST(synth_refuses_what_cannot_be, "") {
  struct synth_options options = {.seed = 1, .dtype = DTYPE_F32, .batch = 1};
  CHECK(synth_write("resnet49", &options, "/dev/null") == FARM_USAGE);
  options.seq = 8;
  CHECK(synth_write("vgg16", &options, "/dev/null") == FARM_USAGE);
  options.seq = 513;
  CHECK(synth_write("bert-base", &options, "/dev/null") == FARM_USAGE);
  options = (struct synth_options){.seed = 1, .dtype = DTYPE_I8, .batch = 1};
  CHECK(synth_write("mlp", &options, "/dev/null") == FARM_USAGE);
}
