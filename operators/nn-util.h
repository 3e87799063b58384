/* What the shape functions and references of the neural-network operators share: type checks, dims that may be unknown,
 * tensors as arrays of doubles, scratch memory.
 *
 * Every reference here reads its inputs as doubles, computes in double and rounds once when it stores.
 */
#ifndef OPERATORS_NN_UTIL_H
#define OPERATORS_NN_UTIL_H

#include "../base/arena.h"
#include "operator.h"

#define NN_TYPE(name) (1u << DTYPE_##name)
enum nn_types {
  NN_FLOATS = NN_TYPE(F32) | NN_TYPE(F64) | NN_TYPE(F16) | NN_TYPE(BF16),
  NN_BYTES = NN_TYPE(I8) | NN_TYPE(U8),
  NN_INDICES = NN_TYPE(I32) | NN_TYPE(I64),
  NN_INTS = NN_BYTES | NN_INDICES | NN_TYPE(I16) | NN_TYPE(U16) | NN_TYPE(U32) | NN_TYPE(U64),
  NN_NUMBERS = NN_FLOATS | NN_INTS,
  NN_FLOAT8S = NN_TYPE(E4M3) | NN_TYPE(E4M3Z) | NN_TYPE(E5M2) | NN_TYPE(E5M2Z),
};

/* ---- shape functions ---- */
const struct tensor *nn_type(const struct shape_call *call, int input); // NULL when omitted
int nn_rank(const struct shape_call *call, int input);                  // -1: omitted or unknown
int64_t nn_dim(const struct shape_call *call, int input, int axis);     // DIM_UNKNOWN when the rank is
bool nn_given(const struct shape_call *call, int input);
/* The element type is one of the set; an omitted or untyped input passes. */
enum farm_status nn_check_type(const struct shape_call *call, int input, uint32_t allowed);
/* Both of one type, where both are known. */
enum farm_status nn_check_same_type(const struct shape_call *call, int a, int b);
enum farm_status nn_check_rank(const struct shape_call *call, int input, int least, int most); // unknown passes
/* A known dim must be `want` when that is known, too. */
enum farm_status nn_check_dim(const struct shape_call *call, int input, int axis, int64_t want);
/* The input is, where its shape is known, exactly [want]: a vector per channel. */
enum farm_status nn_check_vector(const struct shape_call *call, int input, int64_t want);
/* One element: a scalar or [1]. */
enum farm_status nn_check_single(const struct shape_call *call, int input);
enum farm_status nn_dim_merge(int64_t a, int64_t b, int64_t *out); // the better known of two; FARM_INVALID when they differ
/* a*b, a+b of dims: unknown when either is; FARM_INVALID on overflow. Multiplying a symbol by 1 and adding 0 keep it. */
enum farm_status nn_dim_multiply(int64_t a, int64_t b, int64_t *out);
enum farm_status nn_dim_add(int64_t a, int64_t b, int64_t *out);
/* Describe output i; a no-op when the call has fewer. rank -1 (dims may be NULL) says that only the type is known. */
void nn_output(struct shape_call *call, int output, enum dtype dtype, int rank, const int64_t *dims);
enum dtype nn_dtype(const struct shape_call *call, int input); // DTYPE_NONE when omitted or unknown
/* The contents of a small tensor of any numeric type, as integers or as doubles; false when they are not known. */
bool nn_known_ints(const struct shape_call *call, int input, int64_t *out, int most, int *out_count);
bool nn_known_doubles(const struct shape_call *call, int input, double *out, int most, int *out_count);
/* Output 0 is like input 0, which must be of the NN_FLOATS. */
enum farm_status nn_shape_float_map(struct shape_call *call);

/* ---- references ---- */
typedef enum farm_status (*nn_body_fn)(struct reference_call *call, struct arena *scratch);
enum farm_status nn_run(struct reference_call *call, nn_body_fn body); // with scratch memory that is freed after
#define NN_REFERENCE(name)                                                                                                       \
  static enum farm_status name(struct reference_call *call) { return nn_run(call, name##_body); }

const struct tensor *nn_in(const struct reference_call *call, int input);                 // NULL when omitted or absent
struct tensor *nn_out(const struct reference_call *call, int output);                     // NULL when not wanted
enum farm_status nn_alloc(struct arena *scratch, int64_t count, size_t bytes, void *out); // out: a pointer's address; zeroed
/* All elements as doubles; *out NULL for a NULL tensor. */
enum farm_status nn_load(struct arena *scratch, const struct tensor *tensor, double **out);
enum farm_status nn_load_range(const struct tensor *tensor, int64_t first, int64_t count, double *out);
void nn_store(struct tensor *tensor, const double *values); // all elements
void nn_store_range(struct tensor *tensor, int64_t first, int64_t count, const double *values);
double nn_scalar(const struct tensor *tensor, double otherwise); // element 0; `otherwise` for NULL or an empty tensor
int64_t nn_integer(const struct tensor *tensor, int64_t otherwise); // the same of an integer, exact: a limit may be the largest
/* Products of dims [first, last) of a real tensor. */
int64_t nn_product(const struct tensor *tensor, int first, int last);
/* Round half to even after a float multiplication, add the zero point, saturate: as quantised operators do. */
double nn_requantize(double sum, float multiplier, double zero_point, enum dtype type);
/* round(x / scale) + zero_point, saturated: QuantizeLinear's formula, dividing in float. */
double nn_quantize_value(float x, float scale, double zero_point, enum dtype type);
/* DynamicQuantizeLinear's u8 scale and zero point of values. */
void nn_dynamic_range(const double *values, int64_t count, float *out_scale, float *out_zero_point);
void nn_integer_range(enum dtype type, double *out_low, double *out_high);

#endif
