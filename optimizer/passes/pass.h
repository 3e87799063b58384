/* Passes: named rules that rewrite the IR, one per file, in one table. Each keeps what the graph computes; each can be switched off by
 * name; what they made of which ONNX nodes is reported.
 *
 *   model ─► [every pass of the table that is not off, in order] ─► again while something changed, at most PASSES_MAX_ROUNDS ─► model
 *
 * After a pass that changed something the types are inferred again; builds with PASSES_VERIFY in the options verify the graph, too.
 */
#ifndef OPTIMIZER_PASSES_PASS_H
#define OPTIMIZER_PASSES_PASS_H

#include "../ir/graph.h"

enum { PASSES_MAX_ROUNDS = 6 };

struct pass_event {
  const char *pass;    // its name
  const char *origins; // ONNX nodes, comma separated
  const char *result;  // the operator they became ("Gemm", "Map"), "" when they went away
};

/* Events live in the report's arena. */
struct pass_report {
  struct arena arena;
  struct pass_event *events;
  size_t count, capacity;
};
void pass_report_free(struct pass_report *report);

struct pass_context {
  struct model *model;
  struct uses uses;           // as of the last rewrite
  struct pass_report *report; // may be NULL
  const char *pass;
  bool changed;
  int64_t *dim_codes; // see dims.h
  size_t dim_code_capacity;
};

typedef enum farm_status (*pass_fn)(struct pass_context *context);

struct pass {
  const char *name, *what; // one line for --help and inspect
  pass_fn run;
};

const struct pass *pass_table(int *out_count); // in order

struct pass_options {
  const char *const *off; // NULL-terminated names; NULL: none. FARM_USAGE for a name that is no pass.
  const char *only;       // this pass alone (tests); NULL: all
  bool verify;            // graph_verify after each pass that changed something
};
/* Inference has run before. `report` may be NULL. FARM_INVALID and FARM_VERIFY_FAILED name the pass. */
enum farm_status passes_run(struct model *model, const struct pass_options *options, struct pass_report *report);

#define PASS_LIST(X)                                                                                         \
  X(remove_noops, "remove-noops", "drop Identity, Dropout, casts, reshapes and transposes that change nothing")                 \
  X(fold_constants, "fold-constants", "compute what depends on constants only")                              \
  X(promote_half, "promote-half", "what is stored in 16-bit floats is computed in f32")                      \
  X(common_subexpressions, "common-subexpressions", "compute equal things once")                             \
  X(fold_batchnorm, "fold-batchnorm", "put batch normalisation into the weights before it")                  \
  X(canonicalise_norm, "canonicalise-norm", "layer and RMS normalisations written out become one node")      \
  X(canonicalise_activation, "canonicalise-activation", "GELU, SiLU and hard swish written out become one node") \
  X(canonicalise_quantisation, "canonicalise-quantisation", "quantised and dequantised at once becomes rounding in f32") \
  X(fuse_attention, "fuse-attention", "scores, scale, mask, softmax and product become attention")           \
  X(canonicalise_gemm, "canonicalise-gemm", "MatMul and Gemm become the fused gemm")                         \
  X(canonicalise_conv, "canonicalise-conv", "convolutions and pooling become the fused ones")                \
  X(merge_views, "merge-views", "chains of reshapes and of transposes become one")                           \
  X(absorb_transposes, "absorb-transposes", "transposed operands of a gemm become its flags")                \
  X(fuse_epilogue, "fuse-epilogue", "bias, activation and residual go into the gemm or convolution before")  \
  X(merge_siblings, "merge-siblings", "the query, key and value products of one input become one gemm")      \
  X(pack_attention, "pack-attention", "attention reads the parts of one packed value in place")              \
  X(fuse_maps, "fuse-maps", "chains of elementwise operators, with a reduction at the end, become one map")  \
  X(eliminate_dead, "eliminate-dead", "remove what nothing uses")

#define X(id, name, what) enum farm_status pass_##id(struct pass_context *context);
PASS_LIST(X)
#undef X

#endif
