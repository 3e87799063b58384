/* Models from elsewhere through the engine: five real ones with the outputs another runtime gave, nine architectures of ONNX's
 * own suite whose weights are constants (slow). The rules are those of the data's own descriptions. */
#include "model-case-test.h"
#include "output-rule.h"

#include "../optimizer/onnx/tensor-proto.h"
#include "../optimizer/passes/pass.h"

static struct tensor tensor_of(const char *path, struct arena *arena) {
  struct tensor tensor = {0};
  const char *name;
  REQUIRE_OK(onnx_tensor_read(path, arena, &tensor, &name));
  return tensor;
}

/* Shapes of the inputs as the data has them, where the model leaves them open. */
static void shapes_note(const char *path, const struct tensor *inputs, struct arena *arena, struct model_options *options) {
  struct model *model;
  int count = 0;
  REQUIRE_OK(onnx_import(path, &model));
  for (int i = 0; i < model->graph->input_count && count < MODEL_MOST_OPERANDS - 1; i++) {
    const struct value *input = model->graph->inputs[i];
    if (tensor_elems(&input->type) >= 0) continue;
    const char *text = arena_printf(arena, "%s=", input->name);
    for (int d = 0; d < inputs[i].rank; d++)
      text = arena_printf(arena, "%s%s%lld", text, d ? "x" : "", (long long)inputs[i].dims[d]);
    options->shapes[count++] = text;
  }
  model_free(&model);
}

static const struct compare_rule ASKED = {1e-3, 1e-5, true}; // by the data's own README

static void data_set_check(const char *name, struct model_options options) {
  struct arena arena = {0};
  struct tensor inputs[MODEL_MOST_OPERANDS];
  char *folder = strdup(test_data(arena_printf(&arena, "models/%s", name)));
  const char *path = arena_printf(&arena, "%s/model.onnx", folder);
  struct model_case c;
  for (int i = 0; i < MODEL_MOST_OPERANDS; i++) {
    const char *file = arena_printf(&arena, "%s/test_data_set_0/input_%d.pb", folder, i);
    FILE *there = fopen(file, "r");
    if (!there) break;
    fclose(there);
    inputs[i] = tensor_of(file, &arena);
  }
  shapes_note(path, inputs, &arena, &options);
  model_open(path, &options, &c);
  engine_run_on(c.context, inputs, c.input_count);
  for (int i = 0; i < c.output_count; i++) {
    struct tensor expected = tensor_of(arena_printf(&arena, "%s/test_data_set_0/output_%d.pb", folder, i), &arena);
    struct compare_rule rule = output_rule(&ASKED, c.model->graph->outputs[i], &expected);
    struct compare_result result;
    struct tensor actual = output_of(c.context, i);
    tensor_compare(&actual, &expected, &rule, &result);
    CHECK_MESSAGE(result.passed, "%s without %s, output %d: %s", name, options.without[0] ? options.without[0] : "nothing", i,
                  result.why);
  }
  model_close(&c);
  free(folder);
  arena_free(&arena);
}

