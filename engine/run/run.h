/* The runtime's own structs. Internal to engine/run.
 *
 *   farm_engine   immutable: the file, the chosen section, every step resolved to its operator row and variant
 *   farm_context  one execution: arena, growing pool, threads, bindings, a few prepared shapes
 *   prepared      what follows from the input shapes: the type of every value, and each step's problem, variant and call
 *
 * A step is *settled* when all it needs is known from the input shapes alone; it is built once per prepared shape and costs a
 * call through a pointer from then on. The others (behind data-dependent sizes, inside loops) are built when they run and keep
 * what they built while the types and host values they read stay the same.
 */
#ifndef ENGINE_RUN_RUN_H
#define ENGINE_RUN_RUN_H

#include "../../include/tunefarm.h"
#include "../../kernels/tactic.h"
#include "../format/engine-file.h"

struct run_step { // immutable
  const struct plan_step *plan;
  int block, index; // flattened over all blocks
  struct operation operation;
  struct operation_scalars scalars;
  bool has_variant;
  struct variant variant;
  struct variant fallback; // of a library's variant; tactic NULL: none
  bool library_lost;       // this machine has not the version that was measured: the fallback takes its place
  uint64_t constants;      // bit i: input i is a constant
};

struct run_block {
  const struct plan_block *plan;
  struct run_step *steps;
};

struct farm_engine {
  struct engine *file;
  const struct engine_section *section;
  const struct plan *plan; // the section's
  int section_index, step_count;
  int lost_count; // steps whose library is not here in the version that was measured
  bool other_class, other_threads; // than asked for
  struct device_class machine;     // the host: fallbacks and host steps run on it
  struct device_class target;      // what the section's tactics run on: the GPU, else the host
  struct gpu *gpu;                 // of a section for GPUs (gpu.h); NULL: everything runs on the host
  struct arena arena;
  struct run_block *blocks;
  uint32_t *roots;        // by value: what a view is finally of; itself for others
  uint64_t *root_offsets; // by value, in bytes
  bool *is_input;         // by value: an input of block 0
};

struct run_buffer {
  uint8_t *data; // 64-byte aligned
  size_t capacity;
};

struct step_state;
typedef enum farm_status (*step_run_fn)(struct farm_context *context, struct step_state *state);

struct step_state {
  const struct run_step *step;
  step_run_fn run; // NULL: nothing to do while running
  bool settled, built;
  /* what `build` made; memory in the prepared shape's arena when settled, else in `arena` */
  struct problem problem;
  struct variant variant;
  struct kernel_call call;
  bool spare_workspace;
  bool on_device;   // a GPU can run it: `run` is not for it
  bool by_fallback; // `variant` is the step's fallback, for problem_of_variables
  struct cuda_step *device_step;
  bool by_reference;            // a kernel whose output shapes only data tells: no problem describes it
  const struct tensor **inputs; // into the prepared values; NULL: omitted
  struct tensor **outputs;
  struct tensor *output_types; // as inferred; unknown where only data tells
  struct arena arena;
  struct bytes_writer key; // of what `build` depended on, when not settled
};

enum value_flags { VALUE_TYPE_SETTLED = 1, VALUE_DATA_SETTLED = 2 };

struct prepared {
  struct arena arena;
  struct tensor *input_types;        // the key
  struct tensor *values;             // by value
  uint8_t *flags;                    // by value
  struct step_state *states;         // by flattened index
  struct step_state ***block_active; // by block: those that have something to do while running
  int *block_active_count;
  struct gpu_plan *gpu; // NULL on the host
  uint64_t last_used;
};

struct binding {
  struct tensor type; // data: the caller's; NULL: none bound (outputs: the context's own)
  size_t bytes;
  bool set;
};

enum { PREPARED_SHAPES = 8 };

struct step_time {
  uint64_t calls, ns, device_calls;
};

