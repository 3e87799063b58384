/* What a tactic may know of an `op` problem: its canonical text read back. Texts come from outside as well; whatever is refused
 * here is no error, the tactic just does not apply.
 */
#ifndef PROBLEM_OP_TEXT_H
#define PROBLEM_OP_TEXT_H

#include "problem.h"

#include <stdbool.h>

struct op_operands {
  int input_count, output_count;
  struct tensor inputs[PROBLEM_MAX_OPERANDS], outputs[PROBLEM_MAX_OPERANDS]; // descriptions; dtype DTYPE_NONE: left out
};

/* Is it this operator of ONNX's own domain, whatever its version ("Gather": "Gather-13 …")? */
bool op_text_is(const struct problem *problem, const char *name);
/* False: another kind of problem, more operands than fit, one whose size overflows, or a text that was shortened. */
bool op_text_operands(const struct problem *problem, struct op_operands *out);
/* `otherwise` where the text has no such attribute; false when it is not one integer. */
bool op_text_int(const struct problem *problem, const char *attr, int64_t otherwise, int64_t *out);
/* *out_count: how many integers it has, at most `most`; -1 where the text has no such attribute; false when it is no such list. */
bool op_text_ints(const struct problem *problem, const char *attr, int64_t *out, int most, int *out_count);
/* What stands behind `attr=`, as it is written ("\"constant\"", "0.5"); NULL where the text has no such attribute. */
const char *op_text_attr(const struct problem *problem, const char *attr, size_t *out_length);

/* A type like f32[1,3] or f32[] at the beginning of the text: its length, 0 when there is none. */
size_t op_text_type(const char *text, size_t length, struct tensor *out);

#endif
