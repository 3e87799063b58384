/* Thousands of seeded runs of a simulated farm: nothing is lost, nothing measured twice unless its lease died, everyone is
 * answered. */
#include "sim.h"

#include "../../base/random.h"
#include "../../tests/kit/test.h"

#include <stdlib.h>

static struct sim_options quiet(uint64_t seed) {
  return (struct sim_options){.seed = seed,
                              .workers = 1 + seed % 5,
                              .classes = 1 + seed % 2,
                              .builds = 1 + seed % 4,
                              .items = 5 + seed % 20,
                              .variants = 1 + seed % 9,
                              .most_s = 3600};
}

static void check_end(const struct sim_options *o, const struct sim_report *r) {
  CHECK_MESSAGE(r->finished && r->done_ok == o->builds, "seed %llu: %u of %u builds, %u failed, after %.0f s",
                (unsigned long long)o->seed, r->done_ok, o->builds, r->done_failed, r->took_s);
  CHECK_MESSAGE(r->wrong_results == 0 && r->results == o->builds * o->items, "seed %llu: %u wrong, %u of %u results",
                (unsigned long long)o->seed, r->wrong_results, r->results, o->builds * o->items);
  CHECK_MESSAGE(r->left.peers + r->left.builds + r->left.tasks + r->left.jobs + r->left.executions == 0 && r->queue_left == 0,
                "seed %llu: left are %zu peers %zu builds %zu tasks %zu jobs, %zu in the queue", (unsigned long long)o->seed,
                r->left.peers, r->left.builds, r->left.tasks, r->left.jobs, r->queue_left);
}

TEST(sim_quiet_farm_measures_everything_once, "") {
  for (uint64_t seed = 1; seed <= 100; seed++) {
    struct sim_options o = quiet(seed);
    if (o.workers < o.classes) o.workers = o.classes;
    struct sim_report r;
    REQUIRE_OK(sim_run(&o, &r));
    check_end(&o, &r);
    CHECK_MESSAGE(r.measured == r.unique_variants, "seed %llu: measured %llu of %llu", (unsigned long long)seed,
                  (unsigned long long)r.measured, (unsigned long long)r.unique_variants);
  }
}

static void faulty_runs(uint64_t first, uint64_t count) {
  for (uint64_t seed = first; seed < first + count; seed++) {
    struct sim_options o = quiet(seed);
    if (o.workers < 2 * o.classes) o.workers = 2 * o.classes;
    o.break_per_s = 0.3 * random_uniform(seed, 1), o.kill_worker_per_s = 0.1 * random_uniform(seed, 2),
    o.kill_coordinator_per_s = 0.1 * random_uniform(seed, 3);
    o.faults_until_s = 300;
    struct sim_report r;
    REQUIRE_OK(sim_run(&o, &r));
    check_end(&o, &r);
    uint64_t lost = (uint64_t)(r.breaks + r.worker_kills) + (uint64_t)r.coordinator_kills * o.workers;
    CHECK_MESSAGE(r.measured <= r.unique_variants + lost * 32, "seed %llu: measured %llu of %llu with %llu leases lost",
                  (unsigned long long)seed, (unsigned long long)r.measured, (unsigned long long)r.unique_variants,
                  (unsigned long long)lost);
  }
}

TEST(sim_faulty_farm_loses_nothing, "timeout:120") { faulty_runs(1000, 150); }
TEST(sim_thousands_of_faulty_farms, "slow parallel timeout:1200") { faulty_runs(10000, 5000); }

TEST(sim_poison_costs_only_itself, "") {
  for (uint64_t seed = 1; seed <= 40; seed++) {
    struct sim_options o = {
        .seed = seed, .workers = 3, .classes = 1, .builds = 2, .items = 10, .variants = 6, .poison_one_in = 8, .most_s = 3600};
    struct sim_report r;
    REQUIRE_OK(sim_run(&o, &r));
    check_end(&o, &r);
    CHECK(r.counters.variants_quarantined > 0 || r.measured == r.unique_variants);
  }
}

TEST(sim_same_seed_same_run, "") {
  struct sim_options o = quiet(77);
  o.break_per_s = 0.2, o.kill_worker_per_s = 0.1, o.kill_coordinator_per_s = 0.05, o.faults_until_s = 100, o.workers = 4;
  struct sim_report a, b;
  REQUIRE_OK(sim_run(&o, &a));
  REQUIRE_OK(sim_run(&o, &b));
  CHECK(a.took_s == b.took_s && a.measured == b.measured && a.breaks == b.breaks);
}
