/* The conformance suite and the real models, through import and evaluation: every case that imports gives the expected outputs.
 */
#include "evaluate.h"

#include "../../tests/kit/test.h"
#include "../onnx/import.h"
#include "../onnx/tensor-proto.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_ENDS = 64, MOST_FOLDER = 512, MOST_PATH = 600 };
/* One output quantum, 1/255 where the largest output is 0.7, is what implementations of the quantised model differ by. */
static const double QUANTUM = 0.0057;
enum verdict { PASS, WRONG, UNSUPPORTED, FAILED, VERDICTS };

static bool number_close(double got, double expected, double rtol, double atol) {
  if (isnan(expected) || isnan(got)) return isnan(expected) && isnan(got);
  return got == expected || fabs(got - expected) <= atol + rtol * fabs(expected);
}

static bool tensor_close(const struct tensor *got, const struct tensor *expected, double share_of_max) {
  if (got->dtype != expected->dtype || !tensor_shape_equal(got, expected)) return false;
  double most = 0;
  int64_t elems = tensor_elems(expected);
  for (int64_t i = 0; i < elems; i++) most = fmax(most, fabs(dtype_load_f64(expected->dtype, expected->data, i)));
  double quantum = dtype_is_float(expected->dtype) || share_of_max == 0 ? 0 : 1;
  for (int64_t i = 0; i < elems; i++) {
    double x = dtype_load_f64(got->dtype, got->data, i), y = dtype_load_f64(expected->dtype, expected->data, i);
    if (!number_close(x, y, 1e-3, 1e-7 + share_of_max * most + quantum)) return false;
  }
  return true;
}

static enum farm_status tensors_read(const char *folder, const char *kind, struct arena *arena, struct tensor *tensors,
                                     int count) {
  for (int i = 0; i < count; i++) {
    char path[MOST_PATH];
    snprintf(path, sizeof path, "%s/test_data_set_0/%s_%d.pb", folder, kind, i);
    TRY(onnx_tensor_read(path, arena, &tensors[i], NULL));
  }
  return FARM_OK;
}

static enum verdict outputs_compare(const struct model *model, const struct tensor *inputs, const struct tensor *expected,
                                    double share_of_max) {
  struct tensor outputs[MOST_ENDS] = {0};
  enum farm_status status = graph_evaluate(model, inputs, outputs);
  if (status != FARM_OK) return status == FARM_UNSUPPORTED ? UNSUPPORTED : FAILED;
  enum verdict verdict = PASS;
  for (int i = 0; i < model->graph->output_count; i++) {
    if (!tensor_close(&outputs[i], &expected[i], share_of_max)) {
      char a[96], b[96];
      status_set(FARM_VERIFY_FAILED, "output %d differs: %s, expected %s", i, tensor_text(&outputs[i], a, sizeof a),
                 tensor_text(&expected[i], b, sizeof b));
      verdict = WRONG;
    }
    tensor_free(&outputs[i]);
  }
  return verdict;
}

static enum verdict case_run(const char *folder, double share_of_max) {
  char path[MOST_PATH];
  struct model *model = NULL;
  struct arena arena = {0};
  struct tensor inputs[MOST_ENDS], expected[MOST_ENDS];
  snprintf(path, sizeof path, "%s/model.onnx", folder);
  if (onnx_import(path, &model) != FARM_OK) return UNSUPPORTED;
  enum verdict verdict = FAILED;
  const struct graph *graph = model->graph;
  bool fits = graph->input_count <= MOST_ENDS && graph->output_count <= MOST_ENDS;
  if (fits && tensors_read(folder, "input", &arena, inputs, graph->input_count) == FARM_OK &&
      tensors_read(folder, "output", &arena, expected, graph->output_count) == FARM_OK)
    verdict = outputs_compare(model, inputs, expected, share_of_max);
  model_free(&model);
  arena_free(&arena);
  return verdict;
}

/* At least `least` cases pass and at most `bad` do not; those are listed with TUNEFARM_SHOW. */
static void folder_run(const char *relative, double share_of_max, int least, int bad) {
  const char *folder = test_data(relative);
  int counts[VERDICTS] = {0};
  DIR *entries = opendir(folder);
  REQUIRE(entries != NULL);
  for (struct dirent *entry; (entry = readdir(entries));) {
    char path[MOST_FOLDER], model[MOST_PATH];
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    snprintf(model, sizeof model, "%s/model.onnx", path);
    if (entry->d_name[0] == '.' || access(model, R_OK) != 0) continue;
    enum verdict verdict = case_run(path, strstr(path, "qdq") ? QUANTUM : share_of_max);
    counts[verdict]++;
    bool show = getenv("TUNEFARM_SHOW") && (verdict == WRONG || verdict == FAILED);
    if (show) fprintf(stderr, "%s %s: %s\n", verdict == WRONG ? "wrong" : "failed", entry->d_name, status_message());
  }
  closedir(entries);
  fprintf(stderr, "%s: %d pass, %d wrong, %d failed, %d unsupported\n", relative, counts[PASS], counts[WRONG], counts[FAILED],
          counts[UNSUPPORTED]);
  CHECK(counts[PASS] >= least);
  CHECK(counts[WRONG] + counts[FAILED] <= bad);
}

TEST(evaluate_real_models, "timeout:120") { folder_run("models", 1e-5, 5, 0); }
/* Room for the cases whose expected values are disputed or made with another generator of random numbers. */
TEST(evaluate_node_suite, "timeout:120") { folder_run("onnx-suite/node", 0, 930, 12); }
TEST(evaluate_simple_suite, "") { folder_run("onnx-suite/simple", 0, 6, 0); }
TEST(evaluate_converted_suite, "") { folder_run("onnx-suite/pytorch-converted", 0, 2, 0); }

/* The light models: weights are made in the graph, the input is 0, 1/n, 2/n, ... */
static void light_run(const char *name, double share_of_max) {
  char path[MOST_PATH];
  struct model *model = NULL;
  struct arena arena = {0};
  struct tensor input, expected;
  snprintf(path, sizeof path, "onnx-suite/light/light_%s.onnx", name);
  REQUIRE_OK(onnx_import(test_data(path), &model));
  snprintf(path, sizeof path, "onnx-suite/light/light_%s_output_0.pb", name);
  REQUIRE_OK(onnx_tensor_read(test_data(path), &arena, &expected, NULL));
  REQUIRE(model->graph->input_count == 1 && model->graph->output_count == 1);
  input = model->graph->inputs[0]->type;
  REQUIRE_OK(tensor_alloc(&input));
  int64_t elems = tensor_elems(&input);
  for (int64_t i = 0; i < elems; i++) dtype_store_f64(input.dtype, input.data, i, (double)i / (double)elems);
  enum verdict verdict = outputs_compare(model, &input, &expected, share_of_max);
  CHECK_MESSAGE(verdict == PASS, "%s: %s", name, status_message());
  tensor_free(&input);
  arena_free(&arena);
  model_free(&model);
}

TEST(evaluate_light_squeezenet, "") { light_run("squeezenet", 0); }
TEST(evaluate_light_shufflenet, "") { light_run("shufflenet", 0); }
TEST(evaluate_light_models, "slow parallel timeout:600") {
  static const char *const names[] = {"bvlc_alexnet", "densenet121", "inception_v1", "inception_v2",
                                      "resnet50",     "vgg19",       "zfnet512"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) light_run(names[i], 0);
}
