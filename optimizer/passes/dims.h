/* Which dims are the same, also where inference only says "unknown": a dim that depends on data, followed to the value where it
 * arises.
 *
 * A code is the number itself, a symbol's code, or one that stands for (value, axis) of an unknown dim's origin: equal codes are
 * equal sizes in every run. Unequal codes may be equal, too.
 */
#ifndef OPTIMIZER_PASSES_DIMS_H
#define OPTIMIZER_PASSES_DIMS_H

#include "rewrite.h"

enum { DIM_CODE_NONE = INT32_MIN }; // equals nothing: out of memory, or no such axis

int64_t dim_code(struct pass_context *context, const struct value *value, int axis);
bool dims_same(struct pass_context *context, const struct value *a, const struct value *b);    // ranks known, all codes equal
bool values_alike(struct pass_context *context, const struct value *a, const struct value *b); // dims_same and one element type
void dims_forget(struct pass_context *context);                                                // frees what was remembered

#endif
