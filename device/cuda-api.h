/* The CUDA driver's functions that tunefarm calls: one list, from which the struct of pointers, its loader, the fake driver's check
 * of itself and the comparison with NVIDIA's header are made. Declared by us: the product is built without a toolkit.
 *
 * Names are those of the binary interface, with its version suffixes. Of each function the oldest version is taken that has 64-bit
 * addresses and sizes, so any driver from 11.4 on has them all. cuCtxCreate_v2 is one of these: _v4, which a toolkit of version 13
 * puts in its place, takes another argument list. A context of one's own and not the primary one, because an error that sticks
 * then stays with the device that was opened, and closing it gives all of its memory back whatever else the process does.
 */
#ifndef DEVICE_CUDA_API_H
#define DEVICE_CUDA_API_H

#include "cuda-device.h"

typedef int cuda_result; // CUresult
typedef int cuda_ordinal; // CUdevice
typedef struct CUctx_st *cuda_context;
typedef struct CUstream_st *cuda_stream;
typedef struct CUevent_st *cuda_event;
typedef struct CUmod_st *cuda_module;
typedef struct CUfunc_st *cuda_function;
typedef struct CUgraph_st *cuda_graph_handle;
typedef struct CUgraphExec_st *cuda_graph_exec;
struct cuda_uuid {
  unsigned char bytes[16];
};

/* clang-format off */
#define CUDA_API(X)                                                                                                              \
  X(cuInit, (unsigned int flags))                                                                                                \
  X(cuDriverGetVersion, (int *out_version))                                                                                      \
  X(cuGetErrorName, (cuda_result error, const char **out_text))                                                                  \
  X(cuGetErrorString, (cuda_result error, const char **out_text))                                                                \
  X(cuDeviceGetCount, (int *out_count))                                                                                          \
  X(cuDeviceGet, (cuda_ordinal *out_device, int ordinal))                                                                        \
  X(cuDeviceGetName, (char *out_name, int bytes, cuda_ordinal device))                                                           \
  X(cuDeviceGetUuid_v2, (struct cuda_uuid *out_uuid, cuda_ordinal device))                                                       \
  X(cuDeviceGetAttribute, (int *out_value, int attribute, cuda_ordinal device))                                                  \
  X(cuDeviceTotalMem_v2, (size_t *out_bytes, cuda_ordinal device))                                                               \
  X(cuCtxCreate_v2, (cuda_context *out_context, unsigned int flags, cuda_ordinal device))                                        \
  X(cuCtxDestroy_v2, (cuda_context context))                                                                                     \
  X(cuCtxSetCurrent, (cuda_context context))                                                                                     \
  X(cuMemAlloc_v2, (cuda_address *out_address, size_t bytes))                                                                    \
  X(cuMemFree_v2, (cuda_address address))                                                                                        \
  X(cuMemHostAlloc, (void **out_data, size_t bytes, unsigned int flags))                                                         \
  X(cuMemFreeHost, (void *data))                                                                                                 \
  X(cuMemcpyHtoDAsync_v2, (cuda_address to, const void *from, size_t bytes, cuda_stream stream))                                 \
  X(cuMemcpyDtoHAsync_v2, (void *to, cuda_address from, size_t bytes, cuda_stream stream))                                       \
  X(cuMemcpyDtoDAsync_v2, (cuda_address to, cuda_address from, size_t bytes, cuda_stream stream))                                \
  X(cuMemsetD8Async, (cuda_address to, unsigned char value, size_t bytes, cuda_stream stream))                                   \
  X(cuStreamCreate, (cuda_stream *out_stream, unsigned int flags))                                                               \
  X(cuStreamDestroy_v2, (cuda_stream stream))                                                                                    \
  X(cuStreamSynchronize, (cuda_stream stream))                                                                                   \
  X(cuStreamQuery, (cuda_stream stream))                                                                                         \
  X(cuStreamBeginCapture_v2, (cuda_stream stream, int mode))                                                                     \
  X(cuStreamEndCapture, (cuda_stream stream, cuda_graph_handle *out_graph))                                                      \
  X(cuEventCreate, (cuda_event *out_event, unsigned int flags))                                                                  \
  X(cuEventDestroy_v2, (cuda_event event))                                                                                       \
  X(cuEventRecord, (cuda_event event, cuda_stream stream))                                                                       \
  X(cuEventElapsedTime, (float *out_ms, cuda_event begin, cuda_event end))                                                       \
  X(cuModuleLoadData, (cuda_module *out_module, const void *image))                                                              \
  X(cuModuleUnload, (cuda_module module))                                                                                        \
  X(cuModuleGetFunction, (cuda_function *out_function, cuda_module module, const char *name))                                    \
  X(cuFuncGetAttribute, (int *out_value, int attribute, cuda_function function))                                                 \
  X(cuLaunchKernel, (cuda_function function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,                      \
                     unsigned int block_x, unsigned int block_y, unsigned int block_z, unsigned int shared_bytes,                \
                     cuda_stream stream, void **arguments, void **extra))                                                        \
  X(cuGraphInstantiateWithFlags, (cuda_graph_exec *out_exec, cuda_graph_handle graph, unsigned long long flags))                 \
  X(cuGraphLaunch, (cuda_graph_exec exec, cuda_stream stream))                                                                   \
  X(cuGraphDestroy, (cuda_graph_handle graph))                                                                                   \
  X(cuGraphExecDestroy, (cuda_graph_exec exec))
