/* The scheduler of the emulator: blocks one after another, warps in turn, lanes until they wait. See simt-grid.h. */
#include "simt-state.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { STACK_BYTES = 128 * 1024, GUARD_BYTES = 64 * 1024, ALTERNATE_BYTES = 64 * 1024 };

struct simt_grid simt_grid;
static unsigned char *stacks; // [SIMT_THREADS_MOST][GUARD_BYTES + STACK_BYTES]
static uint64_t switches;

uint64_t simt_switches(void) { return switches; }

/* ---- failing ---- */

static void note(enum simt_result result, int line, const char *format, va_list values) {
  struct simt_grid *g = &simt_grid;
  if (g->result != SIMT_DONE) return;
  g->result = result;
  char what[320];
  vsnprintf(what, sizeof what, format, values);
  int used = snprintf(g->message, SIMT_MESSAGE_MAX, "kernel %s: %s", g->launch->entry->name, what);
  if (line > 0 && used < SIMT_MESSAGE_MAX)
    used += snprintf(g->message + used, SIMT_MESSAGE_MAX - (size_t)used, ", line %d", line);
  if (g->current != NULL && used < SIMT_MESSAGE_MAX) {
    const struct simt_thread *t = &g->current->thread;
    snprintf(g->message + used, SIMT_MESSAGE_MAX - (size_t)used, "; block (%u,%u,%u), thread (%u,%u,%u)", t->block.x, t->block.y,
             t->block.z, t->thread.x, t->thread.y, t->thread.z);
  }
}

void simt_note(enum simt_result result, int line, const char *format, ...) {
  va_list values;
  va_start(values, format);
  note(result, line, format, values);
  va_end(values);
}

_Noreturn void simt_fail(enum simt_result result, int line, const char *format, ...) {
  va_list values;
  va_start(values, format);
  note(result, line, format, values);
  va_end(values);
  for (;;) simt_yield(); // the scheduler does not come back after a failure
}

static void service_fault(const char *what, int line) { simt_fail(SIMT_BROKEN, line, "%s", what); }
static void service_memory_fault(const char *what, const void *address, int line) {
  simt_fail(SIMT_MISALIGNED, line, "%s (%p)", what, address);
}

/* ---- fibers ---- */

void simt_yield(void) {
  simt_grid.in_kernel = false;
  fiber_switch(&simt_grid.current->fiber, &simt_grid.scheduler);
  simt_grid.in_kernel = true;
}

static void lane_main(void) {
  struct simt_grid *g = &simt_grid;
  g->in_kernel = true;
  g->launch->entry->body(g->launch->arguments);
  g->current->wait = SIMT_ENDED;
  for (;;) simt_yield();
}

static void lane_run(struct simt_lane *lane) {
  struct simt_grid *g = &simt_grid;
  g->current = lane;
  *g->launch->now = &lane->thread;
  lane->wait = SIMT_RUNS;
  switches++;
  fiber_switch(&g->scheduler, &lane->fiber);
}

/* ---- what a kernel touches ---- */

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));
struct simt_places simt_places;

static void places_make(void) {
  const struct simt_range own = {(uintptr_t)__ehdr_start, (uintptr_t)_end}; // shared arrays and the services' state
  const struct simt_range stack = {(uintptr_t)stacks,
                                   (uintptr_t)stacks + SIMT_THREADS_MOST * (size_t)(GUARD_BYTES + STACK_BYTES)};
  const struct simt_range lanes = {(uintptr_t)simt_grid.lanes, (uintptr_t)(simt_grid.lanes + SIMT_THREADS_MOST)};
  simt_places = (struct simt_places){.fixed = {stack, lanes, own}};
}

static void service_touch(unsigned long long address, unsigned bytes, int writes) {
  struct simt_grid *g = &simt_grid;
  uint64_t low, high, arguments = (uintptr_t)g->launch->arguments;
  char near[160] = "";
  if (address >= arguments && address + bytes <= arguments + g->launch->entry->argument_bytes) return;
  if (g->launch->locate == NULL) return;
  if (g->launch->locate(address, &low, &high) && address + bytes <= high) {
    simt_places.last = (struct simt_range){low, high};
    return;
  }
  g->launch->describe((const void *)(uintptr_t)address, near, sizeof near);
  simt_fail(SIMT_WILD, 0, "%s of %u bytes at 0x%llx: %s", writes ? "write" : "read", bytes, address, near);
}

static void service_barrier(int line) {
  struct simt_lane *lane = simt_grid.current;
  lane->wait = SIMT_AT_BARRIER;
  lane->line = line;
  simt_yield();
}

/* ---- one block ---- */

