/* Which section of an engine runs here. Internal to engine/run. */
#ifndef ENGINE_RUN_SECTION_H
#define ENGINE_RUN_SECTION_H

#include "run.h"

/* `wanted`: a device class, a kind ("cpu", "cuda"), "cuda-sm90", "auto", or NULL for any. */
bool section_wanted(const char *wanted, const struct engine_section *section);
/* A GPU's section that fits a device of this machine, else the CPU's; picks by class, then threads. Opens the device.
 * FARM_MISMATCH names both sides. `device`: a GPU's UUID or number; NULL: any. */
enum farm_status section_choose(struct farm_engine *engine, const char *wanted, const char *device, int threads);

#endif
