/* See attr.h. */
#include "attr.h"

#include <string.h>

const struct attr *attr_find(const struct attrs *attrs, const char *name) {
  for (int i = 0; attrs && i < attrs->count; i++)
    if (strcmp(attrs->items[i].name, name) == 0) return &attrs->items[i];
  return NULL;
}

static const struct attr *find_typed(const struct attrs *attrs, const char *name, enum attr_type type) {
  const struct attr *attr = attr_find(attrs, name);
  return attr && attr->type == type ? attr : NULL;
}

bool attr_has(const struct attrs *attrs, const char *name) { return attr_find(attrs, name) != NULL; }

int64_t attr_int(const struct attrs *attrs, const char *name, int64_t otherwise) {
  const struct attr *attr = find_typed(attrs, name, ATTR_INT);
  return attr ? attr->i : otherwise;
}

float attr_float(const struct attrs *attrs, const char *name, float otherwise) {
  const struct attr *attr = find_typed(attrs, name, ATTR_FLOAT);
  return attr ? attr->f : otherwise;
}

const char *attr_string(const struct attrs *attrs, const char *name, const char *otherwise) {
  const struct attr *attr = find_typed(attrs, name, ATTR_STRING);
  return attr ? attr->s : otherwise;
}

const struct tensor *attr_tensor(const struct attrs *attrs, const char *name) {
  const struct attr *attr = find_typed(attrs, name, ATTR_TENSOR);
  return attr ? attr->tensor : NULL;
}

int attr_ints(const struct attrs *attrs, const char *name, int64_t *out, int most) {
  const struct attr *attr = find_typed(attrs, name, ATTR_INTS);
  if (!attr) return -1;
  for (int i = 0; i < attr->count && i < most; i++) out[i] = attr->ints[i];
  return attr->count;
}

int attr_floats(const struct attrs *attrs, const char *name, float *out, int most) {
  const struct attr *attr = find_typed(attrs, name, ATTR_FLOATS);
  if (!attr) return -1;
  for (int i = 0; i < attr->count && i < most; i++) out[i] = attr->floats[i];
  return attr->count;
}