static unsigned pick(unsigned ready, enum simt_order order) {
  if (order == SIMT_FORWARD) return (unsigned)__builtin_ctz(ready);
  if (order == SIMT_BACKWARD) return 31u - (unsigned)__builtin_clz(ready);
  unsigned turn = (unsigned)(switches * 2654435761u >> 7) % 32; // lanes from a changing start
  unsigned turned = ready >> turn | ready << (31 - turn) << 1;
  return ((unsigned)__builtin_ctz(turned) + turn) % 32;
}

static void say_stuck(unsigned w) {
  struct simt_grid *g = &simt_grid;
  const struct simt_warp *warp = &g->warps[w];
  unsigned lane = (unsigned)__builtin_ctz(warp->waiting);
  struct simt_lane *waits = &g->lanes[w * SIMT_WARP + lane];
  unsigned absent = waits->mask & warp->live & ~warp->waiting;
  g->current = waits;
  if (absent == 0)
    simt_note(SIMT_BROKEN, waits->line, "lane %u waits in %s for ever", lane, simt_collective_name(waits->kind));
  else
    simt_note(SIMT_BROKEN, waits->line, "lane %u waits in %s with mask 0x%08x, but lane %d waits at the barrier of line %d", lane,
              simt_collective_name(waits->kind), waits->mask, __builtin_ctz(absent),
              g->lanes[w * SIMT_WARP + (unsigned)__builtin_ctz(absent)].line);
}

/* Runs a warp's lanes until each waits at the barrier or has ended. */
static void warp_run(unsigned w) {
  struct simt_grid *g = &simt_grid;
  struct simt_warp *warp = &g->warps[w];
  while (warp->ready != 0) {
    unsigned lane = pick(warp->ready, g->launch->order);
    warp->ready &= ~(1u << lane);
    lane_run(&g->lanes[w * SIMT_WARP + lane]);
    if (g->result != SIMT_DONE) return;
    if (g->current->wait == SIMT_ENDED) {
      warp->live &= ~(1u << lane);
      simt_warp_retry(warp);
      if (g->result != SIMT_DONE) return;
    }
  }
  if (warp->waiting != 0) say_stuck(w);
}

/* All that live wait at the barrier: it opens if it is the same one for all. Returns how many live. */
static unsigned barrier_open(void) {
  struct simt_grid *g = &simt_grid;
  const struct simt_lane *first = NULL;
  unsigned live = 0;
  g->clock++;
  for (unsigned t = 0; t < g->thread_count; t++) {
    struct simt_lane *lane = &g->lanes[t];
    if (lane->wait == SIMT_ENDED) continue;
    if (first == NULL) first = lane;
    if (lane->line != first->line) {
      g->current = lane;
      simt_note(SIMT_BROKEN, lane->line, "threads of one block wait at different barriers: thread %u at line %d, this one here",
                first->thread.index, first->line);
      return live;
    }
    live++;
  }
  for (unsigned w = 0; w < g->warp_count; w++) {
    g->warps[w].times.block = g->warps[w].times.warp = g->clock;
    g->warps[w].ready = g->warps[w].live;
  }
  return live;
}

/* Stacks begin at different places in their pages, else all of them would meet in the same few lines of the caches. */
static void block_begin(const unsigned at[3]) {
  struct simt_grid *g = &simt_grid;
  const struct simt_launch *launch = g->launch;
  g->clock++;
  for (unsigned w = 0; w < g->warp_count; w++) {
    unsigned lanes = g->thread_count - w * SIMT_WARP;
    unsigned all = lanes >= SIMT_WARP ? 0xffffffffu : (1u << lanes) - 1;
    g->warps[w] = (struct simt_warp){.times = {g->clock, g->clock, g->clock}, .ready = all, .live = all};
  }
  for (unsigned t = 0; t < g->thread_count; t++) {
    struct simt_lane *lane = &g->lanes[t];
    unsigned x = launch->block[0], y = launch->block[1];
    lane->thread = (struct simt_thread){.thread = {t % x, t / x % y, t / x / y},
                                        .block = {at[0], at[1], at[2]},
                                        .block_dim = {x, y, launch->block[2]},
                                        .grid_dim = {launch->grid[0], launch->grid[1], launch->grid[2]},
                                        .index = t,
                                        .warp_index = t / SIMT_WARP,
                                        .lane = t % SIMT_WARP,
                                        .times = &g->warps[t / SIMT_WARP].times};
    lane->wait = SIMT_RUNS;
    lane->async_count = lane->async_group = 0;
    fiber_make(&lane->fiber, stacks + t * (size_t)(GUARD_BYTES + STACK_BYTES) + GUARD_BYTES, STACK_BYTES - t * 192 % 16384,
               lane_main);
  }
}

