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
  struct tensor *model_types; // by plan value: its type as the model has it, with symbols
  size_t model_type_capacity;
  bool cuda;               // the section is a GPU's
  uint8_t *unsettled;      // by IR value id, CUDA: its type follows from data, or may, when it runs
  struct map images;       // hex digest of a text -> index of its image + 1
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

/* emit-device.c, of CUDA sections. emit_settle notes what is known of a node's outputs before it runs: a step behind a branch, a
 * loop or data runs on the host, and needs its constants row-major. */
void emit_settle(struct emitter *emitter, const struct node *node);
bool emit_may_run_on_device(const struct emitter *emitter, const struct node *node, const struct plan_step *step);
/* Where shapes vary, an image whose text holds for the largest shapes, too, goes before a quicker one that does not: the host
 * would have to step in. The same holds for a library's fallback. */
enum farm_status emit_prefer_general(struct emitter *emitter, const struct node *node, const struct problem *problem,
                                     enum tactic_layout layout, struct link_choice *choice);
/* The text of the variant becomes an image of the engine, once per text. A library's tactic has none (PLAN_NO_INDEX). */
enum farm_status emit_image(struct emitter *emitter, const struct problem *problem, const struct variant *variant,
                            const struct plan_step *step, uint32_t *out_image);

/* storage.c: offsets in the arena; the plan's block 0 must be complete */
enum farm_status emit_storage(struct emitter *emitter);

#endif
