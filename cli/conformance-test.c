/* ONNX's own backend tests through the engine: each case is imported, optimised, linked, loaded, run and compared by the runner's
 * rule, in a child of its own, so that a crash or a hang is one case's.
 *
 * tests/conformance/engine-pass.txt lists what must pass. Where the data beside the checkout is missing, the distribution's
 * libonnx-testdata stands in: cases of the same names, of which that version may lack some or have them of an opset before 7. */
#include "case-runner.h"

#include "../tests/kit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_CASES = 4096, CASE_SECONDS = 60, PROCESSES = 2, LEAST_ELSEWHERE = 500 };

struct suite {
  const char *folder;
  bool elsewhere; // the distribution's
  int count;
  char *names[MOST_CASES];
};

static const char *suite_folder(bool *out_elsewhere) {
  static const char *const folders[] = {"build/data/onnx-suite", "/usr/share/libonnx-testdata/data"};
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    *out_elsewhere = i > 0;
    if (access(folders[i], R_OK) == 0) return folders[i];
  }
  SKIP("neither %s (`make test-data`) nor %s (the package libonnx-testdata) is there", folders[0], folders[1]);
}

static void names_read(const char *path, struct suite *out) {
  char line[512];
  FILE *file = fopen(path, "r");
  REQUIRE(file);
  while (out->count < MOST_CASES && fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    if (line[0] && line[0] != '#') out->names[out->count++] = strdup(line);
  }
  fclose(file);
}

/* One line to `out` for a case that should have passed; '.' counts as passed, '-' as not there. */
static char case_judge(const struct suite *suite, const char *name) {
  const struct case_options options = {.rule = COMPARE_RULE_ONNX, .threads = 1};
  char folder[512], why[512];
  snprintf(folder, sizeof folder, "%s/%s", suite->folder, name);
  if (suite->elsewhere && access(folder, R_OK) != 0) return '-';
  enum case_verdict verdict = case_run_apart(folder, &options, CASE_SECONDS, why, sizeof why);
  if (verdict == CASE_PASS) return '.';
  if (suite->elsewhere && verdict == CASE_UNSUPPORTED) return '-'; // an older opset
  fprintf(stderr, "    %s: %s: %s\n", name, case_verdict_name(verdict), why);
  return 'F';
}

/* Cases part, part + PROCESSES, …; a letter each into the pipe. */
static pid_t part_start(const struct suite *suite, int part, int to) {
  fflush(NULL);
  pid_t child = fork();
  if (child != 0) return child;
  for (int i = part; i < suite->count; i += PROCESSES) {
    char verdict = case_judge(suite, suite->names[i]);
    if (write(to, &verdict, 1) != 1) _exit(1);
  }
  _exit(0);
}

TEST(conformance_cases_pass_as_engines, "timeout:280") {
  static struct suite suite;
  int verdicts[2], passed = 0, failed = 0, absent = 0;
  pid_t children[PROCESSES];
  suite.folder = suite_folder(&suite.elsewhere);
  names_read("tests/conformance/engine-pass.txt", &suite);
  REQUIRE(suite.count > 900 && pipe(verdicts) == 0);
  for (int i = 0; i < PROCESSES; i++) children[i] = part_start(&suite, i, verdicts[1]);
  close(verdicts[1]);
  for (char verdict; read(verdicts[0], &verdict, 1) == 1;)
    passed += verdict == '.', failed += verdict == 'F', absent += verdict == '-';
  for (int i = 0; i < PROCESSES; i++) {
    int status = -1;
    CHECK(waitpid(children[i], &status, 0) == children[i] && status == 0);
  }
  printf("  %s: %d pass, %d fail, %d are not there\n", suite.folder, passed, failed, absent);
  CHECK_MESSAGE(failed == 0, "%d listed cases do not pass", failed);
  CHECK(passed + failed + absent == suite.count);
  CHECK(passed >= (suite.elsewhere ? LEAST_ELSEWHERE : suite.count));
}
