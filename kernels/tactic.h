/* Tactics: kernels with parameters that solve problems, and the catalogue of all of them.
 *
 * Every tactic file has the same parts in the same order: applicable, parameters, cost and workspace, packing, run, row. The
 * catalogue works for every target without a device: legality, workspace, cost estimate, packing and source digests. The reference
 * is always the last tactic, so no problem has none on a CPU. A CUDA class is offered CUDA tactics alone: what none of them solves is a
 * host step of its section (docs/cuda.md).
 *
 * Ids are stable for ever: `what__how__arch` (`conv2d_f32_nhwc__igemm_6x16__avx2`). A variant is a tactic with parameters:
 * `gemm_f32__mk_6x16__avx2{kc=256,split=m}`.
 */
#ifndef KERNELS_TACTIC_H
#define KERNELS_TACTIC_H

#include "../base/thread-pool.h"
#include "../operators/operation.h"
#include "../problem/device-class.h"

enum { TACTIC_MAX_PARAMS = 6, VARIANT_TEXT_MAX = 192 };

/* Physical orders of 4-d operands that a conv or pool tactic works in; others are layout-free. */
enum tactic_layout { LAYOUT_ANY, LAYOUT_NCHW, LAYOUT_NHWC };

struct tactic_param {
  const char *name;
  const int16_t *values; // the search space, in a fixed order
  int value_count;
};

struct variant {
  const struct tactic *tactic;
  int16_t params[TACTIC_MAX_PARAMS]; // in the order of the tactic's params
};

struct kernel_call {
  const struct problem *problem; // exact dims of this call
  const struct variant *variant;
  const struct operation *operation;        // for the reference; NULL is allowed for every kind but OP
  const struct operation_scalars *scalars;  // never NULL
  int input_count, output_count;
  const struct tensor *const *inputs;  // data 64-byte aligned unless they are user buffers; a packed operand may have data NULL
  struct tensor *const *outputs;
  const void *packed;  // what `pack` made, 64-byte aligned; NULL when the tactic packs nothing or the operand is no constant
  void *workspace;     // workspace_bytes, 64-byte aligned
  struct thread_pool *pool;
  enum farm_status (*allocate)(void *context, int output, struct tensor *tensor); // data-dependent outputs (reference only)
  void *context;
};

struct tactic {
  const char *id;
  enum problem_kind kind;
  enum device_kind device;
  enum isa isa;                 // least instruction set
  enum tactic_layout layout;
  const char *source;           // family whose source digest goes into keys (kernels/sources.mk)
  const char *(*source_digest)(void); // NULL: the family's. Of a library's tactic: 64 hex digits that name the library's version
  int packing_revision;         // of what `pack` writes; an engine names it
  int packed_operand;           // index of the operand that `pack` replaces when it is constant; -1 none
  const void *detail;           // of the tactic's own family (a register tile, …)
  struct tactic_param params[TACTIC_MAX_PARAMS]; // ends at the first without a name
  bool (*applicable)(const struct problem *problem);
  bool (*present)(void); // a library's: is it on this machine? NULL: nothing is needed. What is absent is legal, but not offered
  bool (*legal)(const struct problem *problem, const struct variant *variant); // of these parameters; NULL: all
  size_t (*workspace)(const struct problem *problem, const struct variant *variant, int threads); // NULL: none
  /* Estimated nanoseconds on the class with this many threads; monotone in the work; never measured here. */
  double (*cost)(const struct problem *problem, const struct variant *variant, const struct device_class *device_class, int threads);
  size_t (*packed_bytes)(const struct problem *problem, const struct variant *variant);
  /* Portable scalar code: the same bytes on every machine. `weights` row-major as the problem's operand. */
  void (*pack)(const struct problem *problem, const struct variant *variant, const void *weights, void *out_packed);
  enum farm_status (*run)(const struct kernel_call *call); // NULL for CUDA: its `detail` is a struct cuda_tactic
};

/* All legal variants of a problem for a class, at most `most`, in the catalogue's fixed order, the reference last. Returns how many
 * there are: at least one for a CPU, maybe none for a CUDA class. layout LAYOUT_ANY: of every layout. */
int catalogue_variants(const struct problem *problem, const struct device_class *device_class, enum tactic_layout layout,
                       struct variant *out, int most);
/* The variant of least estimated cost (ties: catalogue order): what --effort 0 takes. Always finds one for a CPU. For a CUDA class the
 * result's tactic is NULL when there is none: ask before anything else is done with it. */
struct variant catalogue_default(const struct problem *problem, const struct device_class *device_class, enum tactic_layout layout,
                                 int threads);
const struct tactic *catalogue_find(const char *id); // NULL: this build has none
int tactic_param_count(const struct tactic *tactic);
const struct tactic *const *catalogue_tactics(int *out_count);
/* Adds a tactic from outside this build (a plug-in, a test) behind all others; before any thread uses the catalogue. The tactic must
 * live as long as the process. FARM_USAGE: its id is taken. */
enum farm_status catalogue_add(const struct tactic *tactic);
/* Applicable, legal, known values: on any device. What comes from outside is to fit the device, too. */
bool variant_legal(const struct problem *problem, const struct variant *variant);
/* May a device of this class run it: the same kind, and an instruction set or SM version that has what it uses? */
bool tactic_fits(const struct tactic *tactic, const struct device_class *device_class);
void variant_print(const struct variant *variant, char out[VARIANT_TEXT_MAX]);
/* FARM_NOT_FOUND: unknown tactic (another build's); FARM_INVALID: malformed or unknown parameter. */
enum farm_status variant_parse(const char *text, struct variant *out);
size_t variant_workspace(const struct problem *problem, const struct variant *variant, int threads);
size_t variant_packed_bytes(const struct problem *problem, const struct variant *variant); // 0: packs nothing
double variant_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class, int threads);
const char *tactic_source_digest(const struct tactic *tactic); // 64 hex digits
const char *catalogue_digest(void);                            // over all ids and source digests; of libraries, the ids alone

/* Largest allowed absolute error of one output element against the reference, given the scale of the sums that made it:
 * from types, accumulation length and depth of the epilogue. One function for tests and workers. */
double problem_tolerance(const struct problem *problem, double magnitude);
/* That scale for operands whose elements are at most 1 in size (what kernel-check.h makes): a bound on the sum of the products'
 * sizes, through the epilogue. */
double problem_magnitude(const struct problem *problem);

/* The CPU of this process: instruction set by CPUID and what the system saves on a context switch, capped by TUNEFARM_ISA; caches from
 * CPUID, else sysfs. FARM_USAGE when TUNEFARM_ISA names no instruction set. */
enum farm_status cpu_device_class(struct device_class *out);

#endif
