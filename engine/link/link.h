/* The linker: an optimised model and the facts about its problems become one section of an engine.
 *
 *   model ──► layouts decided (decide.h) ──► IR rewritten (layout.h) ──► plan: values placed, steps with variants ──► weights
 * packed
 *
 * The model is changed by linking (layouts become explicit) and must outlive engine_write: weights are referred to, not copied.
 */
#ifndef ENGINE_LINK_LINK_H
#define ENGINE_LINK_LINK_H

#include "../format/engine-file.h"
#include "choose.h"
#include "lock.h"
#include "node-problem.h"

struct link_engine; // an engine being made: weights by content, packed blobs owned here

/* model_name is what inspect shows; model_digest that of the model's content; options the canonical text. */
enum farm_status link_engine_create(const char *model_name, const struct digest *model_digest, const char *options,
                                    struct link_engine **out_engine);
void link_engine_free(struct link_engine **engine);

/* Adds a section. `pins`: take layouts and variants from there (FARM_MISMATCH when one does not fit), else decide from
 * target->facts. A CUDA class takes its kernels' images from target->images. `measured`: whether records stood behind it.
 * Decisions are noted in `lock`. */
enum farm_status link_section(struct link_engine *engine, struct model *model, const struct link_target *target,
                              const struct lock_section *pins, bool measured, struct lock *lock);
/* The engine so far, for writing and inspection; valid until link_engine_free. */
struct engine *link_engine_get(struct link_engine *engine);

#endif
