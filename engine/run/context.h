/* Contexts behind the public functions: arguments have been checked, indices are in range. Internal to engine/run. */
#ifndef ENGINE_RUN_CONTEXT_H
#define ENGINE_RUN_CONTEXT_H

#include "run.h"

enum farm_status context_create(const struct farm_engine *engine, int threads, bool profile, struct farm_context **out_context);
void context_free(struct farm_context *context); // NULL is fine
/* Shape and type checked against the engine; type->data is the caller's. FARM_USAGE. */
enum farm_status context_bind_input(struct farm_context *context, int i, const struct tensor *type, size_t bytes);
enum farm_status context_bind_output(struct farm_context *context, int i, void *data,
                                     size_t bytes); // data NULL: the context's own
enum farm_status context_run(struct farm_context *context);
enum farm_status context_output(const struct farm_context *context, int i, struct tensor *out);
uint64_t context_memory(const struct farm_context *context);
uint64_t context_device_memory(const struct farm_context *context);

#endif