TEST(real_models_give_what_is_expected, "timeout:120") {
  static const char *const names[] = {"mnist", "FastestDet", "pytorch_super_resolution", "genai_tiny_gpt2", "micro_kws_m_qdq"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    for (int threads = 1; threads <= 2; threads++) data_set_check(names[i], (struct model_options){.threads = threads});
}

/* Each pass switched off alone. */
TEST(real_model_without_any_one_pass, "timeout:120") {
  static const char *const passes[] = {
#define X(id, text, what) text,
      PASS_LIST(X)
#undef X
  };
  for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
    data_set_check("FastestDet", (struct model_options){.without = {passes[i]}});
}

/* ---- a cache that grows: batch, new tokens and past vary together ---- */

static void cache_input(struct model_case *c, int index, int64_t batch, int64_t len, int64_t past) {
  const struct value *value = c->model->graph->inputs[index];
  struct tensor *tensor = &c->inputs[index];
  tensor_free(tensor);
  *tensor = (struct tensor){.dtype = value->type.dtype, .rank = 2, .dims = {batch, len}};
  if (strstr(value->name, "mask")) tensor->dims[1] = past + len;
  if (strstr(value->name, "past")) *tensor = (struct tensor){.dtype = DTYPE_F32, .rank = 5, .dims = {2, batch, 4, past, 8}};
  REQUIRE_OK(tensor_alloc(tensor));
  input_random(value->name, tensor, 17 + (uint64_t)index);
  for (int64_t i = 0; i < tensor_elems(tensor) && strstr(value->name, "position"); i++)
    dtype_store_i64(tensor->dtype, tensor->data, i, past + i % len);
}

TEST(real_model_with_a_growing_cache, "timeout:120") {
  static const int64_t cases[][3] = {{1, 1, 5}, {1, 4, 0}, {2, 3, 9}, {1, 1, 0}, {2, 4, 16}, {1, 2, 1}, {2, 1, 15}};
  char *path = strdup(test_data("models/genai_tiny_gpt2/model.onnx"));
  struct model_options options = {.threads = 2,
                                  .shapes = {"input_ids=1x1:1x1:2x4", "position_ids=1x1:1x1:2x4", "attention_mask=1x1:1x9:2x20",
                                             "past_0=2x1x4x0x8:2x1x4x8x8:2x2x4x16x8", "past_1=2x1x4x0x8:2x1x4x8x8:2x2x4x16x8",
                                             "past_2=2x1x4x0x8:2x1x4x8x8:2x2x4x16x8", "past_3=2x1x4x0x8:2x1x4x8x8:2x2x4x16x8",
                                             "past_4=2x1x4x0x8:2x1x4x8x8:2x2x4x16x8"}};
  struct model_case c;
  model_open(path, &options, &c);
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    char what[64];
    snprintf(what, sizeof what, "batch %lld, %lld tokens after %lld", (long long)cases[k][0], (long long)cases[k][1],
             (long long)cases[k][2]);
    for (int i = 0; i < c.input_count; i++) cache_input(&c, i, cases[k][0], cases[k][1], cases[k][2]);
    model_check(&c, &MODEL_RULE, what);
  }
  model_close(&c);
  free(path);
}

/* ---- the light models: the input is arange(n) / n ---- */

static void light_check(const char *name, double rtol) {
  struct arena arena = {0};
  struct model_case c;
  char *folder = strdup(test_data("onnx-suite/light"));
  model_open(arena_printf(&arena, "%s/light_%s.onnx", folder, name), &(struct model_options){.threads = 2}, &c);
  struct tensor expected = tensor_of(arena_printf(&arena, "%s/light_%s_output_0.pb", folder, name), &arena);
  inputs_make(&c, NULL, 0, 1);
  int64_t elems = tensor_elems(&c.inputs[0]);
  for (int64_t i = 0; i < elems; i++) dtype_store_f64(c.inputs[0].dtype, c.inputs[0].data, i, (double)i / (double)elems);
  engine_run_on(c.context, c.inputs, c.input_count);
  outputs_check(c.context, &expected, 1, &(struct compare_rule){rtol, 1e-7, false}, name);
  model_close(&c);
  free(folder);
  arena_free(&arena);
}

#define LIGHT(name, rtol)                                                                                                        \
  TEST(light_engine_##name, "slow parallel timeout:300") { light_check(#name, rtol); }
LIGHT(bvlc_alexnet, 1e-3)
LIGHT(densenet121, 2e-3)
LIGHT(inception_v1, 1e-3)
LIGHT(inception_v2, 1e-3)
LIGHT(resnet50, 1e-3)
LIGHT(shufflenet, 1e-3)
LIGHT(squeezenet, 1e-3)
LIGHT(vgg19, 1e-3)
LIGHT(zfnet512, 1e-3)
