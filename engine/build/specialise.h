/* Input shapes given at build: symbols with one value disappear from the model, the others get their ranges. */
#ifndef ENGINE_BUILD_SPECIALISE_H
#define ENGINE_BUILD_SPECIALISE_H

#include "build.h"

/* A symbol that no shape names is taken as 1, which is said once through log_warning. Ends with fresh inference. */
enum farm_status model_specialise(struct model *model, const struct build_shape *shapes, int count);

#endif
