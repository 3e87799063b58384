/* Every architecture of synth through the engine, against the references of its operators: in f32 and in 16 bits, with odd
 * sequence lengths, with shapes that vary within a range, with several threads and several contexts, without any one pass. */
#include "model-case-test.h"

#include "../optimizer/passes/pass.h"

#include <pthread.h>

static const struct compare_rule bfloat_rule = {8e-2, 8e-2, true}; // of 2^-8
static const struct compare_rule half_rule = {1e-2, 1e-2, true};   // several roundings of 2^-11 on the way

static void agrees(const char *name, struct synth_options synth, struct model_options options, const struct compare_rule *rule) {
  struct model_case c;
  model_open(synth_make(name, synth), &options, &c);
  inputs_make(&c, NULL, 0, 7);
  model_check(&c, rule, name);
  model_close(&c);
}

#define AGREES(test_name, tags, ...)                                                                                             \
  TEST(test_name, tags) { agrees(__VA_ARGS__); }
#define OPTIONS(...) ((struct model_options){__VA_ARGS__})
#define SYNTH(...) ((struct synth_options){__VA_ARGS__})
AGREES(synth_mlp_agrees, "", "mlp", SYNTH(.batch = 3), OPTIONS(.threads = 2), &MODEL_RULE)
AGREES(synth_mobilenetv2_agrees, "", "mobilenetv2", SYNTH(.batch = 1), OPTIONS(.threads = 2), &MODEL_RULE)
AGREES(synth_mobilenetv2_f16_agrees, "", "mobilenetv2", SYNTH(.dtype = DTYPE_F16), OPTIONS(.threads = 2), &half_rule)
AGREES(synth_mobilenetv2_bf16_agrees, "slow parallel", "mobilenetv2", SYNTH(.dtype = DTYPE_BF16), OPTIONS(.threads = 2), &bfloat_rule)
AGREES(synth_bert_f16_agrees, "slow parallel timeout:600", "bert-base", SYNTH(.seq = 17, .dtype = DTYPE_F16), OPTIONS(.threads = 2),
       &half_rule)
AGREES(synth_resnet50_agrees, "slow parallel timeout:300", "resnet50", SYNTH(.batch = 1), OPTIONS(.threads = 2), &MODEL_RULE)
AGREES(synth_vgg16_agrees, "slow parallel timeout:600", "vgg16", SYNTH(.batch = 1), OPTIONS(.threads = 2), &MODEL_RULE)
AGREES(synth_vit_agrees, "slow parallel timeout:600", "vit-b16", SYNTH(.batch = 1), OPTIONS(.threads = 2), &MODEL_RULE)
AGREES(synth_bert_of_7_agrees, "slow parallel timeout:300", "bert-base", SYNTH(.batch = 1, .seq = 7), OPTIONS(.threads = 2), &MODEL_RULE)
AGREES(synth_bert_of_33_agrees, "slow parallel timeout:600", "bert-base", SYNTH(.batch = 2, .seq = 33), OPTIONS(.threads = 2), &MODEL_RULE)
AGREES(synth_gpt2_of_7_agrees, "slow parallel timeout:300", "gpt2", SYNTH(.batch = 1, .seq = 7), OPTIONS(.threads = 2), &MODEL_RULE)
AGREES(synth_gpt2_of_33_agrees, "slow parallel timeout:600", "gpt2", SYNTH(.batch = 1, .seq = 33), OPTIONS(.threads = 2), &MODEL_RULE)

/* ---- shapes within a range ---- */

struct shape_case {
  int64_t dims[2];
  bool inside;
};

static void varies(const char *name, const char *shape, const struct shape_case *cases, int count, int rank) {
  struct model_case c;
  model_open(synth_make(name, (struct synth_options){.dynamic = true}), &(struct model_options){.shapes = {shape}, .threads = 2},
             &c);
  for (int i = 0; i < count; i++) {
    inputs_make(&c, cases[i].dims, rank, 3 + (uint64_t)i);
    if (cases[i].inside) {
      model_check(&c, &MODEL_RULE, name);
      continue;
    }
    enum farm_status status = inputs_bind(c.context, c.inputs, c.input_count);
    if (status == FARM_OK) status = farm_context_run(c.context);
    CHECK_MESSAGE(status == FARM_USAGE, "%s of %lldx%lld, which is outside: %s", name, (long long)cases[i].dims[0],
                  (long long)cases[i].dims[1], status_name(status));
  }
  model_close(&c);
}

