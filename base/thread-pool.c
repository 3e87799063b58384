/* See thread-pool.h.
 *
 *   caller                       worker
 *   job = {fn, argument, count}  spin on epoch, then sleep on it
 *   pending = workers
 *   epoch += 1, wake sleepers ─► epoch changed: do the range, pending -= 1 (the last wakes a sleeping caller)
 *   do range 0
 *   spin on pending, then sleep on it until 0
 *
 * `epoch` publishes the job, `pending` its results; both are futex words. Waiting spins SPIN_NS, since wake-ups cost tens of
 * microseconds and the next loop of a plan usually follows at once. When the process has more awake workers than cores (several pools, or a
 * team larger than the mask), who spins only takes time from who works: then the spin is short.
 */
#include "thread-pool.h"

#include "clock.h"
#include "cpu-affinity.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SPIN_NS = 100000, CROWDED_SPIN_NS = 2000, PAUSES_PER_CLOCK = 32, CACHE_LINE = 64, MOST_THREADS = 1024 };

struct worker {
  struct thread_pool *pool;
  pthread_t thread;
  int index; // 1 .. size - 1
  int core;  // pinned to it; -1: floats
};

struct thread_pool {
  int size, created; // `created` workers have a thread
  unsigned fork_generation;
  struct worker *workers;
  /* The job: written by the caller while all workers wait. */
  thread_pool_fn fn;
  void *argument;
  int64_t count;
  bool stop;
  _Alignas(CACHE_LINE) _Atomic uint32_t epoch;
  _Atomic uint32_t sleepers; // workers on the futex, or about to be
  _Alignas(CACHE_LINE) _Atomic uint32_t pending;
  _Atomic uint32_t caller_sleeps;
};

/* What the calling thread is inside of; a nested loop runs in place. */
static _Thread_local struct thread_pool *inside;
static _Thread_local int inside_index;

/* Per process: how many pinned workers each core has, how many workers are awake, and how often the process was forked. */
static pthread_mutex_t cores_lock = PTHREAD_MUTEX_INITIALIZER;
static uint16_t cores_taken[CPU_MOST_CORES];
static _Atomic int awake_workers;
static _Atomic int usable_cores;
static _Atomic unsigned fork_generation;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void cpu_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void futex_wait(_Atomic uint32_t *word, uint32_t expected) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int most) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, most, NULL, NULL, 0); }

/* ---- setting up ---- */

static void after_fork(void) {
  fork_generation++;
  awake_workers = 0;
  memset(cores_taken, 0, sizeof cores_taken);
  pthread_mutex_unlock(&cores_lock);
  inside = NULL;
}

static void lock_cores(void) { pthread_mutex_lock(&cores_lock); }
static void unlock_cores(void) { pthread_mutex_unlock(&cores_lock); }

static void set_up(void) {
  usable_cores = thread_pool_default_threads();
  pthread_atfork(lock_cores, unlock_cores, after_fork);
}

int thread_pool_default_threads(void) {
  int core, cores = cpu_affinity_cores(&core, 1);
  int quota = cpu_quota_cores("/proc/self/cgroup", "/sys/fs/cgroup");
  if (quota && quota < cores) cores = quota;
  return cores < MOST_THREADS ? cores : MOST_THREADS;
}

/* The core that has the fewest pinned workers, not the caller's when there is another; ties: the lowest. */
static int core_take(const int *cores, int count, int caller_core) {
  int best = -1;
  for (int i = 0; i < count; i++) {
    if (cores[i] == caller_core && count > 1) continue;
    if (best < 0 || cores_taken[cores[i]] < cores_taken[best]) best = cores[i];
  }
  cores_taken[best]++;
  return best;
}

static void cores_assign(struct thread_pool *pool) {
  int cores[CPU_MOST_CORES];
  int count = cpu_affinity_cores(cores, CPU_MOST_CORES);
  bool pinned = pool->size <= count && pool->size <= thread_pool_default_threads();
  int caller_core = sched_getcpu();
  lock_cores();
  for (int i = 0; i < pool->size - 1; i++) pool->workers[i].core = pinned ? core_take(cores, count, caller_core) : -1;
  unlock_cores();
}

static void cores_release(struct thread_pool *pool) {
  lock_cores();
  for (int i = 0; i < pool->size - 1; i++)
    if (pool->workers[i].core >= 0) cores_taken[pool->workers[i].core]--;
  unlock_cores();
}

/* ---- waiting ---- */

static uint64_t spin_ns(void) {
  int awake = atomic_load_explicit(&awake_workers, memory_order_relaxed);
  return awake + 1 > atomic_load_explicit(&usable_cores, memory_order_relaxed) ? CROWDED_SPIN_NS : SPIN_NS;
}

/* Spins until `*word` differs from `value` (acquire) or the time is over; tells which. */
static bool spin_while(_Atomic uint32_t *word, uint32_t value) {
  uint64_t until = 0;
  for (;;) {
    for (int i = 0; i < PAUSES_PER_CLOCK; i++) {
      if (atomic_load_explicit(word, memory_order_acquire) != value) return true;
      cpu_pause();
    }
    uint64_t now = clock_now_ns();
    if (!until) until = now + spin_ns();
    else if (now >= until) return false;
  }
}

