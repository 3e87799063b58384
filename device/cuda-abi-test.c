/* What is declared here against what NVIDIA's headers declare: every signature and every number. Built where the headers are
 * found. */
#include "../tests/kit/test.h"

#ifdef HAVE_CUDA_HEADERS
#define __CUDA_API_VERSION_INTERNAL // shows every version of a function under its own name
#include <cuda.h>
#include <cublasLt.h>
#include <nvrtc.h>
#include <stddef.h>

typedef CUresult cuda_result;
typedef CUdevice cuda_ordinal;
typedef CUdevice_attribute cuda_attribute;
typedef CUfunction_attribute cuda_function_attribute;
typedef CUstreamCaptureMode cuda_capture_mode;
typedef CUdeviceptr cuda_address;
typedef CUuuid cuda_uuid;
typedef CUcontext cuda_context;
typedef CUstream cuda_stream;
typedef CUevent cuda_event;
typedef CUmodule cuda_module;
typedef CUfunction cuda_function;
typedef CUgraph cuda_graph_handle;
typedef CUgraphExec cuda_graph_exec;
typedef nvrtcResult nvrtc_result;
typedef nvrtcProgram nvrtc_program;
typedef cublasStatus_t cublaslt_result;
typedef cublasComputeType_t cublaslt_compute;
typedef cudaDataType_t cublaslt_type;
typedef cublasLtMatmulDescAttributes_t cublaslt_desc_attribute;
typedef cublasLtMatrixLayoutAttribute_t cublaslt_layout_attribute;
typedef cublasLtMatmulPreferenceAttributes_t cublaslt_preference_attribute;
typedef cublasLtHandle_t cublaslt_handle;
typedef cudaStream_t cublaslt_stream;
typedef cublasLtMatmulDesc_t cublaslt_desc;
typedef cublasLtMatrixLayout_t cublaslt_layout;
typedef cublasLtMatmulPreference_t cublaslt_preference;
typedef cublasLtMatmulAlgo_t cublaslt_library_algo;
typedef cublasLtMatmulHeuristicResult_t cublaslt_heuristic;

#include "cublaslt-functions.inc"
#include "cuda-functions.inc"
#include "nvrtc-functions.inc"

#define SAME_SIGNATURE(name, result, arguments)                                                                                  \
  _Static_assert(__builtin_types_compatible_p(__typeof__(&name), result(*) arguments), #name);
#define X(name, arguments) SAME_SIGNATURE(name, CUresult, arguments)
CUDA_API(X)
CUDA_API_OPTIONAL(X)
#undef X
#define X(name, result, arguments) SAME_SIGNATURE(name, result, arguments)
NVRTC_API(X)
CUBLASLT_API(X)
#undef X
#define X(name, value) _Static_assert((int)name == value, #name);
CUDA_NUMBERS(X)
NVRTC_NUMBERS(X)
CUBLASLT_NUMBERS(X)
#undef X

/* The stand-ins of types in cuda-api.h and nvrtc.c: as wide, and passed in the same kind of register. */
_Static_assert(sizeof(CUresult) == sizeof(int) && sizeof(nvrtcResult) == sizeof(int), "results are ints");
_Static_assert(sizeof(CUdevice_attribute) == sizeof(int) && sizeof(CUfunction_attribute) == sizeof(int), "attributes are ints");
_Static_assert(sizeof(CUstreamCaptureMode) == sizeof(int) && sizeof(CUdevice) == sizeof(int), "modes and devices are ints");
_Static_assert(sizeof(CUdeviceptr) == 8 && (CUdeviceptr)-1 > 0, "addresses are 64-bit and unsigned");
_Static_assert(sizeof(CUuuid) == 16, "UUIDs have 16 bytes");

_Static_assert(sizeof(cublasLtMatmulAlgo_t) == 64 && sizeof(cublasLtMatmulHeuristicResult_t) == 96, "algorithms have 64 bytes");
_Static_assert(offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize) == 64, "the workspace follows");
_Static_assert(offsetof(cublasLtMatmulHeuristicResult_t, state) == 72, "the state follows");

TEST(declarations_are_those_of_the_toolkit, "") { CHECK(CUDA_VERSION >= 11040); } // the rest was proven by compiling
#else
TEST(declarations_are_those_of_the_toolkit, "") { SKIP("no cuda.h was found when this was built"); }
#endif
