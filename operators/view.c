/* Operators that only give input 0's bytes another shape: the plan aliases them, the reference copies. */
#include "elements.h"
#include "shape-util.h"
#include "tables.h"

static enum farm_status view_reference(struct reference_call *call) {
  const struct tensor *in = call->inputs[0];
  TRY(reference_output(call, 0));
  if (call->outputs[0])
    elements_copy(dtype_bits(in->dtype), call->outputs[0]->data, 0, 1, in->data, 0, 1, tensor_elems(call->outputs[0]));
  return FARM_OK;
}

static enum farm_status identity_shape(struct shape_call *call) {
  shape_same_as_input(call, 0, 0);
  return shape_content_move(call, 1);
}

#define IDENTITY(since)                                                                                                          \
  { "", "Identity", since, 1, 1, 1, 1, OPERATOR_VIEW | OPERATOR_ELEMENTWISE, 0, identity_shape, view_reference }

const struct operator_row operators_view[] = {
    IDENTITY(1), IDENTITY(13), IDENTITY(14), IDENTITY(16), IDENTITY(19), IDENTITY(21), IDENTITY(23), IDENTITY(24), IDENTITY(25),
};
OPERATOR_ROWS(view);
