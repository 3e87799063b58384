/* The first SIGINT or SIGTERM asks a command to come to an end in order; the next one ends it at once.
 *
 *   interrupt_watch();  …  interrupted() → tell the farm, tidy up  …  interrupt_pass_on();
 *
 * One per process. A signal that was ignored when the process began stays ignored (nohup). */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <stdbool.h>

void interrupt_watch(void);
bool interrupted(void);
/* Ends the process by the signal that came, as its parent expects of it; returns when none came. */
void interrupt_pass_on(void);

#endif
