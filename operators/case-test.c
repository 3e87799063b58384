/* The helper of case-test.h. */
#include "case-test.h"

#include "elements.h"
#include "shape-util.h"

#include "../base/arena.h"
#include "../tests/kit/test.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_VALUES = 16 };

struct operand {
  struct shape_info info;
  struct tensor tensor; // with data when the contents are numbers
  bool omitted;
};

static int64_t dim_parse(const char **at) {
  bool symbol = **at == 's';
  if (**at == '?') return ++*at, DIM_UNKNOWN;
  if (symbol) ++*at;
  char *end;
  int64_t number = strtoll(*at, &end, 10);
  REQUIRE(end != *at);
  *at = end;
  return symbol ? DIM_FIRST_SYMBOL - number : number;
}

static void contents_parse(const char **at, struct arena *arena, struct operand *out) {
  struct tensor *t = &out->tensor;
  int64_t count = tensor_elems(t), i = 0;
  REQUIRE(count >= 0);
  int64_t *known = arena_alloc_array(arena, (size_t)count + 1, sizeof *known);
  bool *symbolic = arena_alloc_array(arena, (size_t)count + 1, sizeof *symbolic), any = false;
  t->data = arena_alloc(arena, tensor_bytes(t) + 64);
  for (++*at; **at != '}'; i++) {
    REQUIRE(i < count);
    symbolic[i] = **at == 's' || **at == '?';
    any |= symbolic[i];
    char *end = (char *)*at;
    double number = symbolic[i] ? 0 : strtod(*at, &end);
    if (symbolic[i])
      known[i] = dim_parse(at);
    else {
      REQUIRE(end != *at);
      *at = end;
      known[i] = isfinite(number) ? (int64_t)number : 0;
      dtype_store_f64(t->dtype, t->data, i, number);
    }
    while (**at == ' ') ++*at;
  }
  ++*at;
  REQUIRE(i == count);
  if (any)
    out->info.known = known, out->info.symbolic = symbolic, t->data = NULL;
  else
    out->info.constant = t;
}

static void operand_parse(const char **at, struct arena *arena, struct operand *out) {
  char name[8] = "";
  *out = (struct operand){.omitted = **at == '_'};
  if (out->omitted) {
    ++*at;
    return;
  }
  for (int i = 0; i < 7 && isalnum((unsigned char)**at); i++) name[i] = *(*at)++;
  out->tensor.dtype = dtype_from_name(name);
  REQUIRE(out->tensor.dtype && **at == '[');
  ++*at;
  if (strncmp(*at, "...", 3) == 0) *at += 3, out->tensor.rank = -1;
  while (**at != ']') {
    out->tensor.dims[out->tensor.rank++] = dim_parse(at);
    if (**at == ',') ++*at;
  }
  ++*at;
  if (**at == '{') contents_parse(at, arena, out);
  out->info.type = out->tensor;
  out->info.type.data = NULL;
}

static void list_parse(char *text, struct arena *arena, struct attr *attr) {
  int64_t *ints = arena_alloc_array(arena, 32, sizeof *ints);
  for (char *item = strtok(text, "[,]"); item; item = strtok(NULL, "[,]")) ints[attr->count++] = strtoll(item, NULL, 10);
  attr->type = ATTR_INTS;
  attr->ints = ints;
}

static void attr_parse(char *text, struct arena *arena, struct attr *attr) {
  char *value = strchr(text, '='), *end;
  REQUIRE(value);
  *value++ = 0;
  *attr = (struct attr){.name = text};
  double number = strtod(value, &end);
  if (*value == '[') {
    list_parse(value, arena, attr);
    return;
  }
  attr->count = 1;
  attr->type = *end || end == value ? ATTR_STRING : strchr(value, '.') ? ATTR_FLOAT : ATTR_INT;
  if (attr->type == ATTR_STRING)
    attr->s = value, attr->length = strlen(value);
  else if (attr->type == ATTR_FLOAT)
    attr->f = (float)number;
  else
    attr->i = (int64_t)number;
}

static int attrs_parse(const char *text, struct arena *arena, struct attr *out) {
  char *copy = arena_string(arena, text, strlen(text)), *rest = copy, *item;
  int count = 0;
  while ((item = strsep(&rest, " ")))
    if (*item) attr_parse(item, arena, &out[count++]);
  return count;
}

static enum farm_status output_allocate(void *context, int output, struct tensor *tensor) {
  (void)context, (void)output;
  return tensor_alloc(tensor);
}

