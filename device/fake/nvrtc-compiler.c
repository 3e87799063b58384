/* Runs the host's C++ compiler on one kernel text. See nvrtc-compiler.h.
 *
 * The texts of the emulator's headers are part of this library and are put beside the kernel into a folder of their own, so that
 * compiling depends on nothing in the checkout.
 */
#include "nvrtc-compiler.h"
#include "fake-image.h"
#include "simt-abi.h"

#include "../../base/digest.h"
#include "../../base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MOST = 48, CACHE_PATH_MAX = 4096, LIBRARY_MOST = 256 << 20 };
extern char **environ;

static const struct {
  const char *name, *text;
} headers[] = {
#define X(name, text) {name, text},
#include "simt-texts.inc"
#undef X
};

/* Kernels are checked rather than quick: little optimisation compiles in a third of the time. What C++ leaves undefined is caught
 * (simt-undefined.h): misaligned accesses, indices of local arrays, shifts, signed overflow. */
static const char *const options[] = {"-std=c++17",
                                      "-O1",
                                      "-g0",
                                      "-w",
                                      "-fPIC",
                                      "-shared",
                                      "-fvisibility=hidden",
                                      "-fno-exceptions",
                                      "-fno-rtti",
                                      "-fno-math-errno",
                                      "-ffp-contract=off",
                                      "-fno-strict-aliasing",
                                      "-nostdinc",
                                      "-DFARM_SIMT",
                                      "-fsanitize=undefined",
                                      "-fno-sanitize=vptr,null,return,integer-divide-by-zero",
                                      "-fno-sanitize-recover=undefined"};

/* Calls for each access to memory (simt-touch.h), of gcc and of clang. */
static const char *const touch_options[2][10] = {
    {"-fsanitize=kernel-address", "--param=asan-instrumentation-with-call-threshold=0", "--param=asan-stack=0",
     "--param=asan-globals=0", NULL},
    {"-fno-sanitize=function", "-fsanitize=kernel-address", "-mllvm", "-asan-instrumentation-with-call-threshold=0", "-mllvm",
     "-asan-stack=0", "-mllvm", "-asan-globals=0", NULL}};

struct compilation {
  const char *source, *name;
  const struct fake_target *target;
  const char *words[WORDS_MOST]; // of the command
  int word_count;
  char compiler[512], define[40], folder[256];
};

/* ---- the command ---- */

static bool runs(const char *compiler) {
  const char *path = getenv("PATH");
  char file[1024];
  if (strchr(compiler, '/') != NULL) return access(compiler, X_OK) == 0;
  for (const char *at = path == NULL ? "/usr/bin:/bin" : path; *at != '\0'; at += strcspn(at, ":"), at += *at == ':') {
    snprintf(file, sizeof file, "%.*s/%s", (int)strcspn(at, ":"), at, compiler);
    if (access(file, X_OK) == 0) return true;
  }
  return false;
}

static enum farm_status compiler_find(char out[512]) {
  static const char *const usual[] = {"g++", "clang++", "c++"};
  const char *named = getenv("TUNEFARM_FAKE_CXX");
  if (named == NULL || *named == '\0') named = getenv("CXX");
  for (size_t i = 0; (named == NULL || *named == '\0') && i < sizeof usual / sizeof *usual; i++)
    if (runs(usual[i])) named = usual[i];
  FAIL_IF(named == NULL || *named == '\0', FARM_UNSUPPORTED, "there is no C++ compiler to compile kernels with");
  FAIL_IF(strlen(named) >= 512, FARM_USAGE, "the name of the C++ compiler is longer than 511 bytes");
  strcpy(out, named);
  return FARM_OK;
}

/* A compiler may be several words ("ccache g++"). */
static enum farm_status command_begin(struct compilation *c) {
  TRY(compiler_find(c->compiler));
  for (char *rest, *word = strtok_r(c->compiler, " ", &rest); word != NULL && c->word_count < 8;
       word = strtok_r(NULL, " ", &rest))
    c->words[c->word_count++] = word;
  FAIL_IF(c->word_count == 0, FARM_USAGE, "the C++ compiler has no name");
  snprintf(c->define, sizeof c->define, "-D__CUDA_ARCH__=%d", c->target->sm * 10);
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) c->words[c->word_count++] = options[i];
  bool clang = strstr(c->words[c->word_count - (int)(sizeof options / sizeof *options) - 1], "clang") != NULL;
  for (const char *const *word = touch_options[clang]; *word != NULL; word++) c->words[c->word_count++] = *word;
  c->words[c->word_count++] = c->define;
  return FARM_OK;
}

