/* What shape functions share, beyond the few helpers of operator.h: checks, dimension arithmetic with unknown dims, the usual
 * shape functions, and the propagation of known contents through shape arithmetic.
 *
 * A dim is >= 0, a symbol (<= DIM_FIRST_SYMBOL) or DIM_UNKNOWN. Contents are the elements of a small integer value; one that
 * is symbolic holds a dim code instead of a number.
 */
#ifndef OPERATORS_SHAPE_UTIL_H
#define OPERATORS_SHAPE_UTIL_H

#include "operator.h"

/* ---- inputs: safe for any index, an omitted input is NULL ---- */
const struct shape_info *shape_input(const struct shape_call *call, int input);
enum dtype shape_input_dtype(const struct shape_call *call, int input); // DTYPE_NONE when omitted or unknown
int shape_input_rank(const struct shape_call *call, int input);         // -1 when omitted or unknown
/* FARM_INVALID when the rank is known and not within [low, high]. */
enum farm_status shape_require_rank(const struct shape_call *call, int input, int low, int high);

/* ---- outputs ---- */
/* Describes an output (a no-op for one that the node lacks). dims NULL: all unknown; rank -1: unknown rank. */
enum farm_status shape_set(struct shape_call *call, int output, enum dtype dtype, int rank, const int64_t *dims);

/* ---- dims ---- */
bool shape_dims_known(const struct tensor *type); // rank known and no negative dim
int64_t dim_add(int64_t a, int64_t b);            // DIM_UNKNOWN unless both are numbers (or one is 0), also on overflow
int64_t dim_sub(int64_t a, int64_t b);            // a == b gives 0 for symbols too; negative results give DIM_UNKNOWN
int64_t dim_mul(int64_t a, int64_t b);            // 0 and 1 are understood with symbols
int64_t dim_merge(int64_t a, int64_t b);          // what is known of a dim described twice: numbers before symbols before nothing
/* dims and types with what can be merged of two descriptions of one value; FARM_INVALID when they contradict each other. */
enum farm_status shape_merge(const struct tensor *a, const struct tensor *b, struct tensor *out);

/* ---- contents ---- */
struct shape_content {
  int count;
  int64_t value[SHAPE_MAX_KNOWN]; // a number, or a dim code where symbolic
  bool symbolic[SHAPE_MAX_KNOWN];
};
/* From the constant or the known contents of an integer or bool value; false when nothing is known (out is then empty). */
bool shape_content(const struct shape_info *info, struct shape_content *out);
bool shape_content_numbers(const struct shape_content *content); // none is symbolic
enum farm_status shape_set_content(struct shape_call *call, int output, const struct shape_content *content);
/* One integer or float scalar from a constant (or known) input of any shape with one element; false when not known. */
bool shape_known_int(const struct shape_info *info, int64_t *out);
bool shape_known_float(const struct shape_info *info, double *out);
/* A list of integers that was an attribute in old versions and is an input in new ones (axes, pads, split…). */
enum shape_list { SHAPE_LIST_ABSENT, SHAPE_LIST_KNOWN, SHAPE_LIST_UNKNOWN };
/* *out_count is -1 when absent, and for an unknown list when its length is not known either. FARM_INVALID: more than `most`. */
enum farm_status shape_ints(const struct shape_call *call, const char *attr, int input, int64_t *out, int most, int *out_count,
                            enum shape_list *out_state);
/* Contents as dims: symbols stay, negative numbers become DIM_UNKNOWN. False when not even the count is known. `out_rank` is
 * also set from the input's shape when only the number of elements is known (dims then DIM_UNKNOWN). */
bool shape_content_dims(const struct shape_info *info, int64_t *out_dims, int most, int *out_rank);

/* FARM_INVALID when one of the known contents is a negative number. */
enum farm_status shape_refuse_negative(const struct shape_call *call, int input);

/* Call at the end of a shape function, with outputs described: runs the row's own reference on the contents when they are
 * known and few. `move` is for operators that move elements of the inputs in `data_inputs` (bit mask) and never compute on
 * them: symbols travel along; the other inputs must be numbers. `compute` is for elementwise integer arithmetic: an element
 * made from a symbol is unknown, unless it is the symbol unchanged (x * 1, x + 0, x / 1, x - 0). Only output 0. */
enum farm_status shape_content_move(struct shape_call *call, uint32_t data_inputs);
enum farm_status shape_content_compute(struct shape_call *call);

/* ---- the usual shape functions ---- */
enum farm_status shape_unary(struct shape_call *call);     // output 0 as input 0
enum farm_status shape_broadcast_all(struct shape_call *call);  // output 0: type of input 0, inputs broadcast; contents computed
enum farm_status shape_broadcast_bool(struct shape_call *call); // the same with bool elements
/* All inputs broadcast together into dims. */
enum farm_status shape_broadcast_inputs(struct shape_call *call, int first, int count, struct tensor *out);

#endif
