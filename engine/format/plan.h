/* A plan: what the linker decided for one device class, and all that the runtime needs to run it. In memory; engine-file.h maps it
 * to bytes and back (docs/formats/engine.md is normative).
 *
 *   engine = weights (content-addressed blobs) + sections; section = device class + threads + plan
 *   plan   = values, blocks of steps, packed weights; block 0 is the main graph, the others are subgraphs of If, Loop, Scan
 *
 * Shapes: `dims` of a value are those at the optimal shapes when `fixed`; otherwise the runtime infers them anew from its inputs with the
 * operators' shape functions whenever an input's shape changes, inside the ranges of the input symbols. Places were planned for the
 * largest shapes, so a value never outgrows its place; only VALUE_POOLED values (data-dependent sizes) are allocated while running.
 */
#ifndef ENGINE_FORMAT_PLAN_H
#define ENGINE_FORMAT_PLAN_H

#include "../../base/arena.h"
#include "../../base/digest.h"
#include "../../problem/attr.h"

#define VALUE_PLACE_LIST(X)                                                                                  \
  X(NONE, "none")         /* never materialised (folded into packed weights) */                              \
  X(INPUT, "input")       /* the caller's buffer, read in place */                                           \
  X(OUTPUT, "output")     /* the caller's buffer, written in place, or one the context owns */               \
  X(ARENA, "arena")       /* `offset` in the context's arena */                                              \
  X(CONSTANT, "constant") /* `weight` of the engine, row-major */                                            \
  X(VIEW, "view")         /* bytes of value `of` from `offset` on; other shape, same bytes */                \
  X(HOST, "host")         /* small integers and shapes: host memory on every target; computed by host steps */ \
  X(POOLED, "pooled")     /* size known only when it is made: from the context's growing pool */

enum value_place {
#define X(name, text) VALUE_##name,
  VALUE_PLACE_LIST(X)
#undef X
  VALUE_PLACE_COUNT
};

struct plan_value {
  const char *name;
  struct tensor type;  // dims at the optimal shapes; DIM_UNKNOWN where only data tells. data: constants after loading, else NULL
  bool fixed;          // the same for every allowed input shape
  enum value_place place;
  uint64_t offset;     // ARENA, VIEW; multiple of 64 for ARENA
  uint64_t bytes;      // reserved at the largest shapes (0: pooled, host, none)
  uint32_t of;         // VIEW
  uint32_t weight;     // CONSTANT: index into the engine's weights
};

#define STEP_KIND_LIST(X)                                                                                    \
  X(KERNEL, "kernel") /* a variant on the device */                                                          \
  X(HOST, "host")     /* the operator's reference on host values (shape arithmetic) */                       \
  X(VIEW, "view")     /* gives output 0 its shape; moves nothing */                                          \
  X(COPY, "copy")     /* input 0's bytes to output 0's place */                                              \
  X(IF, "if")         /* input 0 chooses block blocks[0] (then) or blocks[1] (else) */                       \
  X(LOOP, "loop")     /* ONNX Loop; body blocks[0] */                                                        \
  X(SCAN, "scan")     /* ONNX Scan; body blocks[0] */

enum step_kind {
#define X(name, text) STEP_##name,
  STEP_KIND_LIST(X)
#undef X
  STEP_KIND_COUNT
};

enum { PLAN_NO_INDEX = 0xffffffffu };

struct plan_step {
  enum step_kind kind;
  const char *name;    // of the IR node
  const char *origin;  // ONNX node names it stands for, comma separated
  const char *domain, *op; // the operation's row, exactly
  int since_version, opset;
  struct attrs attrs;  // without graph attributes
  int input_count, output_count;
  const uint32_t *inputs, *outputs; // value indices; PLAN_NO_INDEX: omitted
  uint32_t blocks[2];
  /* KERNEL */
  const char *variant;       // variant text: `gemm_f32__mk_6x16__avx2{kc=256}`; "": the runtime takes the default for the shapes at hand
  uint32_t packing_revision;
  uint32_t packed_weight;    // index into weights, or PLAN_NO_INDEX
  uint32_t packed_input;     // which input it replaces
  uint64_t workspace_offset, workspace_bytes; // in the arena, at the largest shapes; block 0 only: others get theirs from the runtime
  /* for inspect, not needed to run */
  const char *problem;
  double estimated_ns;       // cost model
  double median_ns;          // measured; 0 when not
  double ci95_ns;
  uint32_t candidates, ties;
  float error;               // largest error against the reference over its tolerance, when measured
  uint32_t image;            // CUDA: index into weights of the compiled kernels; PLAN_NO_INDEX: none
  /* CUDA, of a library's variant: its own kernel for where that version of the library is not; it reads constants row-major */
  const char *library;       // source digest of the tactic with the version that was measured, 64 hex digits; "": an own variant
  const char *fallback;      // variant text
  uint32_t fallback_image;   // index into weights
};

struct plan_block {
  int step_count;
  struct plan_step *steps;
  int input_count, output_count; // subgraphs: formal inputs and results; block 0: the engine's inputs and outputs
  const uint32_t *inputs, *outputs;
};

struct plan_symbol {
  const char *name; // "batch"
  int64_t min, opt, max;
};

/* For each engine input: its dims, a negative code for a symbol (DIM_FIRST_SYMBOL - index). */
struct plan {
  int symbol_count, value_count, block_count;
  struct plan_symbol *symbols;
  struct plan_value *values;
  struct plan_block *blocks;
  struct tensor *input_types, *output_types; // as the user sees them, symbols included; counts are block 0's
  uint64_t arena_bytes;       // context memory, workspaces included
  uint64_t lower_bound_bytes; // the linker's own figure: largest aligned live bytes plus workspace over the executed order
};

struct engine_weight {
  struct digest digest; // of the bytes; equal weights are stored once
  uint64_t bytes;
  uint64_t offset;      // in the weight area, multiple of 64
  const void *data;     // writer: bytes to write; reader: mapped bytes
};

struct engine_section {
  const char *device_class; // canonical text
  int threads;
  bool measured;            // false: from cost estimates alone
  int sm;                   // CUDA: what its images are compiled for, 10 * major + minor; else 0
  const char *compiler;     // CUDA: what made its images, with its version; else ""
  struct plan plan;
};

/* Is it made for a GPU? Then what plan_step_on_device says of a step is where it runs; else everything is the host's. */
bool section_is_cuda(const struct engine_section *section);
/* May the step run on the section's GPU? The runtime still takes it to the host where shapes do not fit the variant. */
bool plan_step_on_device(const struct engine_section *section, int block, const struct plan_step *step);
/* Steps that a GPU leaves to the host though they compute: kernels and control flow. 0 for a section of a CPU. */
int section_host_steps(const struct engine_section *section);

struct engine {
  struct arena arena;
  int version; // of the file it was read from
  const char *model_name;
  struct digest model_digest;    // of the ONNX model's content (external data included)
  const char *build;             // tunefarm version that linked it
  const char *options;           // canonical text of the build options that matter
  struct digest lock_digest;     // of the decisions, as a lock file would pin them
  struct digest digest;          // of the file's content (header digest); set by writing and reading
  int weight_count, section_count;
  struct engine_weight *weights;
  struct engine_section *sections;
  void *map; // reader: what keeps the bytes alive (struct file_map *, NULL when they are the caller's)
};

#endif
