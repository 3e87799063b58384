/* Attributes of an operator: what ONNX calls AttributeProto, decoded. A list is small, looked up by name.
 *
 * Memory belongs to whoever built the list (an arena); the accessors never fail: a missing attribute, or one of another type,
 * gives the default. Import checks required attributes and types against the operator's row, so kernels need not.
 */
#ifndef PROBLEM_ATTR_H
#define PROBLEM_ATTR_H

#include "tensor.h"

enum attr_type { ATTR_FLOAT, ATTR_INT, ATTR_STRING, ATTR_TENSOR, ATTR_GRAPH, ATTR_FLOATS, ATTR_INTS, ATTR_STRINGS };

struct attr {
  const char *name;
  enum attr_type type;
  int count; // elements of floats, ints, strings; else 1
  union {
    float f;
    int64_t i;
    const char *s; // zero-terminated; may hold further bytes up to `length`
    const struct tensor *tensor;
    void *graph; // struct graph * of the optimizer, or a block index of an engine; operators never look inside
    const float *floats;
    const int64_t *ints;
    const char *const *strings;
  };
  size_t length; // bytes of s
};

struct attrs {
  const struct attr *items;
  int count;
};

const struct attr *attr_find(const struct attrs *attrs, const char *name); // NULL when absent
bool attr_has(const struct attrs *attrs, const char *name);
int64_t attr_int(const struct attrs *attrs, const char *name, int64_t otherwise);
float attr_float(const struct attrs *attrs, const char *name, float otherwise);
const char *attr_string(const struct attrs *attrs, const char *name, const char *otherwise);
const struct tensor *attr_tensor(const struct attrs *attrs, const char *name); // NULL when absent
/* Copies up to `most` ints; returns how many the attribute has (-1 when absent). */
int attr_ints(const struct attrs *attrs, const char *name, int64_t *out, int most);
int attr_floats(const struct attrs *attrs, const char *name, float *out, int most);

#endif
