/* cuBLASLt as a struct of function pointers. Types are declared by us, as in cuda-api.h. */
#ifndef DEVICE_CUBLASLT_API_H
#define DEVICE_CUBLASLT_API_H

#include "../base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef int cublaslt_result, cublaslt_compute, cublaslt_type; // cublasStatus_t, cublasComputeType_t, cudaDataType_t
typedef int cublaslt_desc_attribute, cublaslt_layout_attribute, cublaslt_preference_attribute;
typedef struct cublasLtContext *cublaslt_handle;
typedef struct CUstream_st *cublaslt_stream;
typedef struct cublaslt_desc_opaque *cublaslt_desc;
typedef struct cublaslt_layout_opaque *cublaslt_layout;
typedef struct cublaslt_preference_opaque *cublaslt_preference;
typedef struct {
  uint64_t data[8];
} cublaslt_library_algo;
typedef struct {
  cublaslt_library_algo algo;
  size_t workspace_bytes;
  cublaslt_result state;
  float waves;
  int reserved[4];
} cublaslt_heuristic;

#include "cublaslt-functions.inc"

struct cublaslt_api {
#define X(name, result, arguments) result(*name) arguments;
  CUBLASLT_API(X)
#undef X
};

enum cublaslt_number {
#define X(name, value) name = value,
  CUBLASLT_NUMBERS(X)
#undef X
};

/* Opens the library once per process, from any thread. FARM_UNSUPPORTED with the reason. */
enum farm_status cublaslt_api(const struct cublaslt_api **out_api);

#endif
