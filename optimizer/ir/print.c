/* IR -> text. The grammar is docs/formats/ir-text.md; parse.c reads it back. */
#include "graph.h"

#include "../../base/digest.h"
#include "../../base/strbuf.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

struct printing {
  const struct model *model;
  struct strbuf *out;
  struct uses uses;
};

/* ---- words ---- */

static bool bare(const char *text, const char *further) {
  if (!*text) return false;
  for (; *text; text++) {
    bool letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') || (*text >= '0' && *text <= '9');
    if (!letter && !strchr(further, *text)) return false;
  }
  return true;
}

static void quoted_print(struct strbuf *out, const char *bytes, size_t length) {
  strbuf_add(out, "\"");
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)bytes[i];
    if (byte == '"' || byte == '\\')
      strbuf_printf(out, "\\%c", byte);
    else if (byte < 0x20 || byte == 0x7f)
      strbuf_printf(out, "\\x%02x", byte);
    else
      strbuf_add_bytes(out, &byte, 1);
  }
  strbuf_add(out, "\"");
}

static void word_print(struct strbuf *out, const char *text, const char *further) {
  if (bare(text, further))
    strbuf_add(out, text);
  else
    quoted_print(out, text, strlen(text));
}

static void value_print(struct strbuf *out, const struct value *value) {
  if (!value) {
    strbuf_add(out, "_");
    return;
  }
  strbuf_add(out, "%");
  word_print(out, value->name, TEXT_NAME);
}

/* ---- numbers ---- */

/* The shortest digits that read back as the same number of the type; "inf", "-inf", "nan". */
static void double_print(struct strbuf *out, double value, bool single) {
  char text[40];
  for (int digits = single ? 6 : 15;; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, value);
    bool same = single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value;
    if (same || digits == 17) break;
  }
  strbuf_add(out, isnan(value) ? "nan" : text);
}

static void float_attr_print(struct strbuf *out, float value) {
  size_t start = out->length;
  double_print(out, (double)value, true);
  const char *text = strbuf_text(out) + (out->failed ? 0 : start);
  if (!strpbrk(text, ".en")) strbuf_add(out, ".0");
}

static void element_print(struct strbuf *out, const struct tensor *tensor, int64_t i) {
  if (tensor->dtype == DTYPE_U64)
    strbuf_printf(out, "%" PRIu64, (uint64_t)dtype_load_i64(tensor->dtype, tensor->data, i));
  else if (dtype_is_float(tensor->dtype))
    double_print(out, dtype_load_f64(tensor->dtype, tensor->data, i), tensor->dtype != DTYPE_F64);
  else
    strbuf_printf(out, "%" PRId64, dtype_load_i64(tensor->dtype, tensor->data, i));
}

static void contents_print(struct strbuf *out, const struct tensor *tensor, const char *stand_in) {
  int64_t elems = tensor_elems(tensor);
  if (stand_in) {
    strbuf_add(out, stand_in);
  } else if (elems <= TEXT_MOST_ELEMS && dtype_class(tensor->dtype) != DTYPE_CLASS_OTHER) {
    strbuf_add(out, "{");
    for (int64_t i = 0; i < elems; i++) {
      if (i) strbuf_add(out, ", ");
      element_print(out, tensor, i);
    }
    strbuf_add(out, "}");
  } else {
    struct digest digest = digest_of(tensor->data, tensor_bytes(tensor));
    char hex[DIGEST_HEX_BYTES];
    digest_to_hex(&digest, hex);
    strbuf_printf(out, "#%s", hex);
  }
}

/* ---- types ---- */

static void dim_print(struct printing *printing, int64_t dim) {
  if (dim >= 0)
    strbuf_printf(printing->out, "%" PRId64, dim);
  else if (dim <= DIM_FIRST_SYMBOL && DIM_FIRST_SYMBOL - dim < printing->model->symbol_count)
    word_print(printing->out, printing->model->symbols[DIM_FIRST_SYMBOL - dim].name, TEXT_SYMBOL);
  else
    strbuf_add(printing->out, "?");
}

static void type_print(struct printing *printing, const struct tensor *type) {
  strbuf_printf(printing->out, "%s[", dtype_name(type->dtype));
  if (type->rank < 0) strbuf_add(printing->out, "*");
  for (int i = 0; i < type->rank; i++) {
    if (i) strbuf_add(printing->out, ",");
    dim_print(printing, type->dims[i]);
  }
  strbuf_add(printing->out, "]");
}

static void typed_value_print(struct printing *printing, const struct value *value) {
  value_print(printing->out, value);
  if (!value || (value->type.dtype == DTYPE_NONE && value->type.rank < 0)) return;
  strbuf_add(printing->out, ": ");
  type_print(printing, &value->type);
}

static void typed_values_print(struct printing *printing, struct value *const *values, int count) {
  for (int i = 0; i < count; i++) {
    if (i) strbuf_add(printing->out, ", ");
    typed_value_print(printing, values[i]);
  }
}

static void values_print(struct printing *printing, struct value *const *values, int count) {
  for (int i = 0; i < count; i++) {
    if (i) strbuf_add(printing->out, ", ");
    value_print(printing->out, values[i]);
  }
}

/* ---- attributes ---- */

static void graph_print_at(struct printing *printing, const struct graph *graph, int indent);

