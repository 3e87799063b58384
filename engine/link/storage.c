/* Where the main block's values lie in the arena.
 *
 *   values ──views──► root values ──in place──► storages ──lives──► memory_plan ──► offsets
 *
 * A view has no memory of its own: it resolves to a root and an offset. A map whose operand dies there, of the same size and
 * type, writes over it: both roots share a storage. A storage lives from the first step that writes it (pieces of a concat write
 * early) to the last that reads it; workspaces live for their step.
 */
#include "emit.h"

#include "memory-plan.h"

#include <stdlib.h>
#include <string.h>

struct storages {
  struct plan *plan;
  const struct tensor *model_types; // by value
  int *first, *last; // by value, of roots: steps; first -1: never written
  uint32_t *shares;  // by value: the root whose storage it uses (itself at first)
};

static enum farm_status views_resolve(struct plan *plan) {
  for (int i = 0; i < plan->value_count; i++) {
    struct plan_value *value = &plan->values[i];
    for (int hops = 0; value->place == VALUE_VIEW && plan->values[value->of].place == VALUE_VIEW; hops++) {
      FAIL_IF(hops > plan->value_count, FARM_FAILURE, "%s: views in a circle", value->name);
      value->offset += plan->values[value->of].offset;
      value->of = plan->values[value->of].of;
    }
  }
  return FARM_OK;
}

static uint32_t root_of(const struct plan *plan, uint32_t value) {
  return plan->values[value].place == VALUE_VIEW ? plan->values[value].of : value;
}

static uint32_t storage_of(const struct storages *storages, uint32_t value) {
  uint32_t root = root_of(storages->plan, value);
  while (storages->shares[root] != root) root = storages->shares[root];
  return root;
}

static void touch(struct storages *storages, uint32_t value, int step, bool write) {
  if (value == PLAN_NO_INDEX) return;
  uint32_t root = root_of(storages->plan, value);
  if (write && (storages->first[root] < 0 || storages->first[root] > step)) storages->first[root] = step;
  if (storages->last[root] < step) storages->last[root] = step;
}

/* Blocks of a control step read outer values: that counts as a read by the step itself, nested blocks included. */
static void touch_block(struct storages *storages, uint32_t block, int step) {
  if (block == PLAN_NO_INDEX) return;
  const struct plan_block *inner = &storages->plan->blocks[block];
  for (int s = 0; s < inner->step_count; s++) {
    for (int i = 0; i < inner->steps[s].input_count; i++) touch(storages, inner->steps[s].inputs[i], step, false);
    for (int b = 0; b < 2; b++) touch_block(storages, inner->steps[s].blocks[b], step);
  }
  for (int i = 0; i < inner->output_count; i++) touch(storages, inner->outputs[i], step, false);
}

static void lives_find(struct storages *storages) {
  const struct plan_block *main_block = &storages->plan->blocks[0];
  for (int s = 0; s < main_block->step_count; s++) {
    const struct plan_step *step = &main_block->steps[s];
    bool moves_nothing = step->kind == STEP_VIEW;
    for (int i = 0; i < step->input_count; i++) touch(storages, step->inputs[i], s, false);
    for (int i = 0; i < step->output_count; i++) touch(storages, step->outputs[i], s, !moves_nothing);
    for (int b = 0; b < 2; b++) touch_block(storages, step->blocks[b], s);
  }
}

/* Does the step read a storage as another value than input `i`: as a part of a split, or as what it is a part of? */
static bool reads_otherwise(const struct storages *storages, const struct plan_step *step, int i, uint32_t storage) {
  for (int k = 0; k < step->input_count; k++)
    if (step->inputs[k] != PLAN_NO_INDEX && step->inputs[k] != step->inputs[i] &&
        storage_of(storages, step->inputs[k]) == storage)
      return true;
  return false;
}

/* Is the output as large as input `i` at all shapes, not only at the best and the largest ones? Where symbols do not tell, nothing else
 * may make it longer along that dimension. */
static bool is_always_as_large(const struct storages *storages, const struct plan_step *step, int i) {
  const struct tensor *from = &storages->model_types[step->inputs[i]], *to = &storages->model_types[step->outputs[0]];
  if (from->rank < 0 || from->rank != to->rank) return false;
  for (int d = 0; d < to->rank; d++) {
    if (from->dims[d] == to->dims[d] && from->dims[d] != DIM_UNKNOWN) continue;
    for (int k = 0; k < step->input_count; k++) {
      if (step->inputs[k] == PLAN_NO_INDEX || step->inputs[k] == step->inputs[i]) continue;
      const struct tensor *other = &storages->model_types[step->inputs[k]];
      int at = d - to->rank + other->rank;
      if (other->rank < 0 || (at >= 0 && other->dims[at] != 1)) return false;
    }
  }
  return true;
}