/* Used where the driver has it (12.4): the size of a kernel's argument. */
#define CUDA_API_OPTIONAL(X)                                                                                                     \
  X(cuFuncGetParamInfo, (cuda_function function, size_t index, size_t *out_offset, size_t *out_bytes))
/* clang-format on */

struct cuda_api {
#define X(name, arguments) cuda_result(*name) arguments;
  CUDA_API(X) CUDA_API_OPTIONAL(X)
#undef X
};

/* Numbers of NVIDIA's enums, one list for the constants and for their test. */
#define CUDA_NUMBERS(X)                                                                                                          \
  X(CUDA_SUCCESS, 0)                                                                                                             \
  X(CUDA_ERROR_INVALID_VALUE, 1)                                                                                                 \
  X(CUDA_ERROR_OUT_OF_MEMORY, 2)                                                                                                 \
  X(CUDA_ERROR_NOT_INITIALIZED, 3)                                                                                               \
  X(CUDA_ERROR_DEINITIALIZED, 4)                                                                                                 \
  X(CUDA_ERROR_DEVICE_UNAVAILABLE, 46)                                                                                           \
  X(CUDA_ERROR_NO_DEVICE, 100)                                                                                                   \
  X(CUDA_ERROR_INVALID_DEVICE, 101)                                                                                              \
  X(CUDA_ERROR_INVALID_IMAGE, 200)                                                                                               \
  X(CUDA_ERROR_INVALID_CONTEXT, 201)                                                                                             \
  X(CUDA_ERROR_NO_BINARY_FOR_GPU, 209)                                                                                           \
  X(CUDA_ERROR_ECC_UNCORRECTABLE, 214)                                                                                           \
  X(CUDA_ERROR_INVALID_PTX, 218)                                                                                                 \
  X(CUDA_ERROR_NVLINK_UNCORRECTABLE, 220)                                                                                        \
  X(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, 222)                                                                                     \
  X(CUDA_ERROR_OPERATING_SYSTEM, 304)                                                                                            \
  X(CUDA_ERROR_INVALID_HANDLE, 400)                                                                                              \
  X(CUDA_ERROR_NOT_FOUND, 500)                                                                                                   \
  X(CUDA_ERROR_NOT_READY, 600)                                                                                                   \
  X(CUDA_ERROR_ILLEGAL_ADDRESS, 700)                                                                                             \
  X(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, 701)                                                                                     \
  X(CUDA_ERROR_LAUNCH_TIMEOUT, 702)                                                                                              \
  X(CUDA_ERROR_CONTEXT_IS_DESTROYED, 709)                                                                                        \
  X(CUDA_ERROR_ASSERT, 710)                                                                                                      \
  X(CUDA_ERROR_HARDWARE_STACK_ERROR, 714)                                                                                        \
  X(CUDA_ERROR_ILLEGAL_INSTRUCTION, 715)                                                                                         \
  X(CUDA_ERROR_MISALIGNED_ADDRESS, 716)                                                                                          \
  X(CUDA_ERROR_INVALID_ADDRESS_SPACE, 717)                                                                                       \
  X(CUDA_ERROR_INVALID_PC, 718)                                                                                                  \
  X(CUDA_ERROR_LAUNCH_FAILED, 719)                                                                                               \
  X(CUDA_ERROR_SYSTEM_NOT_READY, 802)                                                                                            \
  X(CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, 803)                                                                                      \
  X(CUDA_ERROR_UNKNOWN, 999)                                                                                                     \
  X(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, 8)                                                                          \
  X(CU_DEVICE_ATTRIBUTE_CLOCK_RATE, 13)                                                                                          \
  X(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 16)                                                                                \
  X(CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE, 36)                                                                                   \
  X(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, 38)                                                                                       \
  X(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 75)                                                                            \
  X(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 76)                                                                            \
  X(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 97)                                                                   \
  X(CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 0)                                                                                  \
  X(CU_STREAM_NON_BLOCKING, 1)                                                                                                   \
  X(CU_STREAM_CAPTURE_MODE_RELAXED, 2)                                                                                           \
  X(CU_EVENT_DEFAULT, 0)                                                                                                         \
  X(CU_CTX_SCHED_AUTO, 0)

#ifndef CUDA_API_WITHOUT_NUMBERS // beside NVIDIA's own
enum cuda_number {
#define X(name, value) name = value,
  CUDA_NUMBERS(X)
#undef X
};
#endif

/* Opens the driver once per process, from any thread, and initialises it. FARM_UNSUPPORTED with the reason. */
enum farm_status cuda_api(const struct cuda_api **out_api);

#endif
