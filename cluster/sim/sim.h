/* A simulated farm: a real coordinator core with simulated workers, clients, wires and disks, in virtual time. One seed gives
 * one run.
 *
 * Faults: connections that break (what was on them is lost), workers that are killed and come back, a coordinator that is killed
 * between its writes and its sends and comes back from what was durable, variants that kill their worker, clients that reconnect.
 * Messages on one connection keep their order; results are sent again after a break, so duplicates and late ones happen by
 * themselves.
 */
#ifndef CLUSTER_SIM_SIM_H
#define CLUSTER_SIM_SIM_H

#include "../../coordinator/core/core.h"

struct sim_options {
  uint64_t seed;
  uint32_t workers, classes;        // worker i is of class i % classes
  uint32_t builds, items, variants; // items per build, of which about a half are shared with other builds
  double break_per_s, kill_worker_per_s, kill_coordinator_per_s; // mean rates over the whole farm
  uint32_t poison_one_in;                                        // one variant in so many kills its worker; 0: none
  double most_s;                                                 // virtual seconds after which a run is stuck
  double faults_until_s;                                         // 0: no end
};

struct sim_report {
  bool finished;                                         // every build got DONE
  double took_s;                                         // virtual
  uint32_t done_ok, done_failed, results, wrong_results; // wrong: a record that does not cover its item
  uint64_t unique_variants;                              // of all builds
  uint64_t measured;                                     // screens that workers carried out
  uint64_t finals;
  uint32_t breaks, worker_kills, coordinator_kills;
  struct core_load left;         // after all clients closed and workers left
  size_t queue_left;             // entries in the durable queue
  struct core_counters counters; // of the last coordinator
};

/* FARM_OK with a report, also of a run that got stuck. */
enum farm_status sim_run(const struct sim_options *options, struct sim_report *out);

#endif
