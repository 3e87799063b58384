/* Operators tested in text: `case_check("Gather", 13, "i64[3]{s0 12 64} i64[]{1}", "axis=0", "i64[]{12}")`.
 *
 * A value is type[dims]{contents}; `_` is an omitted input. Without contents only the type is known; dims may be ? or s0, s1 …,
 * contents too. Attributes: a=1, a=1.5, a=[1,2], a=text. When all inputs are plain numbers the reference runs, and what it
 * computes must agree with what the shape function said; otherwise only the shape function does. All outputs are printed.
 */
#ifndef OPERATORS_CASE_TEST_H
#define OPERATORS_CASE_TEST_H

/* The outputs as text, or "error: STATUS_NAME". Valid until the next call. */
const char *case_run(const char *operator_name, int opset, int outputs, const char *inputs, const char *attributes);
#define case_check(operator_name, opset, inputs, attributes, expected)                                                           \
  CHECK_TEXT(case_run(operator_name, opset, 1, inputs, attributes), expected)
#define case_check_outputs(operator_name, opset, outputs, inputs, attributes, expected)                                          \
  CHECK_TEXT(case_run(operator_name, opset, outputs, inputs, attributes), expected)

#endif
