/* Every model of the conformance suite and the real ones give the same before and after the passes, and the graph verifies after
 * each pass. */
#include "pass.h"

#include "../../tests/kit/test.h"
#include "../ir/evaluate.h"
#include "../onnx/import.h"
#include "../onnx/tensor-proto.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_ENDS = 64, MOST_PATH = 700 };

static bool inputs_read(const char *folder, const struct graph *graph, struct arena *arena, struct tensor *inputs) {
  for (int i = 0; i < graph->input_count; i++) {
    char path[MOST_PATH];
    snprintf(path, sizeof path, "%s/test_data_set_0/input_%d.pb", folder, i);
    if (onnx_tensor_read(path, arena, &inputs[i], NULL) != FARM_OK) return false;
  }
  return true;
}

/* Largest difference, as a share of the largest value (at least 1); infinite when types differ. */
static double difference(const struct tensor *a, const struct tensor *b) {
  double most = 1, worst = 0;
  if (a->dtype != b->dtype || !tensor_shape_equal(a, b)) return INFINITY;
  for (int64_t i = 0; i < tensor_elems(a); i++) {
    double x = dtype_load_f64(a->dtype, a->data, i), y = dtype_load_f64(b->dtype, b->data, i);
    if (x == y || (isnan(x) && isnan(y))) continue;
    most = fmax(most, fabs(x));
    worst = fmax(worst, isfinite(x) && isfinite(y) ? fabs(x - y) : INFINITY);
  }
  return worst / most;
}

static bool has_random(const struct graph *graph) {
  for (const struct node *node = graph->first; node; node = node->next) {
    const struct graph *sub;
    if (node->row->flags & OPERATOR_RANDOM) return true;
    for (int at = 0; (sub = node_subgraph(node, &at));)
      if (has_random(sub)) return true;
  }
  return false;
}

/* Half a quantum of f16 and bf16 outputs, times a few roundings. */
static double tolerance(const struct tensor *output) {
  return output->dtype == DTYPE_BF16 ? 2e-2 : output->dtype == DTYPE_F16 ? 3e-3 : dtype_is_integer(output->dtype) ? 1 : 2e-5;
}

static void compare(const char *name, const struct model *before, const struct model *after, const struct tensor *inputs,
                    int *compared) {
  struct tensor expected[MOST_ENDS] = {0}, got[MOST_ENDS] = {0};
  const int count = before->graph->output_count;
  if (graph_evaluate(before, inputs, expected) != FARM_OK) return;
  enum farm_status status = graph_evaluate(after, inputs, got);
  if (status != FARM_OK) test_fail(__FILE__, __LINE__, "%s: %s", name, status_message());
  for (int i = 0; i < count && status == FARM_OK; i++) {
    double worst = difference(&expected[i], &got[i]);
    CHECK_MESSAGE(worst <= tolerance(&expected[i]), "%s: output %d differs by %g", name, i, worst);
    tensor_free(&got[i]);
  }
  for (int i = 0; i < count; i++) tensor_free(&expected[i]);
  ++*compared;
}

static void case_run(const char *folder, const char *name, int *compared) {
  char path[MOST_PATH];
  struct model *before = NULL, *after = NULL;
  struct arena arena = {0};
  struct tensor inputs[MOST_ENDS];
  snprintf(path, sizeof path, "%s/model.onnx", folder);
  if (onnx_import(path, &before) != FARM_OK) return;
  REQUIRE_OK(onnx_import(path, &after));
  enum farm_status status = passes_run(after, &(struct pass_options){.verify = true}, NULL);
  if (status != FARM_OK)
    test_fail(__FILE__, __LINE__, "%s: %s", name, status_message());
  else if (before->graph->input_count <= MOST_ENDS && before->graph->output_count <= MOST_ENDS && !has_random(before->graph) &&
           inputs_read(folder, before->graph, &arena, inputs))
    compare(name, before, after, inputs, compared);
  model_free(&before);
  model_free(&after);
  arena_free(&arena);
}

static void folder_run(const char *relative, int least) {
  const char *folder = test_data(relative);
  DIR *entries = opendir(folder);
  int compared = 0;
  REQUIRE(entries != NULL);
  for (struct dirent *entry; (entry = readdir(entries));) {
    char path[600], model[MOST_PATH];
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    snprintf(model, sizeof model, "%s/model.onnx", path);
    if (entry->d_name[0] != '.' && access(model, R_OK) == 0) case_run(path, entry->d_name, &compared);
  }
  closedir(entries);
  CHECK_MESSAGE(compared >= least, "only %d cases of %s were compared", compared, relative);
}

TEST(passes_keep_real_models, "slow parallel timeout:120") { folder_run("models", 5); }
TEST(passes_keep_converted_suite, "") { folder_run("onnx-suite/pytorch-converted", 2); }
TEST(passes_keep_operator_suite, "") { folder_run("onnx-suite/pytorch-operator", 2); }
TEST(passes_keep_node_suite, "timeout:120") { folder_run("onnx-suite/node", 800); }
