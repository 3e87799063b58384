/* `tunefarm inspect`: one file per kind of thing. */
#ifndef CLI_INSPECT_H
#define CLI_INSPECT_H

#include "report.h"

struct inspect_command {
  const char *path;
  struct option_list shapes, passes_off; // passes_off.items ends with NULL
  struct option_optional json;
  bool passes, ir, verify;
};

/* Prints what it found. A model that is not supported is described as far as it was understood; its status is returned then. */
enum farm_status inspect_model(const struct inspect_command *command);
enum farm_status inspect_engine(const struct inspect_command *command);

#endif