/* May this step write its output over input `i`? Only maps read and write element by element; a part that is repeated along the
 * whole is read again after its own elements were written, and so is an operand that is repeated at some shapes. */
static bool may_write_over(const struct storages *storages, const struct plan_step *step, int i, int s) {
  const struct plan *plan = storages->plan;
  uint32_t in = step->inputs[i], out = step->outputs[0];
  if (in == PLAN_NO_INDEX || out == PLAN_NO_INDEX || step->output_count != 1) return false;
  const struct plan_value *from = &plan->values[in], *to = &plan->values[out];
  if (from->place != VALUE_ARENA || to->place != VALUE_ARENA) return false;
  if (from->type.dtype != to->type.dtype || from->bytes != to->bytes || !tensor_shape_equal(&from->type, &to->type)) return false;
  uint32_t storage = storage_of(storages, in);
  return storages->last[storage] == s && plan->values[storage].bytes == to->bytes &&
         !reads_otherwise(storages, step, i, storage) && is_always_as_large(storages, step, i);
}

static void write_in_place(struct storages *storages) {
  const struct plan_block *main_block = &storages->plan->blocks[0];
  for (int s = 0; s < main_block->step_count; s++) {
    const struct plan_step *step = &main_block->steps[s];
    if (step->kind != STEP_KERNEL || strcmp(step->domain, "tunefarm") != 0 || strcmp(step->op, "Map") != 0) continue;
    if (attr_has(&step->attrs, "axes")) continue; // a reduction
    for (int i = 0; i < step->input_count; i++) {
      if (!may_write_over(storages, step, i, s)) continue;
      uint32_t storage = storage_of(storages, step->inputs[i]), out = step->outputs[0];
      storages->shares[out] = storage;
      if (storages->last[out] > storages->last[storage]) storages->last[storage] = storages->last[out];
      break;
    }
  }
}

static enum farm_status arena_lay_out(struct storages *storages) {
  struct plan *plan = storages->plan;
  struct plan_block *main_block = &plan->blocks[0];
  int most = plan->value_count + main_block->step_count, count = 0;
  struct memory_buffer *buffers = calloc((size_t)most + 1, sizeof *buffers);
  FAIL_IF(!buffers, FARM_NO_MEMORY, "out of memory for a plan of %d buffers", most);
  for (uint32_t v = 0; v < (uint32_t)plan->value_count; v++) {
    if (plan->values[v].place != VALUE_ARENA || storages->shares[v] != v || storages->first[v] < 0) continue;
    buffers[count++] = (struct memory_buffer){plan->values[v].bytes, storages->first[v], storages->last[v], v};
  }
  int value_buffers = count;
  for (int s = 0; s < main_block->step_count; s++)
    if (main_block->steps[s].workspace_bytes)
      buffers[count++] = (struct memory_buffer){main_block->steps[s].workspace_bytes, s, s, (uint64_t)s};
  uint64_t *whose = calloc((size_t)count + 1, sizeof *whose);
  enum farm_status status = whose ? FARM_OK : status_set(FARM_NO_MEMORY, "out of memory for a plan");
  for (int i = 0; whose && i < count; i++) whose[i] = buffers[i].offset;
  if (status == FARM_OK) status = memory_plan(buffers, count, &plan->arena_bytes, &plan->lower_bound_bytes);
  for (int i = 0; status == FARM_OK && i < count; i++) {
    if (i < value_buffers)
      plan->values[whose[i]].offset = buffers[i].offset;
    else
      main_block->steps[whose[i]].workspace_offset = buffers[i].offset;
  }
  for (uint32_t v = 0; status == FARM_OK && v < (uint32_t)plan->value_count; v++)
    if (plan->values[v].place == VALUE_ARENA && storages->shares[v] != v)
      plan->values[v].offset = plan->values[storage_of(storages, v)].offset;
  free(whose);
  free(buffers);
  return status;
}

enum farm_status emit_storage(struct emitter *emitter) {
  struct plan *plan = emitter->plan;
  struct arena *scratch = &emitter->scratch;
  size_t count = (size_t)plan->value_count + 1;
  struct storages storages = {plan, emitter->model_types, arena_alloc_array(scratch, count, sizeof(int)),
                              arena_alloc_array(scratch, count, sizeof(int)),
                              arena_alloc_array(scratch, count, sizeof(uint32_t))};
  FAIL_IF(!storages.first || !storages.last || !storages.shares, FARM_NO_MEMORY, "out of memory for lives");
  for (size_t v = 0; v < count; v++) {
    storages.first[v] = storages.last[v] = -1;
    storages.shares[v] = (uint32_t)v;
  }
  TRY(views_resolve(plan));
  lives_find(&storages);
  write_in_place(&storages);
  return arena_lay_out(&storages);
}
