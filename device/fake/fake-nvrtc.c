/* NVRTC's interface in front of the host's compiler: device/nvrtc.h opens it as it opens the real one. What comes out can only be
 * loaded by the fake driver, so its version is one that NVRTC never had: artefacts of the two never meet under one key.
 */
#include "nvrtc-compiler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int nvrtc_result;
typedef struct _nvrtcProgram *nvrtc_program;
#include "../nvrtc-functions.inc"

#define NVRTC_EXPORT __attribute__((visibility("default")))
#define X(name, result, arguments) NVRTC_EXPORT result name arguments;
NVRTC_API(X)
#undef X

enum {
  SUCCESS = 0,
  OUT_OF_MEMORY = 1,
  CREATION_FAILURE = 2,
  INVALID_INPUT = 3,
  INVALID_PROGRAM = 4,
  INVALID_OPTION = 5,
  COMPILATION = 6
};
static const char *const error_texts[] = {[SUCCESS] = "NVRTC_SUCCESS",
                                          [OUT_OF_MEMORY] = "NVRTC_ERROR_OUT_OF_MEMORY",
                                          [CREATION_FAILURE] = "NVRTC_ERROR_PROGRAM_CREATION_FAILURE",
                                          [INVALID_INPUT] = "NVRTC_ERROR_INVALID_INPUT",
                                          [INVALID_PROGRAM] = "NVRTC_ERROR_INVALID_PROGRAM",
                                          [INVALID_OPTION] = "NVRTC_ERROR_INVALID_OPTION",
                                          [COMPILATION] = "NVRTC_ERROR_COMPILATION"};
static const int archs[] = {75, 80, 86, 87, 88, 89, 90, 100, 103, 110, 120, 121};
enum { ARCHS = sizeof archs / sizeof *archs };

struct _nvrtcProgram {
  char *source, *name;
  struct bytes_writer image;
  struct strbuf log;
};

nvrtc_result nvrtcVersion(int *out_major, int *out_minor) {
  *out_major = 0;
  *out_minor = 1;
  return SUCCESS;
}

const char *nvrtcGetErrorString(nvrtc_result result) {
  return result >= 0 && result <= COMPILATION ? error_texts[result] : "NVRTC_ERROR unknown";
}

nvrtc_result nvrtcGetNumSupportedArchs(int *out_count) {
  *out_count = ARCHS;
  return SUCCESS;
}

nvrtc_result nvrtcGetSupportedArchs(int *out_archs) {
  memcpy(out_archs, archs, sizeof archs);
  return SUCCESS;
}

nvrtc_result nvrtcCreateProgram(nvrtc_program *out_program, const char *source, const char *name, int header_count,
                                const char *const *headers, const char *const *header_names) {
  (void)headers;
  (void)header_names;
  if (out_program == NULL || source == NULL || header_count != 0) return INVALID_INPUT;
  nvrtc_program program = calloc(1, sizeof *program);
  if (program == NULL) return OUT_OF_MEMORY;
  program->source = strdup(source);
  program->name = strdup(name == NULL ? "default_program" : name);
  *out_program = program;
  if (program->source != NULL && program->name != NULL) return SUCCESS;
  nvrtcDestroyProgram(out_program);
  return OUT_OF_MEMORY;
}

nvrtc_result nvrtcDestroyProgram(nvrtc_program *program) {
  if (program == NULL || *program == NULL) return INVALID_PROGRAM;
  free((*program)->source);
  free((*program)->name);
  bytes_writer_free(&(*program)->image);
  strbuf_free(&(*program)->log);
  free(*program);
  *program = NULL;
  return SUCCESS;
}

/* "sm_90a", "sm_75". */
static bool target_read(const char *text, struct fake_target *out) {
  char *end;
  if (strncmp(text, "sm_", 3) != 0) return false;
  out->sm = (int)strtol(text + 3, &end, 10);
  out->specific = *end == 'a';
  if (end[out->specific] != '\0') return false;
  for (int i = 0; i < ARCHS; i++)
    if (archs[i] == out->sm) return true;
  return false;
}

/* Options that say how to compile for a device mean nothing here and are let through by their names. */
static bool option_read(const char *option, struct fake_target *target) {
  static const char *const known[] = {"--std=",          "-std=",           "-diag-suppress=", "--diag-suppress=",
                                      "--frandom-seed=", "-frandom-seed=",  "--no-cache",      "-no-cache",
                                      "--fmad=",         "-fmad=",          "--use_fast_math", "-use_fast_math",
                                      "-default-device", "--maxrregcount=", "-lineinfo",       "--generate-line-info"};
  static const char *const arch[] = {"--gpu-architecture=", "-arch=", "-arch "};
  for (size_t i = 0; i < sizeof arch / sizeof *arch; i++)
    if (strncmp(option, arch[i], strlen(arch[i])) == 0) return target_read(option + strlen(arch[i]), target);
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strncmp(option, known[i], strlen(known[i])) == 0) return true;
  return false;
}

nvrtc_result nvrtcCompileProgram(nvrtc_program program, int option_count, const char *const *options) {
  struct fake_target target = {.sm = 75};
  if (program == NULL) return INVALID_PROGRAM;
  strbuf_clear(&program->log);
  program->image.length = 0;
  for (int i = 0; i < option_count; i++)
    if (!option_read(options[i], &target)) {
      strbuf_printf(&program->log, "error: option %s is not known\n", options[i]);
      return INVALID_OPTION;
    }
  enum farm_status status = fake_compile(program->source, program->name, &target, &program->image, &program->log);
  if (status == FARM_OK) return SUCCESS;
  program->image.length = 0;
  if (status != FARM_INVALID) strbuf_printf(&program->log, "error: %s\n", status_message());
  return status == FARM_NO_MEMORY ? OUT_OF_MEMORY : COMPILATION;
}

nvrtc_result nvrtcGetProgramLogSize(nvrtc_program program, size_t *out_bytes) {
  if (program == NULL) return INVALID_PROGRAM;
  *out_bytes = program->log.length + 1;
  return SUCCESS;
}

nvrtc_result nvrtcGetProgramLog(nvrtc_program program, char *out_log) {
  if (program == NULL) return INVALID_PROGRAM;
  memcpy(out_log, strbuf_text(&program->log), program->log.length + 1);
  return SUCCESS;
}

nvrtc_result nvrtcGetCUBINSize(nvrtc_program program, size_t *out_bytes) {
  if (program == NULL || program->image.length == 0) return INVALID_PROGRAM;
  *out_bytes = program->image.length;
  return SUCCESS;
}

nvrtc_result nvrtcGetCUBIN(nvrtc_program program, char *out_cubin) {
  if (program == NULL || program->image.length == 0) return INVALID_PROGRAM;
  memcpy(out_cubin, program->image.data, program->image.length);
  return SUCCESS;
}
