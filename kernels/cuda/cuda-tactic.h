/* CUDA tactics: what a tactic of device CUDA has beside the fields that all tactics have (kernels/tactic.h).
 *
 *   problem, variant ─source──► text ─NVRTC──► cubin (an artefact, content-addressed)
 *                    ─launches─► grids, blocks, argument structs ─► device/cuda-device.h
 *
 * The text of a kernel is a file *.cu of this folder, in the dialect of dialect.cuh: plain CUDA C++ without includes, in which shared
 * arrays, matrix instructions and asynchronous copies go through named functions, so that the same text also runs in the emulator.
 * It stands behind `#define`s that the variant makes. A kernel takes one struct by value, declared in a header that host and kernel
 * both read (gemm-args.h), so a launch is data: nothing on the host knows of argument lists.
 *
 * Dimensions are arguments wherever that costs nothing, so one cubin serves many problems: its text, not the problem, is its
 * identity.
 */
#ifndef KERNELS_CUDA_CUDA_TACTIC_H
#define KERNELS_CUDA_CUDA_TACTIC_H

#include "../../base/strbuf.h"
#include "../../device/cuda-device.h"
#include "../tactic.h"

enum {
  CUDA_LAUNCHES_MOST = 4,
  CUDA_OPTIONS_REVISION = 1 // of what nvrtc_compile gives to the compiler beside text and architecture; in every artefact's key
};
/* Argument structs: `FARM_POINTER(const float) a;` is an address here and a pointer in the kernel; both have 8 bytes. Other fields
 * are int, long long and float. */
#define FARM_POINTER(type) cuda_address

/* Where the operands of one call lie. Addresses are 16-byte aligned or better. */
struct cuda_call {
  const struct problem *problem; // exact dims
  const struct variant *variant;
  const struct operation_scalars *scalars; // never NULL
  cuda_address inputs[PROBLEM_MAX_OPERANDS], outputs[PROBLEM_MAX_OPERANDS];
  /* Of inputs that the operator reads on the host (operator_row.host_inputs): what is known before it runs, with data, else NULL. */
  const struct tensor *contents[PROBLEM_MAX_OPERANDS];
  cuda_address packed;    // what `pack` made of the packed operand; 0: none
  cuda_address workspace; // tactic.workspace bytes
};

struct cuda_tactic {
  int least_sm;        // 75, 80, 90: of what the source uses
  int only_sm;         // the family it is made for (90: sm_90a alone, 100: 100 to 109); 0: any from least_sm on
  /* The whole translation unit, dialect included (cuda_source_begin writes it). NULL: a library's tactic. */
  enum farm_status (*source)(const struct problem *problem, const struct variant *variant, struct strbuf *out);
  /* Launches in order, at most CUDA_LAUNCHES_MOST. Called once per prepared shape, never while running. NULL: a library's. */
  enum farm_status (*launches)(const struct cuda_call *call, struct cuda_launch *out, int *out_count);
  /* A library's tactic: puts its work on the device's stream (capturable), no allocation. `state` is what `prepare` made. */
  enum farm_status (*prepare)(struct cuda_device *device, const struct cuda_call *call, void **out_state);
  enum farm_status (*enqueue)(struct cuda_device *device, const struct cuda_call *call, void *state);
  void (*release)(void *state);
};

/* The CUDA part of a tactic of that device (tactic->detail). */
const struct cuda_tactic *cuda_tactic_of(const struct tactic *tactic);
/* May this tactic run on a device of that SM version? */
bool cuda_tactic_fits(const struct tactic *tactic, int sm);

/* A text by the name of its file without folders ("dialect.cuh", "gemm-tiled.cu", "gemm-args.h"), embedded at build time: all *.cuh, *.cu
 * and *-args.h of kernels/cuda and its families. An *-args.h includes nothing: both readers have FARM_POINTER by then. FARM_NOT_FOUND. */
enum farm_status cuda_text(const char *file, const char **out_text, size_t *out_length);
void cuda_source_begin(struct strbuf *out);                              // the dialect
enum farm_status cuda_source_file(struct strbuf *out, const char *file); // a *.cu or *-args.h

/* What compiling one variant for one SM version takes and gives: key = digest of text, architecture and compiler version. */
enum farm_status cuda_artefact_key(const char *source, int sm, const char *compiler, struct digest *out_key);

/* ---- one prepared call: image and launches, or a library's state ---- */
struct cuda_step;
/* `image` NULL for a library's tactic; it must outlive the step, and so must what the call points at. Enqueueing is capturable. */
enum farm_status cuda_step_make(struct cuda_device *device, struct cuda_image *image, const struct cuda_call *call,
                                struct cuda_step **out_step);
enum farm_status cuda_step_enqueue(struct cuda_step *step);
void cuda_step_free(struct cuda_step **step);

#endif
