/* See nvrtc.h. The options are one table; what they are enters artefact keys as CUDA_OPTIONS_REVISION (kernels/cuda). */
#include "nvrtc.h"

#include "library-search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int nvrtc_result; // nvrtcResult
typedef struct _nvrtcProgram *nvrtc_program;

#include "nvrtc-functions.inc"

static struct nvrtc_api {
#define X(name, result, arguments) result(*name) arguments;
  NVRTC_API(X)
#undef X
} api;

enum nvrtc_number {
#define X(name, value) name = value,
  NVRTC_NUMBERS(X)
#undef X
};

enum { MOST_ARCHS = 64, MOST_OPTIONS = 8 };
static const size_t LOG_MOST = (size_t)16 << 20, CUBIN_MOST = (size_t)1 << 30;

static int version; // 100 * major + minor

static const struct library_function functions[] = {
#define X(name, result, arguments) LIBRARY_FUNCTION(nvrtc_api, name)
    NVRTC_API(X)
#undef X
};

/* Beside the architecture. No caches between two compilations, and no random names: the same text gives the same bytes. */
static const struct {
  const char *text;
  int since; // version of NVRTC that knows it
} options[] = {
    {"--std=c++17", 0},
    {"-diag-suppress=177", 0}, // a function of the dialect that a text does not call
    {"--frandom-seed=tunefarm", 1300},
    {"--no-cache", 1300},
};

static enum farm_status begin(void) {
  int major = 0, minor = 0;
  FAIL_IF(api.nvrtcVersion(&major, &minor) != NVRTC_SUCCESS, FARM_UNSUPPORTED, "NVRTC does not tell its version");
  version = 100 * major + minor;
  return FARM_OK;
}

static enum farm_status nvrtc_open(void) {
  static const struct library_table table = {LIBRARY_NVRTC, functions, sizeof functions / sizeof *functions, &api, begin};
  return library_once(&table);
}

enum farm_status nvrtc_version(char *out, size_t out_bytes) {
  TRY(nvrtc_open());
  snprintf(out, out_bytes, "nvrtc %d.%d", version / 100, version % 100);
  return FARM_OK;
}

void nvrtc_arch(int sm, char out[16]) { snprintf(out, 16, "sm_%d%s", sm, sm >= 90 ? "a" : ""); }

bool nvrtc_supports(int sm) {
  int count = 0, archs[MOST_ARCHS];
  if (nvrtc_open() != FARM_OK || api.nvrtcGetNumSupportedArchs(&count) != NVRTC_SUCCESS || count < 0 || count > MOST_ARCHS)
    return false;
  if (api.nvrtcGetSupportedArchs(archs) != NVRTC_SUCCESS) return false;
  for (int i = 0; i < count; i++)
    if (archs[i] == sm) return true;
  return false;
}

/* ---- one compilation ---- */

static enum farm_status nvrtc_fail(const char *name, const char *what, nvrtc_result result) {
  const char *text = api.nvrtcGetErrorString(result);
  return status_set(result == NVRTC_ERROR_OUT_OF_MEMORY ? FARM_NO_MEMORY : FARM_FAILURE, "%s: NVRTC %s: %s (%d)", name, what,
                    text ? text : "unknown error", result);
}

/* The line that says what is wrong: the first that speaks of an error, else the first. */
static void error_line(const char *log, char *out, size_t bytes) {
  const char *found = log;
  for (const char *line = log; *line; line += strcspn(line, "\n"), line += *line == '\n') {
    size_t length = strcspn(line, "\n");
    if (!memmem(line, length, "error", 5) && !memmem(line, length, "fatal", 5)) continue;
    found = line;
    break;
  }
  snprintf(out, bytes, "%.*s", (int)strcspn(found, "\n"), found);
}

static enum farm_status log_take(nvrtc_program program, struct strbuf *log) {
  size_t bytes = 0;
  if (api.nvrtcGetProgramLogSize(program, &bytes) != NVRTC_SUCCESS || bytes <= 1 || bytes > LOG_MOST) return FARM_OK;
  char *text = calloc(1, bytes + 1);
  FAIL_IF(!text, FARM_NO_MEMORY, "out of memory for a compiler's log");
  if (api.nvrtcGetProgramLog(program, text) == NVRTC_SUCCESS) strbuf_add(log, text);
  free(text);
  return FARM_OK;
}

static enum farm_status cubin_take(const char *name, nvrtc_program program, struct bytes_writer *out) {
  size_t bytes = 0;
  nvrtc_result result = api.nvrtcGetCUBINSize(program, &bytes);
  if (result != NVRTC_SUCCESS) return nvrtc_fail(name, "gives no cubin", result);
  FAIL_IF(!bytes || bytes > CUBIN_MOST, FARM_FAILURE, "%s: NVRTC gives a cubin of %zu bytes", name, bytes);
  char *cubin = malloc(bytes);
  FAIL_IF(!cubin, FARM_NO_MEMORY, "out of memory for a cubin of %zu bytes", bytes);
  result = api.nvrtcGetCUBIN(program, cubin);
  if (result == NVRTC_SUCCESS) bytes_put(out, cubin, bytes);
  free(cubin);
  if (result != NVRTC_SUCCESS) return nvrtc_fail(name, "gives no cubin", result);
  FAIL_IF(out->failed, FARM_NO_MEMORY, "out of memory for a cubin of %zu bytes", bytes);
  return FARM_OK;
}

static nvrtc_result program_build(nvrtc_program program, int sm) {
  char arch[16], architecture[40];
  const char *texts[MOST_OPTIONS];
  int count = 0;
  nvrtc_arch(sm, arch);
  snprintf(architecture, sizeof architecture, "--gpu-architecture=%s", arch);
  texts[count++] = architecture;
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    if (version >= options[i].since) texts[count++] = options[i].text;
  return api.nvrtcCompileProgram(program, count, texts);
}

static enum farm_status program_compile(const char *name, nvrtc_program program, int sm, struct bytes_writer *out_cubin,
                                        struct strbuf *log) {
  struct strbuf own = {0};
  char line[512];
  nvrtc_result result = program_build(program, sm);
  enum farm_status status = log_take(program, &own);
  error_line(strbuf_text(&own), line, sizeof line);
  if (log) strbuf_add(log, strbuf_text(&own));
  strbuf_free(&own);
  TRY(status);
  FAIL_IF(result == NVRTC_ERROR_COMPILATION, FARM_INVALID, "%s does not compile for sm %d: %s", name, sm,
          *line ? line : "the compiler gives no reason");
  if (result != NVRTC_SUCCESS) return nvrtc_fail(name, *line ? line : "fails", result);
  return cubin_take(name, program, out_cubin);
}

enum farm_status nvrtc_compile(const char *name, const char *source, int sm, struct bytes_writer *out_cubin, struct strbuf *log) {
  nvrtc_program program = NULL;
  TRY(nvrtc_open());
  FAIL_IF(!nvrtc_supports(sm), FARM_UNSUPPORTED, "%s: NVRTC %d.%d does not compile for sm %d", name, version / 100, version % 100,
          sm);
  nvrtc_result result = api.nvrtcCreateProgram(&program, source, name, 0, NULL, NULL);
  if (result != NVRTC_SUCCESS) return nvrtc_fail(name, "takes no program", result);
  enum farm_status status = program_compile(name, program, sm, out_cubin, log);
  api.nvrtcDestroyProgram(&program);
  return status;
}
