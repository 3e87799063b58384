/* Mean and inverse standard deviation of a line, shared by the normalisations. */
#ifndef OPERATORS_NORM_H
#define OPERATORS_NORM_H

#include "nn-util.h"

struct moments {
  double mean, inverse_deviation;
};

/* Not centred: the mean is 0 and the deviation the root of the mean square. */
struct moments norm_moments(const double *x, int64_t count, double epsilon, bool centred);

#endif