struct farm_context {
  const struct farm_engine *engine;
  struct thread_pool *pool;
  int threads;
  uint8_t *arena;
  size_t arena_bytes;
  struct run_buffer *buffers; // by value: own memory of pooled, host and output values, and of inputs that lie badly
  struct run_buffer *swaps;   // by value: second buffer of loop-carried values
  struct run_buffer spare;    // workspaces that are not in the plan
  uint64_t pool_bytes, pool_limit;
  struct binding *inputs, *outputs;
  uint8_t *output_direct; // by output: the value is written straight into the bound buffer
  bool shapes_changed, bindings_changed, has_run;
  struct prepared *prepared[PREPARED_SHAPES];
  struct prepared *current;
  uint64_t clock;
  struct gpu_context *gpu; // NULL on the host
  struct bytes_writer key; // scratch
  struct step_time *times; // by flattened index; NULL: not profiled
};

/* engine.c */
enum farm_status engine_resolve(struct farm_engine *engine);
/* memory.c */
enum farm_status context_arena_create(struct farm_context *context, size_t bytes);
/* At least `bytes`, aligned; contents survive when `keep`. FARM_NO_MEMORY past the pool's limit. */
enum farm_status buffer_reserve(struct farm_context *context, struct run_buffer *buffer, size_t bytes, bool keep);
void buffer_free(struct farm_context *context, struct run_buffer *buffer);
/* Memory for `bytes` of value `v` where the plan puts it; fails when its place is too small. */
enum farm_status value_reserve(struct farm_context *context, struct prepared *prepared, uint32_t v, size_t bytes, bool keep,
                               uint8_t **out_data);
enum farm_status value_place(struct farm_context *context, struct prepared *prepared,
                             uint32_t v); // sets data for its present type
/* `from`'s type and bytes become the value's. FARM_INVALID when the plan says another element type. */
enum farm_status value_copy(struct farm_context *context, struct prepared *prepared, uint32_t v, const struct tensor *from);
/* Does the value lie in its own buffer of the pool (and not in another value's)? */
bool value_owns_data(const struct farm_context *context, const struct prepared *prepared, uint32_t v);
/* The same without moving bytes where the value may lie anywhere. */
enum farm_status value_alias(struct farm_context *context, struct prepared *prepared, uint32_t v, const struct tensor *from);

/* shapes.c */
enum farm_status prepared_find(struct farm_context *context); // sets context->current for the bound inputs' shapes
void prepared_free(struct prepared *prepared);
/* The own buffer of output `root` has moved: its views follow. */
void prepared_views_refresh(struct farm_context *context, struct prepared *prepared, uint32_t root);

/* step.c */
enum farm_status step_operands(const struct farm_engine *engine, struct prepared *prepared, struct step_state *state);
/* Infers the outputs' types; *out_known: all are known. */
enum farm_status step_infer(struct farm_context *context, struct prepared *prepared, struct step_state *state,
                            struct arena *arena, bool *out_known);
enum farm_status step_build(struct farm_context *context, struct prepared *prepared, struct step_state *state,
                            struct arena *arena);
step_run_fn step_settled_run(const struct step_state *state); // by kind
enum farm_status step_run_unsettled(struct farm_context *context, struct step_state *state);
enum farm_status block_run(struct farm_context *context, uint32_t block);

/* host.c */
enum farm_status step_run_host(struct farm_context *context, struct step_state *state);
enum farm_status output_allocate(void *state_and_context, int output, struct tensor *tensor);
struct output_allocator {
  struct farm_context *context;
  struct step_state *state;
};

/* control.c */
enum farm_status step_run_if(struct farm_context *context, struct step_state *state);
enum farm_status step_run_loop(struct farm_context *context, struct step_state *state);
/* scan.c */
enum farm_status step_run_scan(struct farm_context *context, struct step_state *state);
/* scan-batch.c: Scan of opset 8 */
enum farm_status step_run_scan_batch(struct farm_context *context, struct step_state *state);

#endif
