/* What the simulation's files share: time, the wires, and who is on them. */
#ifndef CLUSTER_SIM_WORLD_H
#define CLUSTER_SIM_WORLD_H

#include "sim.h"

#include "../../base/array.h"
#include "../../base/map.h"

struct parcel { // something that happens at a time
  uint64_t at_ns, order;
  uint64_t connection; // it dies with it; 0: with nothing
  bool to_core;
  uint8_t *data; // a frame; NULL: a timer of `actor`
  size_t length;
  uint32_t actor, timer;
};

struct durable { // a disk: text key → bytes
  struct map entries;
};

struct sim_worker {
  uint64_t connection, connect_at_ns, heard_ns;
  bool up; // WELCOME came
  char name[32], device_class[32];
  struct arena arena;
  struct wire_job job;
  bool busy;
  uint32_t at;             // next variant of a screen
  uint64_t life;           // grows with every death: timers of a former life are void
  struct durable unstored; // sequence → frame
  uint64_t sequence;
};

struct sim_client {
  uint64_t connection, connect_at_ns, heard_ns;
  bool up, accepted, done;
  enum farm_status outcome;
  struct digest id;
  struct wire_item *items;
  uint32_t item_count, have_count;
  uint8_t *have; // bitmap
};

struct world {
  struct sim_options options;
  struct sim_report report;
  struct arena arena;
  uint64_t now, order, seed, next_connection, epoch;
  struct parcel *parcels; // a heap by (at, order)
  size_t parcel_count, parcel_capacity;
  uint64_t *last_arrival; // per connection and direction: order is kept
  size_t last_capacity;
  struct core *core;
  struct durable records, queue_builds, queue_jobs;
  struct sim_worker *workers;
  struct sim_client *clients;
  struct map measured;   // screen keys → count
  uint64_t core_back_ns; // while it is dead
};

double world_random(struct world *world); // [0, 1)
void world_post(struct world *world, uint64_t connection, bool to_core, const struct wire_message *message);
void world_timer(struct world *world, uint32_t actor, uint32_t timer, double seconds);
uint64_t world_connect(struct world *world, uint32_t actor);

void durable_put(struct durable *durable, const char *key, const void *data, size_t length);
bool durable_get(const struct durable *durable, const char *key, const uint8_t **out_data, size_t *out_length);
void durable_remove(struct durable *durable, const char *key);
void durable_free(struct durable *durable);

/* actors: 0 the coordinator, 1 … workers, then clients */
void worker_begin(struct world *world, uint32_t index);
void worker_message(struct world *world, uint32_t index, const struct wire_message *message);
void worker_timer(struct world *world, uint32_t index, uint32_t timer);
void worker_kill(struct world *world, uint32_t index);
void client_begin(struct world *world, uint32_t index);
void client_message(struct world *world, uint32_t index, const struct wire_message *message);
void client_timer(struct world *world, uint32_t index, uint32_t timer);
void world_break(struct world *world, uint64_t connection);

#endif
