/* See move.h. */
#include "move.h"

#include <string.h>

enum { MOVE_SERIAL_BYTES = 1 << 17 };

bool move_applies(const struct problem *problem, const char *name) {
  static const char *const odd[] = {":string[", ":u4[", ":i4[", ":u2[", ":i2[", ":e2m1["};
  if (problem->kind != PROBLEM_OP || strncmp(problem->op_text, name, strlen(name)) != 0) return false;
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
    if (strstr(problem->op_text, odd[i])) return false;
  return true;
}

double move_cost(const struct problem *problem, const struct variant *variant, const struct device_class *device_class,
                 int threads) {
  (void)problem, (void)variant, (void)device_class, (void)threads; // the text does not tell sizes; any copy beats the reference
  return 1000;
}

enum farm_status move_output(const struct kernel_call *call, int i, struct tensor **out) {
  struct tensor *tensor = i < call->output_count ? call->outputs[i] : NULL;
  if (tensor && !tensor->data && tensor_elems(tensor) > 0) {
    FAIL_IF(!call->allocate, FARM_INVALID, "output %d has no memory", i);
    TRY(call->allocate(call->context, i, tensor));
  }
  *out = tensor;
  return FARM_OK;
}

int64_t move_extent(const struct tensor *tensor, int first, int end) {
  return tensor_dims_product(tensor->dims + first, end - first);
}

struct move_row_run {
  const unsigned char *from;
  unsigned char *to;
  int64_t rows, parts, from_step, to_step;
  size_t row_bytes;
};

static void move_rows_part(void *argument, int64_t part, int thread) {
  const struct move_row_run *run = argument;
  (void)thread;
  for (int64_t r = run->rows * part / run->parts; r < run->rows * (part + 1) / run->parts; r++)
    memcpy(run->to + r * run->to_step, run->from + r * run->from_step, run->row_bytes);
}

void move_rows(struct thread_pool *pool, int64_t rows, size_t row_bytes, const void *from, int64_t from_step, void *to,
               int64_t to_step) {
  struct move_row_run run = {
      .from = from, .to = to, .rows = rows, .parts = 1, .from_step = from_step, .to_step = to_step, .row_bytes = row_bytes};
  if (!row_bytes || rows <= 0) return;
  if (row_bytes * (size_t)rows >= MOVE_SERIAL_BYTES && rows > 1) run.parts = thread_pool_size(pool);
  thread_pool_run(run.parts > 1 ? pool : NULL, run.parts, move_rows_part, &run);
}

/* Neighbouring dims that step alike become one; dims of 1 go. */
static struct move_view move_merged(const struct move_view *view) {
  struct move_view out = {.first = view->first, .element = view->element};
  for (int d = 0; d < view->rank; d++) {
    if (view->dims[d] == 1) continue;
    const int last = out.rank - 1;
    if (out.rank && out.strides[last] == view->strides[d] * view->dims[d]) {
      out.dims[last] *= view->dims[d];
      out.strides[last] = view->strides[d];
    } else {
      out.dims[out.rank] = view->dims[d];
      out.strides[out.rank++] = view->strides[d];
    }
  }
  if (!out.rank) out.dims[0] = 1, out.strides[0] = 1, out.rank = 1;
  return out;
}

#define MOVE_LINE(name, type)                                                                                                    \
  static void name(const void *from_data, int64_t stride, int64_t count, void *to_data) {                                        \
    const type *from = from_data;                                                                                                \
    type *to = to_data;                                                                                                          \
    for (int64_t i = 0; i < count; i++) to[i] = from[i * stride];                                                                \
  }
MOVE_LINE(move_line_1, uint8_t)
MOVE_LINE(move_line_2, uint16_t)
MOVE_LINE(move_line_4, uint32_t)
MOVE_LINE(move_line_8, uint64_t)
struct pair {
  uint64_t low, high;
};
MOVE_LINE(move_line_16, struct pair)

typedef void (*move_line_fn)(const void *from, int64_t stride, int64_t count, void *to);
static const move_line_fn move_lines[17] = {
    [1] = move_line_1, [2] = move_line_2, [4] = move_line_4, [8] = move_line_8, [16] = move_line_16};

struct move_view_run {
  struct move_view view;
  const unsigned char *from;
  unsigned char *to;
  int64_t lines, parts;
};

static void move_view_part(void *argument, int64_t part, int thread) {
  const struct move_view_run *run = argument;
  const struct move_view *view = &run->view;
  const int last = view->rank - 1;
  (void)thread;
  for (int64_t line = run->lines * part / run->parts; line < run->lines * (part + 1) / run->parts; line++) {
    int64_t at = view->first, rest = line;
    for (int d = last - 1; d >= 0; d--) {
      at += rest % view->dims[d] * view->strides[d];
      rest /= view->dims[d];
    }
    const unsigned char *from = run->from + at * view->element;
    unsigned char *to = run->to + line * view->dims[last] * view->element;
    if (view->strides[last] == 1)
      memcpy(to, from, (size_t)(view->dims[last] * view->element));
    else
      move_lines[view->element](from, view->strides[last], view->dims[last], to);
  }
}

void move_strided(struct thread_pool *pool, const struct move_view *view, const void *from, void *to) {
  struct move_view_run run = {.view = move_merged(view), .from = from, .to = to, .parts = 1};
  for (int d = 0; d < view->rank; d++)
    if (view->dims[d] == 0) return;
  run.lines = tensor_dims_product(run.view.dims, run.view.rank - 1);
  if (run.lines > 1 && run.lines * run.view.dims[run.view.rank - 1] * run.view.element >= MOVE_SERIAL_BYTES)
    run.parts = thread_pool_size(pool);
  thread_pool_run(run.parts > 1 ? pool : NULL, run.parts, move_view_part, &run);
}
