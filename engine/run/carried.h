/* What Loop and Scan share: values carried from one iteration into the next, and values collected over all of them. Internal to
 * engine/run. */
#ifndef ENGINE_RUN_CARRIED_H
#define ENGINE_RUN_CARRIED_H

#include "run.h"

/* outs[i] becomes ins[i] for all i at once (an out may be another's in). Uses state->output_types[0 .. count - 1]. */
enum farm_status carried_move(struct farm_context *context, struct step_state *state, const uint32_t *ins, const uint32_t *outs,
                              int count);

/* Appends one iteration's value to output `v` along a new first dimension; all must have one shape, kept in *shape. */
enum farm_status collect_append(struct farm_context *context, uint32_t v, int64_t iteration, const struct tensor *item,
                                struct tensor *shape);
/* Sets the output's type after `count` iterations; without any, `planned` (the body's value) tells what is known of the shape. */
enum farm_status collect_finish(struct farm_context *context, uint32_t v, int64_t count, uint32_t planned,
                                const struct tensor *shape);
/* The type of an item that was never made: unknown dimensions are 0. */
struct tensor collect_planned(const struct farm_context *context, uint32_t planned);
enum farm_status collect_type_set(struct farm_context *context, uint32_t v, const struct tensor *item, int axis, int64_t count);

#endif
