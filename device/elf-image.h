/* Images of kernels are ELF files from a cache or an engine, so from outside, and the driver is given them without their length.
 */
#ifndef DEVICE_ELF_IMAGE_H
#define DEVICE_ELF_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

/* Is it a 64-bit ELF file none of whose tables and sections speaks of bytes behind its end? */
bool elf_image_within(const void *image, size_t bytes);

#endif
