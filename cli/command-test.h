/* For the command's tests: runs build/tunefarm as a user would and keeps what it says. */
#ifndef CLI_COMMAND_TEST_H
#define CLI_COMMAND_TEST_H

#include "../base/file.h"
#include "../base/random.h"
#include "../optimizer/onnx/onnx-writer.h"
#include "../tests/kit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct said {
  int code; // exit code, negative: a signal
  char *out, *error;
};

/* A path in the test's folder; stays valid, the same one for the same name. */
static inline const char *in_folder(const char *name) {
  enum { MOST = 16 };
  static char paths[MOST][PATH_MAX];
  for (int i = 0; i < MOST; i++) {
    const char *slash = strrchr(paths[i], '/');
    if (slash && strcmp(slash + 1, name) == 0) return paths[i];
    if (slash) continue;
    snprintf(paths[i], PATH_MAX, "%s/%s", test_folder(), name);
    return paths[i];
  }
  test_fail(__FILE__, __LINE__, "too many files");
  test_stop();
}

static inline const char *program(void) {
  static char path[PATH_MAX + 16];
  char self[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  REQUIRE(length > 0);
  self[length] = 0;
  snprintf(path, sizeof path, "%s/../tunefarm", dirname(self));
  if (access(path, X_OK) != 0) SKIP("%s is not built", path);
  return path;
}

/* Starts `tunefarm ARGUMENTS…` (NULL at the end) with a cache, sockets and locks of this test's own; stdout is `to`, or with -1
 * the file that command_wait reads. */
static inline pid_t command_start_to(int to, const char *const *arguments) {
  const char *argv[32] = {program()};
  int count = 1;
  while (arguments[count - 1] && count < 31) argv[count] = arguments[count - 1], count++;
  const char *out = in_folder("out"), *error = in_folder("error"), *cache = in_folder("cache-of-test"),
             *locks = in_folder("locks");
  const char *config = in_folder("config");
  fflush(NULL);
  pid_t pid = fork();
  if (pid != 0) return pid;
  int to_out = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600), to_error = open(error, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(to < 0 ? to_out : to, STDOUT_FILENO), dup2(to_error, STDERR_FILENO);
  prctl(PR_SET_PDEATHSIG, SIGTERM); // a failing test leaves nobody behind
  signal(SIGINT, SIG_DFL); // shells have what they start in the background ignore it
  setenv("TUNEFARM_CACHE", cache, 1);
  setenv("TUNEFARM_LOCKS", locks, 1);
  setenv("TUNEFARM_CONFIG", config, 1); // there is none
  setenv("TUNEFARM_IDLE_EXIT", "2", 1);
  execv(argv[0], (char *const *)(uintptr_t)argv);
  _exit(127);
}

static inline pid_t command_start(const char *const *arguments) { return command_start_to(-1, arguments); }

static inline struct said command_wait(pid_t pid) {
  struct said said = {0};
  int status = 0;
  size_t length;
  REQUIRE(pid > 0);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  said.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  REQUIRE(file_read_all(in_folder("out"), 64 << 20, &said.out, &length) == FARM_OK);
  REQUIRE(file_read_all(in_folder("error"), 64 << 20, &said.error, &length) == FARM_OK);
  return said;
}

static inline void said_free(struct said *said) {
  free(said->out);
  free(said->error);
}

#define command_say(...) command_wait(command_start((const char *const[]){__VA_ARGS__, NULL}))

/* Runs it, checks the exit code and that stderr contains `text`. */
#define command_fails(wanted, text, ...)                                                                                         \
  do {                                                                                                                           \
    struct said said_ = command_say(__VA_ARGS__);                                                                                \
    CHECK_MESSAGE(said_.code == (wanted) && strstr(said_.error, text), "code %d: %s", said_.code, said_.error);                  \
    CHECK_MESSAGE(said_.out[0] == 0, "a failing command said on stdout: %s", said_.out);                                         \
    said_free(&said_);                                                                                                           \
  } while (0)
#define command_works(...)                                                                                                       \
  do {                                                                                                                           \
    struct said said_ = command_say(__VA_ARGS__);                                                                                \
    CHECK_MESSAGE(said_.code == 0, "code %d: %s", said_.code, said_.error);                                                      \
    REQUIRE(said_.code == 0);                                                                                                    \
    said_free(&said_);                                                                                                           \
  } while (0)

/* relu(x w0 + b0) w1, seeded: x [batch][32], w0 [32][48], b0 [48], w1 [48][16]. */
static inline const char *small_model(const char *name, const char *batch) {
  static float contents[3][32 * 48];
  const struct tensor w0 = {.dtype = DTYPE_F32, .rank = 2, .dims = {32, 48}, .data = contents[0]},
                      w1 = {.dtype = DTYPE_F32, .rank = 2, .dims = {48, 16}, .data = contents[1]},
                      b0 = {.dtype = DTYPE_F32, .rank = 1, .dims = {48}, .data = contents[2]};
  for (int i = 0; i < 3 * 32 * 48; i++) contents[i / (32 * 48)][i % (32 * 48)] = (float)random_uniform(1, (uint64_t)i) - 0.5f;
  struct pb_writer w = {0};
  char dims[64];
  onnx_model_begin(&w, 8, "test");
  onnx_opset_put(&w, "", 17);
  onnx_graph_begin(&w, "main");
  onnx_node_put(&w, "Gemm", "first", "x w0 b0", "h");
  onnx_node_put(&w, "Relu", "relu", "h", "r");
  onnx_node_put(&w, "MatMul", "second", "r w1", "y");
  onnx_initializer_put(&w, "w0", &w0);
  onnx_initializer_put(&w, "b0", &b0);
  onnx_initializer_put(&w, "w1", &w1);
  snprintf(dims, sizeof dims, "%s 32", batch);
  onnx_value_put(&w, ONNX_INPUT, "x", DTYPE_F32, dims);
  snprintf(dims, sizeof dims, "%s 16", batch);
  onnx_value_put(&w, ONNX_OUTPUT, "y", DTYPE_F32, dims);
  onnx_graph_end(&w);
  onnx_model_end(&w);
  REQUIRE_OK(pb_write_file(&w, in_folder(name)));
  pb_writer_free(&w);
  return in_folder(name);
}

/* Its stdout is one JSON object; free with json_decref. */
static inline json_t *json_of(struct said said) {
  json_error_t error;
  json_t *root = json_loads(said.out, 0, &error);
  if (!root) test_fail(__FILE__, __LINE__, "code %d, no JSON (%s): %s%s", said.code, error.text, said.out, said.error);
  REQUIRE(root != NULL);
  said_free(&said);
  return root;
}

static inline const char *text_at(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : "";
}
static inline double number_at(const json_t *object, const char *key) { return json_number_value(json_object_get(object, key)); }

#endif