static void epoch_wait(struct thread_pool *pool, uint32_t seen) {
  if (spin_while(&pool->epoch, seen)) return;
  atomic_fetch_sub(&awake_workers, 1);
  atomic_fetch_add(&pool->sleepers, 1);
  while (atomic_load(&pool->epoch) == seen) futex_wait(&pool->epoch, seen);
  atomic_fetch_sub(&pool->sleepers, 1);
  atomic_fetch_add(&awake_workers, 1);
}

static void pending_wait(struct thread_pool *pool) {
  for (;;) {
    uint32_t left = atomic_load_explicit(&pool->pending, memory_order_acquire);
    if (!left) return;
    if (spin_while(&pool->pending, left)) continue;
    atomic_store(&pool->caller_sleeps, 1);
    left = atomic_load(&pool->pending);
    if (left) futex_wait(&pool->pending, left);
    atomic_store(&pool->caller_sleeps, 0);
  }
}

/* ---- working ---- */

static void range_run(struct thread_pool *pool, int thread) {
  int64_t each = pool->count / pool->size, longer = pool->count % pool->size;
  int64_t first = each * thread + (thread < longer ? thread : longer);
  int64_t end = first + each + (thread < longer);
  thread_pool_fn fn = pool->fn;
  void *argument = pool->argument;
  inside = pool;
  inside_index = thread;
  for (int64_t i = first; i < end; i++) fn(argument, i, thread);
  inside = NULL;
}

static void *worker_main(void *argument) {
  struct worker *worker = argument;
  struct thread_pool *pool = worker->pool;
  if (worker->core >= 0) cpu_affinity_pin(worker->core);
  uint32_t seen = 0;
  for (;;) {
    epoch_wait(pool, seen);
    seen++;
    if (pool->stop) break;
    range_run(pool, worker->index);
    if (atomic_fetch_sub(&pool->pending, 1) == 1 && atomic_load(&pool->caller_sleeps)) futex_wake(&pool->pending, 1);
  }
  atomic_fetch_sub(&awake_workers, 1);
  return NULL;
}

static void epoch_next(struct thread_pool *pool) {
  atomic_fetch_add(&pool->epoch, 1);
  if (atomic_load(&pool->sleepers)) futex_wake(&pool->epoch, MOST_THREADS);
}

static void run_in_place(int64_t count, thread_pool_fn fn, void *argument, int thread) {
  for (int64_t i = 0; i < count; i++) fn(argument, i, thread);
}

void thread_pool_run(struct thread_pool *pool, int64_t count, thread_pool_fn fn, void *argument) {
  if (inside) {
    run_in_place(count, fn, argument, inside == pool ? inside_index : 0);
    return;
  }
  if (!pool || pool->size == 1 || count <= 1 || pool->fork_generation != fork_generation) {
    run_in_place(count, fn, argument, 0);
    return;
  }
  pool->fn = fn;
  pool->argument = argument;
  pool->count = count;
  atomic_store_explicit(&pool->pending, (uint32_t)pool->size - 1, memory_order_relaxed);
  epoch_next(pool);
  range_run(pool, 0);
  pending_wait(pool);
}

int thread_pool_size(const struct thread_pool *pool) { return pool ? pool->size : 1; }

/* ---- life ---- */

static int worker_start(struct worker *worker) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); // workers take no signals
  atomic_fetch_add(&awake_workers, 1);
  int error = pthread_create(&worker->thread, NULL, worker_main, worker);
  if (error) atomic_fetch_sub(&awake_workers, 1);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error;
}

enum farm_status thread_pool_create(int threads, struct thread_pool **out_pool) {
  pthread_once(&once, set_up);
  FAIL_IF(threads < 0 || threads > MOST_THREADS, FARM_USAGE, "%d threads are not between 1 and %d", threads, MOST_THREADS);
  if (threads == 0) threads = thread_pool_default_threads();
  struct thread_pool *pool = aligned_alloc(CACHE_LINE, sizeof *pool);
  struct worker *workers = calloc((size_t)threads, sizeof *workers);
  if (!pool || !workers) {
    free(pool);
    free(workers);
    return status_set(FARM_NO_MEMORY, "out of memory for a team of %d threads", threads);
  }
  memset(pool, 0, sizeof *pool);
  pool->size = threads;
  pool->workers = workers;
  pool->fork_generation = fork_generation;
  cores_assign(pool);
  for (int i = 0; i < threads - 1; i++) {
    workers[i].pool = pool;
    workers[i].index = i + 1;
    int error = worker_start(&workers[i]);
    if (error) {
      thread_pool_destroy(&pool);
      return status_set(FARM_NO_MEMORY, "cannot start thread %d of %d: %s", i + 1, threads, strerror(error));
    }
    pool->created++;
  }
  *out_pool = pool;
  return FARM_OK;
}

void thread_pool_destroy(struct thread_pool **pool_at) {
  struct thread_pool *pool = *pool_at;
  if (!pool) return;
  if (pool->fork_generation == fork_generation) { // in a forked child there is nobody to end
    pool->stop = true;
    epoch_next(pool);
    for (int i = 0; i < pool->created; i++) pthread_join(pool->workers[i].thread, NULL);
    cores_release(pool);
  }
  free(pool->workers);
  free(pool);
  *pool_at = NULL;
}
