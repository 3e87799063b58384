/* The CUDA driver as a struct of function pointers. Types are declared by us: the product is built without a toolkit. */
#ifndef DEVICE_CUDA_API_H
#define DEVICE_CUDA_API_H

#include "cuda-device.h"

typedef int cuda_result;  // CUresult
typedef int cuda_ordinal; // CUdevice
typedef int cuda_attribute, cuda_function_attribute, cuda_capture_mode;
typedef struct CUctx_st *cuda_context;
typedef struct CUstream_st *cuda_stream;
typedef struct CUevent_st *cuda_event;
typedef struct CUmod_st *cuda_module;
typedef struct CUfunc_st *cuda_function;
typedef struct CUgraph_st *cuda_graph_handle;
typedef struct CUgraphExec_st *cuda_graph_exec;
typedef struct {
  char bytes[16];
} cuda_uuid;

#include "cuda-functions.inc"

struct cuda_api {
#define X(name, arguments) cuda_result(*name) arguments;
  CUDA_API(X) CUDA_API_OPTIONAL(X)
#undef X
};

enum cuda_number {
#define X(name, value) name = value,
  CUDA_NUMBERS(X)
#undef X
};

/* Opens the driver once per process, from any thread, and initialises it. FARM_UNSUPPORTED with the reason. */
enum farm_status cuda_api(const struct cuda_api **out_api);
/* Was this process forked off after the driver had been started? Then the driver refuses everything here, starting anew as well. */
bool cuda_api_forked(void);

#endif
