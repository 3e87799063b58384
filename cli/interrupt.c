/* See interrupt.h. */
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static const int numbers[] = {SIGINT, SIGTERM};
static volatile sig_atomic_t came;

static void note(int number) {
  static const char text[] = "\ntunefarm: stopping in order; once more stops at once\n";
  came = number;
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) signal(numbers[i], SIG_DFL);
  (void)!write(STDERR_FILENO, text, sizeof text - 1);
}

void interrupt_watch(void) {
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    struct sigaction before;
    if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
      sigaction(numbers[i], &(struct sigaction){.sa_handler = note}, NULL);
  }
}

bool interrupted(void) { return came != 0; }

void interrupt_pass_on(void) {
  if (!came) return;
  signal(came, SIG_DFL);
  raise(came);
}
