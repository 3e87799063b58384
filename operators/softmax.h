/* One line of a softmax in place, shared with attention and the losses. */
#ifndef OPERATORS_SOFTMAX_H
#define OPERATORS_SOFTMAX_H

#include "nn-util.h"

/* x[0], x[step], … become their softmax (or its logarithm). A line of only -inf becomes NaN: no distribution is meant. */
void softmax_line(double *x, int64_t count, int64_t step, bool log);

#endif
