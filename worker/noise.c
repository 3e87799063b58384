/* See noise.h. */
#include "noise.h"

#include "../base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t thread_cpu_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Sixteen register-register additions, each of which waits for the one before: 16 cycles a turn, the loop's own work fits beside
 * them. */
static uint64_t chain_run(int turns) {
  uint64_t x = 1, step = (uint64_t)turns;
#define ADD                                                                                                                      \
  x += step;                                                                                                                     \
  __asm__ volatile("" : "+r"(x));
  for (int i = 0; i < turns; i++) {
    ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD
  }
#undef ADD
  return x;
}

double clock_measured_mhz(void) {
  enum { TURNS = 2000, TRIES = 5 };
  double best = 0;
  for (int i = 0; i < TRIES; i++) {
    uint64_t begin = clock_now_ns();
    uint64_t x = chain_run(TURNS);
    uint64_t ns = clock_now_ns() - begin;
    double mhz = ns && x ? 16.0 * TURNS * 1e3 / (double)ns : 0;
    if (mhz > best) best = mhz;
  }
  return best;
}

static void clock_look(struct noise *noise) {
  double mhz = clock_measured_mhz();
  if (noise->mhz_low == 0 || mhz < noise->mhz_low) noise->mhz_low = mhz;
  if (mhz > noise->mhz_high) noise->mhz_high = mhz;
}

void noise_begin(struct noise *noise) {
  clock_look(noise);
  noise->begun_wall_ns = clock_now_ns();
  noise->begun_cpu_ns = thread_cpu_ns();
}

void noise_end(struct noise *noise) {
  noise->cpu_ns += (double)(thread_cpu_ns() - noise->begun_cpu_ns);
  noise->wall_ns += (double)(clock_now_ns() - noise->begun_wall_ns);
  clock_look(noise);
}

void noise_print(const struct noise *noise, char out[NOISE_TEXT_MAX]) {
  double foreign = noise->wall_ns > 0 ? 1 - noise->cpu_ns / noise->wall_ns : 0;
  out[0] = 0;
  if (noise->wall_ns <= 0) return;
  snprintf(out, NOISE_TEXT_MAX, "mhz %.0f-%.0f foreign %.1f%% dropped %u", noise->mhz_low, noise->mhz_high,
           foreign > 0 ? 100 * foreign : 0.0, noise->dropped);
}
