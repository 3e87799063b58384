/* Reports of commands: what is found becomes one JSON object, which is printed as JSON or, read back, as lines for people. So
 * both say the same. Texts come from files and peers: they may be malformed UTF-8 or hold control characters. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "command.h"

#include <jansson.h>

/* A JSON text; bytes that are no UTF-8 become `?`. NULL reads as "". Owned by the caller; NULL: out of memory. */
json_t *report_text(const char *text);
/* A JSON number; what JSON cannot say (NaN, infinity) becomes null. */
json_t *report_real(double value);

/* Of an object that may lack the key: "" and 0 then. */
const char *report_get(const json_t *object, const char *key);
double report_number(const json_t *object, const char *key);

/* A line on stdout, printf style; control characters in it are shown as `?`. */
void report_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "1.5 MiB" into `out`; returns it. */
enum { REPORT_BYTES_TEXT = 32 };
const char *report_bytes(double bytes, char out[REPORT_BYTES_TEXT]);

/* Gives the report out and frees it: as JSON where --json says, then by `show` on stdout unless the JSON went there. */
enum farm_status report_give(const struct option_optional *json, json_t *root, void (*show)(const json_t *root));

#endif