static void list_print(struct strbuf *out, const struct attr *attr) {
  static const char *const kinds[] = {[ATTR_FLOATS] = "floats", [ATTR_INTS] = "ints", [ATTR_STRINGS] = "strings"};
  strbuf_add(out, attr->count ? "[" : kinds[attr->type]);
  if (!attr->count) strbuf_add(out, "[");
  for (int i = 0; i < attr->count; i++) {
    if (i) strbuf_add(out, ", ");
    if (attr->type == ATTR_FLOATS)
      float_attr_print(out, attr->floats[i]);
    else if (attr->type == ATTR_INTS)
      strbuf_printf(out, "%" PRId64, attr->ints[i]);
    else
      quoted_print(out, attr->strings[i], strlen(attr->strings[i]));
  }
  strbuf_add(out, "]");
}

static void attr_print(struct printing *printing, const struct attr *attr, int indent) {
  struct strbuf *out = printing->out;
  word_print(out, attr->name, "_");
  strbuf_add(out, " = ");
  switch (attr->type) {
  case ATTR_FLOAT:
    float_attr_print(out, attr->f);
    break;
  case ATTR_INT:
    strbuf_printf(out, "%" PRId64, attr->i);
    break;
  case ATTR_STRING:
    quoted_print(out, attr->s, attr->length);
    break;
  case ATTR_GRAPH:
    graph_print_at(printing, attr->graph, indent);
    break;
  case ATTR_TENSOR:
    type_print(printing, attr->tensor);
    strbuf_add(out, " ");
    contents_print(out, attr->tensor, NULL);
    break;
  default:
    list_print(out, attr);
  }
}

/* ---- nodes and graphs ---- */

static void indent_print(struct printing *printing, int indent) {
  for (int i = 0; i < indent; i++) strbuf_add(printing->out, "  ");
}

static bool named_by_output(const struct node *node) {
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) return strcmp(node->outputs[i]->name, node->name) == 0;
  return !*node->name;
}

static void operator_print(struct strbuf *out, const struct node *node) {
  if (*node->row->domain) strbuf_printf(out, "%s::", node->row->domain);
  strbuf_printf(out, "%s.%d", node->row->name, node->row->since_version);
  if (node->opset != node->row->since_version) strbuf_printf(out, "@%d", node->opset);
}

static void node_print(struct printing *printing, const struct node *node, int indent) {
  struct strbuf *out = printing->out;
  indent_print(printing, indent);
  typed_values_print(printing, node->outputs, node->output_count);
  strbuf_add(out, node->output_count ? " = " : "= ");
  operator_print(out, node);
  strbuf_add(out, "(");
  values_print(printing, node->inputs, node->input_count);
  strbuf_add(out, ")");
  for (int i = 0; i < node->attrs.count; i++) {
    strbuf_add(out, i ? ", " : " {");
    attr_print(printing, &node->attrs.items[i], indent);
  }
  if (node->attrs.count) strbuf_add(out, "}");
  if (!named_by_output(node)) {
    strbuf_add(out, " name ");
    quoted_print(out, node->name, strlen(node->name));
  }
  if (strcmp(node->origin, node->name) != 0) {
    strbuf_add(out, " from ");
    quoted_print(out, node->origin, strlen(node->origin));
  }
  strbuf_add(out, "\n");
}

static void constants_print(struct printing *printing, const struct graph *graph, int indent) {
  const struct map *names = &printing->model->names;
  for (const struct map_entry *entry = map_next(names, NULL); entry; entry = map_next(names, entry)) {
    const struct value *value = entry->value;
    if (value->graph != graph || !value->constant || !printing->uses.counts[value->id]) continue;
    indent_print(printing, indent);
    strbuf_add(printing->out, "const ");
    typed_value_print(printing, value);
    strbuf_add(printing->out, " = ");
    contents_print(printing->out, value->constant, value->stand_in);
    strbuf_add(printing->out, "\n");
  }
}

static void graph_print_at(struct printing *printing, const struct graph *graph, int indent) {
  strbuf_add(printing->out, "graph ");
  word_print(printing->out, graph->name, "_");
  strbuf_add(printing->out, "(");
  typed_values_print(printing, graph->inputs, graph->input_count);
  strbuf_add(printing->out, ") {\n");
  constants_print(printing, graph, indent + 1);
  for (const struct node *node = graph->first; node; node = node->next) node_print(printing, node, indent + 1);
  indent_print(printing, indent + 1);
  strbuf_add(printing->out, graph->output_count ? "return " : "return");
  values_print(printing, graph->outputs, graph->output_count);
  strbuf_add(printing->out, "\n");
  indent_print(printing, indent);
  strbuf_add(printing->out, "}");
}

static void symbols_print(struct printing *printing) {
  for (int i = 0; i < printing->model->symbol_count; i++) {
    const struct symbol *symbol = &printing->model->symbols[i];
    strbuf_add(printing->out, "symbol ");
    word_print(printing->out, symbol->name, TEXT_SYMBOL);
    if (symbol->min || symbol->opt || symbol->max)
      strbuf_printf(printing->out, " %" PRId64 " %" PRId64 " %" PRId64, symbol->min, symbol->opt, symbol->max);
    strbuf_add(printing->out, "\n");
  }
}

enum farm_status graph_print(const struct model *model, struct strbuf *out) {
  struct printing printing = {.model = model, .out = out};
  TRY(uses_build(model, &printing.uses));
  strbuf_printf(out, "model ir %d\n", model->ir_version);
  symbols_print(&printing);
  graph_print_at(&printing, model->graph, 0);
  strbuf_add(out, "\n");
  uses_free(&printing.uses);
  FAIL_IF(out->failed, FARM_NO_MEMORY, "out of memory for the text of a model");
  return FARM_OK;
}
