/* See target-word.h. */
#include "target-word.h"

#include <stdio.h>
#include <string.h>

#define CUDA_ARCH "cuda-sm"
#define CUDA_CLASS "cuda sm:"

enum farm_status target_word_parse(const char *word, struct target_word *out) {
  FAIL_IF(!*word || strlen(word) + 1 >= sizeof out->text, FARM_USAGE, "--target `%.64s`: neither a word nor a device class",
          word);
  *out = (struct target_word){TARGET_FAMILY, TARGET_ERROR, ""};
  bool is_arch = strncmp(word, CUDA_ARCH, strlen(CUDA_ARCH)) == 0 && word[strlen(CUDA_ARCH)];
  if (strchr(word, ' ')) {
    out->scope = TARGET_CLASS;
    if (strncmp(word, "cpu ", 4) == 0 || strncmp(word, "cuda ", 5) == 0) out->unseen = TARGET_ITSELF;
  } else if (strcmp(word, "auto") == 0) {
    *out = (struct target_word){TARGET_EVERY, TARGET_THIS_MACHINE, ""};
    return FARM_OK;
  } else if (strcmp(word, "cpu") == 0) {
    out->unseen = TARGET_THIS_MACHINE;
  } else if (is_arch) {
    out->unseen = TARGET_ITSELF;
    snprintf(out->text, sizeof out->text, CUDA_CLASS "%s", word + strlen(CUDA_ARCH));
    return FARM_OK;
  }
  snprintf(out->text, sizeof out->text, "%s", word);
  return FARM_OK;
}

bool target_word_covers(const struct target_word *word, const char *class_text) {
  size_t length = strlen(word->text);
  if (word->scope == TARGET_EVERY) return true;
  if (word->scope == TARGET_CLASS) return strcmp(class_text, word->text) == 0;
  return strncmp(class_text, word->text, length) == 0 && (class_text[length] == ' ' || !class_text[length]);
}
