/* The builder's farm: the interface of build.h over a client of the coordinator. */
#ifndef ENGINE_BUILD_FARM_CLIENT_H
#define ENGINE_BUILD_FARM_CLIENT_H

#include "../../cluster/wire/client.h"
#include "farm-images.h"

struct farm_client {
  struct client *client;
  const char *label;         // of the build, for status
  bool prefer_records;       // locked and ro: classes with records count before registered ones
  bool remeasure, fail_fast; // see WIRE_REMEASURE, WIRE_FAIL_FAST
  bool (*interrupted)(void);  // asked while results are waited for: true cancels the build. NULL: never
  struct farm_images *images; // NULL: nothing is compiled for measuring
  struct build_farm farm;     // what the builder is given
};

/* The client stays the caller's. */
void farm_client_init(struct farm_client *farm, struct client *client, const char *label);

#endif
