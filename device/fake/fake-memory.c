/* Device memory of the fake driver. See fake-memory.h. */
#include "fake-memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ALIGNMENT = 256, FREED_KEPT = 64, FRESH = 0xff };

struct allocation {
  struct allocation *next;
  const void *owner;
  unsigned char *map, *pages, *data; // the whole mapping; its accessible part; what was asked for
  size_t map_bytes, page_bytes, bytes;
  bool freed, pinned;
};
static struct allocation *allocations;
static uint64_t used_bytes;
static int opened;

static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }
static size_t round_up(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

/* A page of guard, the pages with the data at their end, a page of guard. */
static struct allocation *allocation_make(const void *owner, size_t bytes, bool pinned) {
  if (bytes == 0 || bytes > (size_t)1 << 46) return NULL;
  struct allocation *a = calloc(1, sizeof *a);
  if (a == NULL) return NULL;
  a->owner = owner;
  a->bytes = bytes;
  a->pinned = pinned;
  a->page_bytes = round_up(bytes, page_size());
  a->map_bytes = a->page_bytes + 2 * page_size();
  a->map = mmap(NULL, a->map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (a->map == MAP_FAILED) goto free_allocation;
  a->pages = a->map + page_size();
  a->data = a->pages + a->page_bytes - round_up(bytes, ALIGNMENT);
  if (mprotect(a->pages, a->page_bytes, PROT_READ | PROT_WRITE) != 0) goto unmap;
  a->next = allocations;
  allocations = a;
  return a;
unmap:
  munmap(a->map, a->map_bytes);
free_allocation:
  free(a);
  return NULL;
}

uint64_t fake_memory_alloc(const void *owner, size_t bytes) {
  struct allocation *a = allocation_make(owner, bytes, false);
  if (a == NULL) return 0;
  memset(a->data, FRESH, bytes);
  if (opened == 0) mprotect(a->pages, a->page_bytes, PROT_NONE);
  used_bytes += bytes;
  return (uint64_t)(uintptr_t)a->data;
}

/* The oldest freed allocations give their addresses back. */
static void freed_trim(void) {
  int kept = 0;
  for (struct allocation **at = &allocations; *at != NULL;) {
    struct allocation *a = *at;
    if (!a->freed || kept++ < FREED_KEPT) {
      at = &a->next;
      continue;
    }
    *at = a->next;
    munmap(a->map, a->map_bytes);
    free(a);
  }
}

static void allocation_free(struct allocation *a) {
  a->freed = true;
  if (!a->pinned) used_bytes -= a->bytes;
  madvise(a->pages, a->page_bytes, MADV_DONTNEED);
  mprotect(a->pages, a->page_bytes, PROT_NONE);
}

static struct allocation *find(const void *data, bool pinned) {
  for (struct allocation *a = allocations; a != NULL; a = a->next)
    if (!a->freed && a->pinned == pinned && a->data == data) return a;
  return NULL;
}

bool fake_memory_free(const void *owner, uint64_t address) {
  struct allocation *a = find((const void *)(uintptr_t)address, false);
  if (a == NULL || a->owner != owner) return false;
  allocation_free(a);
  freed_trim();
  return true;
}

void fake_memory_free_all(const void *owner) {
  for (struct allocation *a = allocations; a != NULL; a = a->next)
    if (!a->freed && !a->pinned && a->owner == owner) allocation_free(a);
  freed_trim();
}

uint64_t fake_memory_used(void) { return used_bytes; }

static bool contains(const void *data, size_t bytes, bool pinned) {
  const unsigned char *at = data;
  for (const struct allocation *a = allocations; a != NULL; a = a->next)
    if (!a->freed && a->pinned == pinned && at >= a->data && at <= a->data + a->bytes &&
        bytes <= (size_t)(a->data + a->bytes - at))
      return true;
  return false;
}

bool fake_memory_contains(uint64_t address, size_t bytes) { return contains((const void *)(uintptr_t)address, bytes, false); }

static void protect_all(int protection) {
  for (struct allocation *a = allocations; a != NULL; a = a->next)
    if (!a->freed && !a->pinned) mprotect(a->pages, a->page_bytes, protection);
}
void fake_memory_open(void) {
  if (opened++ == 0) protect_all(PROT_READ | PROT_WRITE);
}
void fake_memory_close(void) {
  if (--opened == 0) protect_all(PROT_NONE);
}

bool fake_memory_locate(uint64_t address, uint64_t *out_low, uint64_t *out_high) {
  const unsigned char *at = (const unsigned char *)(uintptr_t)address;
  for (const struct allocation *a = allocations; a != NULL; a = a->next)
    if (!a->freed && at >= a->data && at < a->data + a->bytes) {
      *out_low = (uintptr_t)a->data;
      *out_high = (uintptr_t)(a->data + a->bytes);
      return true;
    }
  return false;
}

void fake_memory_describe(const void *address, char *out, size_t out_bytes) {
  const unsigned char *at = address;
  for (const struct allocation *a = allocations; a != NULL; a = a->next) {
    if (at < a->map || at >= a->map + a->map_bytes) continue;
    if (a->freed)
      snprintf(out, out_bytes, "it was freed (an allocation of %zu bytes)", a->bytes);
    else if (at < a->data)
      snprintf(out, out_bytes, "%td bytes before an allocation of %zu bytes", a->data - at, a->bytes);
    else if (at < a->data + a->bytes)
      snprintf(out, out_bytes, "over the end of an allocation of %zu bytes", a->bytes);
    else
      snprintf(out, out_bytes, "%td bytes behind the end of an allocation of %zu bytes", at - (a->data + a->bytes), a->bytes);
    return;
  }
  snprintf(out, out_bytes, "it is in no allocation");
}

void *fake_pinned_alloc(size_t bytes) {
  struct allocation *a = allocation_make(NULL, bytes, true);
  return a == NULL ? NULL : a->data;
}
bool fake_pinned_free(void *data) {
  struct allocation *a = find(data, true);
  if (a == NULL) return false;
  allocation_free(a);
  freed_trim();
  return true;
}
bool fake_pinned_contains(const void *data, size_t bytes) { return contains(data, bytes, true); }