static void block_run(const unsigned at[3]) {
  struct simt_grid *g = &simt_grid;
  block_begin(at);
  do {
    for (unsigned i = 0; i < g->warp_count; i++) {
      warp_run(g->launch->order == SIMT_BACKWARD ? g->warp_count - 1 - i : i);
      if (g->result != SIMT_DONE) return;
    }
  } while (barrier_open() != 0 && g->result == SIMT_DONE);
}

/* ---- signals ---- */

/* On the alternate stack; leaves it for the scheduler. The signals are not blocked meanwhile (SA_NODEFER), so nothing is to be
 * undone. */
static void on_signal(int number, siginfo_t *info, void *context) {
  (void)context;
  struct simt_grid *g = &simt_grid;
  if (!g->in_kernel) { // not the kernel's: let it do what it does
    signal(number, SIG_DFL);
    return;
  }
  g->in_kernel = false;
  const unsigned char *address = info->si_addr;
  char near[160] = "";
  if (number == SIGSEGV || number == SIGBUS) {
    size_t each = (size_t)(GUARD_BYTES + STACK_BYTES);
    if (address >= stacks && address < stacks + SIMT_THREADS_MOST * each)
      snprintf(near, sizeof near, "the thread's stack of %d KiB is full", STACK_BYTES / 1024);
    else if (g->launch->describe != NULL)
      g->launch->describe(address, near, sizeof near);
    simt_note(SIMT_WILD, 0, "access to %p: %s", (const void *)address, near);
  } else {
    simt_note(SIMT_BROKEN, 0, number == SIGFPE ? "integer division by zero" : "trap");
  }
  struct fiber lost;
  fiber_switch(&lost, &g->scheduler);
}

struct signals {
  struct sigaction before[4];
  stack_t stack_before;
};
static const int caught[4] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};

static void signals_take(struct signals *signals) {
  static _Alignas(16) unsigned char alternate[ALTERNATE_BYTES];
  sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = sizeof alternate}, &signals->stack_before);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  for (int i = 0; i < 4; i++) sigaction(caught[i], &action, &signals->before[i]);
}

static void signals_give(const struct signals *signals) {
  for (int i = 0; i < 4; i++) sigaction(caught[i], &signals->before[i], NULL);
  sigaltstack(&signals->stack_before, NULL);
}

/* ---- the grid ---- */

static bool stacks_make(void) {
  if (simt_grid.lanes != NULL) return true;
  size_t each = (size_t)(GUARD_BYTES + STACK_BYTES);
  void *memory = mmap(NULL, SIMT_THREADS_MOST * each, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return false;
  stacks = memory;
  for (size_t t = 0; t < SIMT_THREADS_MOST; t++)
    if (mprotect(stacks + t * each, GUARD_BYTES, PROT_NONE) != 0) return false;
  simt_grid.lanes = calloc(SIMT_THREADS_MOST, sizeof *simt_grid.lanes);
  return simt_grid.lanes != NULL;
}

enum simt_result simt_grid_run(const struct simt_launch *launch, char message[SIMT_MESSAGE_MAX]) {
  struct simt_grid *g = &simt_grid;
  message[0] = '\0';
  if (!stacks_make()) {
    snprintf(message, SIMT_MESSAGE_MAX, "the emulator has no memory for stacks");
    return SIMT_BROKEN;
  }
  g->launch = launch;
  g->thread_count = launch->block[0] * launch->block[1] * launch->block[2];
  g->warp_count = (g->thread_count + SIMT_WARP - 1) / SIMT_WARP;
  g->result = SIMT_DONE;
  g->message = message;
  g->clock = 0;
  g->current = NULL;
  places_make();
  struct signals signals;
  signals_take(&signals);
  for (unsigned z = 0; z < launch->grid[2] && g->result == SIMT_DONE; z++)
    for (unsigned y = 0; y < launch->grid[1] && g->result == SIMT_DONE; y++)
      for (unsigned x = 0; x < launch->grid[0] && g->result == SIMT_DONE; x++) block_run((unsigned[3]){x, y, z});
  signals_give(&signals);
  simt_shared_release();
  return g->result;
}

const struct simt_services *simt_services(void) {
  static const struct simt_services services = {.abi = SIMT_ABI,
                                                .shared = simt_shared,
                                                .barrier = service_barrier,
                                                .collective = simt_collective,
                                                .async_copy = simt_async_copy,
                                                .async_commit = simt_async_commit,
                                                .async_wait = simt_async_wait,
                                                .touch = service_touch,
                                                .places = &simt_places,
                                                .shared_fault = simt_shared_fault,
                                                .memory_fault = service_memory_fault,
                                                .fault = service_fault};
  return &services;
}
