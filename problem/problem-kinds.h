/* What the modules of problems share inside this folder: the dims specification of each kind, parsed, and limits.
 *
 * A specification is a list of words (see PROBLEM_KIND_LIST): `name`, `name=D`, `name?` (a flag), `one|two` (alternatives).
 */
#ifndef PROBLEM_PROBLEM_KINDS_H
#define PROBLEM_PROBLEM_KINDS_H

#include "problem.h"

struct dim_spec {
  const char *name; // not terminated; for alternatives all of "one|two"
  int length;
  bool flag, choice;
  int64_t otherwise; // the default; -1: required
};

/* The specification of dim `index` of a kind; false past the last. */
bool problem_dim_spec(enum problem_kind kind, int index, struct dim_spec *out);
int problem_dims_of_kind(enum problem_kind kind); // 0 for kinds with dims of their own

/* Shorthands that stand for several neighbouring dims when these are equal: pad, stride, dil. */
struct dim_group {
  enum problem_kind kind;
  const char *name;
  int first, count;
};
enum { DIM_GROUP_COUNT = 6 };
extern const struct dim_group dim_groups[DIM_GROUP_COUNT];

/* Names of operands that may be marked constant: input i of the kind, or NULL. */
const char *problem_constant_name(enum problem_kind kind, int input);
bool problem_writes_accumulate(enum problem_kind kind);
enum dtype problem_default_accumulate(const struct problem *problem); // from the kind and the first input's type

/* Operator texts of PROBLEM_OP (op-text.c): sorts and checks the words after "op ". */
enum farm_status op_text_canonicalise(const char *text, struct arena *arena, const char **out);

enum {
  PROBLEM_DIM_BITS = 40,     // each dim is below 2^40
  PROBLEM_OPERAND_BITS = 46, // elements of each operand below 2^46
  PROBLEM_WINDOW_MAX = 1 << 20 // kernel extents, strides, dilations, pads
};

#endif
