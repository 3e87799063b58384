/* See elf-image.h. */
#include "elf-image.h"

#include <elf.h>
#include <string.h>

/* Do `count` entries of `entry_bytes` at `offset` lie within? */
static bool table_within(size_t bytes, uint64_t offset, size_t count, size_t entry_bytes) {
  return count == 0 || (offset <= bytes && count <= (bytes - offset) / entry_bytes);
}

static bool section_within(const unsigned char *at, size_t bytes) {
  Elf64_Shdr section;
  memcpy(&section, at, sizeof section);
  if (section.sh_type == SHT_NOBITS || section.sh_type == SHT_NULL) return true;
  return section.sh_offset <= bytes && section.sh_size <= bytes - section.sh_offset;
}

static bool segment_within(const unsigned char *at, size_t bytes) {
  Elf64_Phdr segment;
  memcpy(&segment, at, sizeof segment);
  return segment.p_offset <= bytes && segment.p_filesz <= bytes - segment.p_offset;
}

bool elf_image_within(const void *image, size_t bytes) {
  const unsigned char *at = image;
  Elf64_Ehdr head;
  if (bytes < sizeof head) return false;
  memcpy(&head, image, sizeof head);
  if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64) return false;
  if (head.e_shnum && head.e_shentsize != sizeof(Elf64_Shdr)) return false;
  if (head.e_phnum && head.e_phentsize != sizeof(Elf64_Phdr)) return false;
  if (!table_within(bytes, head.e_shoff, head.e_shnum, sizeof(Elf64_Shdr))) return false;
  if (!table_within(bytes, head.e_phoff, head.e_phnum, sizeof(Elf64_Phdr))) return false;
  for (size_t i = 0; i < head.e_shnum; i++)
    if (!section_within(at + head.e_shoff + i * sizeof(Elf64_Shdr), bytes)) return false;
  for (size_t i = 0; i < head.e_phnum; i++)
    if (!segment_within(at + head.e_phoff + i * sizeof(Elf64_Phdr), bytes)) return false;
  return true;
}
