/* Engine files: writing, reading, refusing. docs/formats/engine.md is normative.
 *
 * The reader believes nothing: every count, index, offset, string and digest is checked before use, so that a truncated or
 * hostile file ends in FARM_INVALID, one of another version or byte order in FARM_MISMATCH. What it accepts is safe to run:
 * indices are in range, places lie inside the arena, views inside their values, steps read only what was made before.
 */
#ifndef ENGINE_FORMAT_ENGINE_FILE_H
#define ENGINE_FORMAT_ENGINE_FILE_H

#include "../../base/bytes.h"
#include "plan.h"

enum { ENGINE_FORMAT_VERSION = 2, ENGINE_OLDEST_VERSION = 1 }; // written; the oldest that is read

/* The bytes of an engine: the same engine gives the same bytes. weights[i].offset are assigned here. */
enum farm_status engine_encode(struct engine *engine, struct bytes_writer *out);
enum farm_status engine_write(struct engine *engine, const char *path); // atomically

/* Maps the file; weights stay mapped. Free with engine_close. `verify_weights`: also check every weight's digest (reads all
 * pages). */
enum farm_status engine_open(const char *path, bool verify_weights, struct engine **out_engine);
enum farm_status engine_decode(const void *data, size_t length, bool verify_weights,
                               struct engine **out_engine); // data must outlive it
void engine_close(struct engine **engine);

/* Structural rules above; engine_decode calls both, the linker's tests too. section_check includes plan_check. */
enum farm_status plan_check(const struct plan *plan, const struct engine *engine);
enum farm_status section_check(const struct engine_section *section, const struct engine *engine);

#endif
