/* If, Loop and Scan: their rows carry arity and flags. What their subgraphs give is inferred by the IR and run by the plan; by
 * itself a row knows nothing of the outputs.
 */
#include "shape-util.h"
#include "tables.h"

static enum farm_status control_shape(struct shape_call *call) {
  for (int i = 0; i < call->output_count; i++) TRY(shape_set(call, i, DTYPE_NONE, -1, NULL));
  return FARM_OK;
}

#define IF(since)                                                                                                                \
  { "", "If", since, 1, 1, 1, -1, OPERATOR_CONTROL, 1, control_shape, NULL }
#define LOOP(since)                                                                                                              \
  { "", "Loop", since, 2, -1, 1, -1, OPERATOR_CONTROL | OPERATOR_VARIADIC, 3, control_shape, NULL }
/* version 8 begins with an optional input */
#define SCAN_8                                                                                                                   \
  { "", "Scan", 8, 0, -1, 1, -1, OPERATOR_CONTROL | OPERATOR_VARIADIC, 0, control_shape, NULL }
#define SCAN(since)                                                                                                              \
  { "", "Scan", since, 1, -1, 1, -1, OPERATOR_CONTROL | OPERATOR_VARIADIC, 0, control_shape, NULL }

const struct operator_row operators_control[] = {
    IF(1),   IF(11),   IF(13),   IF(16),   IF(19),   IF(21),   IF(23),   IF(24),   IF(25),
    LOOP(1), LOOP(11), LOOP(13), LOOP(16), LOOP(19), LOOP(21), LOOP(23), LOOP(24), LOOP(25),
    SCAN_8,  SCAN(9),  SCAN(11), SCAN(16), SCAN(19), SCAN(21), SCAN(23), SCAN(24), SCAN(25),
};
OPERATOR_ROWS(control);
