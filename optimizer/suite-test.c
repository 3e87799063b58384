/* ONNX's own backend tests, run by the references: import, graph_evaluate, and the runner's rule (relative 1e-3, absolute 1e-7,
 * exact type and shape, NaN equals NaN). Each test has a child process of its own, so that a crash is one test's.
 *
 * tests/conformance/reference-pass.txt lists what must pass; a test that passes without being listed is printed, to be added.
 */
#include "ir/evaluate.h"
#include "onnx/import.h"
#include "onnx/tensor-proto.h"

#include "../tests/kit/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum verdict { PASS, WRONG, UNSUPPORTED, ERROR, CRASH, VERDICTS };
static const char *const verdict_names[] = {"pass", "wrong", "unsupported", "error", "crash"};

enum { MOST_IO = 64, MOST_CASES = 4096, CASE_SECONDS = 50 };

/* ---- the rule ---- */

struct rule {
  double relative, absolute;
};

static bool element_close(double actual, double expected, struct rule rule) {
  if (actual == expected || (isnan(actual) && isnan(expected))) return true;
  return fabs(actual - expected) <= rule.absolute + rule.relative * fabs(expected);
}

static bool tensor_close(const struct tensor *actual, const struct tensor *expected, struct rule rule) {
  char left[160], right[160];
  if (actual->dtype != expected->dtype || !tensor_shape_equal(actual, expected)) {
    fprintf(stderr, "    %s, not %s\n", tensor_text(actual, left, sizeof left), tensor_text(expected, right, sizeof right));
    return false;
  }
  for (int64_t i = 0, count = tensor_elems(actual); i < count; i++) {
    double a = dtype_load_f64(actual->dtype, actual->data, i), e = dtype_load_f64(expected->dtype, expected->data, i);
    if (element_close(a, e, rule)) continue;
    fprintf(stderr, "    element %lld is %.9g, not %.9g\n", (long long)i, a, e);
    return false;
  }
  return true;
}

/* ---- one test, in its child ---- */

static int tensors_read(const char *folder, const char *kind, struct arena *arena, struct tensor *out, int most) {
  int count = 0;
  for (; count < most; count++) {
    char path[1024];
    const char *name;
    snprintf(path, sizeof path, "%s/test_data_set_0/%s_%d.pb", folder, kind, count);
    if (access(path, R_OK) != 0) break;
    if (onnx_tensor_read(path, arena, &out[count], &name) != FARM_OK) return -1;
  }
  return count;
}

static enum verdict fault(enum farm_status status) {
  fprintf(stderr, "    %s: %s\n", status_name(status), status_message());
  return status == FARM_UNSUPPORTED ? UNSUPPORTED : ERROR;
}

static enum verdict model_check(const struct model *model, const struct tensor *inputs, const struct tensor *expected, int count,
                                struct rule rule) {
  struct tensor outputs[MOST_IO];
  enum farm_status status = graph_evaluate(model, inputs, outputs);
  if (status != FARM_OK) return fault(status);
  for (int i = 0; i < count; i++)
    if (!tensor_close(&outputs[i], &expected[i], rule)) return WRONG;
  return PASS;
}

static enum verdict case_run(const char *folder) {
  struct model *model;
  struct arena arena = {0};
  struct tensor inputs[MOST_IO], expected[MOST_IO];
  char path[1024];
  snprintf(path, sizeof path, "%s/model.onnx", folder);
  enum farm_status status = onnx_import(path, &model);
  if (status != FARM_OK) return fault(status);
  int input_count = tensors_read(folder, "input", &arena, inputs, MOST_IO);
  int output_count = tensors_read(folder, "output", &arena, expected, MOST_IO);
  if (input_count < 0 || output_count < 0) return fault(FARM_UNSUPPORTED);
  if (input_count != model->graph->input_count || output_count < 1 || output_count > model->graph->output_count) return ERROR;
  return model_check(model, inputs, expected, output_count, (struct rule){1e-3, 1e-7});
}

static enum verdict forked(enum verdict (*run)(const char *), const char *folder, unsigned seconds, bool quiet) {
  int status;
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    if (quiet && !freopen("/dev/null", "w", stderr)) _exit(ERROR);
    alarm(seconds);
    _exit(run(folder));
  }
  if (child < 0 || waitpid(child, &status, 0) != child) return ERROR;
  return WIFEXITED(status) && WEXITSTATUS(status) < CRASH ? (enum verdict)WEXITSTATUS(status) : CRASH;
}

/* ---- the suite ---- */

struct listed {
  int count;
  char *names[MOST_CASES];
  bool met[MOST_CASES];
};

static bool listed_meet(struct listed *listed, const char *name) {
  for (int i = 0; i < listed->count; i++)
    if (strcmp(listed->names[i], name) == 0) return listed->met[i] = true;
  return false;
}

static void listed_read(const char *path, struct listed *out) {
  char line[512];
  FILE *file = fopen(path, "r");
  REQUIRE(file);
  while (out->count < MOST_CASES && fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    if (line[0] && line[0] != '#') out->names[out->count++] = test_keep(strdup(line));
  }
  fclose(file);
}

