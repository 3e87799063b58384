/* What becomes of a command whose reader has gone (`tunefarm inspect MODEL | head`): it ends quietly by SIGPIPE, as other tools
 * do.
 *
 * That holds for stdout alone. While the command works SIGPIPE is ignored, so that a socket or a pipe whose other end died (a
 * child that measures, a peer, ZeroMQ's own) is an error of that write and no more.
 */
#ifndef CLI_STANDARD_OUTPUT_H
#define CLI_STANDARD_OUTPUT_H

#include "../base/status.h"

/* At the start of main: makes sure that descriptors 0 to 2 are taken, ignores SIGPIPE and remembers whether whoever started us
 * had it ignored. */
void stdout_begin(void);
/* Writes out what is buffered. When the reader has gone this does not return, unless SIGPIPE was ignored from the start: that, as
 * every other failure (of now or of an earlier write), is FARM_IO. What must not be lost is done before. */
enum farm_status stdout_flush(void);

#endif
