/* Operations of no kind: the text of an `op` problem. See operation-kinds.h and docs/formats/problem-text.md. */
#include "../base/strbuf.h"
#include "../problem/number-text.h"
#include "../problem/problem-kinds.h"
#include "operation-kinds.h"

#include <stdio.h>
#include <string.h>

static void put_string(struct strbuf *out, const char *text, size_t length) {
  strbuf_add(out, "\"");
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c <= ' ' || c > '~' || c == '"' || c == '\\')
      strbuf_printf(out, "\\x%02x", c);
    else
      strbuf_add_bytes(out, &text[i], 1);
  }
  strbuf_add(out, "\"");
}

static void put_float(struct strbuf *out, float value) {
  char text[NUMBER_TEXT_MAX];
  if (value != value)
    strcpy(text, "nan");
  else
    number_print_float(value, text);
  strbuf_add(out, text);
}

static void put_tensor(struct strbuf *out, const struct tensor *tensor) {
  char type[160], hex[DIGEST_HEX_BYTES];
  size_t bytes = tensor_bytes(tensor);
  struct digest digest = digest_of(tensor->data, tensor->data && bytes != SIZE_MAX ? bytes : 0);
  digest_to_hex(&digest, hex);
  strbuf_printf(out, "%s#%.16s", tensor_text(tensor, type, sizeof type), hex);
}

static enum farm_status put_attr(struct strbuf *out, const struct attr *attr) {
  strbuf_printf(out, " %s=", attr->name);
  for (int i = 0; i < attr->count; i++) {
    if (i) strbuf_add(out, ",");
    switch (attr->type) {
    case ATTR_FLOAT:
      put_float(out, attr->f);
      break;
    case ATTR_FLOATS:
      put_float(out, attr->floats[i]);
      break;
    case ATTR_INT:
      strbuf_printf(out, "%lld", (long long)attr->i);
      break;
    case ATTR_INTS:
      strbuf_printf(out, "%lld", (long long)attr->ints[i]);
      break;
    case ATTR_STRING:
      put_string(out, attr->s, attr->length ? attr->length : strlen(attr->s));
      break;
    case ATTR_STRINGS:
      put_string(out, attr->strings[i], strlen(attr->strings[i]));
      break;
    case ATTR_TENSOR:
      put_tensor(out, attr->tensor);
      break;
    case ATTR_GRAPH:
      return status_set(FARM_UNSUPPORTED, "attribute %s is a graph: control flow is no problem", attr->name);
    }
  }
  return FARM_OK;
}

static enum farm_status put_operands(struct strbuf *out, const char *word, const struct tensor *const *tensors, int count) {
  char type[160];
  for (int i = 0; i < count; i++) {
    FAIL_IF(tensors[i] && (tensors[i]->rank < 0 || tensor_elems(tensors[i]) < 0 || tensors[i]->dtype == DTYPE_NONE), FARM_INVALID,
            "operand %d has no concrete type", i);
    strbuf_printf(out, " %s:%s", word, tensors[i] ? tensor_text(tensors[i], type, sizeof type) : "-");
  }
  return FARM_OK;
}

static enum farm_status put_all(const struct operands *operands, struct strbuf *out) {
  const struct operation *operation = operands->operation;
  strbuf_printf(out, "%s%s%s-%d", operation->row->domain, operation->row->domain[0] ? "." : "", operation->row->name,
                operation->row->since_version);
  for (int i = 0; i < operation->attrs.count; i++) TRY(put_attr(out, &operation->attrs.items[i]));
  TRY(put_operands(out, "in", operands->inputs, operands->input_count));
  return put_operands(out, "out", operands->outputs, operands->output_count);
}

enum farm_status make_op(const struct operands *operands, struct problem *problem) {
  struct strbuf text = {0};
  problem->kind = PROBLEM_OP;
  enum farm_status status = put_all(operands, &text);
  if (status == FARM_OK && text.failed) status = status_set(FARM_NO_MEMORY, "out of memory for a problem's text");
  if (status == FARM_OK) status = op_text_canonicalise(strbuf_text(&text), operands->arena, &problem->op_text);
  strbuf_free(&text);
  return status == FARM_USAGE ? FARM_INVALID : status;
}
