/* What the tactics share that only move elements of `op` problems: which operands they take, in which units elements go, views.
 *
 * Elements have 1, 2, 4 or 8 bytes and are below 2^46 per operand; every dim is, too, also beside a 0. Units are as many
 * neighbours as lie together everywhere, up to 16 bytes. A text knows neither sizes nor types: one cubin serves every problem of a
 * tactic.
 */
#ifndef KERNELS_CUDA_OP_MOVE_H
#define KERNELS_CUDA_OP_MOVE_H

#include "../../../problem/op-text.h"
#include "../cuda-launch.h"

enum { MOVE_THREADS }; // the one parameter
enum { MOVE_MOST_DIMS = 2 * TENSOR_MAX_RANK };

extern const int16_t move_threads_values[2];

/* The operands of this operator, when the first input and every output can be moved and are of one type. */
bool move_operands(const struct problem *problem, const char *name, struct op_operands *out);
bool move_takes(const struct tensor *tensor); // as above
int move_element(const struct tensor *tensor); // bytes
void move_strides(const struct tensor *tensor, int64_t *out); // row-major, in elements; zeros when it is empty
/* The largest of 16, 8, … bytes that divides all of these; at least 1. */
int move_unit(const int64_t *bytes, int count);

/* Integers that an operator reads on the host: operand `input` as it lies there, or the attribute, which may be NULL. *out_count -1:
 * it has neither. `call` NULL: only how many there are. False: more than `most`, or not known before it runs. */
bool move_ints(const struct problem *problem, const struct op_operands *operands, const struct cuda_call *call, int input,
               const char *attr, int64_t *out, int most, int *out_count);
/* axis of `rank`, negative ones from the end. */
bool move_axis(int64_t axis, int rank, int *out_axis);

/* ---- boxes: element (i0, i1, …) of the dense output is input[first + i0 strides[0] + …], in elements ---- */
struct move_view {
  int rank, element; // bytes
  int64_t first, elems; // of the output
  int64_t dims[MOVE_MOST_DIMS], strides[MOVE_MOST_DIMS];
};

/* The view of a problem. `call` NULL: as far as the text tells (is it one at all?). False: none, or none that the host's values
 * allow. */
typedef bool (*move_view_fn)(const struct problem *problem, const struct cuda_call *call, struct move_view *out);

double move_box_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                     move_view_fn view);
enum farm_status move_box_source(const struct problem *problem, const struct variant *variant, struct strbuf *out);
enum farm_status move_box_launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count, move_view_fn view);

/* Rows of the catalogue differ in nothing but name and view. */
#define MOVE_BOX_TACTIC(name, view)                                                                                              \
  static bool name##_applicable(const struct problem *problem) {                                                                 \
    struct move_view found;                                                                                                      \
    return view(problem, NULL, &found);                                                                                          \
  }                                                                                                                              \
  static double name##_cost(const struct problem *problem, const struct variant *variant,                                        \
                            const struct device_class *device_class, int threads) {                                              \
    (void)threads;                                                                                                               \
    return move_box_cost(problem, variant, device_class, view);                                                                  \
  }                                                                                                                              \
  static enum farm_status name##_launches(const struct cuda_call *call, struct cuda_launch *out, int *out_count) {               \
    return move_box_launches(call, out, out_count, view);                                                                        \
  }                                                                                                                              \
  static const struct cuda_tactic name##_cuda = {.least_sm = 75, .source = move_box_source, .launches = name##_launches};        \
  MOVE_TACTIC(name, name##_applicable, name##_cost, name##_cuda)

#define MOVE_TACTIC(name, is_applicable, cost_of, cuda)                                                                          \
  const struct tactic name = {.id = #name,                                                                                       \
                              .kind = PROBLEM_OP,                                                                                \
                              .device = DEVICE_CUDA,                                                                             \
                              .source = "cuda-op",                                                                               \
                              .packed_operand = -1,                                                                              \
                              .detail = &cuda,                                                                                   \
                              .params = {{"threads", move_threads_values, 2}},                                                   \
                              .applicable = is_applicable,                                                                       \
                              .cost = cost_of}

/* units.cuh, THREADS, the argument struct and the text. */
enum farm_status move_source(const struct variant *variant, const char *args, const char *text, struct strbuf *out);
/* Of so many units of that size; `reads`: bytes that are read. */
double move_cost_of(const struct variant *variant, const struct device_class *device_class, double units, int unit, double reads,
                    int rank);

#endif