/* Appends "type{contents}" */
static void operand_print(const struct tensor *type, const struct tensor *data, const struct shape_content *known, char *out) {
  tensor_text(type, out, 200);
  if (!data && !known) return;
  strcat(out, "{");
  int64_t count = data ? tensor_elems(data) : known->count;
  for (int64_t i = 0; i < count; i++) {
    char number[40];
    int64_t code = known && !data ? known->value[i] : 0;
    if (data)
      snprintf(number, sizeof number, "%.6g", dtype_load_f64(data->dtype, data->data, i));
    else if (!known->symbolic[i])
      snprintf(number, sizeof number, "%lld", (long long)code);
    else if (code == DIM_UNKNOWN)
      snprintf(number, sizeof number, "?");
    else
      snprintf(number, sizeof number, "s%lld", (long long)(DIM_FIRST_SYMBOL - code));
    if (i) strcat(out, " ");
    strcat(out, number);
  }
  strcat(out, "}");
}

/* What the shape function foretold must be what came out. */
static void foretold_check(const struct shape_info *told, const struct tensor *actual) {
  struct tensor merged, type = *actual;
  struct shape_content content;
  CHECK(shape_merge(&told->type, &type, &merged) == FARM_OK);
  for (int i = 0; shape_content(told, &content) && i < content.count; i++)
    CHECK(!content.symbolic[i] && content.value[i] == dtype_load_i64(actual->dtype, actual->data, i));
}

static enum farm_status reference_run(struct shape_call *shape, struct operand *operands, char *out) {
  enum farm_status status = FARM_OK;
  const struct tensor *inputs[MOST_VALUES];
  struct tensor results[MOST_VALUES] = {0}, *outputs[MOST_VALUES];
  for (int i = 0; i < shape->input_count; i++) inputs[i] = operands[i].omitted ? NULL : &operands[i].tensor;
  for (int i = 0; i < shape->output_count; i++) {
    results[i] = shape->outputs[i].type;
    outputs[i] = &results[i];
    if (tensor_elems(&results[i]) >= 0) TRY_OR(tensor_alloc(&results[i]), free_results);
  }
  struct reference_call call = {.row = shape->row,
                                .attrs = shape->attrs,
                                .opset = shape->opset,
                                .input_count = shape->input_count,
                                .inputs = inputs,
                                .output_count = shape->output_count,
                                .outputs = outputs,
                                .allocate = output_allocate};
  TRY_OR(shape->row->reference(&call), free_results);
  for (int i = 0; i < shape->output_count; i++) {
    if (i) strcat(out, " ");
    operand_print(&results[i], &results[i], NULL, out + strlen(out));
    foretold_check(&shape->outputs[i], &results[i]);
  }
free_results:
  for (int i = 0; i < shape->output_count; i++) tensor_free(&results[i]);
  return status;
}

static enum farm_status case_calls(struct shape_call *shape, struct operand *operands, char *out) {
  TRY(shape->row->shape(shape));
  bool numbers = true;
  for (int i = 0; i < shape->input_count; i++) numbers &= operands[i].omitted || operands[i].tensor.data;
  if (numbers) return reference_run(shape, operands, out);
  for (int i = 0; i < shape->output_count; i++) {
    struct shape_content content;
    bool known = shape_content(&shape->outputs[i], &content);
    if (i) strcat(out, " ");
    operand_print(&shape->outputs[i].type, NULL, known ? &content : NULL, out + strlen(out));
  }
  return FARM_OK;
}

const char *case_run(const char *operator_name, int opset, int outputs, const char *inputs, const char *attributes) {
  static char text[4096];
  struct arena arena = {0};
  struct operand operands[MOST_VALUES];
  const struct shape_info *infos[MOST_VALUES];
  struct shape_info results[MOST_VALUES];
  struct attr items[MOST_VALUES];
  struct attrs attrs = {items, attrs_parse(attributes, &arena, items)};
  int count = 0;
  for (const char *at = inputs; *at; count++) {
    operand_parse(&at, &arena, &operands[count]);
    while (*at == ' ') at++;
    infos[count] = operands[count].omitted ? NULL : &operands[count].info;
  }
  for (int i = 0; i < outputs; i++) results[i] = (struct shape_info){.type = {.rank = -1}};
  const struct operator_row *row = operator_find("", operator_name, opset);
  REQUIRE(row);
  struct shape_call shape = {row, &attrs, opset, count, infos, outputs, results, &arena};
  text[0] = 0;
  enum farm_status status = case_calls(&shape, operands, text);
  if (status != FARM_OK) snprintf(text, sizeof text, "error: %s", status_name(status));
  arena_free(&arena);
  return text;
}
