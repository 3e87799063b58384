/* Words of the IR's text form, as its printer and its parser share them (docs/formats/ir-text.md). */
#ifndef OPTIMIZER_IR_TEXT_H
#define OPTIMIZER_IR_TEXT_H

#include "graph.h"

/* What a bare word may hold beside letters and digits; anything else is quoted. */
#define TEXT_NAME "_./~-"
#define TEXT_SYMBOL "_"

enum { TEXT_MOST_ELEMS = 16, TEXT_MOST_WORD = 4096 };

struct scan { // reads a text from left to right
  const char *at;
  int line;
  struct arena *arena; // of the words
};

void scan_space(struct scan *scan);                     // blanks, newlines and comments
bool scan_accept(struct scan *scan, const char *token); // a word token must end there
enum farm_status scan_expect(struct scan *scan, const char *token);
enum farm_status scan_word(struct scan *scan, const char *further, const char **out_text); // bare or quoted
enum farm_status scan_quoted(struct scan *scan, const char **out_text, size_t *out_length);
enum farm_status scan_int(struct scan *scan, int64_t *out_value);
enum farm_status scan_number(struct scan *scan, double *out_value); // also inf, -inf, nan
bool scan_is_integer(const struct scan *scan);                      // what comes is a number without point, exponent or name
enum farm_status scan_failed(const struct scan *scan, const char *wanted);

/* Contents of a constant of that type: {…}, #digest or random SEED; out_stand_in as in struct value. */
enum farm_status scan_contents(struct scan *scan, const struct tensor *type, struct tensor *out_tensor,
                               const char **out_stand_in);

#endif
