/* The three operands of an order-1 attention, each a Reshape of a value [b][seq][heads d]: what merge-siblings and pack-attention
 * look for. */
#ifndef OPTIMIZER_PASSES_ATTENTION_PARTS_H
#define OPTIMIZER_PASSES_ATTENTION_PARTS_H

#include "rewrite.h"

struct attention_parts {
  struct node *reshapes[3];
  struct value *parts[3]; // q, k, v as [b][seq][heads d], used by their reshape alone
  int64_t heads, depth;
};

bool attention_parts_find(struct pass_context *context, const struct node *attention, struct attention_parts *out);

#endif
