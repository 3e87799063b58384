/* By which rule an output of a model is compared: the user's, with one quantum where the model's last step is a quantised one.
 *
 * Two runtimes may round a quantised value to neighbours: that is one off for an integer, and one scale for the float that a
 * DequantizeLinear makes of it. Under relative_to_max both pass (integers: problem/compare.h); the ONNX runner's own rule knows
 * no quantum.
 */
#ifndef CLI_OUTPUT_RULE_H
#define CLI_OUTPUT_RULE_H

#include "../optimizer/ir/graph.h"
#include "../problem/compare.h"

/* The step between two values that the output can take: the scale of the DequantizeLinear that makes it (the largest of an axis'
 * scales); 0 for any other output, and where the scale is no constant. */
double output_quantum(const struct value *output);
/* The rule for this output, whose expected values say what the largest is. */
struct compare_rule output_rule(const struct compare_rule *asked, const struct value *output, const struct tensor *expected);

#endif
