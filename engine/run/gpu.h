/* Sections for GPUs: what an engine, a context and a prepared shape have more than on the CPU. Internal to engine/run.
 *
 *   engine    gpu          the device, weights and images on it: once, shared by all contexts; one lock, since a device is one
 * thread's context   gpu_context  an arena on the device at the plan's offsets, places of inputs and outputs, pinned memory for
 * what moves prepared  gpu_plan     runs of device steps as segments, each one graph with its copies; host steps between them
 *
 *   host memory            pinned slots              device
 *   ┌ input, output ┐ memcpy ┌ slot ┐ copies in the ┌ binding ┐
 *   │ host arena    │ ◄────► │      │ ◄── graph ──► │ arena   │ ◄─ device steps
 *   └ host steps    ┘        └      ┘               └ weights ┘
 *
 * Graphs name slots and device addresses only. None of them moves while the context lives, so binding other buffers costs nothing
 * and a graph is captured once per shape.
 *
 * Everything here but opening is called with the engine's lock held (gpu_lock); engines of CPUs have no gpu and no lock.
 */
#ifndef ENGINE_RUN_GPU_H
#define ENGINE_RUN_GPU_H

#include "../../kernels/cuda/cuda-tactic.h"
#include "run.h"

#include <pthread.h>

struct gpu {
  struct cuda_device *device;
  pthread_mutex_t lock;
  void *before; // what the thread that has the lock had as its current context
  const struct engine *file;
  cuda_address *weights;      // by weight: where it lies; 0: not there
  struct cuda_image **images; // by weight: loaded; NULL: not
  uint64_t weight_bytes;      // of both
  uint64_t patience_ns;       // for a run; TUNEFARM_GPU_PATIENCE in seconds
  char name[192];             // "GPU-… NVIDIA H200"
  bool refusal_said;          // that a library refused a step
};

struct gpu_slot {
  void *data; // pinned
  size_t bytes;
};

struct gpu_context {
  cuda_address arena;
  cuda_address *bindings; // by value: of inputs and outputs; 0: none yet
  struct gpu_slot *slots; // by value, of roots
  uint64_t device_bytes, pinned_bytes;
};

/* gpu-section.c: finds the section and the device that fit best. FARM_UNSUPPORTED with the reason when there is no such device;
 * FARM_NOT_FOUND for a `device` (UUID or number) that is not there. */
struct gpu_choice {
  int section;
  bool same_class;
  char uuid[CUDA_UUID_TEXT_MAX];
  struct device_class device_class;
};
enum farm_status gpu_choose(const struct engine *file, const char *wanted, const char *device, struct gpu_choice *out);

/* gpu-engine.c */
enum farm_status gpu_open(struct farm_engine *engine, const char *uuid);
void gpu_close(struct gpu **gpu);
/* Between the two the device's context is the thread's current one; behind them it is the caller's again, who may use CUDA, too. */
void gpu_lock(const struct farm_engine *engine);
void gpu_unlock(const struct farm_engine *engine);
enum farm_status gpu_weight(struct gpu *gpu, uint32_t weight, cuda_address *out_address); // uploaded on first use
enum farm_status gpu_image(struct gpu *gpu, uint32_t weight, struct cuda_image **out_image);
enum farm_status gpu_wait(struct gpu *gpu); // FARM_TIMED_OUT past its patience: it sticks

/* gpu-context.c */
enum farm_status gpu_context_create(struct farm_context *context);
void gpu_context_free(struct farm_context *context);
/* How many bytes of a root may lie on the device; 0: it is the host's alone. */
size_t gpu_capacity(const struct farm_context *context, uint32_t root);
enum farm_status gpu_root_address(struct farm_context *context, uint32_t root, cuda_address *out_address);
/* Of a value with a settled type; 0 when it has no place there or lies too oddly for a kernel. */
enum farm_status gpu_value_address(struct farm_context *context, const struct prepared *prepared, uint32_t v,
                                   cuda_address *out_address);
enum farm_status gpu_slot_reserve(struct farm_context *context, uint32_t root);

/* gpu-step.c: tries state->variant, the step's own or its fallback (state->by_fallback), for state->problem. *out_taken: the device runs
 * it (state->on_device is set); else the fallback may be tried, and the host has to find another variant. */
enum farm_status gpu_step_build(struct farm_context *context, struct prepared *prepared, struct step_state *state,
                                bool *out_taken);
enum farm_status gpu_step_enqueue(struct farm_context *context, struct prepared *prepared, struct step_state *state);

/* gpu-plan.c */
enum farm_status gpu_plan_make(struct farm_context *context, struct prepared *prepared);
void gpu_plan_free(struct prepared *prepared);

struct gpu_move {
  uint32_t root;
  struct gpu_move *next;
};
struct gpu_segment {
  struct gpu_move *ins, *outs; // copies before the first and behind the last step
  int first, count;            // steps, in block 0's active ones
  struct cuda_graph *graph;    // NULL: not captured yet
};
struct gpu_action { // in order; host NULL: the segment
  struct step_state *host;
  struct gpu_segment *segment;
};
struct gpu_plan {
  struct gpu_action *actions;
  int action_count;
  size_t *extents; // by root: bytes of it that these shapes use
};

/* gpu-run.c */
enum farm_status gpu_run(struct farm_context *context);

#endif
