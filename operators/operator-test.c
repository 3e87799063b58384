#include "operator.h"

#include "../tests/kit/test.h"

#include <string.h>

TEST(operator_find_takes_the_newest_row_not_after_the_opset, "") {
  CHECK(operator_find("", "Identity", 12)->since_version == 1);
  CHECK(operator_find("ai.onnx", "Identity", 13)->since_version == 13);
  CHECK(operator_find("", "Identity", 15)->since_version == 14);
  CHECK(!operator_find("", "Identity", 0) && !operator_find("", "NoSuchOperator", 13) &&
        !operator_find("no.domain", "Identity", 13));
  CHECK(operator_exact("", "Identity", 14) && !operator_exact("", "Identity", 15));
  CHECK(operator_name_known("", "Identity") && !operator_name_known("", "identity"));
}

TEST(operator_inputs_that_may_be_omitted, "") {
  const struct operator_row *gemm = operator_find("", "Gemm", 13),
                            *embed = operator_find("com.microsoft", "EmbedLayerNormalization", 1);
  CHECK(operator_input_needed(gemm, 0) && operator_input_needed(gemm, 1) && !operator_input_needed(gemm, 2));
  CHECK(operator_input_needed(embed, 0) && !operator_input_needed(embed, 1) && operator_input_needed(embed, 2) &&
        !operator_input_needed(embed, 4));
  CHECK(operator_input_needed(embed, 6) && !operator_input_needed(embed, 7));
}

TEST(operator_rows_are_sorted_and_sound, "") {
  int count;
  const struct operator_row *const *rows = operator_rows(&count);
  CHECK(count > 0);
  for (int i = 0; i < count; i++) {
    const struct operator_row *row = rows[i];
    CHECK_MESSAGE(row->shape, "%s-%d has no shape function", row->name, row->since_version);
    CHECK_MESSAGE(row->reference || row->flags & OPERATOR_CONTROL, "%s-%d has no reference", row->name, row->since_version);
    CHECK_MESSAGE(row->max_inputs < 0 || row->min_inputs <= row->max_inputs, "%s-%d: inputs", row->name, row->since_version);
    CHECK_MESSAGE(row->max_outputs < 0 || row->min_outputs <= row->max_outputs, "%s-%d: outputs", row->name, row->since_version);
    if (!i) continue;
    int order = strcmp(rows[i - 1]->domain, row->domain);
    if (!order) order = strcmp(rows[i - 1]->name, row->name);
    CHECK_MESSAGE(order < 0 || (order == 0 && rows[i - 1]->since_version < row->since_version), "%s-%d comes twice or too late",
                  row->name, row->since_version);
  }
}
