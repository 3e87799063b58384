/* What references share: walking over elements, in any type, at a bearable speed.
 *
 * Arithmetic is done in double for floats and in int64 for integers, a block at a time: load a row, compute, store a row.
 * Movement is done on raw elements of any width, 4-bit and 2-bit types included. A loop nest walks up to NEST_OPERANDS
 * tensors at once with a stride each, so broadcasting, transposing, slicing and reducing are all the same walk:
 *
 *   struct nest nest;
 *   nest_init(&nest, out->rank, out->dims);
 *   nest_operand(&nest, 0, out_strides);               // operand 0
 *   nest_operand(&nest, 0, in_strides);                // operand 1
 *   for (bool more = nest_start(&nest); more; more = nest_next(&nest))
 *     // nest.row elements: operand k at nest.offset[k] + i * nest.step[k]
 */
#ifndef OPERATORS_ELEMENTS_H
#define OPERATORS_ELEMENTS_H

#include "operator.h"

enum { ELEMENTS_BLOCK = 512, NEST_OPERANDS = 4 };

/* ---- the loop nest ---- */
struct nest {
  int rank, operands;
  int64_t dims[TENSOR_MAX_RANK];
  int64_t strides[NEST_OPERANDS][TENSOR_MAX_RANK]; // in elements
  int64_t start[NEST_OPERANDS];
  /* the current row */
  int64_t row; // its elements
  int64_t offset[NEST_OPERANDS], step[NEST_OPERANDS];
  int64_t index[TENSOR_MAX_RANK]; // of the loops around the row (after dims were merged)
};

void nest_init(struct nest *nest, int rank, const int64_t *dims);
void nest_operand(struct nest *nest, int64_t start, const int64_t *strides);
bool nest_start(struct nest *nest); // merges loops that are contiguous for all operands; false when there is no element
bool nest_next(struct nest *nest);

void tensor_strides(const struct tensor *tensor, int64_t *out_strides); // row-major, in elements
/* Strides of `in` walked in the shape of `out` (numpy rules: aligned at the right, 0 where broadcast). */
void broadcast_strides(const struct tensor *in, const struct tensor *out, int64_t *out_strides);

/* ---- movement ---- */
/* Copies count elements of dtype bits: from src[src_first + i * src_step] to dst[dst_first + i * dst_step]. */
void elements_copy(int bits, void *dst, int64_t dst_first, int64_t dst_step, const void *src, int64_t src_first, int64_t src_step,
                   int64_t count);
/* The element `value` (bits wide, as stored; low bits of the first byte when narrower than a byte) to count places. */
void elements_fill(int bits, void *dst, int64_t first, int64_t step, const void *value, int64_t count);
/* Moves a whole nest: operand 0 of `nest` is dst, operand 1 src. */
void elements_move(int bits, struct nest *nest, void *dst, const void *src);
bool elements_movable(enum dtype type); // a type with a size

/* ---- whole tensors as doubles or int64s: malloc'ed; free() them ---- */
enum farm_status elements_to_f64(const struct tensor *tensor, double **out);
enum farm_status elements_to_i64(const struct tensor *tensor, int64_t **out);
void elements_from_f64(struct tensor *tensor, const double *values); // all elements of the tensor
void elements_from_i64(struct tensor *tensor, const int64_t *values);
/* malloc of count elements with an overflow check; never NULL on FARM_OK. */
enum farm_status elements_alloc(int64_t count, size_t bytes_each, void *out_pointer);

/* ---- elementwise loops ---- */
typedef double (*map_f64_fn)(double x, const double *params);
typedef int64_t (*map_i64_fn)(int64_t x, const double *params);
typedef double (*zip_f64_fn)(double a, double b, const double *params);
typedef int64_t (*zip_i64_fn)(int64_t a, int64_t b, enum dtype type);
/* out[i] = f(in[i]); the two tensors have the same number of elements and any types. */
void elements_map_f64(const struct tensor *in, struct tensor *out, map_f64_fn f, const double *params);
void elements_map_i64(const struct tensor *in, struct tensor *out, map_i64_fn f, const double *params);
/* out = f(a, b), both broadcast to the shape of out. out may be a (its data and shape) but not b. */
void elements_zip_f64(const struct tensor *a, const struct tensor *b, struct tensor *out, zip_f64_fn f, const double *params);
void elements_zip_i64(const struct tensor *a, const struct tensor *b, struct tensor *out, zip_i64_fn f);

/* One input of a reference call; NULL when omitted or beyond the count. */
const struct tensor *reference_input(const struct reference_call *call, int input);
/* The integers of an input (axes, shape, pads…) of at most `most` elements; FARM_INVALID when it is longer or not an integer.
 * *out_count is -1 when the input is omitted. */
enum farm_status reference_ints(const struct reference_call *call, int input, int64_t *out, int most, int *out_count);
/* Element i of a tensor of indices: negative ones count from the end; FARM_INVALID when it is not within `dim` elements. */
enum farm_status element_index(const struct tensor *indices, int64_t i, int64_t dim, int64_t *out_index);
/* Where the tuple of `count` indices that begins at element `first` points: the sum of index * stride, each index checked as above. */
enum farm_status element_tuple_offset(const struct tensor *indices, int64_t first, int count, const int64_t *dims,
                                      const int64_t *strides, int64_t *out_offset);
/* Calls visit(context, at, place) for every element `at` of `indices`, in order: `place` is the element of `data` (same rank) with the
 * same coordinates but for `axis`, where the index read at `at` stands. FARM_INVALID at the first index out of range. */
typedef void (*axis_visit_fn)(void *context, int64_t at, int64_t place);
enum farm_status elements_along_axis(const struct tensor *indices, const struct tensor *data, int axis, axis_visit_fn visit,
                                     void *context);
/* As reference_ints, for a list that is an attribute in old versions and an input in new ones. */
enum farm_status reference_list(const struct reference_call *call, const char *attr, int input, int64_t *out, int most, int *out_count);

#endif
