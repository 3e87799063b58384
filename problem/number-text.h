/* Numbers in texts: printed shortest, parsed strictly, whatever the process's locale is.
 *
 * A printed float parses to the same bits (NaN excepted, which has no text). Nothing here skips spaces or accepts a sign it does
 * not print.
 */
#ifndef PROBLEM_NUMBER_TEXT_H
#define PROBLEM_NUMBER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NUMBER_TEXT_MAX = 32 };

/* "6", "0.1", "1e-05", "inf", "-inf"; the fewest digits that give the same float back. */
void number_print_float(float value, char out[NUMBER_TEXT_MAX]);
/* All of text[0..length) must be a number or [-]inf; NaN and overflow to infinity are refused. */
bool number_parse_float(const char *text, size_t length, float *out);
/* Decimal, all of text[0..length), an optional '-', no leading zeros, no overflow. */
bool number_parse_int(const char *text, size_t length, int64_t *out);

#endif
