/* Threads of control that give way only when they say so: each has a stack, switching costs a few nanoseconds. One thread of the
 * system runs a set of fibers. */
#ifndef DEVICE_FAKE_FIBER_H
#define DEVICE_FAKE_FIBER_H

#include <stddef.h>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

struct fiber {
#if defined(__x86_64__)
  void *stack_pointer;
#else
  ucontext_t context;
#endif
};

/* A fiber that starts in `entry` when first switched to. `entry` never returns. */
void fiber_make(struct fiber *fiber, void *stack, size_t stack_bytes, void (*entry)(void));
/* Leaves the running one (kept in `from`) and goes on with `to`. */
void fiber_switch(struct fiber *from, struct fiber *to);

#endif
