#include "thread-pool.h"

#include "../tests/kit/test.h"
#include "clock.h"
#include "cpu-affinity.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct cover {
  int64_t count;
  int threads;
  int *times, *by; // per index: how often, by whom
};

static void cover_one(void *argument, int64_t index, int thread) {
  struct cover *cover = argument;
  cover->times[index]++; // not atomic: TSan shows when two threads get one index
  cover->by[index] = thread;
}

/* Every index once, ranges contiguous and rising with the thread, lengths within one of each other. */
static void cover_check(struct thread_pool *pool, int64_t count) {
  struct cover cover = {count, thread_pool_size(pool), calloc((size_t)count + 1, sizeof(int)), calloc((size_t)count + 1, sizeof(int))};
  thread_pool_run(pool, count, cover_one, &cover);
  int64_t shortest = count, longest = 0, length = 0;
  for (int64_t i = 0; i < count; i++) {
    CHECK_MESSAGE(cover.times[i] == 1, "index %lld of %lld ran %d times", (long long)i, (long long)count, cover.times[i]);
    if (i && cover.by[i] != cover.by[i - 1]) {
      CHECK(cover.by[i] > cover.by[i - 1]);
      if (length < shortest) shortest = length;
      length = 0;
    }
    if (++length > longest) longest = length;
  }
  if (count >= cover.threads && count > 1) {
    CHECK(cover.by[0] == 0 && cover.by[count - 1] == cover.threads - 1);
    CHECK(longest - (length < shortest ? length : shortest) <= 1);
  }
  free(cover.times);
  free(cover.by);
}

TEST(thread_pool_covers_every_index_once, "") {
  for (int threads = 1; threads <= 5; threads++) {
    struct thread_pool *pool;
    REQUIRE_OK(thread_pool_create(threads, &pool));
    CHECK(thread_pool_size(pool) == threads);
    for (int64_t count = 0; count < 40; count++) cover_check(pool, count);
    cover_check(pool, 1001);
    thread_pool_destroy(&pool);
    CHECK(!pool);
  }
}

TEST(thread_pool_null_runs_in_place, "") {
  cover_check(NULL, 17);
  CHECK(thread_pool_size(NULL) == 1);
  struct thread_pool *pool = NULL;
  thread_pool_destroy(&pool);
}

TEST(thread_pool_refuses_impossible_teams, "") {
  struct thread_pool *pool = NULL;
  CHECK(thread_pool_create(-1, &pool) == FARM_USAGE);
  CHECK(thread_pool_create(1000000, &pool) == FARM_USAGE);
  CHECK(!pool);
}

TEST(thread_pool_zero_means_what_the_process_may_use, "") {
  struct thread_pool *pool;
  REQUIRE_OK(thread_pool_create(0, &pool));
  CHECK(thread_pool_size(pool) == thread_pool_default_threads());
  thread_pool_destroy(&pool);
}

TEST(thread_pool_default_follows_the_affinity_mask, "") {
  int cores[CPU_MOST_CORES];
  cpu_affinity_cores(cores, CPU_MOST_CORES);
  REQUIRE(cpu_affinity_pin(cores[0]));
  CHECK(thread_pool_default_threads() == 1);
}

/* Many loops after one another, with pauses longer than the spin in between: no wake-up is lost. */
static void add_one(void *argument, int64_t index, int thread) {
  (void)thread;
  ((int64_t *)argument)[index * 8]++;
}

TEST(thread_pool_loses_no_wake_up, "") {
  struct thread_pool *pool;
  REQUIRE_OK(thread_pool_create(3, &pool));
  int64_t sums[3 * 8] = {0};
  enum { LOOPS = 1000 };
  for (int i = 0; i < LOOPS; i++) {
    thread_pool_run(pool, 3, add_one, sums);
    if (i % 100 == 0) clock_sleep_ns(300000);
  }
  for (int i = 0; i < 3; i++) CHECK(sums[i * 8] == LOOPS);
  thread_pool_destroy(&pool);
}

/* ---- nested ---- */
struct nest {
  struct thread_pool *pool;
  atomic_int inner, strangers;
};
struct nest_inner {
  struct nest *nest;
  int outer_thread;
};
static void nest_inner(void *argument, int64_t index, int thread) {
  struct nest_inner *inner = argument;
  (void)index;
  inner->nest->inner++;
  if (thread != inner->outer_thread) inner->nest->strangers++;
}
static void nest_outer(void *argument, int64_t index, int thread) {
  (void)index;
  struct nest_inner inner = {argument, thread};
  thread_pool_run(inner.nest->pool, 10, nest_inner, &inner);
}