struct suite_row {
  char category[64], name[192];
  int opset;
  bool target;
};

/* category, test, opset, ir, class, in_target, … */
static bool row_parse(char *line, struct suite_row *out) {
  char *fields[6], *rest = line;
  for (int i = 0; i < 6; i++)
    if (!(fields[i] = strsep(&rest, "\t"))) return false;
  snprintf(out->category, sizeof out->category, "%s", fields[0]);
  snprintf(out->name, sizeof out->name, "%s", fields[1]);
  out->opset = atoi(fields[2]);
  out->target = strcmp(fields[5], "1") == 0;
  return strcmp(out->category, "category") != 0;
}

struct tally {
  char category[64];
  int counts[VERDICTS];
};

static struct tally *tally_of(struct tally *tallies, int *count, const char *category) {
  for (int i = 0; i < *count; i++)
    if (strcmp(tallies[i].category, category) == 0) return &tallies[i];
  snprintf(tallies[*count].category, sizeof tallies[0].category, "%s", category);
  return &tallies[(*count)++];
}

static void case_report(const char *name, const char *folder, enum verdict verdict, struct listed *must) {
  bool expected = listed_meet(must, name);
  if (verdict == PASS && !expected) printf("  passes and is not listed: %s\n", name);
  if (verdict == PASS || (!expected && verdict != CRASH)) return;
  forked(case_run, folder, CASE_SECONDS, false); // once more, for its message
  test_fail(__FILE__, __LINE__, "%s: %s", name, verdict_names[verdict]);
}

TEST(onnx_suite_passes_where_listed, "timeout:300") {
  struct listed must = {0};
  struct tally tallies[16] = {0};
  int tally_count = 0;
  char line[4096], name[320], folder[1024];
  char *suite = test_keep(strdup(test_data("onnx-suite")));
  snprintf(folder, sizeof folder, "%s/suite.tsv", suite);
  FILE *table = fopen(folder, "r");
  REQUIRE(table);
  listed_read("tests/conformance/reference-pass.txt", &must);
  while (fgets(line, sizeof line, table)) {
    struct suite_row row;
    if (!row_parse(line, &row) || !row.target || strcmp(row.category, "light") == 0) continue;
    if (row.opset < ONNX_LEAST_OPSET || row.opset > ONNX_MOST_OPSET) continue;
    snprintf(name, sizeof name, "%s/%s", row.category, row.name);
    snprintf(folder, sizeof folder, "%s/%s", suite, name);
    enum verdict verdict = forked(case_run, folder, CASE_SECONDS, true);
    tally_of(tallies, &tally_count, row.category)->counts[verdict]++;
    case_report(name, folder, verdict, &must);
  }
  fclose(table);
  for (int i = 0; i < tally_count; i++) {
    printf("  %-18s", tallies[i].category);
    for (int v = 0; v < VERDICTS; v++) printf(" %5d %s", tallies[i].counts[v], verdict_names[v]);
    printf("\n");
  }
  for (int i = 0; i < must.count; i++) CHECK_MESSAGE(must.met[i], "%s is listed and not in the suite", must.names[i]);
}

/* ---- the light models: real architectures, weights made by ConstantOfShape; the input is arange(n) / n ---- */

static enum verdict light_run(const char *path) {
  struct model *model;
  struct arena arena = {0};
  struct tensor input, expected;
  char output[1024];
  const char *name;
  enum farm_status status = onnx_import(path, &model);
  if (status != FARM_OK) return fault(status);
  snprintf(output, sizeof output, "%.*s_output_0.pb", (int)(strlen(path) - strlen(".onnx")), path);
  if (onnx_tensor_read(output, &arena, &expected, &name) != FARM_OK || model->graph->input_count != 1) return ERROR;
  input = model->graph->inputs[0]->type;
  status = tensor_alloc(&input);
  if (status != FARM_OK) return fault(status);
  int64_t count = tensor_elems(&input);
  for (int64_t i = 0; i < count; i++) dtype_store_f64(input.dtype, input.data, i, (double)i / (double)count);
  return model_check(model, &input, &expected, 1, (struct rule){strstr(path, "densenet") ? 2e-3 : 1e-3, 1e-7});
}

static void light_check(const char *name) {
  char path[1024];
  snprintf(path, sizeof path, "%s/light_%s.onnx", test_data("onnx-suite/light"), name);
  enum verdict verdict = forked(light_run, path, 900, false);
  CHECK_MESSAGE(verdict == PASS, "light_%s: %s", name, verdict_names[verdict]);
}

#define LIGHT(name)                                                                                                              \
  TEST(light_##name##_passes, "slow parallel timeout:900") { light_check(#name); }
LIGHT(bvlc_alexnet)
LIGHT(densenet121)
LIGHT(inception_v1)
LIGHT(inception_v2)
LIGHT(resnet50)
LIGHT(shufflenet)
LIGHT(squeezenet)
LIGHT(vgg19)
LIGHT(zfnet512)
