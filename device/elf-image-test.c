/* Images from outside: what speaks of bytes that are not there is refused, whatever is changed nothing behind the end is read. */
#include "elf-image.h"

#include "nvrtc.h"

#include "../base/file.h"
#include "../base/random.h"
#include "../tests/kit/test.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

/* This program is an ELF file, too. */
static void image_read(char **out, size_t *out_bytes) {
  REQUIRE_OK(file_read_all("/proc/self/exe", (size_t)1 << 30, out, out_bytes));
  test_keep(*out);
}

TEST(elf_image_of_a_program_is_one, "") {
  char *image;
  size_t bytes;
  image_read(&image, &bytes);
  CHECK(elf_image_within(image, bytes));
  CHECK(!elf_image_within(image, 0) && !elf_image_within(image, sizeof(Elf64_Ehdr) - 1));
  for (int i = 1; i < 100; i++) CHECK_MESSAGE(!elf_image_within(image, bytes * (size_t)i / 100), "%d %% of it", i);
}

TEST(elf_image_of_a_kernel_is_one, "") {
  struct bytes_writer cubin = {0};
  enum farm_status status =
      nvrtc_compile("empty.cu", "extern \"C\" __global__ void empty(float *x) { x[threadIdx.x] = 0; }", 90, &cubin, NULL);
  if (status == FARM_UNSUPPORTED) SKIP("%s", status_message());
  REQUIRE_OK(status);
  CHECK(elf_image_within(cubin.data, cubin.length));
  size_t least = cubin.length; // the shortest beginning that is still whole: nothing but padding may be missing
  while (least && elf_image_within(cubin.data, least - 1)) least--;
  CHECK_MESSAGE(cubin.length - least < 64, "%zu of %zu bytes are not spoken of", cubin.length - least, cubin.length);
  bytes_writer_free(&cubin);
}

TEST(elf_image_fields_that_lie_are_refused, "") {
  char *image;
  size_t bytes;
  image_read(&image, &bytes);
  Elf64_Ehdr head, changed;
  memcpy(&head, image, sizeof head);
  for (int i = 0; i < 8; i++) {
    changed = head;
    if (i == 0) changed.e_ident[EI_CLASS] = ELFCLASS32;
    if (i == 1) changed.e_ident[0] = 'x';
    if (i == 2) changed.e_shoff = bytes;
    if (i == 3) changed.e_shoff = UINT64_MAX - 63;
    if (i == 4) changed.e_shentsize = 1;
    if (i == 5) changed.e_phoff = UINT64_MAX;
    if (i == 6) changed.e_phentsize = 0;
    if (i == 7) changed.e_shoff = bytes - (size_t)head.e_shnum * sizeof(Elf64_Shdr) + 1;
    memcpy(image, &changed, sizeof changed);
    CHECK_MESSAGE(!elf_image_within(image, bytes), "change %d was accepted", i);
  }
  memcpy(image, &head, sizeof head);
  Elf64_Shdr section;
  char *at = image + head.e_shoff + sizeof section; // the first after the empty one
  memcpy(&section, at, sizeof section);
  REQUIRE(section.sh_type != SHT_NOBITS);
  section.sh_size = bytes - section.sh_offset + 1;
  memcpy(at, &section, sizeof section);
  CHECK(!elf_image_within(image, bytes));
}

/* A copy of exactly its length, so that a sanitizer sees a read behind it. */
TEST(elf_image_survives_any_bytes, "") {
  enum { MOST = 1024 };
  char *image;
  size_t bytes;
  image_read(&image, &bytes);
  for (unsigned i = 0; i < 20000; i++) {
    size_t length = random_u64(5, 8 * i) % MOST;
    char *copy = malloc(length ? length : 1);
    REQUIRE(copy);
    memcpy(copy, image, length);
    for (unsigned k = 0; k < 6 && length > 16; k++)
      copy[16 + random_u64(5, 8 * i + k) % (length - 16)] = (char)random_u64(7, 8 * i + k);
    CHECK(!elf_image_within(copy, length) || length >= sizeof(Elf64_Ehdr));
    free(copy);
  }
}
