/* The operator table: what every operator means, one row per (domain, name, since_version).
 *
 * A row knows the arity, the shape function, which inputs are read on the host, and the reference: portable scalar code
 * that is right before it is anything else. Nothing here knows the IR, a device, or a tactic. ONNX operators are in
 * domain "" (ai.onnx) and "com.microsoft"; the fused operators that the optimizer makes are in domain "tunefarm".
 *
 *   import ──► row ──► shape function (build time and run time) ──► outputs described
 *                └───► reference (constant folding, checking of tactics, fallback step of an engine)
 *
 * References are compiled for the baseline instruction set, without contraction, and use base/pmath.h instead of libm:
 * folding must give the same bits on every machine. Sums run in double, in index order.
 */
#ifndef OPERATORS_OPERATOR_H
#define OPERATORS_OPERATOR_H

#include "../problem/attr.h"

enum { OPERATOR_MAX_INPUTS = 4096, OPERATOR_MAX_OUTPUTS = 256 };

/* What shape inference knows of a value. */
struct shape_info {
  struct tensor type; // dtype NONE: unknown; rank -1: unknown rank; dims may be negative; data always NULL
  /* Known contents of a small integer value (shape arithmetic): `known[i]` is the element, or a negative dim code when
   * `symbolic[i]`; NULL when nothing is known. At most SHAPE_MAX_KNOWN elements. */
  const int64_t *known;
  const bool *symbolic;
  /* The whole constant, when the value is one (any type); NULL otherwise. */
  const struct tensor *constant;
};
enum { SHAPE_MAX_KNOWN = 64 };

struct arena;

struct shape_call {
  const struct operator_row *row;
  const struct attrs *attrs;
  int opset; // the model's import of the row's domain
  int input_count;
  const struct shape_info *const *inputs; // NULL entry: omitted
  int output_count;
  struct shape_info *outputs; // filled; dtype NONE + rank -1 before. An unused output may be skipped or filled.
  struct arena *arena;        // for known/symbolic
};

/* FARM_OK also when little is known; FARM_INVALID (message without the node's name, the caller prefixes it) when the node
 * cannot be right. Must hold for any input: ranks and dims from outside are checked here. */
typedef enum farm_status (*operator_shape_fn)(struct shape_call *call);

struct reference_call {
  const struct operator_row *row;
  const struct attrs *attrs;
  int opset;
  int input_count;
  const struct tensor *const *inputs; // NULL entry: omitted
  int output_count;
  /* Described by the row's shape function, which the caller ran on the concrete inputs, host_inputs given as constants: so
   * dims are numbers, but for OPERATOR_DATA_SHAPE rows. Those find data NULL, set dims and call reference_output(); others
   * call it too and find data ready or get it. NULL entry: output not wanted. */
  struct tensor **outputs;
  /* Memory for outputs whose shape only the data tells. */
  enum farm_status (*allocate)(void *context, int output, struct tensor *tensor);
  void *context;
};

typedef enum farm_status (*operator_reference_fn)(struct reference_call *call);

/* Makes output i's memory ready for the dims now in *outputs[i]; a no-op when its data is there already, or nobody wants it. */
enum farm_status reference_output(struct reference_call *call, int output);

enum operator_flags {
  OPERATOR_ELEMENTWISE = 1,    // output shape is the broadcast of the inputs; element i depends on element i only
  OPERATOR_DATA_SHAPE = 2,     // output shape depends on the data (NonZero, Unique, Compress, …)
  OPERATOR_RANDOM = 4,         // never folded
  OPERATOR_VARIADIC = 8,       // the last input repeats
  OPERATOR_VIEW = 16,          // output 0 is input 0's bytes under another shape (Reshape, Flatten, Squeeze, Identity, …)
  OPERATOR_CONTROL = 32,       // has subgraphs; run by the plan, not by a reference (If, Loop, Scan)
};

struct operator_row {
  const char *domain, *name;
  int since_version;
  int16_t min_inputs, max_inputs, min_outputs, max_outputs; // max -1: any number
  uint32_t flags;
  uint32_t host_inputs; // bit i: input i is an integer that shapes or parameters depend on; read on the host
  operator_shape_fn shape;
  operator_reference_fn reference; // NULL only for OPERATOR_CONTROL
};

/* A file of operators exports its rows as tables.h says and has a line in files.inc.
 *
 * The row of the largest since_version <= opset; NULL when there is none. domain "" and "ai.onnx" are one. */
const struct operator_row *operator_find(const char *domain, const char *name, int opset);
/* The exact row (an engine names it so); NULL when this build lacks it. */
const struct operator_row *operator_exact(const char *domain, const char *name, int since_version);
/* Is there any row of that name, in any version? (for a better message) */
bool operator_name_known(const char *domain, const char *name);
/* Must input `input` be there? Those past min_inputs never; below it some rows have optional ones before required ones. */
bool operator_input_needed(const struct operator_row *row, int input);
/* All rows, sorted by domain, name, version. */
const struct operator_row *const *operator_rows(int *out_count);

/* ---- helpers shared by shape functions (operators/shape-util.c; more in shape-util.h, for references in elements.h) ---- */
enum farm_status shape_broadcast(const struct tensor *a, const struct tensor *b, struct tensor *out); // numpy rules, symbols allowed
void shape_same_as_input(struct shape_call *call, int output, int input);
/* Reads an integer input whose contents are fully known into out; false when they are not. */
bool shape_known_ints(const struct shape_info *info, int64_t *out, int most, int *out_count);
enum farm_status shape_axis(int64_t axis, int rank, int *out_axis); // negative axes wrap; FARM_INVALID when out of range

#endif
