/* What a word after --target means. The one place that knows; farm-client.c and targets.c ask here.
 *
 *   word                  covers                                  when no class that it covers is known
 *   auto                  every class                             this machine
 *   cpu                   classes of CPUs                         this machine
 *   KIND (cuda, …)        classes of that kind                    an error
 *   cuda-sm90             `cuda sm:90 …`                          `cuda sm:90`: a section nobody measured
 *   cpu vendor:amd …      that class, spelt out                   that class: a section nobody measured
 *   cuda sm:90 …          that class, spelt out                   that class: a section nobody measured
 *   KIND more words …     that class, spelt out                   an error
 */
#ifndef ENGINE_BUILD_TARGET_WORD_H
#define ENGINE_BUILD_TARGET_WORD_H

#include "../../problem/device-class.h"

#include <stdbool.h>

enum target_scope { TARGET_EVERY, TARGET_FAMILY, TARGET_CLASS };         // of TARGET_FAMILY the class text's first words count
enum target_unseen { TARGET_ERROR, TARGET_THIS_MACHINE, TARGET_ITSELF }; // when nobody has seen such a class

struct target_word {
  enum target_scope scope;
  enum target_unseen unseen;
  char text[DEVICE_CLASS_TEXT_MAX]; // the class, or its first words
};

/* Any word means something; FARM_USAGE for one that is empty or longer than a class can be. */
enum farm_status target_word_parse(const char *word, struct target_word *out);
bool target_word_covers(const struct target_word *word, const char *class_text); // of the canonical text

#endif
