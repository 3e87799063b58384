/* NVRTC's functions that tunefarm calls, as device/cuda-api.h has the driver's. */
#ifndef DEVICE_NVRTC_API_H
#define DEVICE_NVRTC_API_H

#include <stddef.h>

typedef int nvrtc_result; // nvrtcResult
typedef struct _nvrtcProgram *nvrtc_program;

/* clang-format off */
#define NVRTC_API(X)                                                                                                             \
  X(nvrtcVersion, nvrtc_result, (int *out_major, int *out_minor))                                                                \
  X(nvrtcGetErrorString, const char *, (nvrtc_result result))                                                                    \
  X(nvrtcGetNumSupportedArchs, nvrtc_result, (int *out_count))                                                                   \
  X(nvrtcGetSupportedArchs, nvrtc_result, (int *out_archs))                                                                      \
  X(nvrtcCreateProgram, nvrtc_result, (nvrtc_program *out_program, const char *source, const char *name, int header_count,       \
                                       const char *const *headers, const char *const *header_names))                             \
  X(nvrtcDestroyProgram, nvrtc_result, (nvrtc_program *program))                                                                 \
  X(nvrtcCompileProgram, nvrtc_result, (nvrtc_program program, int option_count, const char *const *options))                    \
  X(nvrtcGetProgramLogSize, nvrtc_result, (nvrtc_program program, size_t *out_bytes))                                            \
  X(nvrtcGetProgramLog, nvrtc_result, (nvrtc_program program, char *out_log))                                                    \
  X(nvrtcGetCUBINSize, nvrtc_result, (nvrtc_program program, size_t *out_bytes))                                                 \
  X(nvrtcGetCUBIN, nvrtc_result, (nvrtc_program program, char *out_cubin))
/* clang-format on */

struct nvrtc_api {
#define X(name, result, arguments) result(*name) arguments;
  NVRTC_API(X)
#undef X
};

#define NVRTC_NUMBERS(X)                                                                                                         \
  X(NVRTC_SUCCESS, 0)                                                                                                            \
  X(NVRTC_ERROR_OUT_OF_MEMORY, 1)                                                                                                \
  X(NVRTC_ERROR_INVALID_OPTION, 5)                                                                                               \
  X(NVRTC_ERROR_COMPILATION, 6)

#ifndef CUDA_API_WITHOUT_NUMBERS
enum nvrtc_number {
#define X(name, value) name = value,
  NVRTC_NUMBERS(X)
#undef X
};
#endif

#endif
