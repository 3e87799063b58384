/* Time. Only durations are ever computed, from the monotonic clock; wall time appears in records and logs as text. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_now_ns(void); // CLOCK_MONOTONIC
uint64_t clock_unix_s(void); // seconds since 1970, for records only
void clock_sleep_ns(uint64_t ns);

#endif
