/* How rows reach the table: each file of operators ends with
 *
 *   const struct operator_row operators_reduce[] = { {"", "ReduceSum", 13, 1, 2, 1, 1, 0, 2, reduce_shape, reduce_reference}, … };
 *   OPERATOR_ROWS(reduce);
 *
 * and files.inc has the line X(reduce). Order does not matter: operator.c sorts.
 */
#ifndef OPERATORS_TABLES_H
#define OPERATORS_TABLES_H

#include "operator.h"

#define X(file)                                                                                              \
  extern const struct operator_row operators_##file[];                                                       \
  extern const int operators_##file##_count;
#include "files.inc"
#undef X

#define OPERATOR_ROWS(file)                                                                                  \
  const int operators_##file##_count = (int)(sizeof operators_##file / sizeof operators_##file[0])

#endif
