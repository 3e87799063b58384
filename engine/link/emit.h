/* From the IR to a plan, in three movements over one struct: values and their kinds of place, steps, then storage.
 * Internal to engine/link. */
#ifndef ENGINE_LINK_EMIT_H
#define ENGINE_LINK_EMIT_H

#include "link.h"
#include "weights.h"

struct emitter {
  struct model *model;
  const struct link_target *target;
  const struct lock_section *pins;
  struct lock *lock;
  struct lock_section *lock_section;
  struct weight_table *weights;
  struct arena *arena; // of the engine: everything a plan holds
  struct arena scratch;
  struct link_shapes optimal, largest;
  struct plan *plan;
  size_t value_capacity, block_capacity;
  uint32_t *index_of;      // by IR value id: plan value, PLAN_NO_INDEX: none yet
  struct plan_step *steps; // of the block being emitted
  size_t step_count, step_capacity;
};

/* emit-values.c */
enum farm_status emit_value(struct emitter *emitter, const struct value *value, enum value_place place, uint32_t *out_index);
enum farm_status emit_input_operand(struct emitter *emitter, const struct value *value,
                                    uint32_t *out_index);                      // constants on first use
uint32_t emit_index(const struct emitter *emitter, const struct value *value); // PLAN_NO_INDEX for NULL and for what is not there
struct tensor emit_type(const struct value *value, const struct link_shapes *shapes);
enum farm_status emit_constant_data(struct emitter *emitter, uint32_t index,
                                    const struct value *value); // row-major bytes become a weight
bool emit_is_host(const struct emitter *emitter, const struct node *node);

/* emit-steps.c */
enum farm_status emit_graph(struct emitter *emitter, struct graph *graph, uint32_t *out_block);

/* emit-kernel.c: problem, variant, packing, workspace of one step */
enum farm_status emit_kernel(struct emitter *emitter, const struct node *node, struct plan_step *step);

/* storage.c: offsets in the arena; the plan's block 0 must be complete */
enum farm_status emit_storage(struct plan *plan, struct arena *scratch);

#endif
