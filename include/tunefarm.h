/* tunefarm's runtime: load an engine, run it. C99; link with -ltunefarm. Nothing here builds or tunes.
 *
 *   farm_engine_t *engine; farm_context_t *context;
 *   farm_engine_load("model.engine", NULL, &engine);
 *   farm_context_create(engine, NULL, &context);
 *   farm_context_set_input(context, 0, &tensor);
 *   farm_context_run(context);
 *   farm_context_get_output(context, 0, &tensor);
 *
 * Terms. An *engine* is a loaded file: immutable, shared by any number of contexts and threads. A *context* is one execution: its own
 * arena and threads; used by one thread at a time; contexts of one engine run side by side.
 *
 * Versioned structs: set `size` to sizeof of the struct; fields that a later version appends are then known to be absent.
 * On a GPU. Contexts of one engine share its weights there and take turns: a run has the device to itself. After an error that
 * spoils the device for this process (a failed kernel, a time-out, a lost device) every call on the engine's contexts gives the same
 * status; engines on the CPU and on other devices go on. TUNEFARM_GPU_PATIENCE: seconds until a run counts as hung (120).
 * An engine has a CUDA context of its own; every call leaves the calling thread's current one as it found it. Drivers do not
 * survive fork: processes that are to run engines on a GPU are forked off before the first is loaded.
 *
 * Every call returns a status; farm_last_message() says more, for the calling thread.
 */
#ifndef TUNEFARM_H
#define TUNEFARM_H

#include <stddef.h>
#include <stdint.h>

#include "tunefarm_status.h"

#define FARM_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

typedef struct farm_engine farm_engine_t;
typedef struct farm_context farm_context_t;

enum { FARM_MAX_RANK = 8 };

/* dtype is ONNX's TensorProto.DataType number: 1 f32, 2 u8, 3 i8, 6 i32, 7 i64, 9 bool, 10 f16, 11 f64, 16 bf16, … */
typedef struct {
  size_t size;
  int32_t dtype;
  int32_t rank;
  int64_t dims[FARM_MAX_RANK]; // in a description: -1 where any value of [min, max] may stand
  void *data;                  // row-major, dense
  size_t bytes;                // of data
} farm_tensor_t;

typedef struct {
  size_t size;
  const char *section;   // device class text, or a target: "cpu", "cuda", "cuda-sm90"; NULL: what fits this machine
  int32_t threads;       // prefer the section made for this many; 0: as many as this process may use
  int32_t verify;        // nonzero: check the digest of every weight while loading
  const char *device;    // UUID or number of a GPU; NULL: one that a section fits, else the CPU
} farm_engine_options_t;

typedef struct {
  size_t size;
  int32_t threads; // 0: the section's
  int32_t profile; // nonzero: keep the time of each step (farm_context_profile)
} farm_context_options_t;

typedef struct {
  size_t size;
  const char *name;
  farm_tensor_t tensor;             // description; data NULL
  int64_t min[FARM_MAX_RANK], opt[FARM_MAX_RANK], max[FARM_MAX_RANK];
} farm_binding_t;

typedef struct {
  size_t size;
  const char *name, *origin, *variant, *problem; // variant: of a library that is not here, the engine's own fallback
  uint64_t calls;
  double total_ns;
  uint64_t device_calls; // of `calls`, those that a GPU ran
} farm_step_profile_t;

typedef struct {
  size_t size;
  const char *model, *build, *device_class;
  int32_t threads, section, section_count, measured;
  uint64_t arena_bytes, lower_bound_bytes, weight_bytes;
  char digest[65]; // of the engine file's content, hex
  int32_t other_class, other_threads; // nonzero: made for another device of this kind, for another number of threads
  const char *device;           // "cpu", or UUID and name of the GPU
  int32_t host_steps;           // of a GPU's section: what computes on the host
  uint64_t device_weight_bytes; // weights and kernels on the GPU so far, shared by all contexts
  int32_t fallback_steps;       // of a GPU's section: measured with a library's version that is not here; their own kernels run
} farm_engine_info_t;

/* Load. options may be NULL. FARM_MISMATCH: no section fits this machine, or made by an incompatible version. */
FARM_API enum farm_status farm_engine_load(const char *path, const farm_engine_options_t *options, farm_engine_t **out_engine);
FARM_API enum farm_status farm_engine_load_bytes(const void *data, size_t bytes, const farm_engine_options_t *options,
                                                 farm_engine_t **out_engine); // copies nothing: data must outlive the engine,
                                                                              // and be 64-byte aligned (FARM_USAGE)
FARM_API void farm_engine_free(farm_engine_t *engine); // after its contexts
FARM_API enum farm_status farm_engine_info(const farm_engine_t *engine, farm_engine_info_t *out_info);

FARM_API int32_t farm_engine_input_count(const farm_engine_t *engine);
FARM_API int32_t farm_engine_output_count(const farm_engine_t *engine);
FARM_API enum farm_status farm_engine_input(const farm_engine_t *engine, int32_t index, farm_binding_t *out_binding);
FARM_API enum farm_status farm_engine_output(const farm_engine_t *engine, int32_t index, farm_binding_t *out_binding);

FARM_API enum farm_status farm_context_create(const farm_engine_t *engine, const farm_context_options_t *options,
                                              farm_context_t **out_context);
FARM_API void farm_context_free(farm_context_t *context);
/* Bind the caller's buffer; it is read by each run until rebound and must stay valid. Shape must lie within the binding's range. */
FARM_API enum farm_status farm_context_set_input(farm_context_t *context, int32_t index, const farm_tensor_t *tensor);
/* Optional: write output `index` into the caller's buffer; `bytes` says how large it is. NULL tensor: back to the context's own. */
FARM_API enum farm_status farm_context_set_output(farm_context_t *context, int32_t index, const farm_tensor_t *tensor);
FARM_API enum farm_status farm_context_run(farm_context_t *context);
/* After a run: type, shape and place of an output; valid until the next run or rebind. */
FARM_API enum farm_status farm_context_get_output(farm_context_t *context, int32_t index, farm_tensor_t *out_tensor);
FARM_API int32_t farm_context_step_count(const farm_context_t *context);
FARM_API enum farm_status farm_context_profile(const farm_context_t *context, int32_t step, farm_step_profile_t *out_profile);
/* Bytes this context holds: arena, pool, host values; and what it holds on a GPU. */
FARM_API uint64_t farm_context_memory(const farm_context_t *context);
FARM_API uint64_t farm_context_device_memory(const farm_context_t *context);

FARM_API const char *farm_last_message(void); // this thread's; never NULL
FARM_API const char *farm_version(void);      // "0.1.0"

#ifdef __cplusplus
}
#endif
#endif