TEST(thread_pool_nested_loops_run_in_place, "") {
  struct nest nest = {0};
  REQUIRE_OK(thread_pool_create(3, &nest.pool));
  thread_pool_run(nest.pool, 7, nest_outer, &nest);
  CHECK(nest.inner == 70);
  CHECK(nest.strangers == 0); // the thread's own index, so that scratch per thread stays its own
  cover_check(nest.pool, 9);
  thread_pool_destroy(&nest.pool);
}

/* ---- two pools at once ---- */
static void *pool_user(void *unused) {
  (void)unused;
  struct thread_pool *pool;
  REQUIRE_OK(thread_pool_create(2, &pool));
  for (int i = 0; i < 300; i++) cover_check(pool, 5);
  thread_pool_destroy(&pool);
  return NULL;
}

TEST(thread_pool_two_pools_run_side_by_side, "") {
  pthread_t users[2];
  for (int i = 0; i < 2; i++) REQUIRE(pthread_create(&users[i], NULL, pool_user, NULL) == 0);
  for (int i = 0; i < 2; i++) pthread_join(users[i], NULL);
}

/* ---- pinning ---- */
static void note_mask(void *argument, int64_t index, int thread) {
  (void)index;
  int *cores = argument;
  if (thread > 0) CHECK(cpu_affinity_cores(&cores[thread], 1) == 1);
  else CHECK(cpu_affinity_cores(cores, 0) >= 2); // the caller's own mask is left alone
}

TEST(thread_pool_pins_its_workers_to_cores_of_their_own, "") {
  int threads = thread_pool_default_threads();
  if (threads < 2) SKIP("one core only");
  struct thread_pool *pool;
  REQUIRE_OK(thread_pool_create(threads, &pool));
  int *cores = calloc((size_t)threads, sizeof *cores);
  thread_pool_run(pool, threads, note_mask, cores);
  for (int i = 1; i < threads; i++)
    for (int k = 1; k < i; k++) CHECK(cores[i] != cores[k]);
  free(cores);
  thread_pool_destroy(&pool);
}

static void note_float(void *argument, int64_t index, int thread) {
  (void)index, (void)thread;
  CHECK(cpu_affinity_cores(NULL, 0) == *(int *)argument);
}

TEST(thread_pool_larger_than_the_mask_floats, "") {
  int cores = cpu_affinity_cores(NULL, 0);
  struct thread_pool *pool;
  REQUIRE_OK(thread_pool_create(cores + 1, &pool));
  thread_pool_run(pool, cores + 1, note_float, &cores);
  thread_pool_destroy(&pool);
}

/* ---- fork ---- */
TEST(thread_pool_in_a_forked_child_runs_in_place, "") {
  struct thread_pool *pool;
  REQUIRE_OK(thread_pool_create(2, &pool));
  cover_check(pool, 8);
  pid_t child = fork();
  if (child == 0) {
    int64_t sums[8 * 8] = {0};
    thread_pool_run(pool, 8, add_one, sums);
    thread_pool_destroy(&pool);
    _exit(sums[56] == 1 ? 0 : 1);
  }
  int status;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  cover_check(pool, 8); // the parent's workers are still there
  thread_pool_destroy(&pool);
}

/* ---- cost ---- */
static double process_cpu_s(void) {
  struct timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return (double)used.tv_sec + (double)used.tv_nsec * 1e-9;
}

TEST(thread_pool_idle_takes_no_cpu, "") {
  struct thread_pool *pool;
  REQUIRE_OK(thread_pool_create(4, &pool));
  cover_check(pool, 4);
  clock_sleep_ns(20000000);
  double before = process_cpu_s();
  clock_sleep_ns(200000000);
  double used = process_cpu_s() - before;
  CHECK_MESSAGE(used < 0.01, "an idle team used %.3f s of CPU in 0.2 s", used);
  thread_pool_destroy(&pool);
}

/* Fork and join of a warm team: the best of many short batches, since the machine may be shared. */
TEST(thread_pool_fork_join_latency, "slow") {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  SKIP("sanitizers make it slower");
#endif
  if (thread_pool_default_threads() < 2) SKIP("one core only");
  struct thread_pool *pool;
  REQUIRE_OK(thread_pool_create(2, &pool));
  int64_t sums[16] = {0};
  double best_ns = 1e9;
  for (int batch = 0; batch < 400; batch++) {
    uint64_t start = clock_now_ns();
    for (int i = 0; i < 50; i++) thread_pool_run(pool, 2, add_one, sums);
    double each = (double)(clock_now_ns() - start) / 50;
    if (each < best_ns) best_ns = each;
    clock_sleep_ns(1000000);
  }
  CHECK_MESSAGE(best_ns < 5000, "fork-join of 2 threads takes %.0f ns", best_ns);
  thread_pool_destroy(&pool);
}
