/* Fuzz target: whatever device_class_parse accepts prints as the same text and fits itself. */
#include "device-class.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t length);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t length) {
  struct device_class device_class;
  char out[DEVICE_CLASS_TEXT_MAX], *text = malloc(length + 1);
  if (!text) return 0;
  memcpy(text, data, length);
  text[length] = 0;
  if (device_class_parse(text, &device_class) == FARM_OK) {
    device_class_print(&device_class, out);
    if (strcmp(out, text) || !device_class_fits(&device_class, &device_class)) __builtin_trap();
  }
  free(text);
  return 0;
}