/* Runs `words` in `folder`; what it says goes to the file `log` there. */
static enum farm_status command_run(const char *const *words, const char *folder, int *out_exit) {
  posix_spawn_file_actions_t actions;
  char log[300];
  pid_t child;
  int state;
  snprintf(log, sizeof log, "%s/log", folder);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  int error = posix_spawnp(&child, words[0], &actions, NULL, (char *const *)(uintptr_t)words, environ);
  posix_spawn_file_actions_destroy(&actions);
  FAIL_IF(error != 0, FARM_UNSUPPORTED, "%s does not start: %s", words[0], strerror(error));
  while (waitpid(child, &state, 0) < 0) FAIL_IF(errno != EINTR, FARM_FAILURE, "waiting for %s: %s", words[0], strerror(errno));
  *out_exit = WIFEXITED(state) ? WEXITSTATUS(state) : 128;
  return FARM_OK;
}

/* ---- the folder of one compilation ---- */

static enum farm_status folder_make(char out[256]) {
  const char *base = getenv("TMPDIR");
  snprintf(out, 256, "%s/tunefarm-kernel-XXXXXX", base == NULL || strlen(base) > 200 ? "/tmp" : base);
  FAIL_IF(mkdtemp(out) == NULL, FARM_FAILURE, "%s: %s", out, strerror(errno));
  return FARM_OK;
}

static enum farm_status folder_write(const char *folder, const char *name, const char *text) {
  char path[400];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "wx");
  FAIL_IF(file == NULL, FARM_FAILURE, "%s: %s", path, strerror(errno));
  bool written = fputs(text, file) >= 0;
  FAIL_IF(fclose(file) != 0 || !written, FARM_FAILURE, "%s: could not be written", path);
  return FARM_OK;
}

static void folder_remove(const char *folder) {
  static const char *const others[] = {"kernel.cpp", "kernel.so", "log"};
  char path[400];
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, headers[i].name);
    unlink(path);
  }
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, others[i]);
    unlink(path);
  }
  rmdir(folder);
}

static enum farm_status folder_read(const char *folder, const char *name, char **out, size_t *out_length) {
  char path[400];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return file_read_all(path, LIBRARY_MOST, out, out_length);
}

/* ---- compiling ---- */

static void log_read(const char *folder, const char *name, struct strbuf *log) {
  char *text;
  size_t length;
  if (folder_read(folder, "log", &text, &length) != FARM_OK) return;
  /* The compiler speaks of its own file; the program has a name. */
  for (const char *at = text; *at != '\0';) {
    const char *file = strstr(at, "kernel.cpp"), *begin = file;
    if (file == NULL) {
      strbuf_add(log, at);
      break;
    }
    while (begin > at && begin[-1] != ' ' && begin[-1] != '\n') begin--;
    strbuf_add_bytes(log, at, (size_t)(begin - at));
    strbuf_add(log, name);
    at = file + strlen("kernel.cpp");
  }
  free(text);
}

static enum farm_status library_make(struct compilation *c, char **out, size_t *out_length, struct strbuf *log) {
  char source[300], library[300];
  int exit_code = 0;
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) TRY(folder_write(c->folder, headers[i].name, headers[i].text));
  TRY(folder_write(c->folder, "kernel.cpp", c->source));
  snprintf(source, sizeof source, "%s/kernel.cpp", c->folder);
  snprintf(library, sizeof library, "%s/kernel.so", c->folder);
  const char *tail[] = {"-o", library, source, "-nodefaultlibs", "-lm", "-lc", NULL};
  memcpy(c->words + c->word_count, tail, sizeof tail);
  TRY(command_run(c->words, c->folder, &exit_code));
  log_read(c->folder, c->name, log);
  FAIL_IF(exit_code != 0, FARM_INVALID, "%s does not compile", c->name);
  return folder_read(c->folder, "kernel.so", out, out_length);
}

