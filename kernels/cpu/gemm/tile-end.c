/* What happens to a tile's sums: the epilogue split into what registers do and what is done on the finished tile, and tiles that
 * hang over the edge of the output.
 *
 * Registers do `bias`, then `add`, then `relu` and `clip`s, if the epilogue begins so (it nearly always does). From the first
 * step that does not fit on, steps run over the tile just stored, which is still in the first-level cache.
 */
#include "tile.h"

#include "../../../problem/epilogue.h"

#include <math.h>
#include <string.h>

/* The four stages of registers, in their order; a step that comes too late for its stage goes to the list. */
enum stage { STAGE_BIAS, STAGE_ADD, STAGE_CLAMP, STAGE_STEPS };

static bool end_takes(struct tile_end *end, enum stage *stage, const struct epilogue_step *step, const float *operand) {
  switch (step->op) {
  case EPILOGUE_BIAS:
    if (*stage > STAGE_BIAS) return false;
    end->bias = operand;
    *stage = STAGE_ADD;
    return true;
  case EPILOGUE_ADD:
    if (*stage > STAGE_ADD) return false;
    end->add = operand;
    *stage = STAGE_CLAMP;
    return true;
  case EPILOGUE_RELU:
  case EPILOGUE_CLIP:
    if (end->clamp || *stage > STAGE_CLAMP) return false;
    end->clamp = true;
    end->low = step->op == EPILOGUE_RELU ? 0 : step->p[0];
    end->high = step->op == EPILOGUE_RELU ? INFINITY : step->p[1];
    *stage = STAGE_STEPS;
    return true;
  default:
    return false;
  }
}

struct tile_end tile_end_of(const struct epilogue *epilogue, const float *const *operands, float *c, int64_t c_stride,
                            bool channels_in_rows) {
  struct tile_end end = {.c = c, .c_stride = c_stride, .channels_in_rows = channels_in_rows};
  enum stage stage = STAGE_BIAS;
  for (int i = 0; i < epilogue->count; i++) {
    const struct epilogue_step *step = &epilogue->steps[i];
    const float *operand = epilogue_op_takes_operand(step->op) ? *operands++ : NULL;
    if (end_takes(&end, &stage, step, operand)) continue;
    stage = STAGE_STEPS;
    bool in_rows = step->op == EPILOGUE_BIAS && channels_in_rows;
    int64_t stride = step->op == EPILOGUE_BIAS ? 0 : c_stride;
    end.steps[end.step_count++] = (struct tile_step){step->op, {step->p[0], step->p[1]}, operand, stride, in_rows};
  }
  return end;
}

struct tile_end tile_end_at(const struct tile_end *end, int64_t elems, int64_t channels) {
  struct tile_end at = *end;
  at.c += elems;
  if (at.bias) at.bias += channels;
  if (at.add) at.add += elems;
  for (int i = 0; i < at.step_count; i++)
    if (at.steps[i].operand) at.steps[i].operand += at.steps[i].op == EPILOGUE_BIAS ? channels : elems;
  return at;
}

static void step_run(const struct tile *tile, const struct tile_step *step, float *c, int64_t c_stride) {
  tile->step(step, c, c_stride, tile->mr, tile->nr);
}

/* A step's operand at the tile's place. */
static struct tile_step step_at(const struct tile_step *step, const struct tile_end *end, const struct tile_place *place) {
  struct tile_step at = *step;
  if (!at.operand) return at;
  if (at.op != EPILOGUE_BIAS)
    at.operand += place->row * end->c_stride + place->column;
  else
    at.operand += at.in_rows ? place->row : place->column;
  return at;
}

static void emit_whole(const struct tile *tile, enum tile_mode mode, struct tile_args *args, const struct tile_end *end,
                       const struct tile_place *place) {
  int64_t at = place->row * end->c_stride + place->column;
  args->c = end->c + at;
  args->c_stride = end->c_stride;
  args->accumulate = !place->first;
  const float *bias = place->first ? end->bias : NULL;
  args->bias = bias && !end->channels_in_rows ? bias + place->column : NULL;
  args->row_bias = bias && end->channels_in_rows ? bias + place->row : NULL;
  args->add = place->last && end->add ? end->add + at : NULL;
  args->add_stride = end->c_stride;
  args->clamp = place->last && end->clamp;
  args->low = end->low, args->high = end->high;
  tile->run[mode](args);
  if (!place->last) return;
  for (int i = 0; i < end->step_count; i++) {
    struct tile_step step = step_at(&end->steps[i], end, place);
    step_run(tile, &step, args->c, args->c_stride);
  }
}

static void copy_in(float *to, int64_t to_stride, const float *from, int64_t from_stride, int rows, int columns) {
  for (int i = 0; i < rows; i++) memcpy(to + i * to_stride, from + i * from_stride, (size_t)columns * sizeof *to);
}

/* Scratch copies of what a short tile reads: whole tiles, zeros where nothing is. */
struct scratch {
  float c[TILE_MAX_ELEMS], add[TILE_MAX_ELEMS], bias[TILE_MAX_ELEMS], steps[EPILOGUE_MAX][TILE_MAX_ELEMS];
};

static const float *scratch_of(float *to, const float *from, int64_t stride, int nr, int rows, int columns) {
  if (!from) return NULL;
  memset(to, 0, TILE_MAX_ELEMS * sizeof *to);
  copy_in(to, nr, from, stride, rows, columns);
  return to;
}

static void emit_short(const struct tile *tile, enum tile_mode mode, struct tile_args *args, const struct tile_end *end,
                       const struct tile_place *place) {
  struct scratch scratch; // each buffer is cleared when it is used
  int nr = tile->nr, rows = place->rows, columns = place->columns;
  int64_t at = place->row * end->c_stride + place->column;
  struct tile_end inner = *end;
  inner.c = scratch.c;
  inner.c_stride = nr;
  if (end->bias && end->channels_in_rows)
    inner.bias = scratch_of(scratch.bias, end->bias + place->row, 0, nr, 1, rows);
  else if (end->bias)
    inner.bias = scratch_of(scratch.bias, end->bias + place->column, 0, nr, 1, columns);
  if (end->add) inner.add = scratch_of(scratch.add, end->add + at, end->c_stride, nr, rows, columns);
  for (int i = 0; i < end->step_count; i++) {
    struct tile_step step = step_at(&end->steps[i], end, place);
    bool vector = step.op == EPILOGUE_BIAS;
    inner.steps[i].operand = vector ? scratch_of(scratch.steps[i], step.operand, 0, nr, 1, step.in_rows ? rows : columns)
                                    : scratch_of(scratch.steps[i], step.operand, step.stride, nr, rows, columns);
    inner.steps[i].stride = vector ? 0 : nr;
  }
  if (!place->first) memset(scratch.c, 0, sizeof scratch.c);
  if (!place->first) copy_in(scratch.c, nr, end->c + at, end->c_stride, rows, columns);
  emit_whole(tile, mode, args, &inner, &(struct tile_place){0, 0, tile->mr, nr, place->first, place->last});
  copy_in(end->c + at, end->c_stride, scratch.c, nr, rows, columns);
}

void tile_emit(const struct tile *tile, enum tile_mode mode, struct tile_args *args, const struct tile_end *end,
               const struct tile_place *place) {
  if (place->rows == tile->mr && place->columns == tile->nr)
    emit_whole(tile, mode, args, end, place);
  else
    emit_short(tile, mode, args, end, place);
}