TEST(synth_shapes_vary_within_their_range, "timeout:120") {
  static const struct shape_case batches[] = {{{2}, true}, {{1}, true}, {{3}, true}, {{4}, false}, {{2}, true}};
  varies("mlp", "input=1x1024:2x1024:3x1024", batches, 5, 1);
  varies("mobilenetv2", "input=1x3x224x224:1x3x224x224:2x3x224x224",
         (struct shape_case[]){{{2}, true}, {{3}, false}, {{1}, true}}, 3, 1);
}

static const struct shape_case tokens[] = {{{2, 16}, true}, {{1, 8}, true},   {{4, 32}, true},  {{3, 17}, true},
                                           {{2, 7}, false}, {{2, 33}, false}, {{5, 16}, false}, {{1, 31}, true}};
TEST(synth_bert_varies_within_its_range, "slow parallel timeout:900") { varies("bert-base", "input_ids=1x8:2x16:4x32", tokens, 8, 2); }
TEST(synth_gpt2_varies_within_its_range, "slow parallel timeout:900") { varies("gpt2", "input_ids=1x8:2x16:4x32", tokens, 8, 2); }

/* ---- passes, threads, contexts ---- */

TEST(synth_mobilenetv2_without_any_one_pass, "timeout:120") {
  int count;
  const struct pass *passes = pass_table(&count);
  struct tensor expected = {0};
  const char *path = synth_make("mobilenetv2", (struct synth_options){0});
  for (int i = 0; i < count; i++) {
    struct model_case c;
    model_open(path, &(struct model_options){.without = {passes[i].name}, .threads = 2}, &c);
    inputs_make(&c, NULL, 0, 11);
    if (!expected.data) REQUIRE_OK(graph_evaluate(c.model, c.inputs, &expected));
    engine_run_on(c.context, c.inputs, c.input_count);
    outputs_check(c.context, &expected, 1, &MODEL_RULE, passes[i].name);
    model_close(&c);
  }
  tensor_free(&expected);
}

/* One engine, a context per thread, each with inputs of its own, many runs at once. */
struct worker_run {
  pthread_t thread;
  farm_context_t *context;
  struct tensor input, expected;
  int failures;
};

static void *runs_make(void *argument) {
  struct worker_run *w = argument;
  for (int i = 0; i < 6; i++) {
    struct compare_result result = {0};
    if (inputs_bind(w->context, &w->input, 1) != FARM_OK || farm_context_run(w->context) != FARM_OK) {
      w->failures++;
      continue;
    }
    farm_tensor_t got = {.size = sizeof got};
    w->failures += farm_context_get_output(w->context, 0, &got) != FARM_OK;
    struct tensor actual = {.dtype = (enum dtype)got.dtype, .rank = got.rank, .data = got.data};
    memcpy(actual.dims, got.dims, sizeof actual.dims);
    tensor_compare(&actual, &w->expected, &MODEL_RULE, &result);
    w->failures += !result.passed;
  }
  return NULL;
}

TEST(synth_contexts_of_one_engine_side_by_side, "timeout:120") {
  enum { WORKERS = 3 };
  struct worker_run workers[WORKERS] = {0};
  struct model_case c;
  model_open(synth_make("mobilenetv2", (struct synth_options){0}), &(struct model_options){.threads = 2}, &c);
  for (int i = 0; i < WORKERS; i++) {
    inputs_make(&c, NULL, 0, 100 + (uint64_t)i);
    REQUIRE_OK(graph_evaluate(c.model, c.inputs, &workers[i].expected));
    workers[i].input = c.inputs[0];
    c.inputs[0] = (struct tensor){0};
    context_open(c.engine, 1 + i % 2, &workers[i].context);
  }
  for (int i = 0; i < WORKERS; i++) REQUIRE(pthread_create(&workers[i].thread, NULL, runs_make, &workers[i]) == 0);
  for (int i = 0; i < WORKERS; i++) {
    pthread_join(workers[i].thread, NULL);
    CHECK_MESSAGE(workers[i].failures == 0, "context %d: %d runs went wrong", i, workers[i].failures);
    farm_context_free(workers[i].context);
    tensor_free(&workers[i].input);
    tensor_free(&workers[i].expected);
  }
  model_close(&c);
}
