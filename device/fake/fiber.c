/* Fibers: for x86-64 a switch saves the registers that a called function must keep and changes the stack; elsewhere ucontext. */
#include "fiber.h"

#include <stdint.h>

#if defined(__x86_64__)

__asm__(".text\n"
        ".p2align 4\n"
        ".type fiber_switch_stacks, @function\n"
        "fiber_switch_stacks:\n"
        "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  movq %rsp, (%rdi)\n"
        "  movq %rsi, %rsp\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
        "  ret\n"
        ".size fiber_switch_stacks, .-fiber_switch_stacks\n");
void fiber_switch_stacks(void **from, void *to);

/* The first switch pops six registers, returns into entry, and leaves the stack as after a call: 8 below a multiple of 16. */
void fiber_make(struct fiber *fiber, void *stack, size_t stack_bytes, void (*entry)(void)) {
  uintptr_t *top = (uintptr_t *)(((uintptr_t)stack + stack_bytes) & ~(uintptr_t)15);
  *--top = 0; // where entry would return to
  *--top = (uintptr_t)entry;
  for (int i = 0; i < 6; i++) *--top = 0;
  fiber->stack_pointer = top;
}

void fiber_switch(struct fiber *from, struct fiber *to) { fiber_switch_stacks(&from->stack_pointer, to->stack_pointer); }

#else

void fiber_make(struct fiber *fiber, void *stack, size_t stack_bytes, void (*entry)(void)) {
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = stack;
  fiber->context.uc_stack.ss_size = stack_bytes;
  fiber->context.uc_link = NULL;
  makecontext(&fiber->context, entry, 0);
}

void fiber_switch(struct fiber *from, struct fiber *to) { swapcontext(&from->context, &to->context); }

#endif