/* The library with a mark in its header, and the tail that says what it is. */
static enum farm_status image_put(const struct fake_target *target, char *library, size_t bytes, struct bytes_writer *image) {
  struct fake_image tail = {.magic = FAKE_IMAGE_MAGIC, .abi = SIMT_ABI, .sm = (uint32_t)target->sm, .specific = target->specific};
  Elf64_Ehdr head;
  FAIL_IF(bytes < sizeof head, FARM_FAILURE, "the C++ compiler made a library of %zu bytes", bytes);
  memcpy(&head, library, sizeof head);
  FAIL_IF(memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_shoff + (size_t)head.e_shnum * head.e_shentsize != bytes,
          FARM_UNSUPPORTED, "the C++ compiler's libraries do not end with their section table");
  head.e_flags = FAKE_IMAGE_FLAGS;
  memcpy(library, &head, sizeof head);
  tail.sum = fake_image_sum(library, bytes, &tail);
  bytes_put(image, library, bytes);
  bytes_put(image, &tail, sizeof tail);
  return FARM_OK;
}

static enum farm_status compile_anew(struct compilation *c, struct bytes_writer *image, struct strbuf *log) {
  char *library = NULL;
  size_t length = 0;
  TRY(folder_make(c->folder));
  enum farm_status status = library_make(c, &library, &length, log);
  folder_remove(c->folder);
  TRY(status);
  status = image_put(c->target, library, length, image);
  free(library);
  TRY(status);
  FAIL_IF(image->failed, FARM_NO_MEMORY, "out of memory for an image of %zu bytes", length);
  return FARM_OK;
}

/* ---- what was compiled before ---- */

static void compiler_name(struct digest_state *digest, const struct compilation *c) {
  struct stat about;
  char file[1024];
  const char *path = getenv("PATH");
  for (int w = 0; w < c->word_count; w++) digest_add(digest, c->words[w], strlen(c->words[w]) + 1);
  for (const char *at = path == NULL ? "" : path; *at != '\0'; at += strcspn(at, ":"), at += *at == ':') {
    snprintf(file, sizeof file, "%.*s/%s", (int)strcspn(at, ":"), at, c->words[0]);
    if (stat(file, &about) != 0) continue;
    digest_add(digest, &about.st_size, sizeof about.st_size);
    digest_add(digest, &about.st_mtim, sizeof about.st_mtim);
    return;
  }
}

/* false: there is no place for a cache. */
static bool cache_path(const struct compilation *c, char out[CACHE_PATH_MAX]) {
  struct digest_state digest;
  char hex[DIGEST_HEX_BYTES], folder[CACHE_PATH_MAX - 128];
  const char *own = getenv("TUNEFARM_FAKE_CACHE"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  int length = own != NULL && *own != '\0'       ? snprintf(folder, sizeof folder, "%s", own)
               : cache != NULL && *cache != '\0' ? snprintf(folder, sizeof folder, "%s/tunefarm/fake-nvrtc", cache)
               : home != NULL && *home != '\0'   ? snprintf(folder, sizeof folder, "%s/.cache/tunefarm/fake-nvrtc", home)
                                                 : -1;
  if (length < 0 || (size_t)length >= sizeof folder || file_make_folders(folder) != FARM_OK) return false;
  digest_begin(&digest);
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) digest_add(&digest, headers[i].text, strlen(headers[i].text) + 1);
  digest_add(&digest, c->source, strlen(c->source) + 1);
  digest_add(&digest, &c->target->sm, sizeof c->target->sm);
  digest_add(&digest, &c->target->specific, sizeof c->target->specific);
  compiler_name(&digest, c);
  struct digest key = digest_end(&digest);
  digest_to_hex(&key, hex);
  snprintf(out, CACHE_PATH_MAX, "%s/%s", folder, hex);
  return true;
}

/* The whole image, or nothing: files are renamed into place; what a failing disk made of one shows in its sum. */
static bool cache_read(const char *path, struct bytes_writer *image) {
  char *data;
  size_t length;
  struct fake_image tail;
  if (file_read_all(path, LIBRARY_MOST, &data, &length) != FARM_OK) return false;
  bool whole = length >= sizeof tail;
  if (whole) memcpy(&tail, data + length - sizeof tail, sizeof tail);
  whole = whole && tail.sum == fake_image_sum(data, length - sizeof tail, &tail);
  if (whole) bytes_put(image, data, length);
  free(data);
  return whole && !image->failed;
}

enum farm_status fake_compile(const char *source, const char *name, const struct fake_target *target, struct bytes_writer *image,
                              struct strbuf *log) {
  struct compilation c = {.source = source, .name = name, .target = target};
  char path[CACHE_PATH_MAX];
  TRY(command_begin(&c));
  bool cached = cache_path(&c, path);
  if (cached && cache_read(path, image)) return FARM_OK;
  TRY(compile_anew(&c, image, log));
  if (cached) (void)file_write_atomic(path, image->data, image->length); // a full disk costs time only
  return FARM_OK;
}
